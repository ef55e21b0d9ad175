package l2

import (
	"strings"
	"testing"

	"github.com/eosin-sdn/eosin/apps/apptest"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/oftext"
	"github.com/eosin-sdn/eosin/topology"
)

// forwarding is what table forward does with frames to a host; empty: flood.
func (r *rig) forwarding(k topology.HostKey) (actions string) {
	r.out.Store.Each(func(f *openflow.FlowMod) {
		m := forwardMatch(k)
		if f.TableID == apptest.Forward && f.Priority == prioHost && string(f.Match) == string(m.Bytes()) {
			actions = oftext.Instructions(f.Instructions)
		}
	})
	return actions
}

func (r *rig) flooding() (actions string) {
	r.out.Store.Each(func(f *openflow.FlowMod) {
		if f.TableID == apptest.Forward && f.Priority == prioMiss {
			actions = oftext.Instructions(f.Instructions)
		}
	})
	return actions
}

// TestPinMegaflow: where Open vSwitch mixes megaflows up, a host's frames are sent on by a decision that depends on
// other bits than those before and after: in a flood, at one port, at another, through a link. Elsewhere nothing is
// added.
func TestPinMegaflow(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	k := topology.NewHostKey(blue, mac(1))
	r.see(1, blue, mac(1))
	if plain := r.forwarding(k) + r.flooding(); strings.Contains(plain, "move") {
		t.Errorf("without need: %s", plain)
	}

	r.sw.NeedsMegaflowWorkaround = true
	r.refresh()
	bits := map[string]string{}
	note := func(where, actions string) {
		t.Helper()
		_, after, found := strings.Cut(actions, "move:NXM_NX_PKT_MARK[")
		bit, _, _ := strings.Cut(after, "]")
		if !found {
			t.Errorf("%s depends on nothing: %q", where, actions)
		}
		if was, twice := bits[bit]; twice {
			t.Errorf("%s depends on the same bit as %s: %q", where, was, actions)
		}
		bits[bit] = where
	}
	note("a flood", r.flooding())
	note("port 1", r.forwarding(k))
	r.see(2, blue, mac(1))
	note("port 2", r.forwarding(k))
	r.link()
	r.app.HostAt(r.now, k, other, 0, r.out)
	note("a link", r.forwarding(k))

	r.sw.NeedsMegaflowWorkaround = false // it came back with another version
	r.refresh()
	if plain := r.forwarding(k) + r.flooding(); strings.Contains(plain, "move") {
		t.Errorf("without need any more: %s", plain)
	}
}
