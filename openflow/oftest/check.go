package oftest

import (
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/oxm"
)

// Nicira's action subtypes that the switch knows (nicira-ext.h).
const (
	nxRegLoad     = 7
	nxResubmit    = 14
	nxCT          = 35
	nxController2 = 37
	nxCTClear     = 43
)

// checkInstructions refuses what OVS refuses in a flow with this match.
func (s *Switch) checkInstructions(table uint8, match, b []byte) *refusal {
	if openflow.ValidateInstructions(b) != nil {
		return &refusal{openflow.ErrorTypeBadInstruction, openflow.BadInstructionBadLen}
	}
	for i := range tlvs(b) {
		switch be.Uint16(i) {
		case openflow.InstructionGotoTable:
			if i[4] <= table || i[4] > openflow.TableMax {
				return &refusal{openflow.ErrorTypeBadInstruction, openflow.BadInstructionBadTableID}
			}
		case openflow.InstructionMeter:
			if s.meters[be.Uint32(i[4:])] == nil {
				return &refusal{openflow.ErrorTypeMeterModFailed, openflow.MeterModFailedInvalidMeter}
			}
		case openflow.InstructionApplyActions, openflow.InstructionWriteActions:
			var c known
			if vid, ok := oxm.Find(match, oxm.VLANVID); ok && be.Uint16(vid.Value)&oxm.VLANPresent != 0 {
				c.tagged = 1
			}
			eth, _ := oxm.Exact(match, oxm.EthType)
			c.ethType = uint16(eth)
			if no := s.checkActions(&c, i[8:]); no != nil {
				return no
			}
		case openflow.InstructionWriteMetadata, openflow.InstructionClearActions:
		default:
			return &refusal{openflow.ErrorTypeBadInstruction, openflow.BadInstructionUnknownInst}
		}
	}
	return nil
}

// known is what the match and the actions so far say about the packet.
type known struct {
	tagged  int // VLAN tags
	ethType uint16
}

func badAction(code uint16) *refusal { return &refusal{openflow.ErrorTypeBadAction, code} }

// checkActions refuses what OVS refuses in a list of actions; c is nil where
// nothing is known of the packet.
func (s *Switch) checkActions(c *known, b []byte) *refusal {
	if openflow.ValidateActions(b) != nil {
		return badAction(openflow.BadActionBadLen)
	}
	inconsistent := badAction(openflow.BadActionMatchInconsistent)
	for a := range tlvs(b) {
		switch be.Uint16(a) {
		case openflow.ActionOutput:
			p := openflow.PortNo(be.Uint32(a[4:]))
			if p == openflow.PortAny || p > openflow.PortMax && p < openflow.PortInPort {
				return badAction(openflow.BadActionBadOutPort)
			}
		case openflow.ActionGroup:
			if s.groups[be.Uint32(a[4:])] == nil {
				return badAction(openflow.BadActionBadOutGroup)
			}
		case openflow.ActionPushVLAN:
			if t := be.Uint16(a[4:]); t != 0x8100 && t != 0x88a8 {
				return badAction(openflow.BadActionBadArgument)
			}
			if c != nil {
				c.tagged++
			}
		case openflow.ActionPopVLAN:
			if c != nil {
				if c.tagged == 0 {
					return inconsistent
				}
				c.tagged--
			}
		case openflow.ActionSetField:
			if no := checkSetField(c, a); no != nil {
				return no
			}
		case openflow.ActionSetQueue:
		case openflow.ActionExperimenter:
			if no := s.checkNicira(c, a); no != nil {
				return no
			}
		default:
			return badAction(openflow.BadActionBadType)
		}
	}
	return nil
}

func checkSetField(c *known, a []byte) *refusal {
	t, _, _ := oxm.Cut(a[4:]) // validated by the caller
	info := t.Field.Info()
	switch {
	case info == nil || !info.Settable():
		return badAction(openflow.BadActionBadSetType)
	case info.Size != len(t.Value):
		return badAction(openflow.BadActionBadSetLen)
	case c == nil:
		return nil
	}
	needsTag := t.Field == oxm.VLANVID || t.Field == oxm.VLANPCP
	if needsTag && c.tagged == 0 || !info.Needs.MetByEthType(c.ethType) {
		return badAction(openflow.BadActionMatchInconsistent)
	}
	return nil
}

// checkNicira checks an experimenter action.
func (s *Switch) checkNicira(c *known, a []byte) *refusal {
	if be.Uint32(a[4:]) != openflow.ExperimenterNicira {
		return badAction(openflow.BadActionBadExperimenter)
	}
	if len(a) < 16 {
		return badAction(openflow.BadActionBadLen)
	}
	switch be.Uint16(a[8:]) {
	case nxRegLoad:
		if len(a) != 24 {
			return badAction(openflow.BadActionBadLen)
		}
		f, from, n := loadTarget(a)
		if info := f.Info(); info == nil || !info.Settable() {
			return badAction(openflow.BadActionBadSetType)
		} else if from+n > info.Size*8 || n < 64 && be.Uint64(a[16:])>>n != 0 {
			return badAction(openflow.BadActionBadSetArgument)
		}
	case nxResubmit, nxCTClear:
		if len(a) != 16 {
			return badAction(openflow.BadActionBadLen)
		}
	case nxCT:
		if len(a) < 24 {
			return badAction(openflow.BadActionBadLen)
		}
		if c != nil && !oxm.IPProto.Info().Needs.MetByEthType(c.ethType) {
			return badAction(openflow.BadActionMatchInconsistent)
		}
		if openflow.ValidateActions(a[24:]) != nil {
			return badAction(openflow.BadActionBadLen)
		}
		for x := range tlvs(a[24:]) {
			t, _, ok := oxm.Cut(x[4:])
			if be.Uint16(x) != openflow.ActionSetField || !ok || t.Field != oxm.CTMark || len(t.Value) != 4 {
				return badAction(openflow.BadActionBadArgument)
			}
		}
	case nxController2:
	default:
		return badAction(openflow.BadActionBadExpType)
	}
	return nil
}
