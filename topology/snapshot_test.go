package topology

import (
	"sync"
	"testing"
)

// A snapshot answers all goroutines alike, and later facts do not show in it.
func TestSnapshotShared(t *testing.T) {
	w := parseWorld(t, `
		wire 1:1 2:1; wire 2:2 3:1; wire 3:2 1:2 vlans=10; gre 3:3 4:1 vlans=11
		mesh 1:4 2:4; mesh 1:5 3:5; mesh 2:5 3:4; off 4`)
	g := w.graph()
	want := w.dump(w.graph().Snapshot(), 10, 11, 12)
	s := g.Snapshot()
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			if got := w.dump(s, 10, 11, 12); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
	g.RemoveSwitch(2)
	g.SetSwitch(4, true)
	g.Measured(PortRef{1, 2}, PortRef{3, 2}, 1)
	after := g.Snapshot()
	wait.Wait()
	if after.Version() <= s.Version() || len(after.Links()) == len(s.Links()) {
		t.Error("the new facts do not show")
	}
}

func TestStrings(t *testing.T) {
	for got, want := range map[string]string{
		PortRef{0x1f, 3}.String(): "000000000000001f:3",
		Wire.String():             "wire",
		Tunnel.String():           "tunnel",
		Unverified.String():       "unverified",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
