package oftest

import (
	"slices"

	"github.com/eosin-sdn/eosin/openflow/oxm"
)

// packetState is a packet on its way through the pipeline.
type packetState struct {
	oxm.Packet
	packetOut bool // came from the controller: OVS then never says no_match

	// Of the rule that is being applied, for packet-ins.
	cookie uint64
	table  uint8
	miss   bool
}

// clone returns a copy whose frame can be changed alone.
func (p *packetState) clone() *packetState {
	q := *p
	q.Frame = slices.Clone(p.Frame)
	return &q
}

// pushVLAN adds a tag with the VID and priority of the one that is there, or 0 (OpenFlow 1.3.5 section 5.12.1).
func (p *packetState) pushVLAN(tpid uint16) {
	if len(p.Frame) < 14 {
		return
	}
	var tci uint16
	if p.Tagged() {
		tci = be.Uint16(p.Frame[14:])
	}
	tag := []byte{byte(tpid >> 8), byte(tpid), byte(tci >> 8), byte(tci)}
	p.Frame = slices.Insert(slices.Clone(p.Frame), 12, tag...)
}

func (p *packetState) popVLAN() {
	if p.Tagged() {
		p.Frame = slices.Delete(slices.Clone(p.Frame), 12, 16)
	}
}
