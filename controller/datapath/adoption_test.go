package datapath

import "testing"

// Flows are read before anything is stated until an audit has taken them over, and again after another controller's
// time.
func TestAdoptionStates(t *testing.T) {
	t.Parallel()
	var a adoption
	want := func(when string, dump, reset bool) {
		t.Helper()
		if d, r := a.attach(); d != dump || r != reset || a.flows != 0 {
			t.Errorf("%s: dump %v, reset %v, %d flows", when, d, r, a.flows)
		}
	}
	want("first session", true, false)
	a.flows = 7
	want("a session that broke before the audit", true, false)
	a.state = adoptionDone
	want("a session after an audit", false, false)
	a.state = adoptionStale
	want("after standby", true, true)
	want("and again", true, false)
}

func TestAdoptionRetains(t *testing.T) {
	t.Parallel()
	var a adoption
	if a.retainOver(epoch) {
		t.Error("nothing is retained, and it is over")
	}
	a.retain(epoch)
	if a.retainOver(epoch.Add(retainTime - 1)) {
		t.Error("too early")
	}
	if !a.retainOver(epoch.Add(retainTime)) || a.retainOver(epoch.Add(retainTime)) {
		t.Error("not reported once")
	}
}
