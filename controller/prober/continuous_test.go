package prober

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/eosin-sdn/eosin/apps/probe"
	"github.com/eosin-sdn/eosin/apps/probe/probespec"
	"github.com/eosin-sdn/eosin/openflow/packet"
)

var blueMesh = probespec.Spec{Name: "blue-mesh", Mesh: "blue", Interval: 5 * time.Second, Timeout: time.Second}

// rounds waits until every pair has had n rounds.
func rounds(n int) {
	advance(time.Duration(n)*5*time.Second + 3*time.Second)
}

func TestMeshIsProbed(t *testing.T) {
	inLab(t, Options{}, func(l *lab) {
		l.add("vm1", 1, 1, 10)
		l.add("vm2", 1, 2, 10)
		l.add("vm3", 2, 3, 10)
		l.configure([]probespec.Spec{blueMesh})
		synctest.Wait()
		if s := l.e.Probes(); len(s) != 1 || s[0].Pairs != 6 || s[0].Pending != 6 || s[0].Kind != "mesh" ||
			s[0].Of != "mesh blue" ||
			s[0].Type != "icmp" || s[0].Interval.Seconds() != 5 || s[0].Expect != probespec.Reachable {
			t.Errorf("at first: %+v", s)
		}
		rounds(2)
		mesh := l.e.Mesh()
		if len(mesh) != 6 || mesh[0].Source != "vm1" || mesh[0].Destination != "vm2" || mesh[5].Source != "vm3" {
			t.Fatalf("%+v", mesh)
		}
		for _, m := range mesh {
			if !m.OK || m.Verdict != probespec.Reachable || m.RTT == nil || *m.RTT != oneMS || m.LossRatio != 0 ||
				m.Loss != nil || m.Network != "blue" {
				t.Errorf("%+v", m)
			}
		}
		if s := l.e.Probes()[0]; s.OK != 6 || s.Failing+s.Pending != 0 {
			t.Errorf("%+v", s)
		}
		if l.barriers(1) > 6 {
			t.Errorf("%d barriers: a trap is confirmed once", l.barriers(1))
		}
		expect(t, l, `
			# HELP eosin_probe_success Whether the newest verdict on the pair is the expected one. A pair that cannot be tested is not.
			# TYPE eosin_probe_success gauge
			eosin_probe_success{destination="vm2",probe="blue-mesh",source="vm1"} 1
			eosin_probe_success{destination="vm3",probe="blue-mesh",source="vm1"} 1
			eosin_probe_success{destination="vm1",probe="blue-mesh",source="vm2"} 1
			eosin_probe_success{destination="vm3",probe="blue-mesh",source="vm2"} 1
			eosin_probe_success{destination="vm1",probe="blue-mesh",source="vm3"} 1
			eosin_probe_success{destination="vm2",probe="blue-mesh",source="vm3"} 1
		`, "eosin_probe_success")
	})
}

// configure sets continuous probes, with the defaults that the config would give them.
func (l *lab) configure(specs []probespec.Spec) {
	specs = slices.Clone(specs)
	for i := range specs {
		s, whole := &specs[i], probespec.NewSpec()
		s.Type = cmp.Or(s.Type, whole.Type)
		s.Interval = cmp.Or(s.Interval, whole.Interval)
		s.Timeout = cmp.Or(s.Timeout, whole.Timeout)
		s.Expect = cmp.Or(s.Expect, whole.Expect)
		s.Size = cmp.Or(s.Size, whole.Size)
		s.Count = cmp.Or(s.Count, whole.Count)
	}
	l.e.Configure(specs)
}

func expect(t *testing.T, l *lab, want string, names ...string) {
	t.Helper()
	if err := testutil.CollectAndCompare(l.e, strings.NewReader(want), names...); err != nil {
		t.Error(err)
	}
}

func TestMeshFollowsTheHosts(t *testing.T) {
	inLab(t, Options{}, func(l *lab) {
		l.add("vm1", 1, 1, 10)
		vm2 := l.add("vm2", 1, 2, 10)
		l.configure([]probespec.Spec{blueMesh})
		rounds(1)
		vm3 := l.add("vm3", 2, 3, 10)
		synctest.Wait()
		if n := len(l.e.Mesh()); n != 6 {
			t.Fatalf("%d pairs with 3 hosts", n)
		}
		if m := l.entry("blue-mesh", "vm1", "vm2"); !m.OK {
			t.Errorf("an old pair lost its state: %+v", m)
		}
		rounds(1)
		l.remove(vm3)
		l.remove(vm2)
		synctest.Wait()
		if n := len(l.e.Mesh()); n != 0 {
			t.Fatalf("%d pairs with 1 host", n)
		}
		if n := testutil.CollectAndCount(l.e, "eosin_probe_rtt_seconds", "eosin_probe_success",
			"eosin_probe_sent_total"); n != 0 {
			t.Errorf("%d series of removed pairs", n)
		}
		advance(time.Second)
		if left := l.left(); left != "" {
			t.Errorf("left behind: %s", left)
		}
		before := len(l.frames(nil))
		rounds(2)
		if n := len(l.frames(nil)); n != before {
			t.Errorf("%d frames for removed pairs", n-before)
		}
	})
}

func TestMovedHostIsProbedWhereItIs(t *testing.T) {
	inLab(t, Options{}, func(l *lab) {
		vm1 := l.add("vm1", 1, 1, 10)
		l.add("vm2", 1, 2, 10)
		l.configure([]probespec.Spec{blueMesh})
		rounds(1)
		l.change(func() { vm1.Switch, vm1.SwitchName, vm1.Port = 2, "host2", 7 })
		rounds(1)
		for _, p := range pairsOf("vm1", "vm2", "vm2", "vm1") {
			if m := l.entry("blue-mesh", p.Source, p.Destination); !m.OK {
				t.Errorf("%+v", m)
			}
		}
		if l.traps(1) != 1 || l.traps(2) != 1 {
			t.Errorf("%d and %d traps, want one at each source", l.traps(1), l.traps(2))
		}
	})
}

func TestReconfigurationKeepsState(t *testing.T) {
	inLab(t, Options{}, func(l *lab) {
		l.add("vm1", 1, 1, 10)
		l.add("vm2", 1, 2, 10)
		l.add("vm3", 1, 3, 10)
		named := probespec.Spec{Name: "db", Pairs: pairsOf("vm1", "vm2"), Interval: time.Second, Timeout: time.Second}
		l.configure([]probespec.Spec{blueMesh, named})
		rounds(1)
		mesh, db := l.pair("blue-mesh", "vm1", "vm2"), l.pair("db", "vm1", "vm2")

		named.Pairs = append(pairsOf("vm2", "vm3"), named.Pairs...)
		l.configure([]probespec.Spec{named, blueMesh})
		synctest.Wait()
		if p := l.pair("blue-mesh", "vm1", "vm2"); !p.ok || p.s != mesh.s || !p.slot.Equal(mesh.slot) {
			t.Errorf("an unchanged probe began anew: %+v", p)
		}
		if p := l.pair("db", "vm1", "vm2"); p.sent < db.sent || p.s != db.s || l.e.Probes()[0].Pairs != 2 {
			t.Errorf("a pair that stayed began anew: %d sent, %d before", p.sent, db.sent)
		}

		faster := blueMesh
		faster.Interval = time.Second
		l.configure([]probespec.Spec{faster})
		synctest.Wait()
		if m := l.entry("blue-mesh", "vm1", "vm2"); m.Verdict != probespec.Unknown || len(l.e.Mesh()) != 6 {
			t.Errorf("a changed probe kept its state: %+v", m)
		}
		rounds(1)
		if m := l.entry("blue-mesh", "vm1", "vm2"); !m.OK {
			t.Errorf("%+v", m)
		}
		if l.traps(1) != 6 {
			t.Errorf("%d traps, want one for each pair", l.traps(1))
		}
	})
}

func TestLossesAreExplained(t *testing.T) {
	inLab(t, Options{}, func(l *lab) {
		vm1 := l.add("vm1", 1, 1, 10)
		vm2 := l.add("vm2", 2, 2, 10)
		l.configure([]probespec.Spec{{
			Name: "p", Pairs: pairsOf("vm1", "vm2"), Interval: 5 * time.Second,
			Timeout: time.Second,
		}})
		step := func(what string, change func(), ok bool, verdict probespec.Verdict, stage probespec.Stage) {
			t.Helper()
			l.change(change)
			advance(30 * time.Second) // longer than a diagnosis lasts
			m := l.entry("p", "vm1", "vm2")
			if m.OK != ok || m.Verdict != verdict || (m.Loss == nil) != (stage == "") || m.Loss != nil &&
				m.Loss.Stage != stage {
				t.Errorf("%s: %+v %+v", what, m, m.Loss)
			}
		}
		step("fine", func() {}, true, probespec.Reachable, "")
		step("filtered", func() { vm2.noICMP = true }, false, probespec.Unreachable, probespec.GuestSilent)
		step("gone while explained", func() { vm2.unlisted = true }, false, probespec.Unknown,
			probespec.UnknownDestination)
		step("filtered again", func() { vm2.unlisted = false }, false, probespec.Unreachable, probespec.GuestSilent)
		step("late", func() { vm2.noICMP, vm2.delay = false, 1500*time.Millisecond }, false, probespec.Unreachable,
			probespec.AnsweredLate)
		step("cut off", func() { vm2.delay, vm2.cutOff = time.Millisecond, true }, false, probespec.Unreachable,
			probespec.LostBetween)
		step("port down", func() { vm2.PortUp = false }, false, probespec.Unreachable, probespec.DestinationPortDown)
		step("source down", func() { vm1.PortUp = false }, false, probespec.Unknown, probespec.SourceDown)
		before := len(l.frames(nil))
		step("still", func() {}, false, probespec.Unknown, probespec.SourceDown)
		if n := len(l.frames(nil)); n != before {
			t.Errorf("%d frames from a source that is down", n-before)
		}
		step("unknown", func() { vm1.unlisted = true }, false, probespec.Unknown, probespec.SourceDown)
		step("back", func() { vm1.unlisted, vm1.PortUp, vm2.PortUp, vm2.cutOff = false, true, true, false }, true,
			probespec.Reachable, "")

		p := l.pair("p", "vm1", "vm2")
		var lost uint64
		for stage, n := range p.lost {
			if n == 0 || stage == probespec.SourceDown {
				t.Errorf("%d lost at %s", n, stage)
			}
			lost += n
		}
		if p.sent != p.received+lost || p.open != 0 {
			t.Errorf("sent %d, received %d, lost %d, open %d", p.sent, p.received, lost, p.open)
		}
	})
}

func TestInFlightIsNoLoss(t *testing.T) {
	inLab(t, Options{}, func(l *lab) {
		l.add("vm1", 1, 1, 10)
		vm2 := l.add("vm2", 1, 2, 10)
		vm2.delay = 900 * time.Millisecond
		l.configure([]probespec.Spec{{
			Name: "p", Pairs: pairsOf("vm1", "vm2"), Interval: time.Second,
			Timeout: time.Second,
		}})
		for range 200 {
			advance(37 * time.Millisecond)
			if p := l.pair("p", "vm1", "vm2"); p.sent != p.received || p.lossRatio() != 0 {
				t.Fatalf("sent %d, received %d", p.sent, p.received)
			}
		}
		if got := l.pair("p", "vm1", "vm2").received; got < 5 {
			t.Errorf("%d received in 7.4 s", got)
		}
	})
}

func TestCountAndPartialRounds(t *testing.T) {
	inLab(t, Options{}, func(l *lab) {
		l.add("vm1", 1, 1, 10)
		l.add("vm2", 1, 2, 10)
		n := 0
		l.bend = func(a []answerFrame) []answerFrame {
			if n++; n%4 == 0 {
				return nil
			}
			return a
		}
		l.configure([]probespec.Spec{{
			Name: "p", Pairs: pairsOf("vm1", "vm2"), Interval: 5 * time.Second,
			Timeout: time.Second, Count: 4,
		}})
		rounds(1)
		m := l.entry("p", "vm1", "vm2")
		if m.Verdict != probespec.Partial || m.OK || m.Loss == nil || m.Loss.Stage != probespec.NoReply ||
			m.LossRatio < 0.1 || m.LossRatio > 0.26 {
			t.Errorf("%+v %+v", m, m.Loss)
		}
	})
}

func TestIsolation(t *testing.T) {
	inLab(t, Options{}, func(l *lab) {
		vm1 := l.add("vm1", 1, 1, 10)
		vm9 := l.add("vm9", 1, 9, 11)
		l.configure([]probespec.Spec{{
			Name: "isolation", From: "blue", To: "red", Expect: probespec.Unreachable,
			Interval: 5 * time.Second, Timeout: time.Second,
		}})
		rounds(1)
		if m := l.entry("isolation", "vm1", "vm9"); !m.OK || m.Verdict != probespec.Unreachable ||
			m.Expect != probespec.Unreachable {
			t.Errorf("isolated: %+v", m)
		}
		for _, x := range l.frames(nil) {
			if x.frame.EtherType() == packet.EtherTypeARP || x.frame.Dst() != vm9.MAC || x.port != vm1.Port {
				t.Errorf("sent %x", x.frame.Bytes())
			}
		}
		l.change(func() { vm9.leaky = true })
		rounds(3)
		if m := l.entry("isolation", "vm1", "vm9"); m.OK || m.Verdict != probespec.Reachable {
			t.Errorf("leaking: %+v", m)
		}
		if n := l.pair("isolation", "vm1", "vm9").violations; n < 3 {
			t.Errorf("%d violations", n)
		}
		l.change(func() { vm9.leaky = false })
		rounds(1)
		want := []string{
			"isolation_violation: probe isolation: vm1 (blue) reaches vm9 (red), which must be unreachable",
			"isolation_restored: probe isolation: vm1 (blue) no longer reaches vm9 (red)",
		}
		if got := l.noticed(); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("notices %q", got)
		}
		// Silence of what is not there proves nothing.
		for _, away := range []func(bool){
			func(b bool) { vm9.PortUp = !b }, func(b bool) { vm9.Connected = !b }, func(b bool) { vm9.Located = !b },
			func(b bool) { vm1.PortUp = !b },
		} {
			l.change(func() { away(true) })
			before := len(l.frames(nil))
			rounds(1)
			if m := l.entry("isolation", "vm1", "vm9"); m.OK || m.Verdict != probespec.Unknown || m.Loss == nil {
				t.Errorf("away: %+v", m)
			}
			if len(l.frames(nil)) != before {
				t.Error("something was sent")
			}
			l.change(func() { away(false) })
		}
		rounds(1)
		if m := l.entry("isolation", "vm1", "vm9"); !m.OK {
			t.Errorf("back: %+v", m)
		}
	})
}

func TestLoadIsSpread(t *testing.T) {
	inLab(t, Options{}, func(l *lab) {
		for i := range byte(40) {
			l.add(fmt.Sprintf("vm%d", i), 1, i+1, 10)
		}
		l.configure([]probespec.Spec{blueMesh})
		advance(5 * time.Second)
		start := time.Now()
		advance(5 * time.Second)
		var slots [10]int
		for _, x := range l.frames(func(x *sentFrame) bool { return !x.at.Before(start) }) {
			slots[min(int(x.at.Sub(start)/(500*time.Millisecond)), 9)]++
		}
		for _, n := range slots {
			if n < 100 || n > 220 { // 156 on average
				t.Errorf("requests by half second: %v", slots)
				break
			}
		}
	})
}

func TestContinuousProbesKeepTheRate(t *testing.T) {
	inLab(t, Options{Rate: 50}, func(l *lab) {
		for i := range byte(20) {
			l.add(fmt.Sprintf("vm%d", i), 1, i+1, 10)
		}
		l.configure([]probespec.Spec{{Name: "p", Mesh: "blue", Interval: time.Second, Timeout: time.Second}})
		advance(20 * time.Second)
		if n := len(l.frames(nil)); n < 900 || n > 1010 {
			t.Errorf("%d sent in 20 s at 50 a second", n)
		}
		if s := l.e.Probes()[0]; s.OK != 380 {
			t.Errorf("%+v: a pair must not starve", s)
		}
		l.e.SetRate(0)
		before := len(l.frames(nil))
		advance(5 * time.Second)
		if n := len(l.frames(nil)) - before; n < 1800 {
			t.Errorf("%d sent in 5 s without a limit", n)
		}
	})
}

func TestSwitchAwayAndReplaced(t *testing.T) {
	inLab(t, Options{}, func(l *lab) {
		l.add("vm1", 1, 1, 10)
		l.add("vm2", 1, 2, 10)
		l.add("vm3", 2, 3, 10)
		l.configure([]probespec.Spec{blueMesh})
		rounds(1)
		s := l.at(1)
		s.mu.Lock()
		s.down = true
		s.mu.Unlock()
		rounds(1)
		if m := l.entry("blue-mesh", "vm1", "vm2"); m.OK || m.Verdict != probespec.Unknown ||
			m.Loss.Stage != probespec.SourceDown {
			t.Errorf("away: %+v %+v", m, m.Loss)
		}
		l.replace(1)
		rounds(1)
		for _, m := range l.e.Mesh() {
			if !m.OK {
				t.Errorf("replaced: %+v %+v", m, m.Loss)
			}
		}
		if l.traps(1) != 4 {
			t.Errorf("%d traps in the new app", l.traps(1))
		}
	})
}

func TestPairWithAnUnknownAddress(t *testing.T) {
	inLab(t, Options{}, func(l *lab) {
		l.add("vm1", 1, 1, 10)
		g := l.add("", 2, 9, 10)
		l.change(func() { g.unlisted = true })
		l.configure([]probespec.Spec{{
			Name: "db", Pairs: pairsOf("vm1", "10.0.10.9"), Interval: time.Second,
			Timeout: time.Second,
		}})
		rounds(2)
		if m := l.entry("db", "vm1", "10.0.10.9"); !m.OK {
			t.Errorf("%+v %+v", m, m.Loss)
		}
		if arps := l.frames(func(x *sentFrame) bool { return !isEcho(x) }); len(arps) != 1 {
			t.Errorf("asked %d times for the MAC", len(arps))
		}
		l.change(func() { g.dead = true })
		rounds(3)
		if m := l.entry("db", "vm1", "10.0.10.9"); m.OK || m.Verdict != probespec.Unreachable ||
			m.Loss.Stage != probespec.UnknownDestination {
			t.Errorf("gone: %+v %+v", m, m.Loss)
		}
		l.change(func() { g.dead = false })
		rounds(1)
		if m := l.entry("db", "vm1", "10.0.10.9"); !m.OK {
			t.Errorf("back: %+v %+v", m, m.Loss)
		}
	})
}

func TestMetricsAreWellFormed(t *testing.T) {
	inLab(t, Options{}, func(l *lab) {
		l.add("vm1", 1, 1, 10)
		vm2 := l.add("vm2", 1, 2, 10)
		l.add("vm9", 1, 9, 11)
		vm2.noICMP = true
		l.configure([]probespec.Spec{
			blueMesh,
			{Name: "isolation", From: "blue", To: "red", Expect: probespec.Unreachable},
			{Name: "a", Mesh: "blue", Type: probe.ARP},
		})
		rounds(2)
		problems, err := testutil.CollectAndLint(l.e)
		if err != nil || len(problems) > 0 {
			t.Errorf("%v %v", err, problems)
		}
		if err := prometheus.NewPedanticRegistry().Register(l.e); err != nil {
			t.Error(err)
		}
		expect(t, l, `
			# HELP eosin_probe_lost_total Requests that were not answered in time, by where they were lost as far as it can be told.
			# TYPE eosin_probe_lost_total counter
			eosin_probe_lost_total{destination="vm2",probe="blue-mesh",source="vm1",stage="guest_silent"} 2
			eosin_probe_lost_total{destination="vm9",probe="isolation",source="vm1",stage="no_reply"} 3
			eosin_probe_lost_total{destination="vm9",probe="isolation",source="vm2",stage="no_reply"} 3
		`, "eosin_probe_lost_total")
	})
}

func TestTenThousandPairs(t *testing.T) {
	inLab(t, Options{}, func(l *lab) {
		var names []string
		for i := range 101 {
			names = append(names, fmt.Sprintf("vm%03d", i))
			l.add(names[i], 1, byte(i+1), 10)
		}
		l.configure([]probespec.Spec{blueMesh})
		rounds(2)
		s := l.e.Probes()[0]
		if s.Pairs != 10100 || s.OK != s.Pairs {
			t.Errorf("%+v", s)
		}
		before := l.barriers(1)
		rounds(2)
		if n := l.barriers(1) - before; n != 0 {
			t.Errorf("%d barriers after all traps were set", n)
		}
	})
}
