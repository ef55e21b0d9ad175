package oftext

import (
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/eosin-sdn/eosin/openflow/oxm"
)

// packetType is OpenFlow 1.5's field; 0 is an Ethernet frame.
var packetType = oxm.FieldOf(0x80005800)

// Match writes OXM TLVs, without the header and padding of ofp_match, as ovs-ofctl does. The empty match is the empty
// string.
func Match(match []byte) string {
	known := make(map[oxm.Field]oxm.TLV)
	var unknown []string
	for len(match) > 0 {
		t, rest, ok := oxm.Cut(match)
		if !ok {
			unknown = append(unknown, "malformed="+hex.EncodeToString(match))
			break
		}
		match = rest
		info := t.Field.Info()
		switch {
		case t.Field == packetType && oxm.Number(t.Value) == 0: // ovs-ofctl does not print it
		case info != nil && info.Size == len(t.Value):
			known[t.Field] = t
		default:
			s := fmt.Sprintf("%v=0x%x", t.Field, t.Value)
			if t.Mask != nil {
				s += fmt.Sprintf("/0x%x", t.Mask)
			}
			unknown = append(unknown, s)
		}
	}
	protocol := protocol(known)
	var parts []string
	for i := range oxm.Fields {
		info := &oxm.Fields[i]
		if info.Field == oxm.Reg0 && protocol != "" { // ovs-ofctl writes it before the registers
			parts = append(parts, protocol)
		}
		t, ok := known[info.Field]
		switch {
		case !ok:
		case info.Field == oxm.VLANVID || info.Field == oxm.VLANPCP:
			if s := vlan(known); s != "" {
				parts = append(parts, s)
			}
			delete(known, oxm.VLANPCP)
		case info.Style == oxm.DSCP:
			parts = append(parts, fmt.Sprintf("%s=%d", info.MatchName, t.Value[0]<<2))
		default:
			parts = append(parts, info.MatchName+"="+format(info.Style, t.Value, t.Mask))
		}
	}
	return strings.Join(append(parts, unknown...), ",")
}

// protocol returns ovs-ofctl's short name for ethertype and IP protocol and
// takes from m what the name says.
func protocol(m map[oxm.Field]oxm.TLV) string {
	t, ok := m[oxm.EthType]
	if !ok || t.Mask != nil {
		return ""
	}
	names := map[uint64]string{}
	name := ""
	switch oxm.Number(t.Value) {
	case 0x0800:
		name, names = "ip", map[uint64]string{1: "icmp", 2: "igmp", 6: "tcp", 17: "udp", 132: "sctp"}
	case 0x86dd:
		name, names = "ipv6", map[uint64]string{58: "icmp6", 6: "tcp6", 17: "udp6", 132: "sctp6"}
	case 0x0806:
		name = "arp"
	case 0x8035:
		name = "rarp"
	default:
		return ""
	}
	delete(m, oxm.EthType)
	if p, ok := m[oxm.IPProto]; ok && p.Mask == nil && names[oxm.Number(p.Value)] != "" {
		name = names[oxm.Number(p.Value)]
		delete(m, oxm.IPProto)
	}
	return name
}

// vlan writes VID and priority, which ovs-ofctl takes for one field.
func vlan(m map[oxm.Field]oxm.TLV) string {
	var tci, mask uint16
	if t, ok := m[oxm.VLANVID]; ok {
		tci, mask = uint16(oxm.Number(t.Value)), 0x1fff
		if t.Mask != nil {
			mask = uint16(oxm.Number(t.Mask))
		}
	}
	if t, ok := m[oxm.VLANPCP]; ok {
		tci |= uint16(oxm.Number(t.Value)) << 13
		mask |= 0xe000
	}
	vid, pcp := mask&0xfff == 0xfff, mask&0xe000 == 0xe000
	switch {
	case mask == 0:
		return ""
	case mask&tci&0x1000 != 0 && (vid || pcp):
		var s []string
		if vid {
			s = append(s, fmt.Sprintf("dl_vlan=%d", tci&0xfff))
		}
		if pcp {
			s = append(s, fmt.Sprintf("dl_vlan_pcp=%d", tci>>13))
		}
		return strings.Join(s, ",")
	}
	return fmt.Sprintf("vlan_tci=0x%04x/0x%04x", tci, mask)
}
