package topology

import (
	"fmt"
	"testing"

	"github.com/eosin-sdn/eosin/openflow"
)

func TestNext(t *testing.T) {
	tests := []struct {
		name, world string
		from, to    openflow.DatapathID
		want        string
	}{
		{"line", "wire 1:1 2:1; wire 2:2 3:1", 1, 3, "1"},
		{"the other way", "wire 1:1 2:1; wire 2:2 3:1", 3, 1, "1"},
		{"itself", "wire 1:1 2:1", 1, 1, "none"},
		{"unknown", "wire 1:1 2:1", 1, 9, "none"},
		{"other component", "wire 1:1 2:1; wire 3:1 4:1", 1, 4, "none"},
		{"lowest next switch, not lowest port", "wire 1:9 2:1; wire 1:1 3:1; wire 2:2 4:1; wire 3:2 4:2", 1, 4, "9"},
		{"lowest port of parallel wires", "wire 1:3 2:1; wire 1:2 2:2", 1, 2, "2"},
		{"wire before tunnel", "gre 1:1 2:1; wire 1:2 2:2", 1, 2, "2"},
		{"a blocked link is used", "wire 1:1 2:1; wire 2:2 3:1; wire 3:2 1:2", 2, 3, "2"},
		{"mesh", "mesh 1:1 2:1; mesh 1:2 3:1; mesh 2:2 3:2", 2, 3, "2"},
		{
			"round a disconnected switch",
			"wire 1:1 2:1; wire 2:2 3:1; wire 1:2 4:1; wire 4:2 5:1; wire 5:2 3:2; off 2", 1, 3, "2",
		},
		{"through a disconnected switch", "wire 1:1 2:1; wire 2:2 3:1; off 2", 1, 3, "1"},
		{"to a disconnected switch", "wire 1:1 2:1; wire 1:2 3:1; wire 3:2 2:2; off 2", 1, 2, "1"},
		{"carried by one of two ways only", "wire 1:1 2:1 vlans=11; wire 1:2 3:1; wire 3:2 2:2", 1, 2, "2"},
		{"segment", "wire 1:1 2:1 3:1; wire 3:2 4:1", 1, 4, "1"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := parseWorld(t, test.world).graph().Snapshot()
			got := "none"
			if port, ok := s.Next(10, test.from, test.to); ok {
				got = fmt.Sprint(uint32(port))
			}
			if got != test.want {
				t.Errorf("port %s, want %s", got, test.want)
			}
			if _, ok := s.Next(maxVLANs, test.from, test.to); ok {
				t.Error("a way in a VLAN that cannot be")
			}
		})
	}
}

func TestComponents(t *testing.T) {
	s := parseWorld(t, "wire 5:1 2:1; wire 2:2 9:1; wire 3:1 4:1 vlans=77; switch 7; off 4").graph().Snapshot()
	for _, test := range []struct {
		dpid       openflow.DatapathID
		members    string
		standalone bool
	}{
		{9, "[0000000000000002 0000000000000005 0000000000000009]", false},
		{2, "[0000000000000002 0000000000000005 0000000000000009]", false},
		{4, "[0000000000000003 0000000000000004]", false},
		{7, "[0000000000000007]", true},
		{8, "[]", true},
	} {
		if m := fmt.Sprint(s.Members(test.dpid)); m != test.members {
			t.Errorf("members of %d: %s", test.dpid, m)
		}
		if a := s.Standalone(test.dpid); a != test.standalone {
			t.Errorf("%d standalone: %v", test.dpid, a)
		}
	}
}
