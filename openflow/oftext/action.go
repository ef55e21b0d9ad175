package oftext

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/oxm"
)

// Nicira's action subtypes (nicira-ext.h, ofp-actions.c).
const (
	nxRegMove     = 6
	nxRegLoad     = 7
	nxNote        = 8
	nxResubmit    = 14
	nxOutputReg   = 15
	nxController  = 20
	nxRegLoad2    = 33
	nxCT          = 35
	nxController2 = 37
	nxCTClear     = 43
)

var be = binary.BigEndian

// Actions writes a list of actions as ovs-ofctl does; the empty list is
// "drop". Malformed bytes are written in hexadecimal.
func Actions(b []byte) string {
	return cmp.Or(list(b, action), "drop")
}

// list writes each action or instruction.
func list(b []byte, write func([]byte) string) string {
	var parts []string
	for len(b) > 0 {
		n := 0
		if len(b) >= 8 {
			n = int(be.Uint16(b[2:]))
		}
		if n < 8 || n > len(b) {
			parts = append(parts, fmt.Sprintf("malformed(%x)", b))
			break
		}
		if s := write(b[:n]); s != "" {
			parts = append(parts, s)
		}
		b = b[n:]
	}
	return strings.Join(parts, ",")
}

func action(a []byte) string {
	switch typ := be.Uint16(a); {
	case typ == openflow.ActionOutput && len(a) >= 16:
		return output(be.Uint32(a[4:]), be.Uint16(a[8:]))
	case typ == openflow.ActionPushVLAN:
		return fmt.Sprintf("push_vlan:%#04x", be.Uint16(a[4:]))
	case typ == openflow.ActionPopVLAN:
		return "pop_vlan"
	case typ == openflow.ActionGroup:
		return fmt.Sprintf("group:%d", be.Uint32(a[4:]))
	case typ == openflow.ActionSetQueue:
		return fmt.Sprintf("set_queue:%d", be.Uint32(a[4:]))
	case typ == openflow.ActionDecNwTTL:
		return "dec_ttl"
	case typ == openflow.ActionSetField:
		if t, _, ok := oxm.Cut(a[4:]); ok {
			return setField(t)
		}
	case typ == openflow.ActionExperimenter && len(a) >= 10 && be.Uint32(a[4:]) == openflow.ExperimenterNicira:
		if s := nicira(be.Uint16(a[8:]), a[10:]); s != "" {
			return s
		}
	}
	return fmt.Sprintf("unknown(%x)", a)
}

func output(p uint32, maxLen uint16) string {
	switch openflow.PortNo(p) {
	case openflow.PortController:
		return fmt.Sprintf("CONTROLLER:%d", maxLen)
	case openflow.PortInPort, openflow.PortTable, openflow.PortNormal, openflow.PortFlood, openflow.PortAll,
		openflow.PortLocal:
		return portName(p)
	}
	return "output:" + portName(p)
}

func portName(p uint32) string { return openflow.PortNo(p).String() }

func setField(t oxm.TLV) string {
	info := t.Field.Info()
	if info == nil || len(t.Value) != info.Size {
		return fmt.Sprintf("set_field:0x%x->%v", t.Value, t.Field)
	}
	return fmt.Sprintf("set_field:%s->%v", format(info.Style, t.Value, t.Mask), t.Field)
}

// nicira writes Nicira's actions; b is what follows the subtype.
func nicira(subtype uint16, b []byte) string {
	switch subtype {
	case nxRegLoad:
		if len(b) >= 14 {
			return fmt.Sprintf("load:%#x->%s", be.Uint64(b[6:]), bits(be.Uint16(b), be.Uint32(b[2:])))
		}
	case nxRegMove:
		if len(b) >= 14 {
			n := int(be.Uint16(b))
			return fmt.Sprintf("move:%s->%s", bitRange(be.Uint32(b[6:]), int(be.Uint16(b[2:])), n),
				bitRange(be.Uint32(b[10:]), int(be.Uint16(b[4:])), n))
		}
	case nxRegLoad2:
		if t, _, ok := oxm.Cut(b[min(6, len(b)):]); ok {
			return setField(t)
		}
	case nxResubmit:
		if len(b) >= 3 {
			in := ""
			if p := be.Uint16(b); p != 0xfff8 {
				in = fmt.Sprint(p)
			}
			return fmt.Sprintf("resubmit(%s,%d)", in, b[2])
		}
	case nxOutputReg:
		if len(b) >= 6 {
			return "output:" + bits(be.Uint16(b), be.Uint32(b[2:]))
		}
	case nxNote:
		return "note:" + dotted(b)
	case nxController:
		if len(b) >= 5 {
			return controller{maxLen: be.Uint16(b), id: be.Uint16(b[2:]), reason: b[4]}.String()
		}
	case nxController2:
		return parseController2(b).String()
	case nxCT:
		if len(b) >= 14 {
			return conntrack(b)
		}
	case nxCTClear:
		return "ct_clear"
	}
	return ""
}

func dotted(b []byte) string {
	parts := make([]string, len(b))
	for i, c := range b {
		parts[i] = fmt.Sprintf("%02x", c)
	}
	return strings.Join(parts, ".")
}

// bits writes the bits of a field that Nicira's actions name by an offset
// (upper 10 bits) and a length less one (lower 6 bits).
func bits(ofsNbits uint16, header uint32) string {
	return bitRange(header, int(ofsNbits>>6), int(ofsNbits&0x3f)+1)
}

func bitRange(header uint32, from, n int) string {
	f := oxm.FieldOf(header)
	name := f.String()
	if info := f.Info(); info != nil {
		name = info.NXM()
	}
	switch {
	case from == 0 && n == int(header&0xff)*8:
		return name + "[]"
	case n == 1:
		return fmt.Sprintf("%s[%d]", name, from)
	}
	return fmt.Sprintf("%s[%d..%d]", name, from, from+n-1)
}

// controller is the content of both of Nicira's controller actions.
type controller struct {
	maxLen   uint16
	id       uint16
	reason   uint8
	userdata []byte
	meter    uint32
	pause    bool
}

// Properties of NXAST_CONTROLLER2 (ofp-actions.c).
const (
	ac2MaxLen   = 0
	ac2ID       = 1
	ac2Reason   = 2
	ac2Userdata = 3
	ac2Pause    = 4
	ac2Meter    = 5
)

// parseController2 reads the properties after the 6 bytes of padding.
func parseController2(b []byte) controller {
	c := controller{maxLen: 0xffff, reason: 1}
	for b = b[min(6, len(b)):]; len(b) >= 4; {
		n := int(be.Uint16(b[2:]))
		if n < 4 || n > len(b) {
			break
		}
		v := b[4:n]
		switch typ := be.Uint16(b); {
		case typ == ac2MaxLen && len(v) >= 2:
			c.maxLen = be.Uint16(v)
		case typ == ac2ID && len(v) >= 2:
			c.id = be.Uint16(v)
		case typ == ac2Reason && len(v) >= 1:
			c.reason = v[0]
		case typ == ac2Userdata:
			c.userdata = v
		case typ == ac2Pause:
			c.pause = true
		case typ == ac2Meter && len(v) >= 4:
			c.meter = be.Uint32(v)
		}
		b = b[min((n+7)&^7, len(b)):]
	}
	return c
}

func (c controller) String() string {
	if c.reason == 1 && c.id == 0 && c.userdata == nil && c.meter == 0 && !c.pause {
		return fmt.Sprintf("CONTROLLER:%d", c.maxLen)
	}
	var parts []string
	if c.reason != 1 {
		parts = append(parts, "reason="+openflow.PacketInReason(c.reason).String())
	}
	if c.maxLen != 0xffff {
		parts = append(parts, fmt.Sprintf("max_len=%d", c.maxLen))
	}
	if c.id != 0 {
		parts = append(parts, fmt.Sprintf("id=%d", c.id))
	}
	if len(c.userdata) > 0 {
		parts = append(parts, "userdata="+dotted(c.userdata))
	}
	if c.pause {
		parts = append(parts, "pause")
	}
	if c.meter != 0 {
		parts = append(parts, fmt.Sprintf("meter_id=%d", c.meter))
	}
	return "controller(" + strings.Join(parts, ",") + ")"
}

// conntrack writes NXAST_CT; b is what follows the subtype.
func conntrack(b []byte) string {
	var parts []string
	flags := be.Uint16(b)
	if flags&1 != 0 {
		parts = append(parts, "commit")
	}
	if flags&2 != 0 {
		parts = append(parts, "force")
	}
	if b[8] != 0xff {
		parts = append(parts, fmt.Sprintf("table=%d", b[8]))
	}
	if src := be.Uint32(b[2:]); src != 0 {
		parts = append(parts, "zone="+bits(be.Uint16(b[6:]), src))
	} else if zone := be.Uint16(b[6:]); zone != 0 {
		parts = append(parts, fmt.Sprintf("zone=%d", zone))
	}
	if len(b) > 14 {
		parts = append(parts, "exec("+list(b[14:], action)+")")
	}
	return "ct(" + strings.Join(parts, ",") + ")"
}
