package oftest

import (
	"maps"
	"slices"
	"strings"

	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/oftext"
)

// group is one group. It is replaced and not changed.
type group struct {
	typ     uint8
	buckets []byte
}

// meter is one meter; it is stored and drops nothing.
type meter struct {
	flags uint16
	bands []byte
}

// groupMod does what a group-mod asks for (OpenFlow 1.3.5 section 6.7).
func (s *Switch) groupMod(m *openflow.GroupMod) *refusal {
	refuse := func(code uint16) *refusal { return &refusal{openflow.ErrorTypeGroupModFailed, code} }
	switch m.Command {
	case openflow.GroupDelete:
		if m.ID == openflow.GroupAll {
			for _, id := range slices.Sorted(maps.Keys(s.groups)) {
				s.deleteGroup(id)
			}
		} else if s.groups[m.ID] != nil {
			s.deleteGroup(m.ID)
		}
		return nil
	case openflow.GroupAdd, openflow.GroupModify:
	default:
		return refuse(openflow.GroupModFailedBadCommand)
	}
	if m.ID > openflow.GroupMax {
		return refuse(openflow.GroupModFailedInvalidGroup)
	}
	if m.Type > openflow.GroupTypeFF {
		return refuse(openflow.GroupModFailedBadType)
	}
	for b := m.Buckets; len(b) > 0; {
		k, rest, err := openflow.DecodeBucket(b)
		if err != nil {
			return refuse(openflow.GroupModFailedBadBucket)
		}
		if no := s.checkActions(nil, k.Actions); no != nil {
			return no
		}
		b = rest
	}
	exists := s.groups[m.ID] != nil
	switch {
	case m.Command == openflow.GroupAdd && exists:
		return refuse(openflow.GroupModFailedGroupExists)
	case m.Command == openflow.GroupModify && !exists:
		return refuse(openflow.GroupModFailedUnknownGroup)
	}
	s.putGroup(m.ID, &group{typ: m.Type, buckets: slices.Clone(m.Buckets)})
	return nil
}

// deleteGroup removes a group and the flows that use it.
func (s *Switch) deleteGroup(id uint32) {
	f := filter{outPort: openflow.PortAny, outGroup: id}
	for _, e := range s.selectFlows(0, true, &f) {
		s.removeFlow(e, openflow.FlowRemovedGroupDelete)
	}
	s.putGroup(id, nil)
}

func (s *Switch) putGroup(id uint32, g *group) {
	change(s, s.groups, id, g, func() {})
}

// groupDescs returns all groups by id.
func (s *Switch) groupDescs() []openflow.GroupDesc {
	var all []openflow.GroupDesc
	for _, id := range slices.Sorted(maps.Keys(s.groups)) {
		all = append(all, openflow.GroupDesc{Type: s.groups[id].typ, ID: id, Buckets: s.groups[id].buckets})
	}
	return all
}

// DumpGroups returns all groups in the form of oftext.NormalizeGroups.
func (s *Switch) DumpGroups() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var lines []string
	for _, g := range s.groupDescs() {
		lines = append(lines, oftext.Group(&g)+"\n")
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}

// meterMod does what a meter-mod asks for (OpenFlow 1.3.5 section 7.3.4.4).
func (s *Switch) meterMod(m *openflow.MeterMod) *refusal {
	refuse := func(code uint16) *refusal { return &refusal{openflow.ErrorTypeMeterModFailed, code} }
	exists := s.meters[m.ID] != nil
	switch {
	case m.Command == openflow.MeterDelete && m.ID == openflow.MeterAll:
		clear(s.meters)
		return nil
	case m.Command == openflow.MeterDelete:
		delete(s.meters, m.ID)
		return nil
	case m.Command > openflow.MeterDelete:
		return refuse(openflow.MeterModFailedBadCommand)
	case m.ID == 0 || m.ID > openflow.MeterMax && m.ID != openflow.MeterController && m.ID != openflow.MeterSlowpath:
		return refuse(openflow.MeterModFailedInvalidMeter)
	case m.Command == openflow.MeterAdd && exists:
		return refuse(openflow.MeterModFailedMeterExists)
	case m.Command == openflow.MeterModify && !exists:
		return refuse(openflow.MeterModFailedUnknownMeter)
	}
	s.meters[m.ID] = &meter{flags: m.Flags, bands: slices.Clone(m.Bands)}
	return nil
}

func (s *Switch) meterConfigs() []openflow.MeterConfig {
	var all []openflow.MeterConfig
	for _, id := range slices.Sorted(maps.Keys(s.meters)) {
		all = append(all, openflow.MeterConfig{Flags: s.meters[id].flags, ID: id, Bands: s.meters[id].bands})
	}
	return all
}
