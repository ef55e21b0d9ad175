package openflow

import "net/netip"

// BufferNone is the buffer id of a packet that is whole in its message.
const BufferNone uint32 = 0xffffffff

// PacketInReason says why a packet was sent to the controller (spec 7.4.1).
type PacketInReason uint8

// Reasons of a packet-in.
const (
	PacketInNoMatch    PacketInReason = 0 // table-miss rule
	PacketInAction     PacketInReason = 1 // output to CONTROLLER
	PacketInInvalidTTL PacketInReason = 2
)

var packetInReasons = [...]string{"no_match", "action", "invalid_ttl"}

// String returns the reason in snake case, or "reason_N".
func (r PacketInReason) String() string {
	return nameOf(packetInReasons[:], "reason_", int(r))
}

// PacketIn is a packet that the switch sent to the controller (spec 7.4.1).
type PacketIn struct {
	BufferID uint32 // BufferNone when Data is the whole packet
	TotalLen uint16 // length of the packet in bytes; Data may be shorter
	Reason   PacketInReason
	TableID  uint8
	Cookie   uint64 // of the rule that sent it; all ones when there is none
	InPort   PortNo // 0 when the switch did not say
	TunnelID uint64 // 0 when the packet came by no tunnel, or by one without an id
	TunSrc   netip.Addr
	TunDst   netip.Addr // both are the zero Addr when the packet came by no tunnel
	Data     []byte     // the frame; aliases the message
}

// OXM and NXM headers (class, field, no mask, length) of the packet-in fields that are looked at.
const (
	oxmInPort   = 0x8000<<16 | 0<<9 | 4
	oxmTunnelID = 0x8000<<16 | 38<<9 | 8
	nxmTunSrc   = 0x0001<<16 | 31<<9 | 4
	nxmTunDst   = 0x0001<<16 | 32<<9 | 4
	nxmTunSrc6  = 0x0001<<16 | 109<<9 | 16
	nxmTunDst6  = 0x0001<<16 | 110<<9 | 16
)

const packetInFixed = 24 // bytes before the match

// Decode reads a packet-in. It allocates nothing. A field of the match that it does not know is skipped; one that it
// knows but which has another length, or a mask, is an error.
func (m *PacketIn) Decode(msg []byte) error {
	if e := checkHeader(msg, TypePacketIn, packetInFixed+8+2); e != nil {
		return e
	}
	oxm, rest, e := cutMatch(msg[packetInFixed:])
	if e != nil {
		return e.in("packet_in", packetInFixed)
	}
	if len(rest) < 2 { // ofp_packet_in has 2 bytes of padding between match and data
		return &DecodeError{Message: "packet_in", Offset: len(msg) - len(rest), Err: ErrShort}
	}
	*m = PacketIn{
		BufferID: be.Uint32(msg[8:]),
		TotalLen: be.Uint16(msg[12:]),
		Reason:   PacketInReason(msg[14]),
		TableID:  msg[15],
		Cookie:   be.Uint64(msg[16:]),
		Data:     clip(rest[2:]),
	}
	if e := m.decodeMatch(oxm); e != nil {
		return e.under("match", 4).in("packet_in", packetInFixed)
	}
	return nil
}

func (m *PacketIn) decodeMatch(b []byte) *DecodeError {
	for i, n := 0, 1; i < len(b); n++ {
		if len(b)-i < 4 {
			return &DecodeError{Part: "field", Index: n, Offset: i, Err: ErrShort}
		}
		header := be.Uint32(b[i:])
		start, end := i+4, i+4+int(header&0xff)
		if end > len(b) {
			return &DecodeError{Part: "field", Index: n, Offset: i, Err: ErrShort}
		}
		value := b[start:end]
		switch header {
		case oxmInPort:
			m.InPort = PortNo(be.Uint32(value))
		case oxmTunnelID:
			m.TunnelID = be.Uint64(value)
		case nxmTunSrc:
			m.TunSrc = netip.AddrFrom4([4]byte(value))
		case nxmTunDst:
			m.TunDst = netip.AddrFrom4([4]byte(value))
		case nxmTunSrc6:
			m.TunSrc = netip.AddrFrom16([16]byte(value))
		case nxmTunDst6:
			m.TunDst = netip.AddrFrom16([16]byte(value))
		default:
			if !oxmSizeOK(header) || packetInField(header) {
				return &DecodeError{Part: "field", Index: n, Offset: i + 3, Err: ErrLength}
			}
		}
		i = end
	}
	return nil
}

// packetInField reports whether the header names a field that decodeMatch reads, whatever its length and mask bit.
func packetInField(header uint32) bool {
	switch header >> 9 {
	case oxmInPort >> 9, oxmTunnelID >> 9, nxmTunSrc >> 9, nxmTunDst >> 9, nxmTunSrc6 >> 9, nxmTunDst6 >> 9:
		return true
	}
	return false
}

// AppendPacketIn appends a packet-in as Open vSwitch sends it. Fields of the match that are zero are left out, save the
// input port. It appends nothing when the message is too long.
func AppendPacketIn(b []byte, xid uint32, m *PacketIn) []byte {
	var fields [64]byte
	oxm := be.AppendUint32(fields[:0], oxmInPort)
	oxm = be.AppendUint32(oxm, uint32(m.InPort))
	if m.TunnelID != 0 {
		oxm = be.AppendUint32(oxm, oxmTunnelID)
		oxm = be.AppendUint64(oxm, m.TunnelID)
	}
	oxm = appendTunAddr(oxm, m.TunSrc, nxmTunSrc, nxmTunSrc6)
	oxm = appendTunAddr(oxm, m.TunDst, nxmTunDst, nxmTunDst6)
	n := packetInFixed + matchLen(oxm) + 2 + len(m.Data)
	if n > MaxLen {
		return b
	}
	b = appendHeader(b, TypePacketIn, n, xid)
	b = be.AppendUint32(b, m.BufferID)
	b = be.AppendUint16(b, m.TotalLen)
	b = append(b, byte(m.Reason), m.TableID)
	b = be.AppendUint64(b, m.Cookie)
	b = appendMatch(b, oxm)
	b = append(b, 0, 0)
	return append(b, m.Data...)
}

func appendTunAddr(b []byte, a netip.Addr, header4, header6 uint32) []byte {
	switch {
	case a.Is4():
		v := a.As4()
		return append(be.AppendUint32(b, header4), v[:]...)
	case a.Is6():
		v := a.As16()
		return append(be.AppendUint32(b, header6), v[:]...)
	}
	return b
}
