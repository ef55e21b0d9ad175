package oxm

import "fmt"

// Field names an OXM field by class and number, as the upper 23 bits of an OXM header do.
type Field uint32

// OXM classes (OpenFlow 1.3.5 section 7.2.3.3; nicira-ext.h).
const (
	nxm1  Field = 0x0001 << 7
	basic Field = 0x8000 << 7
)

// Fields of OpenFlow 1.3 (section 7.2.3.7).
const (
	InPort     = basic // number 0
	Metadata   = basic | 2
	EthDst     = basic | 3
	EthSrc     = basic | 4
	EthType    = basic | 5
	VLANVID    = basic | 6
	VLANPCP    = basic | 7
	IPDSCP     = basic | 8
	IPECN      = basic | 9
	IPProto    = basic | 10
	IPv4Src    = basic | 11
	IPv4Dst    = basic | 12
	TCPSrc     = basic | 13
	TCPDst     = basic | 14
	UDPSrc     = basic | 15
	UDPDst     = basic | 16
	ICMPType   = basic | 19
	ICMPCode   = basic | 20
	ARPOp      = basic | 21
	ARPSPA     = basic | 22
	ARPTPA     = basic | 23
	ARPSHA     = basic | 24
	ARPTHA     = basic | 25
	IPv6Src    = basic | 26
	IPv6Dst    = basic | 27
	IPv6Label  = basic | 28
	ICMPv6Type = basic | 29
	ICMPv6Code = basic | 30
	NDTarget   = basic | 31
	NDSLL      = basic | 32
	NDTLL      = basic | 33
	TunnelID   = basic | 38
)

// Nicira's fields (nicira-ext.h).
const (
	Reg0    = nxm1 // number 0, to Reg0+15
	IPTTL   = nxm1 | 29
	TunSrc  = nxm1 | 31
	TunDst  = nxm1 | 32
	PktMark = nxm1 | 33
	CTState = nxm1 | 105
	CTZone  = nxm1 | 106
	CTMark  = nxm1 | 107
)

// Regs is how many registers a packet has.
const Regs = 16

// Class returns the field's OXM class.
func (f Field) Class() uint16 { return uint16(f >> 7) }

// Header returns the field's OXM header without mask bit and length.
func (f Field) Header() uint32 { return uint32(f) << 9 }

// FieldOf returns the field of an OXM header. Nicira's older number of a field becomes OpenFlow's.
func FieldOf(header uint32) Field {
	f := Field(header >> 9)
	if f&^0x7f == nxm1 {
		if i := index[0][f&0x7f]; i != nil {
			return i.Field
		}
	}
	return f
}

// Info returns what is known of the field, or nil.
func (f Field) Info() *Info {
	switch f &^ 0x7f {
	case nxm1:
		return index[0][f&0x7f]
	case basic:
		return index[1][f&0x7f]
	}
	return nil
}

// String returns the name that set_field uses, or class and number.
func (f Field) String() string {
	if i := f.Info(); i != nil {
		return i.Name
	}
	return fmt.Sprintf("oxm_%#x:%d", uint32(f)>>7, uint32(f)&0x7f)
}
