package controller

import (
	"strings"
	"testing"
)

// A flood of one kind is cut off and counted, and does not silence another kind.
func TestTeller(t *testing.T) {
	told := newTeller()
	for kind, most := range map[string]int{"switch_connected": noticesAtOnce, "switch_refused": refusalsAtOnce} {
		n := 0
		for range 3 * most {
			if _, ok := told.tell(kind, "x"); ok {
				n++
			}
		}
		if n < most || n > 2*most { // some time passes
			t.Errorf("%s: %d of %d are told", kind, n, 3*most)
		}
		told.kinds[kind].untold, told.kinds[kind].limiter = 17, limiterOf(kind)
		if text, _ := told.tell(kind, "x"); !strings.Contains(text, "17 more of "+kind) {
			t.Errorf("%s: the next says %q", kind, text)
		}
		if text, _ := told.tell(kind, "x"); text != "x" {
			t.Errorf("%s: the one after it says %q", kind, text)
		}
	}
	if text, ok := told.tell("drift", "y"); !ok || text != "y" {
		t.Errorf("another kind: %q, %v", text, ok)
	}
}
