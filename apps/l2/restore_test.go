package l2

import (
	"strings"
	"testing"
	"time"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/apps/apptest"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/flow"
	"github.com/eosin-sdn/eosin/topology"
)

// dump gives an app what a switch has, as after a restart of the controller.
func dump(from, to *rig, edit func(*openflow.FlowStats)) {
	from.out.Store.Each(func(m *openflow.FlowMod) {
		f := openflow.FlowStats{
			TableID: m.TableID, Priority: m.Priority, Cookie: m.Cookie, IdleTimeout: m.IdleTimeout,
			HardTimeout: m.HardTimeout,
			Flags:       m.Flags, Match: m.Match, Instructions: m.Instructions, DurationSec: 100, Packets: 5,
		}
		edit(&f)
		match, err := flow.Canonical(f.Match)
		if err != nil {
			from.Fatal(err)
		}
		to.app.MultipartReply(to.now, &f, &match, to.out)
	})
	to.app.Restored(to.out)
}

func restarted(t *testing.T, old *rig) *rig {
	r := newRig(t)
	r.out.Store = flow.NewStore()
	r.app = New(r.sw)
	r.now = old.now
	return r
}

// TestRestart rebuilds the hosts from the flows and states the same rules.
func TestRestart(t *testing.T) {
	old := newRig(t)
	old.link()
	old.see(1, blue, mac(10))
	old.see(4, red, mac(11))
	old.app.HostAt(old.now, topology.NewHostKey(red, mac(12)), other, 1, old.out)
	want := old.hosts()

	r := restarted(t, old)
	dump(old, r, func(*openflow.FlowStats) {})
	if got := r.hosts(); got != want {
		t.Errorf("before the first refresh:\n%swant\n%s", got, want)
	}
	r.refresh() // the links are not known yet: rules of hosts elsewhere are held
	if got := r.hosts(); got != want {
		t.Errorf("after the first refresh:\n%swant\n%s", got, want)
	}
	h, _ := r.app.Lookup(topology.NewHostKey(blue, mac(10)))
	if r.app.Len() != 2 || h.Port != 1 || !h.Since.Equal(r.now.Add(-100*time.Second)) || !h.Last.Equal(r.now) {
		t.Errorf("%d hosts; %+v", r.app.Len(), h)
	}
	r.wantFacts("seen 10/02:00:00:00:00:0a at 1", "seen 11/02:00:00:00:00:0b at 4")
	if wake := r.out.TakeWake(); !wake.Equal(r.now.Add(retainFor)) {
		t.Errorf("wake at %s", wake)
	}

	// What is explained in time stays; what is not goes.
	r.app.HostAt(r.now, topology.NewHostKey(red, mac(12)), other, 1, r.out)
	r.link()
	r.now = r.now.Add(retainFor)
	r.app.Tick(r.now, r.out)
	if got := r.hosts(); got != want {
		t.Errorf("after the hold:\n%swant\n%s", got, want)
	}
}

func TestRetainedRulesEnd(t *testing.T) {
	old := newRig(t)
	old.link()
	old.see(1, blue, mac(10))
	old.app.HostAt(old.now, topology.NewHostKey(red, mac(12)), other, 1, old.out)
	old.app.HostAt(old.now, topology.NewHostKey(red, mac(13)), other, 1, old.out)
	r := restarted(t, old)
	dump(old, r, func(*openflow.FlowStats) {})
	r.app.HostAt(r.now, topology.NewHostKey(red, mac(13)), 0, 0, r.out) // gone before it was known
	r.now = r.now.Add(retainFor - 1)
	r.app.Tick(r.now, r.out)
	if n := strings.Count(r.hosts(), "\n"); n != 3 {
		t.Errorf("%d rules, want 2 and a held one:\n%s", n, r.hosts())
	}
	r.now = r.now.Add(1)
	r.out.TakeWake()
	r.app.Tick(r.now, r.out)
	if n := strings.Count(r.hosts(), "\n"); n != 3 || !r.sw.Ports[9].Retained || !r.sw.Ports[9].Transit {
		t.Errorf("%d rules while the link of port 9 is still looked for (%+v):\n%s", n, r.sw.Ports[9], r.hosts())
	}
	if wake := r.out.TakeWake(); !wake.Equal(r.now.Add(time.Second)) {
		t.Errorf("wake at %s", wake)
	}
	r.sw.Ports[9].Retained, r.sw.Ports[9].Transit = false, false // as the machine does in the end
	r.app.Tick(r.now, r.out)
	r.wantHosts(learned1)
}

// TestRetainedRuleWaitsForPath: a host that is known again before the path to it keeps its rule until then.
func TestRetainedRuleWaitsForPath(t *testing.T) {
	old := newRig(t)
	old.link()
	old.app.HostAt(old.now, topology.NewHostKey(red, mac(12)), other, 1, old.out)
	want := old.hosts()
	r := restarted(t, old)
	dump(old, r, func(*openflow.FlowStats) {})
	r.drain()
	r.app.HostAt(r.now, topology.NewHostKey(red, mac(12)), other, 1, r.out)
	if got := r.hosts(); got != want || r.out.Store.Pending() > 0 {
		t.Errorf("known, with %d changes:\n%swant\n%s", r.out.Store.Pending(), got, want)
	}
	r.refresh()
	r.link()
	r.now = r.now.Add(retainFor)
	r.sw.Ports[9].Retained = false
	r.app.Tick(r.now, r.out)
	if got := r.hosts(); got != want {
		t.Errorf("after the hold:\n%swant\n%s", got, want)
	}
}

// TestHostReturnsHere: a retained rule becomes that of a local host when the host shows up.
func TestHostReturnsHere(t *testing.T) {
	old := newRig(t)
	old.link()
	old.app.HostAt(old.now, topology.NewHostKey(blue, mac(10)), other, 1, old.out)
	r := restarted(t, old)
	dump(old, r, func(*openflow.FlowStats) {})
	r.see(1, blue, mac(10))
	r.now = r.now.Add(retainFor)
	r.app.Tick(r.now, r.out)
	r.wantHosts(learned1)
}

// TestRestartWithChanges: changes while the controller was away take effect at the first refresh.
func TestRestartWithChanges(t *testing.T) {
	for name, change := range map[string]func(*rig){
		"port down":     func(r *rig) { r.sw.Ports[1].Up = false },
		"port is link":  func(r *rig) { r.sw.Ports[1].Transit = true },
		"port removed":  func(r *rig) { delete(r.sw.Ports, 1); r.sw.Order = r.sw.Order[1:] },
		"other network": func(r *rig) { *r.sw.Ports[1] = *access(1, red) },
	} {
		t.Run(name, func(t *testing.T) {
			old := newRig(t)
			old.see(1, blue, mac(10))
			r := restarted(t, old)
			change(r)
			dump(old, r, func(*openflow.FlowStats) {})
			r.refresh()
			r.now = r.now.Add(retainFor)
			r.app.Tick(r.now, r.out)
			r.wantHosts("")
			if r.app.Len() != 0 {
				t.Error("the host is known")
			}
		})
	}
}

// TestRestartWhileFrozen: the suppression rule of a frozen host is not mistaken for the host's own.
func TestRestartWhileFrozen(t *testing.T) {
	old := newRig(t)
	old.sw.Settings.Moves = 1
	old.see(1, blue, mac(10))
	old.see(2, blue, mac(10))
	old.see(1, blue, mac(10))
	if old.app.Drops[DropFrozen] != 1 {
		t.Fatal("not frozen")
	}
	r := restarted(t, old)
	dump(old, r, func(*openflow.FlowStats) {})
	r.refresh()
	r.wantHosts(learned2)
}

// TestRestoreForeign: rules with our cookie that are not those of a host are not restored as one.
func TestRestoreForeign(t *testing.T) {
	old := newRig(t)
	old.see(1, blue, mac(10))
	for name, edit := range map[string]func(*openflow.FlowStats){
		"priority":   func(f *openflow.FlowStats) { f.Priority = 11 },
		"owner":      func(f *openflow.FlowStats) { f.Cookie = flow.Cookie(apps.OwnerL2, 7) },
		"no VLAN":    func(f *openflow.FlowStats) { m := (flow.Match{}).EthSrc(mac(1)); f.Match = m.Bytes() },
		"no address": func(f *openflow.FlowStats) { m := (flow.Match{}).VLAN(blue); f.Match = m.Bytes() },
		"table":      func(f *openflow.FlowStats) { f.TableID = apptest.Snoop },
	} {
		r := restarted(t, old)
		dump(old, r, edit)
		if r.app.Len() != 0 || r.hosts() != "" {
			t.Errorf("%s: %d hosts\n%s", name, r.app.Len(), r.hosts())
		}
	}
}

// TestRestoreAfterNews: what HostAt said since is newer than a dump.
func TestRestoreAfterNews(t *testing.T) {
	r := newRig(t)
	r.link()
	k := topology.NewHostKey(blue, mac(1))
	r.app.HostAt(r.now, k, other, 1, r.out)
	want := r.hosts()
	match := forwardMatch(k)
	old := openflow.FlowStats{
		TableID: apptest.Forward, Priority: prioHost, Cookie: hostCookie(k), Match: match.Bytes(),
		Instructions: flow.Instructions(nil).Apply(flow.Actions(nil).PopVLAN().Output(2)),
	}
	r.app.MultipartReply(r.now, &old, &match, r.out)
	r.app.Restored(r.out)
	r.app.Tick(r.now.Add(retainFor), r.out)
	if got := r.hosts(); got != want {
		t.Errorf("rules:\n%s\nwant:\n%s", got, want)
	}
}
