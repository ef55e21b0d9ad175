// Package flow holds what a switch should contain: matches, actions, rules, groups and meters as wire bytes, and the
// Store of the desired state and its difference from a dump. It is pure: no I/O, no clock, no goroutine.
package flow

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"

	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/oxm"
	"github.com/eosin-sdn/eosin/openflow/packet"
)

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

// Match is a set of OXM fields in canonical order, ascending by class and field, since switches dump them in different
// orders. It is a plain value. Each field may be set once.
type Match struct {
	n   uint8
	buf [maxMatch]byte
}

// Bytes returns the OXM TLVs without the ofp_match header and padding. It aliases m.
func (m *Match) Bytes() []byte { return m.buf[:m.n] }

// Equal reports whether both match the same fields with the same values and masks.
func (m *Match) Equal(o *Match) bool { return bytes.Equal(m.Bytes(), o.Bytes()) }

// add inserts one TLV at its canonical place. Like switches in a dump, it drops a mask that is all ones, and a field
// whose mask is all zeros.
func (m *Match) add(field oxm.Field, value, mask []byte) {
	if mask != nil {
		t := oxm.TLV{Value: value, Mask: mask}
		if !t.Canonical() {
			return
		}
		mask = t.Mask
	}
	size := 4 + len(value) + len(mask)
	if int(m.n)+size > maxMatch {
		panic("flow: match too long") // a bug of the pipeline: Canonical checks the length of what switches send
	}
	at := 0
	for at < int(m.n) {
		h := binary.BigEndian.Uint32(m.buf[at:])
		if oxm.Field(h>>9) > field {
			break
		}
		at += 4 + int(h&0xff)
	}
	copy(m.buf[at+size:], m.buf[at:m.n])
	m.n += uint8(size)
	h := field.Header() | uint32(len(value)+len(mask))
	if mask != nil {
		h |= oxm.HasMask
	}
	binary.BigEndian.PutUint32(m.buf[at:], h)
	copy(m.buf[at+4:], value)
	copy(m.buf[at+4+len(value):], mask)
}

func (m *Match) add8(field oxm.Field, v uint8)   { m.add(field, []byte{v}, nil) }
func (m *Match) add16(field oxm.Field, v uint16) { m.add(field, []byte{byte(v >> 8), byte(v)}, nil) }

func (m *Match) add32(field oxm.Field, v uint32) {
	m.add(field, []byte{byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)}, nil)
}

// InPort matches the port that the frame came in on.
func (m Match) InPort(p openflow.PortNo) Match { m.add32(oxm.InPort, uint32(p)); return m }

// VLAN matches frames tagged with the VLAN vid; 0 matches priority-tagged frames.
func (m Match) VLAN(vid uint16) Match { m.add16(oxm.VLANVID, vid|oxm.VLANPresent); return m }

// Untagged matches frames without a VLAN tag.
func (m Match) Untagged() Match { m.add16(oxm.VLANVID, 0); return m }

// EthDst matches a destination MAC address.
func (m Match) EthDst(a packet.MAC) Match { m.add(oxm.EthDst, a[:], nil); return m }

// EthDstMasked matches the bits of the destination MAC address that mask selects.
func (m Match) EthDstMasked(a, mask packet.MAC) Match { m.add(oxm.EthDst, a[:], mask[:]); return m }

// EthSrc matches a source MAC address.
func (m Match) EthSrc(a packet.MAC) Match { m.add(oxm.EthSrc, a[:], nil); return m }

// EthSrcMasked matches the bits of the source MAC address that mask selects.
func (m Match) EthSrcMasked(a, mask packet.MAC) Match { m.add(oxm.EthSrc, a[:], mask[:]); return m }

// EthType matches the ethertype after the VLAN tag.
func (m Match) EthType(t uint16) Match { m.add16(oxm.EthType, t); return m }

// IPProto matches the IPv4 protocol or IPv6 next header; EthType must be set.
func (m Match) IPProto(p uint8) Match { m.add8(oxm.IPProto, p); return m }

// IPDSCP matches the upper six bits of the TOS or traffic class; EthType must be set.
func (m Match) IPDSCP(d uint8) Match { m.add8(oxm.IPDSCP, d); return m }

// IPSrc matches the source address, of either family; EthType must be set to go with it.
func (m Match) IPSrc(a netip.Addr) Match { m.addIP(oxm.IPv4Src, oxm.IPv6Src, a); return m }

// IPDst matches the destination address, of either family; EthType must be set to go with it.
func (m Match) IPDst(a netip.Addr) Match { m.addIP(oxm.IPv4Dst, oxm.IPv6Dst, a); return m }

func (m *Match) addIP(v4, v6 oxm.Field, a netip.Addr) {
	if a.Is4() {
		b := a.As4()
		m.add(v4, b[:], nil)
		return
	}
	b := a.As16()
	m.add(v6, b[:], nil)
}

// ICMPType matches the ICMP type (IPProto 1) of an IPv4 packet.
func (m Match) ICMPType(t uint8) Match { m.add8(oxm.ICMPType, t); return m }

// ICMPv6Type matches the ICMPv6 type (IPProto 58) of an IPv6 packet.
func (m Match) ICMPv6Type(t uint8) Match { m.add8(oxm.ICMPv6Type, t); return m }

// ARPOp matches the ARP operation; EthType must be ARP.
func (m Match) ARPOp(op uint16) Match { m.add16(oxm.ARPOp, op); return m }

// ARPSender matches the ARP sender protocol address; EthType must be ARP.
func (m Match) ARPSender(a netip.Addr) Match { b := a.As4(); m.add(oxm.ARPSPA, b[:], nil); return m }

// TunnelID matches the tunnel's key or VNI.
func (m Match) TunnelID(id uint64) Match {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], id)
	m.add(oxm.TunnelID, b[:], nil)
	return m
}

// Reg0 matches the register 0 that a packet-out of ours may have set.
func (m Match) Reg0(v uint32) Match { m.add32(oxm.Reg0, v); return m }

// CTState matches the connection tracker's state bits that mask selects.
func (m Match) CTState(v, mask uint32) Match {
	var b [8]byte
	binary.BigEndian.PutUint32(b[:], v)
	binary.BigEndian.PutUint32(b[4:], mask)
	m.add(oxm.CTState, b[:4], b[4:])
	return m
}

// CTMark matches the bits of the connection's mark that mask selects.
func (m Match) CTMark(v, mask uint32) Match {
	var b [8]byte
	binary.BigEndian.PutUint32(b[:], v)
	binary.BigEndian.PutUint32(b[4:], mask)
	m.add(oxm.CTMark, b[:4], b[4:])
	return m
}

// ErrForeignMatch says that a dumped match is longer than any of ours, or has a field of an experimenter.
var ErrForeignMatch = errors.New("match is not one of ours")

// Canonical brings the OXM TLVs that a switch dumped into the order of Match. The TLVs must have been checked by
// openflow's decoder; a match that cannot be ours is ErrForeignMatch.
func Canonical(match []byte) (m Match, err error) {
	if len(match) > maxMatch {
		return m, ErrForeignMatch
	}
	for len(match) > 0 {
		t, rest, ok := oxm.Cut(match)
		if !ok || t.Field.Class() == oxm.ClassExperimenter {
			return m, ErrForeignMatch
		}
		m.add(t.Field, t.Value, t.Mask)
		match = rest
	}
	return m, nil
}

// field returns the value bytes of a field that is matched without a mask, or nil; also nil for one of another size,
// which decoders let pass.
func (m *Match) field(field oxm.Field, size uint32) []byte {
	for at := 0; at < int(m.n); {
		h := binary.BigEndian.Uint32(m.buf[at:])
		if h == field.Header()|size {
			return m.buf[at+4 : at+4+int(size)]
		}
		at += 4 + int(h&0xff)
	}
	return nil
}

// GetInPort returns the matched in port, if there is one.
func (m *Match) GetInPort() (openflow.PortNo, bool) {
	b := m.field(oxm.InPort, 4)
	if b == nil {
		return 0, false
	}
	return openflow.PortNo(binary.BigEndian.Uint32(b)), true
}

// GetVLAN returns the matched VLAN of tagged frames, if there is one.
func (m *Match) GetVLAN() (uint16, bool) {
	b := m.field(oxm.VLANVID, 2)
	if b == nil || b[0]&(oxm.VLANPresent>>8) == 0 {
		return 0, false
	}
	return binary.BigEndian.Uint16(b) &^ oxm.VLANPresent, true
}

// GetEthSrc returns the matched source address, if it is matched whole.
func (m *Match) GetEthSrc() (a packet.MAC, ok bool) {
	b := m.field(oxm.EthSrc, 6)
	copy(a[:], b)
	return a, b != nil
}

// GetEthDst returns the matched destination address, if it is matched whole.
func (m *Match) GetEthDst() (a packet.MAC, ok bool) {
	b := m.field(oxm.EthDst, 6)
	copy(a[:], b)
	return a, b != nil
}
