package ovsdb

import (
	"maps"
	"slices"

	"github.com/eosin-sdn/eosin/apps/event"
)

// FindingTracker remembers which findings were reported, so that each is reported once when it appears and once when it
// is resolved. The zero value is empty.
type FindingTracker struct {
	reported map[findingKey]Finding
}

// findingKey is the kind and the subject of a finding, which identify it across reports.
type findingKey [2]string

// events are the types of event of a finding that has appeared and of one that was resolved.
var events = map[Kind]struct{ found, fixed *event.Type }{
	KindFailMode:  {event.FailMode, event.FailModeFixed},
	KindProtocols: {event.BridgeProtocols, event.BridgeProtocolsFixed},
	KindShared:    {event.DatapathIDShared, event.DatapathIDSharedFixed},
}

// Next returns the events that are due: new findings in the order of the report, then resolved ones. What allow
// refuses stays due. A finding about a bridge that no database lists any more is dropped without an event.
func (t *FindingTracker) Next(r Report, allow func() bool) (list []event.Event) {
	if t.reported == nil {
		t.reported = map[findingKey]Finding{}
	}
	current := map[findingKey]bool{}
	for _, f := range r.Findings {
		key := findingKey{string(f.Kind), f.Subject}
		current[key] = true
		if _, known := t.reported[key]; !known && allow() {
			list = append(list, event.Event{Type: events[f.Kind].found, Switch: f.Switch, Message: f.Text})
			t.reported[key] = f
		}
	}
	order := func(a, b findingKey) int { return slices.Compare(a[:], b[:]) }
	for _, key := range slices.SortedFunc(maps.Keys(t.reported), order) {
		f := t.reported[key]
		switch {
		case current[key]:
			continue
		case !r.subjects[f.Subject]: // no database lists it any more
		case !allow():
			continue
		default:
			list = append(list, event.Event{Type: events[f.Kind].fixed, Switch: f.Switch, Message: f.Fixed})
		}
		delete(t.reported, key)
	}
	return list
}
