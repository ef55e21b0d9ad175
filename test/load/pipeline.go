package main

import (
	"encoding/binary"

	"github.com/eosin-sdn/eosin/openflow"
)

// Addresses. The crowd's hosts carry their switch and number in their address, so that a rule tells whom it is for.
var (
	crowdPrefix  = [2]byte{0x02, 0xcc}
	serverPrefix = [2]byte{0x02, 0xcd}
)

func address(prefix [2]byte, sw, host int) [6]byte {
	return [6]byte{prefix[0], prefix[1], byte(sw >> 8), byte(sw), byte(host >> 8), byte(host)}
}

// frame is what a host sends first: 60 bytes of IPv4 and UDP.
func frame(dst, src [6]byte) []byte {
	b := append(append(make([]byte, 0, 64), dst[:]...), src[:]...)
	b = append(b, 0x08, 0x00,
		0x45, 0, 0, 46, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2,
		0x10, 0, 0x10, 0, 0, 26, 0, 0)
	return append(b, make([]byte, 60-len(b))...)
}

// OXM headers without length (class, field, no mask), action and instruction types, as far as the pipeline is run.
const (
	oxmInPort  = 0x80000000
	oxmEthDst  = 0x80000600
	oxmEthSrc  = 0x80000800
	oxmEthType = 0x80000a00
	oxmVLAN    = 0x80000c00

	actOutput   = 0
	actPushVLAN = 17
	actPopVLAN  = 18
	actSetField = 25
	actVendor   = 0xffff

	nxController2 = 37

	insGoto  = 1
	insApply = 4

	vlanPresent = 0x1000
)

// rule is a flow entry that is not one of a host of the crowd.
type rule struct {
	priority     uint16
	cookie       uint64
	match        []byte // OXM TLVs
	instructions []byte
}

// flowMod installs a rule. Rules of the crowd's hosts are counted; the others are kept.
func (f *fakeSwitch) flowMod(msg []byte) {
	n := int(binary.BigEndian.Uint16(msg[50:]))
	oxm := msg[52 : 48+n]
	command := msg[25]
	crowd := false
	for b := oxm; len(b) >= 4; {
		size := int(b[3])
		switch binary.BigEndian.Uint32(b) {
		case oxmEthSrc | 6, oxmEthDst | 6:
			if b[4] == crowdPrefix[0] && b[5] == crowdPrefix[1] {
				crowd = true
				if command == openflow.FlowAdd {
					bit := byte(gotSource)
					if b[2] == oxmEthDst>>8&0xff {
						bit = gotDestination
					}
					f.given(b[4:10], bit)
				}
			}
		}
		b = b[4+size:]
	}
	if crowd {
		return
	}
	table, priority := msg[24], binary.BigEndian.Uint16(msg[30:])
	kept := f.rules[table][:0]
	for _, r := range f.rules[table] {
		if r.priority != priority || string(r.match) != string(oxm) {
			kept = append(kept, r)
		}
	}
	if command == openflow.FlowAdd {
		kept = append(kept, rule{
			priority, binary.BigEndian.Uint64(msg[8:]), append([]byte(nil), oxm...), append([]byte(nil), msg[48+(n+7)/8*8:]...),
		})
	}
	f.rules[table] = kept
}

// packetIn runs a frame through the rules, and returns the packet-in that Open vSwitch would send at the first rule that sends
// one; explicit is false, and the packet-in one of no rule, when the first table has no rule for the frame. It is nil when
// the frame passes without. What no workload needs is not looked at: output, groups, registers, connection tracking; a rule
// that matches on any of that matches no frame here.
func (f *fakeSwitch) packetIn(port openflow.PortNo, frame []byte) (msg []byte, explicit bool) {
	frame = append(make([]byte, 0, len(frame)+4), frame...)
	for table := 0; table < len(f.rules); {
		var best *rule
		for i := range f.rules[table] {
			r := &f.rules[table][i]
			if (best == nil || r.priority > best.priority) && matches(r.match, port, frame) {
				best = r
			}
		}
		if best == nil {
			if table > 0 || len(f.rules[0]) > 0 {
				return nil, false
			}
			return appendPacketIn(port, 0, openflow.PacketInNoMatch, ^uint64(0), frame), false
		}
		next := -1
		for b := best.instructions; len(b) >= 8; b = b[binary.BigEndian.Uint16(b[2:]):] {
			switch binary.BigEndian.Uint16(b) {
			case insApply:
				var punt bool
				if frame, punt = apply(b[8:binary.BigEndian.Uint16(b[2:])], frame); punt {
					reason := openflow.PacketInAction
					if best.priority == 0 && len(best.match) == 0 {
						reason = openflow.PacketInNoMatch // a table-miss rule
					}
					return appendPacketIn(port, uint8(table), reason, best.cookie, frame), true
				}
			case insGoto:
				next = int(b[4])
			}
		}
		if next <= table {
			return nil, false
		}
		table = next
	}
	return nil, false
}

func appendPacketIn(port openflow.PortNo, table uint8, reason openflow.PacketInReason, cookie uint64, frame []byte) []byte {
	return openflow.AppendPacketIn(nil, 0, &openflow.PacketIn{
		BufferID: openflow.BufferNone, TotalLen: uint16(len(frame)), Reason: reason, TableID: table, Cookie: cookie, InPort: port, Data: frame,
	})
}

// apply performs the actions that change the tag, and says whether the frame goes to the controller.
func apply(actions, frame []byte) (out []byte, punt bool) {
	for a := actions; len(a) >= 8; a = a[binary.BigEndian.Uint16(a[2:]):] {
		switch binary.BigEndian.Uint16(a) {
		case actOutput:
			if openflow.PortNo(binary.BigEndian.Uint32(a[4:])) == openflow.PortController {
				return frame, true
			}
		case actVendor:
			if binary.BigEndian.Uint16(a[8:]) == nxController2 {
				return frame, true
			}
		case actPushVLAN:
			frame = append(frame, 0, 0, 0, 0)
			copy(frame[16:], frame[12:])
			copy(frame[12:], []byte{a[4], a[5], 0, 0})
		case actPopVLAN:
			frame = append(frame[:12], frame[16:]...)
		case actSetField:
			if binary.BigEndian.Uint32(a[4:])&^0xff == oxmVLAN {
				binary.BigEndian.PutUint16(frame[14:], binary.BigEndian.Uint16(a[8:])&0xfff|binary.BigEndian.Uint16(frame[14:])&0xf000)
			}
		}
	}
	return frame, false
}

func matches(oxm []byte, port openflow.PortNo, frame []byte) bool {
	vlan, ethType := uint16(0), frame[12:14]
	if ethType[0] == 0x81 && ethType[1] == 0 {
		vlan, ethType = vlanPresent|binary.BigEndian.Uint16(frame[14:])&0xfff, frame[16:18]
	}
	for b := oxm; len(b) >= 4; b = b[4+int(b[3]):] {
		h := binary.BigEndian.Uint32(b)
		value, mask := b[4:4+int(b[3])], []byte(nil)
		if h&0x100 != 0 {
			value, mask = value[:len(value)/2], value[len(value)/2:]
		}
		var have []byte
		switch h &^ 0x1ff {
		case oxmInPort:
			have = binary.BigEndian.AppendUint32(nil, uint32(port))
		case oxmEthDst:
			have = frame[0:6]
		case oxmEthSrc:
			have = frame[6:12]
		case oxmEthType:
			have = ethType
		case oxmVLAN:
			have = binary.BigEndian.AppendUint16(nil, vlan)
		default:
			return false
		}
		for i, v := range value {
			m := byte(0xff)
			if mask != nil {
				m = mask[i]
			}
			if (v^have[i])&m != 0 {
				return false
			}
		}
	}
	return true
}

// stampOffset is where the source address's switch and host number stand in a packet-in whose match is the in port alone.
const stampOffset = 24 + 16 + 2 + 6 + 2

// template returns the packet-in for a frame from a host of the crowd to the server, and whether a rule sent it.
func (f *fakeSwitch) template(port openflow.PortNo) (msg []byte, explicit bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.packetIn(port, frame(address(serverPrefix, f.number, 0), address(crowdPrefix, f.number, 0)))
}

// stamp appends a packet-in for a host, made from the template.
func (f *fakeSwitch) stamp(b, template []byte, host int) []byte {
	at := len(b) + stampOffset
	b = append(b, template...)
	binary.BigEndian.PutUint16(b[at:], uint16(f.number))
	binary.BigEndian.PutUint16(b[at+2:], uint16(host))
	return b
}
