package flow

import (
	"encoding/binary"

	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/oxm"
)

// Action types (OpenFlow 1.3 section 7.2.5) and Nicira's subtypes (nicira-ext.h).
const (
	actOutput   = 0
	actPushVLAN = 17
	actPopVLAN  = 18
	actGroup    = 22
	actSetField = 25
	actVendor   = 0xffff

	vendorNicira  = 0x00002320
	nxRegMove     = 6
	nxResubmit    = 14 // NXAST_RESUBMIT_TABLE
	nxCT          = 35
	nxController2 = 37

	nxCTCommit = 1

	nxInPort = 0xfff8 // OFPP_IN_PORT in 16 bits

	ac2Meter = 5
)

// noRecirc is the table of a ct action that does not go on by itself.
const noRecirc = 0xff

// Actions is an action list in wire form, built by appending.
type Actions []byte

// Output sends the frame out of p. It is encoded as OVS dumps it back (max_len 0 but for the controller).
func (a Actions) Output(p openflow.PortNo) Actions {
	var maxLen uint16
	if p == openflow.PortController {
		maxLen = 0xffff // OFPCML_NO_BUFFER
	}
	a = append(a, 0, actOutput, 0, 16)
	a = binary.BigEndian.AppendUint32(a, uint32(p))
	a = binary.BigEndian.AppendUint16(a, maxLen)
	return append(a, 0, 0, 0, 0, 0, 0)
}

// Group hands the frame to a group.
func (a Actions) Group(id uint32) Actions {
	a = append(a, 0, actGroup, 0, 8)
	return binary.BigEndian.AppendUint32(a, id)
}

// PushVLAN adds an 802.1Q tag (VID 0).
func (a Actions) PushVLAN() Actions { return append(a, 0, actPushVLAN, 0, 8, 0x81, 0, 0, 0) }

// PopVLAN removes the outer VLAN tag.
func (a Actions) PopVLAN() Actions { return append(a, 0, actPopVLAN, 0, 8, 0, 0, 0, 0) }

// SetVLAN writes the VID of the outer tag; its priority stays.
func (a Actions) SetVLAN(vid uint16) Actions {
	a = append(a, 0, actSetField, 0, 16)
	a = binary.BigEndian.AppendUint32(a, oxm.VLANVID.Header()|2)
	a = binary.BigEndian.AppendUint16(a, vid|oxm.VLANPresent)
	return append(a, 0, 0, 0, 0, 0, 0)
}

// SetTunnelID writes the key or VNI with which a tunnel port sends.
func (a Actions) SetTunnelID(id uint64) Actions {
	a = append(a, 0, actSetField, 0, 16)
	a = binary.BigEndian.AppendUint32(a, oxm.TunnelID.Header()|8)
	return binary.BigEndian.AppendUint64(a, id)
}

// SetReg0 writes register 0.
func (a Actions) SetReg0(v uint32) Actions { return a.set32(oxm.Reg0, v) }

func (a Actions) set32(field oxm.Field, v uint32) Actions {
	a = append(a, 0, actSetField, 0, 16)
	a = binary.BigEndian.AppendUint32(a, field.Header()|4)
	a = binary.BigEndian.AppendUint32(a, v)
	return append(a, 0, 0, 0, 0)
}

// CTCommit commits the packet's connection in zone with a mark (ct(commit,zone=…,exec(set_field:…->ct_mark))).
func (a Actions) CTCommit(zone uint16, mark uint32) Actions {
	a = a.ct(nxCTCommit, zone, noRecirc, 24+16)
	return a.set32(oxm.CTMark, mark)
}

// CTRecirculate looks the packet's connection up in zone and goes on in table with ct_state and ct_mark set.
func (a Actions) CTRecirculate(zone uint16, table uint8) Actions { return a.ct(0, zone, table, 24) }

func (a Actions) ct(flags, zone uint16, table uint8, length uint16) Actions {
	a = a.nicira(nxCT, length)
	a = binary.BigEndian.AppendUint16(a, flags)
	a = binary.BigEndian.AppendUint32(a, 0) // zone is an immediate
	a = binary.BigEndian.AppendUint16(a, zone)
	return append(a, table, 0, 0, 0, 0, 0)
}

// DependOnMark makes a frame's megaflow depend on one bit of pkt_mark, which is 0 for whatever came in by a port: it
// copies the bit, which is below 32, to a register that nothing reads.
func (a Actions) DependOnMark(bit uint8) Actions {
	a = a.nicira(nxRegMove, 24)
	a = binary.BigEndian.AppendUint16(a, 1)
	a = binary.BigEndian.AppendUint16(a, uint16(bit))
	a = binary.BigEndian.AppendUint16(a, 0)
	a = binary.BigEndian.AppendUint32(a, oxm.PktMark.Header()|4)
	return binary.BigEndian.AppendUint32(a, (oxm.Reg0+1).Header()|4)
}

// nicira appends the header of a Nicira extension action of length bytes.
func (a Actions) nicira(subtype, length uint16) Actions {
	a = binary.BigEndian.AppendUint16(a, actVendor)
	a = binary.BigEndian.AppendUint16(a, length)
	a = binary.BigEndian.AppendUint32(a, vendorNicira)
	return binary.BigEndian.AppendUint16(a, subtype)
}

// Controller copies the whole frame to the controller. What exceeds the meter's rate is not copied, while the frame
// itself goes on (a meter instruction would drop it). Meter 0 is none.
func (a Actions) Controller(meter uint32) Actions {
	if meter == 0 {
		return a.Output(openflow.PortController)
	}
	a = a.nicira(nxController2, 24)
	a = append(a, 0, 0, 0, 0, 0, 0)
	a = append(a, 0, ac2Meter, 0, 8)
	return binary.BigEndian.AppendUint32(a, meter)
}

// ResubmitTable goes on in table with the frame's own in port (resubmit(,table)).
func (a Actions) ResubmitTable(table uint8) Actions {
	a = a.nicira(nxResubmit, 16)
	a = binary.BigEndian.AppendUint16(a, nxInPort)
	return append(a, table, 0, 0, 0)
}

// Instruction types (OpenFlow 1.3 section 7.2.4).
const (
	insGoto  = 1
	insApply = 4
)

// Instructions is an instruction list in wire form. The empty list drops.
type Instructions []byte

// Apply performs actions at once.
func (i Instructions) Apply(a Actions) Instructions {
	i = append(i, 0, insApply)
	i = binary.BigEndian.AppendUint16(i, uint16(8+len(a)))
	i = append(i, 0, 0, 0, 0)
	return append(i, a...)
}

// Goto goes on in a later table.
func (i Instructions) Goto(table uint8) Instructions {
	return append(i, 0, insGoto, 0, 8, table, 0, 0, 0)
}
