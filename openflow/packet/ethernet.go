package packet

// Ethernet types.
const (
	EtherTypeIPv4 uint16 = 0x0800
	EtherTypeARP  uint16 = 0x0806
	EtherTypeVLAN uint16 = 0x8100 // 802.1Q tag
	EtherTypeQinQ uint16 = 0x88a8 // 802.1ad service tag
	EtherTypeIPv6 uint16 = 0x86dd
	EtherTypeLLDP uint16 = 0x88cc
)

const (
	etherLen = 14
	tagLen   = 4
)

// Frame is a view of an Ethernet frame with at most one VLAN tag looked at: the outermost.
type Frame struct {
	bytes  []byte
	tagged bool
}

// Parse checks that frame has a whole Ethernet header, and a whole tag where it starts with one.
func Parse(frame []byte) (Frame, bool) {
	if len(frame) < etherLen {
		return Frame{}, false
	}
	frame = frame[:len(frame):len(frame)] // whoever appends to a part of it copies
	t := be.Uint16(frame[12:])
	f := Frame{bytes: frame, tagged: t == EtherTypeVLAN || t == EtherTypeQinQ}
	if f.tagged && len(frame) < etherLen+tagLen {
		return Frame{}, false
	}
	return f, true
}

// The whole frame, and its destination and source address.
func (f Frame) Bytes() []byte { return f.bytes }
func (f Frame) Dst() MAC      { return MAC(f.bytes[0:6]) }
func (f Frame) Src() MAC      { return MAC(f.bytes[6:12]) }

// Tagged reports whether the frame starts with a VLAN tag, 802.1Q or 802.1ad, a priority tag (VID 0) included.
func (f Frame) Tagged() bool { return f.tagged }

// TPID returns the Ethernet type of the tag, or 0 when the frame has none.
func (f Frame) TPID() uint16 {
	if !f.tagged {
		return 0
	}
	return be.Uint16(f.bytes[12:])
}

// TCI returns the tag's control information: 3 bits priority, 1 bit drop eligible, 12 bits VLAN id. It is 0 when the
// frame has no tag; ask Tagged.
func (f Frame) TCI() uint16 {
	if !f.tagged {
		return 0
	}
	return be.Uint16(f.bytes[14:])
}

// The VLAN id and the priority of the tag, or 0.
func (f Frame) VID() uint16 { return f.TCI() & 0xfff }
func (f Frame) PCP() uint8  { return uint8(f.TCI() >> 13) }

// EtherType returns the type behind the tag, or the frame's when it has none. Below 0x600 it is an 802.3 length.
func (f Frame) EtherType() uint16 { return be.Uint16(f.bytes[f.payload()-2:]) }

// Payload returns what follows the Ethernet type, padding included.
func (f Frame) Payload() []byte { return f.bytes[f.payload():] }

func (f Frame) payload() int {
	if f.tagged {
		return etherLen + tagLen
	}
	return etherLen
}

// AppendEthernet appends the header of an untagged frame.
func AppendEthernet(b []byte, dst, src MAC, etherType uint16) []byte {
	b = append(b, dst[:]...)
	b = append(b, src[:]...)
	return be.AppendUint16(b, etherType)
}

// AppendEthernetVLAN appends the header of a frame with an 802.1Q tag.
func AppendEthernetVLAN(b []byte, dst, src MAC, tci, etherType uint16) []byte {
	b = AppendEthernet(b, dst, src, EtherTypeVLAN)
	b = be.AppendUint16(b, tci)
	return be.AppendUint16(b, etherType)
}
