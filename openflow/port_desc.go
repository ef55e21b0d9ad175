package openflow

import "bytes"

// Bits of PortDesc.Config (spec 7.2.1).
const (
	PortConfigDown   uint32 = 1 << 0 // administratively down
	PortConfigNoRecv uint32 = 1 << 2 // drops all it receives, injected packets included
)

// Bits of PortDesc.State (spec 7.2.1).
const (
	PortStateLinkDown uint32 = 1 << 0
	PortStateLive     uint32 = 1 << 2
)

// PortDesc describes a port (spec 7.2.1).
type PortDesc struct {
	No         PortNo
	HWAddr     [6]byte
	Name       string // as the switch sent it, up to the first zero byte; not checked for printable characters
	Config     uint32 // PortConfig bits
	State      uint32 // PortState bits
	Curr       uint32 // features, spec 7.2.1 ofp_port_features
	Advertised uint32
	Supported  uint32
	Peer       uint32
	CurrSpeed  uint32 // kbit/s
	MaxSpeed   uint32 // kbit/s
}

// PortDescLen is the length in bytes of a port description on the wire.
const PortDescLen = 64

// Up reports whether the port is administratively up and has a link.
func (p *PortDesc) Up() bool {
	return p.Config&PortConfigDown == 0 && p.State&PortStateLinkDown == 0
}

// DecodePortDesc reads one entry of a [MultipartPortDesc] reply and returns what follows it.
func DecodePortDesc(b []byte) (p PortDesc, rest []byte, err error) {
	if len(b) < PortDescLen {
		return p, nil, &DecodeError{Message: "port_desc", Offset: len(b), Err: ErrShort}
	}
	p.decode(b[:PortDescLen])
	return p, b[PortDescLen:], nil
}

// decode reads b, which has PortDescLen bytes.
func (p *PortDesc) decode(b []byte) {
	*p = PortDesc{
		No:         PortNo(be.Uint32(b)),
		HWAddr:     [6]byte(b[8:14]),
		Name:       cString(b[16:32]),
		Config:     be.Uint32(b[32:]),
		State:      be.Uint32(b[36:]),
		Curr:       be.Uint32(b[40:]),
		Advertised: be.Uint32(b[44:]),
		Supported:  be.Uint32(b[48:]),
		Peer:       be.Uint32(b[52:]),
		CurrSpeed:  be.Uint32(b[56:]),
		MaxSpeed:   be.Uint32(b[60:]),
	}
}

// cString copies b up to its first zero byte.
func cString(b []byte) string {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return string(b)
}

// AppendPortDesc appends one entry of a [MultipartPortDesc] reply. A name of more than 15 bytes is cut, as a switch
// does.
func AppendPortDesc(b []byte, p *PortDesc) []byte {
	b = be.AppendUint32(b, uint32(p.No))
	b = appendZeros(b, 4)
	b = append(b, p.HWAddr[:]...)
	b = appendZeros(b, 2)
	b = appendCString(b, p.Name, 16)
	b = be.AppendUint32(b, p.Config)
	b = be.AppendUint32(b, p.State)
	b = be.AppendUint32(b, p.Curr)
	b = be.AppendUint32(b, p.Advertised)
	b = be.AppendUint32(b, p.Supported)
	b = be.AppendUint32(b, p.Peer)
	b = be.AppendUint32(b, p.CurrSpeed)
	return be.AppendUint32(b, p.MaxSpeed)
}

// appendCString appends s in a field of n bytes, cut so that a zero byte ends it.
func appendCString(b []byte, s string, n int) []byte {
	s = s[:min(len(s), n-1)]
	b = append(b, s...)
	for range n - len(s) {
		b = append(b, 0)
	}
	return b
}
