package l2

import "testing"

// TestMovesAreForgotten: the moves of a host are counted as long as it is known, and no longer.
func TestMovesAreForgotten(t *testing.T) {
	r := newRig(t)
	r.see(1, blue, mac(10))
	if len(r.app.limiters) != 0 {
		t.Error("moves of a host that has not moved")
	}
	r.see(2, blue, mac(10))
	if len(r.app.limiters) != 1 {
		t.Errorf("moves of %d hosts", len(r.app.limiters))
	}
	r.sw.Ports[2].Up = false
	r.refresh()
	if len(r.app.limiters) != 0 {
		t.Error("the moves of a forgotten host are kept")
	}
}
