package topology

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/eosin-sdn/eosin/openflow"
)

func TestVLANs(t *testing.T) {
	v := NewVLANs(11, 10, 4095, 4096, 0)
	var got []uint16
	for id := range uint16(maxVLANs) {
		if v.has(id) {
			got = append(got, id)
		}
		if !allVLANs().has(id) || (VLANs{}).has(id) {
			t.Errorf("VLAN %d is not in all, or in none", id)
		}
	}
	if !slices.Equal(got, []uint16{0, 10, 11, 4095}) {
		t.Errorf("ids %v", got)
	}
	if !v.equal(NewVLANs(0, 4095, 11, 10)) || v.equal(NewVLANs(10)) || !(VLANs{}).equal(NewVLANs()) {
		t.Error("equal")
	}
}

// Two VLANs are in one class exactly if the same links carry them.
func TestRandomClasses(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 4))
	for range 50 {
		w := newWorld()
		for i := range 1 + r.IntN(6) {
			var ids []uint16
			for range r.IntN(5) {
				ids = append(ids, uint16(r.IntN(8)))
			}
			vlans := NewVLANs(ids...)
			if r.IntN(4) == 0 {
				vlans = allVLANs()
			}
			port := openflow.PortNo(i + 1)
			w.join(Wire, false, vlans, PortRef{1, port}, PortRef{2, port})
		}
		s := w.graph().Snapshot()
		signature := func(vlan uint16) string {
			var b []byte
			for _, l := range s.active {
				b = append(b, '0'+byte(l.vlans[vlan/64]>>(vlan%64)&1))
			}
			return string(b)
		}
		classOf := map[string]uint16{}
		for vlan := range uint16(maxVLANs) {
			sig, class := signature(vlan), s.classes.of[vlan]
			if known, ok := classOf[sig]; ok && known != class {
				t.Fatalf("VLAN %d is in class %d, others with its links in %d", vlan, class, known)
			} else if !ok {
				classOf[sig] = class
				if s.classes.first[class] != vlan {
					t.Fatalf("class %d begins at %d, not at %d", class, s.classes.first[class], vlan)
				}
			}
		}
		if len(classOf) != len(s.views) {
			t.Fatalf("%d classes, want %d", len(s.views), len(classOf))
		}
	}
}
