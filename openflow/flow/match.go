// Package flow holds what a switch should contain: matches, actions, rules, groups and meters as wire bytes, and the Store
// that keeps the desired state and its difference to what a switch dumps. It is pure: no I/O, no clock, no goroutine.
package flow

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"

	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/packet"
)

// OXM classes (OpenFlow 1.3 section 7.2.3.2; Nicira's from nicira-ext).
const (
	classNXM1  = 0x0001
	classBasic = 0x8000
)

// OXM fields of class 0x8000 (OpenFlow 1.3 table 11) and Nicira's of class 1 that the pipeline uses.
const (
	fieldInPort     = classBasic<<16 | 0<<9
	fieldEthDst     = classBasic<<16 | 3<<9
	fieldEthSrc     = classBasic<<16 | 4<<9
	fieldEthType    = classBasic<<16 | 5<<9
	fieldVLANVID    = classBasic<<16 | 6<<9
	fieldIPDSCP     = classBasic<<16 | 8<<9
	fieldIPProto    = classBasic<<16 | 10<<9
	fieldIPv4Src    = classBasic<<16 | 11<<9
	fieldIPv4Dst    = classBasic<<16 | 12<<9
	fieldICMPv4Type = classBasic<<16 | 19<<9
	fieldARPOp      = classBasic<<16 | 21<<9
	fieldARPSPA     = classBasic<<16 | 22<<9
	fieldIPv6Src    = classBasic<<16 | 26<<9
	fieldIPv6Dst    = classBasic<<16 | 27<<9
	fieldICMPv6Type = classBasic<<16 | 29<<9
	fieldTunnelID   = classBasic<<16 | 38<<9

	fieldReg0    = classNXM1<<16 | 0<<9
	fieldReg1    = classNXM1<<16 | 1<<9
	fieldPktMark = classNXM1<<16 | 33<<9
	fieldCTState = classNXM1<<16 | 105<<9
	fieldCTMark  = classNXM1<<16 | 107<<9
)

// hasMask is the OXM header bit that says a mask follows the value.
const hasMask = 1 << 8

// classExperimenter is the OXM class of fields whose value begins with the id of an experimenter.
const classExperimenter = 0xffff

// vlanPresent is OFPVID_PRESENT: the frame has a VLAN tag.
const vlanPresent = 0x1000

// Bits of ct_state (ovs-fields(7)).
const (
	CTNew         = 0x01
	CTEstablished = 0x02
	CTReply       = 0x08
	CTInvalid     = 0x10
	CTTracked     = 0x20
)

// maxMatch bounds the OXM bytes of one match. The longest match of the pipeline (an IPv6 probe's trap) has 97.
const maxMatch = 128

// Match is a set of OXM fields in canonical order: ascending by class and field, as one switch dumps them in another order
// than the next. It is a plain value; two matches are the same exactly when Equal says so. Fields must be set at most once.
type Match struct {
	n   uint8
	buf [maxMatch]byte
}

// Bytes returns the OXM TLVs without the ofp_match header and padding. It aliases m.
func (m *Match) Bytes() []byte { return m.buf[:m.n] }

// Equal reports whether both match the same fields with the same values and masks.
func (m *Match) Equal(o *Match) bool { return bytes.Equal(m.Bytes(), o.Bytes()) }

// add inserts one TLV at its canonical place. Switches dump a field whose mask is all ones without the mask, and leave out one
// whose mask is all zeros: so does add.
func (m *Match) add(field uint32, value, mask []byte) {
	if mask != nil && len(mask) == len(value) {
		switch ones, zeros := uniform(mask); {
		case ones:
			mask = nil
		case zeros:
			return
		}
	}
	size := 4 + len(value) + len(mask)
	if int(m.n)+size > maxMatch {
		panic("flow: match too long") // a match of ours that does not fit is a bug of the pipeline, not input
	}
	at := 0
	for at < int(m.n) {
		h := binary.BigEndian.Uint32(m.buf[at:])
		if h&^(hasMask|0xff) > field {
			break
		}
		at += 4 + int(h&0xff)
	}
	copy(m.buf[at+size:], m.buf[at:m.n])
	m.n += uint8(size)
	h := field | uint32(len(value)+len(mask))
	if mask != nil {
		h |= hasMask
	}
	binary.BigEndian.PutUint32(m.buf[at:], h)
	copy(m.buf[at+4:], value)
	copy(m.buf[at+4+len(value):], mask)
}

// uniform reports whether all bits of a mask are ones, or zeros. A mask of no bytes is neither.
func uniform(mask []byte) (ones, zeros bool) {
	ones, zeros = len(mask) > 0, len(mask) > 0
	for _, b := range mask {
		ones, zeros = ones && b == 0xff, zeros && b == 0
	}
	return ones, zeros
}

func (m *Match) add8(field uint32, v uint8)   { m.add(field, []byte{v}, nil) }
func (m *Match) add16(field uint32, v uint16) { m.add(field, []byte{byte(v >> 8), byte(v)}, nil) }
func (m *Match) add32(field, v uint32) {
	m.add(field, []byte{byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)}, nil)
}

// InPort matches the port that the frame came in on.
func (m Match) InPort(p openflow.PortNo) Match { m.add32(fieldInPort, uint32(p)); return m }

// VLAN matches frames tagged with the VLAN vid; 0 matches priority-tagged frames.
func (m Match) VLAN(vid uint16) Match { m.add16(fieldVLANVID, vid|vlanPresent); return m }

// Untagged matches frames without a VLAN tag.
func (m Match) Untagged() Match { m.add16(fieldVLANVID, 0); return m }

// EthDst matches a destination MAC address.
func (m Match) EthDst(a packet.MAC) Match { m.add(fieldEthDst, a[:], nil); return m }

// EthDstMasked matches the bits of the destination MAC address that mask selects.
func (m Match) EthDstMasked(a, mask packet.MAC) Match { m.add(fieldEthDst, a[:], mask[:]); return m }

// EthSrc matches a source MAC address.
func (m Match) EthSrc(a packet.MAC) Match { m.add(fieldEthSrc, a[:], nil); return m }

// EthSrcMasked matches the bits of the source MAC address that mask selects.
func (m Match) EthSrcMasked(a, mask packet.MAC) Match { m.add(fieldEthSrc, a[:], mask[:]); return m }

// EthType matches the ethertype after the VLAN tag.
func (m Match) EthType(t uint16) Match { m.add16(fieldEthType, t); return m }

// IPProto matches the IPv4 protocol or IPv6 next header; EthType must be set.
func (m Match) IPProto(p uint8) Match { m.add8(fieldIPProto, p); return m }

// IPDSCP matches the upper six bits of the TOS or traffic class; EthType must be set.
func (m Match) IPDSCP(d uint8) Match { m.add8(fieldIPDSCP, d); return m }

// IPSrc matches the source address, of either family; EthType must be set to go with it.
func (m Match) IPSrc(a netip.Addr) Match { m.addIP(fieldIPv4Src, fieldIPv6Src, a); return m }

// IPDst matches the destination address, of either family; EthType must be set to go with it.
func (m Match) IPDst(a netip.Addr) Match { m.addIP(fieldIPv4Dst, fieldIPv6Dst, a); return m }

func (m *Match) addIP(v4, v6 uint32, a netip.Addr) {
	if a.Is4() {
		b := a.As4()
		m.add(v4, b[:], nil)
		return
	}
	b := a.As16()
	m.add(v6, b[:], nil)
}

// ICMPType matches the ICMP type (IPProto 1) of an IPv4 packet.
func (m Match) ICMPType(t uint8) Match { m.add8(fieldICMPv4Type, t); return m }

// ICMPv6Type matches the ICMPv6 type (IPProto 58) of an IPv6 packet.
func (m Match) ICMPv6Type(t uint8) Match { m.add8(fieldICMPv6Type, t); return m }

// ARPOp matches the ARP operation; EthType must be ARP.
func (m Match) ARPOp(op uint16) Match { m.add16(fieldARPOp, op); return m }

// ARPSender matches the ARP sender protocol address; EthType must be ARP.
func (m Match) ARPSender(a netip.Addr) Match { b := a.As4(); m.add(fieldARPSPA, b[:], nil); return m }

// TunnelID matches the tunnel's key or VNI.
func (m Match) TunnelID(id uint64) Match {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], id)
	m.add(fieldTunnelID, b[:], nil)
	return m
}

// Reg0 matches the register 0 that a packet-out of ours may have set.
func (m Match) Reg0(v uint32) Match { m.add32(fieldReg0, v); return m }

// CTState matches the connection tracker's state bits that mask selects.
func (m Match) CTState(v, mask uint32) Match {
	var b [8]byte
	binary.BigEndian.PutUint32(b[:], v)
	binary.BigEndian.PutUint32(b[4:], mask)
	m.add(fieldCTState, b[:4], b[4:])
	return m
}

// CTMark matches the bits of the connection's mark that mask selects.
func (m Match) CTMark(v, mask uint32) Match {
	var b [8]byte
	binary.BigEndian.PutUint32(b[:], v)
	binary.BigEndian.PutUint32(b[4:], mask)
	m.add(fieldCTMark, b[:4], b[4:])
	return m
}

// ErrForeignMatch says that a dumped match is longer than any of ours, or has a field of an experimenter.
var ErrForeignMatch = errors.New("match is not one of ours")

// Canonical brings the OXM TLVs that a switch dumped into the order of Match. The TLVs must have been checked by
// openflow's decoder; a match that cannot be ours is ErrForeignMatch.
func Canonical(oxm []byte) (m Match, err error) {
	if len(oxm) > maxMatch {
		return m, ErrForeignMatch
	}
	for len(oxm) >= 4 {
		h := binary.BigEndian.Uint32(oxm)
		n := int(h & 0xff)
		// An experimenter's value begins with its id, of which a mask has no part: it would have to be split elsewhere.
		if 4+n > len(oxm) || h>>16 == classExperimenter {
			return m, ErrForeignMatch
		}
		value, mask := oxm[4:4+n], []byte(nil)
		if h&hasMask != 0 {
			value, mask = value[:n/2], value[n/2:]
		}
		m.add(h&^(hasMask|0xff), value, mask)
		oxm = oxm[4+n:]
	}
	return m, nil
}

// field returns the value bytes of a field that is matched whole, or nil: how an app reads its own flow back from a dump. A
// field of another size than it has is none: decoders let it pass, since they do not know every field.
func (m *Match) field(field, size uint32) []byte {
	for at := 0; at < int(m.n); {
		h := binary.BigEndian.Uint32(m.buf[at:])
		if h == field|size {
			return m.buf[at+4 : at+4+int(size)]
		}
		at += 4 + int(h&0xff)
	}
	return nil
}

// GetInPort returns the matched in port, if there is one.
func (m *Match) GetInPort() (openflow.PortNo, bool) {
	b := m.field(fieldInPort, 4)
	if b == nil {
		return 0, false
	}
	return openflow.PortNo(binary.BigEndian.Uint32(b)), true
}

// GetVLAN returns the matched VLAN of tagged frames, if there is one.
func (m *Match) GetVLAN() (uint16, bool) {
	b := m.field(fieldVLANVID, 2)
	if b == nil || b[0]&(vlanPresent>>8) == 0 {
		return 0, false
	}
	return binary.BigEndian.Uint16(b) &^ vlanPresent, true
}

// GetEthSrc returns the matched source address, if it is matched whole.
func (m *Match) GetEthSrc() (a packet.MAC, ok bool) {
	b := m.field(fieldEthSrc, 6)
	copy(a[:], b)
	return a, b != nil
}

// GetEthDst returns the matched destination address, if it is matched whole.
func (m *Match) GetEthDst() (a packet.MAC, ok bool) {
	b := m.field(fieldEthDst, 6)
	copy(a[:], b)
	return a, b != nil
}
