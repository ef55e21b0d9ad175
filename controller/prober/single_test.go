package prober

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/eosin-sdn/eosin/apps/probe"
	"github.com/eosin-sdn/eosin/apps/probe/probespec"
	"github.com/eosin-sdn/eosin/openflow/packet"
)

func TestReachable(t *testing.T) {
	for _, typ := range []probe.Type{probe.ICMP, probe.ICMP6, probe.ARP} {
		for _, far := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s,far=%v", typ, far), func(t *testing.T) {
				inLab(t, Options{}, func(l *lab) {
					l.add("vm1", 1, 1, 10)
					vm2 := l.add("vm2", 1, 2, 10)
					if far {
						l.change(func() { vm2.Switch, vm2.SwitchName = 2, "host2" })
					}
					began := time.Now()
					res, updates := l.probe(probespec.Request{
						Source: "vm1", Destination: "vm2", Type: typ, Count: 3,
						Interval: ms(100),
					})
					if res.Verdict != probespec.Reachable || res.Sent != 3 || res.Received != 3 || res.Loss != nil ||
						len(res.Replies) != 3 {
						t.Fatalf("%+v", res)
					}
					if *res.RTT != (probespec.RTT{Min: oneMS, Avg: oneMS, Max: oneMS}) {
						t.Errorf("RTT %+v, want 1ms", *res.RTT)
					}
					if time.Duration(res.Control) != 200*time.Microsecond {
						t.Errorf("control loop %v", res.Control)
					}
					var got []string
					for _, u := range updates {
						got = append(got, fmt.Sprint(u.Event, " ", u.Seq))
					}
					if want := []string{"started 0", "reply 1", "reply 2", "reply 3"}; !slices.Equal(got, want) {
						t.Errorf("updates %v, want %v", got, want)
					}
					if d := time.Since(began); d > 300*time.Millisecond {
						t.Errorf("took %v", d)
					}
					if l.traps(1) != 1 {
						t.Errorf("%d traps right after, want 1 that lingers", l.traps(1))
					}
					advance(2 * linger)
					if l.traps(1) != 0 {
						t.Errorf("%d traps stayed", l.traps(1))
					}
				})
			})
		}
	}
}

func TestSilentGuests(t *testing.T) {
	for name, c := range map[string]struct {
		change func(vm2 *guest)
		typ    probe.Type
		stage  probespec.Stage
		where  string
		says   string
	}{
		"filtered": {
			func(g *guest) { g.noICMP = true }, probe.ICMP, probespec.GuestSilent, "host2:vif-vm2",
			"answers ARP but not ICMP",
		},
		"dead": {
			func(g *guest) { g.dead = true }, probe.ICMP, probespec.GuestSilent, "host2:vif-vm2",
			"answers neither",
		},
		"dead, arp": {
			func(g *guest) { g.dead = true }, probe.ARP, probespec.GuestSilent, "host2:vif-vm2",
			"does not answer ARP",
		},
		"cut off": {
			func(g *guest) { g.cutOff = true }, probe.ICMP, probespec.LostBetween, "host1:vif-vm1",
			"lost in between",
		},
		"cut off, arp": {
			func(g *guest) { g.cutOff = true }, probe.ARP, probespec.LostBetween, "host1:vif-vm1",
			"lost in between",
		},
		"port down": {
			func(g *guest) { g.dead, g.PortUp = true, false }, probe.ICMP, probespec.DestinationPortDown,
			"host2:vif-vm2", "is down",
		},
		"nowhere": {
			func(g *guest) { g.dead, g.Located = true, false }, probe.ICMP, probespec.UnknownDestination,
			"", "no known port",
		},
		"switch away": {
			func(g *guest) { g.dead, g.Connected = true, false }, probe.ICMP, probespec.NoReply,
			"host2:vif-vm2", "no reply within 1s",
		},
		"other network": {
			func(g *guest) { g.Network, g.VLAN = "red", 11 }, probe.ICMP, probespec.NoReply, "",
			"no reply within 1s",
		},
		"dead, over v6": {func(g *guest) { g.dead = true }, probe.ICMP6, probespec.NoReply, "", "no reply within 1s"},
		"late": {
			func(g *guest) { g.delay = 1200 * time.Millisecond }, probe.ICMP, probespec.AnsweredLate, "",
			"after 1.2s",
		},
		"late, directly": {
			func(g *guest) { g.delay, g.cutOff = 1200*time.Millisecond, false }, probe.ICMP,
			probespec.AnsweredLate, "", "timeout of 1s",
		},
	} {
		t.Run(name, func(t *testing.T) {
			inLab(t, Options{}, func(l *lab) {
				l.add("vm1", 1, 1, 10)
				vm2 := l.add("vm2", 2, 2, 10)
				l.change(func() { c.change(vm2) })
				res, updates := l.probe(probespec.Request{Source: "vm1", Destination: "vm2", Type: c.typ, Count: 1})
				if res.Verdict != probespec.Unreachable || res.Sent != 1 || res.Received != 0 || res.Loss == nil {
					t.Fatalf("%+v", res)
				}
				where := ""
				if res.Loss.Where != nil {
					where = res.Loss.Where.String()
				}
				if res.Loss.Stage != c.stage || where != c.where || !strings.Contains(res.Loss.Reason, c.says) {
					t.Errorf("%+v at %q", *res.Loss, where)
				}
				if updates[1].Event != probespec.UpdateLost || updates[1].Seq != 1 {
					t.Errorf("updates %+v", updates)
				}
				if late := c.stage == probespec.AnsweredLate; late != (res.Late == 1) {
					t.Errorf("%d late", res.Late)
				}
				advance(2 * linger)
				if l.traps(1)+l.traps(2) != 0 {
					t.Error("traps stayed")
				}
			})
		})
	}
}

func TestOtherNetworkIsTriedTheHardWay(t *testing.T) {
	inLab(t, Options{}, func(l *lab) {
		vm1 := l.add("vm1", 1, 1, 10)
		vm9 := l.add("vm9", 1, 9, 11)
		l.probe(probespec.Request{Source: "vm1", Destination: "vm9", Count: 1})
		sent := l.frames(nil)
		if len(sent) != 1 || sent[0].frame.Dst() != vm9.MAC || sent[0].frame.Src() != vm1.MAC ||
			sent[0].port != vm1.Port {
			t.Errorf("sent %+v: want one echo to the destination's own MAC", sent)
		}
	})
}

func TestPartialAndLate(t *testing.T) {
	inLab(t, Options{}, func(l *lab) {
		l.add("vm1", 1, 1, 10)
		l.add("vm2", 2, 2, 10)
		n := 0
		l.bend = func(a []answerFrame) []answerFrame {
			n++
			switch n {
			case 2:
				return nil
			case 3:
				a[0].delay = 300 * time.Millisecond
			}
			return a
		}
		res, updates := l.probe(probespec.Request{
			Source: "vm1", Destination: "vm2", Count: 5, Interval: ms(200),
			Timeout: ms(250),
		})
		if res.Verdict != probespec.Partial || res.Sent != 5 || res.Received != 3 || res.Late != 1 {
			t.Fatalf("%+v", res)
		}
		if res.Loss.Stage != probespec.NoReply || res.Loss.Reason != "2 of 5 got no reply within 250ms" {
			t.Errorf("%+v", *res.Loss)
		}
		var got []string
		for _, u := range updates[1:] {
			got = append(got, fmt.Sprint(u.Event, " ", u.Seq))
		}
		if want := []string{"reply 1", "lost 2", "reply 4", "lost 3", "late 3", "reply 5"}; !sameSet(got, want) {
			t.Errorf("updates %v, want %v", got, want)
		}
	})
}

func sameSet(a, b []string) bool {
	a, b = slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))
	return slices.Equal(a, b)
}

func TestDuplicatesAreNoReplies(t *testing.T) {
	inLab(t, Options{}, func(l *lab) {
		l.add("vm1", 1, 1, 10)
		l.add("vm2", 1, 2, 10)
		l.bend = func(a []answerFrame) []answerFrame {
			again := a[0]
			again.delay += time.Millisecond
			return append(a, again)
		}
		res, _ := l.probe(probespec.Request{Source: "vm1", Destination: "vm2", Count: 3, Interval: ms(10)})
		if res.Received != 3 || res.Sent != 3 || res.Duplicates < 2 {
			t.Errorf("%+v", res)
		}
	})
}

func TestFalseAnswers(t *testing.T) {
	forge := func(frame []byte) []byte {
		b := slices.Clone(frame)
		b[len(b)-20]++ // within the hash
		return b
	}
	for name, c := range map[string]struct {
		bend func(a *answerFrame)
		want probe.Reason
	}{
		"forged":         {func(a *answerFrame) { a.frame = forge(a.frame) }, probe.Forged},
		"wrong switch":   {func(a *answerFrame) { a.sw = 2 }, probe.WrongSwitch},
		"wrong port":     {func(a *answerFrame) { a.port = 3 }, probe.WrongPort},
		"the source":     {func(a *answerFrame) { a.port = 1 }, probe.WrongPort},
		"wrong network":  {func(a *answerFrame) { a.vlan = 11 }, probe.WrongVLAN},
		"to another MAC": {func(a *answerFrame) { a.frame[5]++ }, probe.WrongAddress},
	} {
		t.Run(name, func(t *testing.T) {
			inLab(t, Options{}, func(l *lab) {
				l.add("vm1", 1, 1, 10)
				l.add("vm2", 1, 2, 10)
				l.bend = func(a []answerFrame) []answerFrame {
					c.bend(&a[0])
					return a
				}
				res, _ := l.probe(probespec.Request{Source: "vm1", Destination: "vm2", Count: 1})
				if res.Received != 0 || res.Verdict != probespec.Unreachable || l.rejected(c.want) != 1 {
					t.Errorf("%+v; %d rejected", res, l.rejected(c.want))
				}
			})
		})
	}
}

func TestAnswersOfAnEndedProbe(t *testing.T) {
	inLab(t, Options{}, func(l *lab) {
		l.add("vm1", 1, 1, 10)
		l.add("vm2", 1, 2, 10)
		var old answerFrame
		l.bend = func(a []answerFrame) []answerFrame { old = a[0]; return a }
		l.probe(probespec.Request{Source: "vm1", Destination: "vm2", Count: 1})
		l.packetIn(old)
		if l.rejected(probe.UnknownProbe) != 1 {
			t.Errorf("%d rejected", l.rejected(probe.UnknownProbe))
		}
	})
}

func TestColorOnRequest(t *testing.T) {
	inLab(t, Options{}, func(l *lab) {
		l.add("vm1", 1, 1, 10)
		l.add("vm2", 1, 2, 10)
		var wg sync.WaitGroup
		wg.Go(func() { // ends with its probe
			l.probe(probespec.Request{Source: "vm1", Destination: "vm2", Count: 3, Color: 111})
		})
		advance(time.Second)
		_, err := l.e.Probe(l.t.Context(),
			probespec.Request{Source: "vm2", Destination: "vm1", Color: 111}.WithDefaults(), nil)
		if err == nil || err.Error() != "color 111 is in use by the probe vm1 -> vm2" {
			t.Errorf("in use: %v", err)
		}
		wg.Wait()
		advance(10 * time.Second)
		_, err = l.e.Probe(l.t.Context(),
			probespec.Request{Source: "vm2", Destination: "vm1", Color: 111}.WithDefaults(), nil)
		var busy *probe.ColorError
		if !errors.As(err, &busy) || busy.Wait < 15*time.Second {
			t.Errorf("resting: %v", err)
		}
		advance(20 * time.Second)
		if res, _ := l.probe(probespec.Request{
			Source: "vm2", Destination: "vm1", Color: 111,
			Count: 1,
		}); res.Color != 111 || res.Received != 1 {
			t.Errorf("rested: %+v", res)
		}
		for _, x := range l.frames(nil) {
			ip, _ := packet.ParseIPv4(x.frame.Payload())
			if icmp, _ := packet.ParseICMP(ip.Payload()); icmp.ID() != 111 {
				t.Errorf("identifier %d", icmp.ID())
			}
		}
	})
}

func TestCannotRun(t *testing.T) {
	for name, c := range map[string]struct {
		change func(vm1 *guest)
		req    probespec.Request
		want   string
		stage  probespec.Stage
	}{
		"unknown source": {
			nil,
			probespec.Request{Source: "vm7", Destination: "vm2"},
			`source "vm7" is not known; candidates: vm1, vm2`, "",
		},
		"unknown destination": {
			nil,
			probespec.Request{Source: "vm1", Destination: "vm7"},
			`destination "vm7" is not known; candidates: vm1, vm2`, "",
		},
		"never seen": {
			func(g *guest) { g.Located = false },
			probespec.Request{},
			"the port of vm1 is not known: it has not been seen on any switch", probespec.SourceDown,
		},
		"port down": {
			func(g *guest) { g.PortUp = false },
			probespec.Request{},
			"port host1:vif-vm1 is down, where vm1 is", probespec.SourceDown,
		},
		"switch not connected": {
			func(g *guest) { g.Connected = false },
			probespec.Request{},
			"switch host1 is not connected, where vm1 is", probespec.SourceDown,
		},
		"switch of another": {
			func(g *guest) { g.Connected, g.Standby = false, true },
			probespec.Request{},
			"another controller is the master of switch host1, where vm1 is", probespec.SourceDown,
		},
		"no MAC": {
			func(g *guest) { g.MAC = packet.MAC{} },
			probespec.Request{},
			"no host is known at vm1", probespec.SourceDown,
		},
		"no address": {
			func(g *guest) { g.IPs = nil },
			probespec.Request{},
			"no IPv4 address of vm1 is known",
			probespec.SourceDown,
		},
		"no IPv6 address": {
			func(g *guest) { g.MAC = packet.MAC{} },
			probespec.Request{Source: "vm2", Destination: "vm1", Type: probe.ICMP6},
			"no IPv6 and no MAC address of vm1 is known", probespec.UnknownDestination,
		},
		"closed": {
			func(g *guest) { g.VLAN = 0 },
			probespec.Request{},
			"vm1 is in no network",
			probespec.SourceDown,
		},
		"no gateway": {
			nil,
			probespec.Request{Source: "vm1", Destination: "192.0.2.1"},
			"192.0.2.1 is outside of 10.0.10.0/24, and network blue has no gateway", probespec.UnknownDestination,
		},
		"itself": {
			nil,
			probespec.Request{Source: "vm1", Destination: "10.0.10.1"},
			"10.0.10.1 is the source itself", "",
		},
		"family": {
			nil,
			probespec.Request{Source: "vm1", Destination: "10.0.10.2", Type: probe.ICMP6},
			"icmp6 needs IPv6", "",
		},
		"other family": {
			nil,
			probespec.Request{Source: "vm1", Destination: "fd00::1"},
			"icmp needs IPv4 addresses; use icmp6", "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			inLab(t, Options{}, func(l *lab) {
				vm1 := l.add("vm1", 1, 1, 10)
				l.add("vm2", 1, 2, 10)
				if c.change != nil {
					l.change(func() { c.change(vm1) })
				}
				if c.req.Source == "" {
					c.req = probespec.Request{Source: "vm1", Destination: "vm2"}
				}
				_, err := l.e.Probe(l.t.Context(), c.req.WithDefaults(), nil)
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Fatalf("error %v, want %q", err, c.want)
				}
				var cannot *probespec.CannotRunError
				if got := errors.As(err, &cannot); got != (c.stage != "") || got && cannot.Stage != c.stage {
					t.Errorf("%#v, want stage %q", err, c.stage)
				}
				if len(l.frames(nil)) != 0 || l.traps(1) != 0 {
					t.Error("something was sent")
				}
			})
		})
	}
}

func TestErrorsCanBeToldApart(t *testing.T) {
	inLab(t, Options{}, func(l *lab) {
		l.add("vm1", 1, 1, 10)
		l.add("twin", 1, 2, 10)
		l.add("twin", 1, 3, 10)
		_, err := l.e.Probe(l.t.Context(), probespec.Request{Source: "vm1", Destination: "twin"}.WithDefaults(), nil)
		var ambiguous *probespec.AmbiguousError
		var end *probespec.EndError
		if !errors.As(err, &ambiguous) || !errors.As(err, &end) || end.End != "destination" {
			t.Errorf("%#v", err)
		}
	})
}

func TestSwitchGoesAwayOnSending(t *testing.T) {
	inLab(t, Options{}, func(l *lab) {
		l.add("vm1", 1, 1, 10)
		l.add("vm2", 1, 2, 10)
		s := l.at(1)
		away := func(b bool) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.down = b
		}
		away(true)
		_, err := l.e.Probe(l.t.Context(), probespec.Request{Source: "vm1", Destination: "vm2"}.WithDefaults(), nil)
		var cannot *probespec.CannotRunError
		if !errors.As(err, &cannot) || cannot.Stage != probespec.SourceDown {
			t.Errorf("from the start: %v", err)
		}
		away(false)
		time.AfterFunc(1500*time.Millisecond, func() { away(true) })
		res, _ := l.probe(probespec.Request{Source: "vm1", Destination: "vm2", Count: 5})
		if res.Verdict != probespec.Partial || res.Sent != 2 || res.Received != 2 || res.Loss == nil ||
			res.Loss.Stage != probespec.SourceDown {
			t.Errorf("in the middle: %+v", res)
		}
		if l.traps(1) != 1 {
			t.Errorf("%d traps", l.traps(1))
		}
		advance(time.Minute)
		away(false)
		advance(2 * time.Second)
		if l.traps(1) != 0 {
			t.Error("the trap stayed when the switch was back")
		}
	})
}

func TestAddressesOfNoKnownHost(t *testing.T) {
	inLab(t, Options{}, func(l *lab) {
		vm1 := l.add("vm1", 1, 1, 10)
		stranger := l.add("", 2, 77, 10)
		gw := l.add("", 2, 254, 10)
		l.change(func() {
			stranger.unlisted, gw.unlisted = true, true
			gw.IPs = append(gw.IPs, netip.MustParseAddr("192.0.2.1")) // stands for what is behind it
			vm1.Gateway = netip.MustParseAddr("10.0.10.254")
		})
		res, _ := l.probe(probespec.Request{Source: "vm1", Destination: "10.0.10.77", Count: 2, Interval: ms(1)})
		if res.Verdict != probespec.Reachable || res.DestinationEnd.MAC != stranger.MAC.String() {
			t.Errorf("in the network: %+v", res)
		}
		if first := l.frames(nil)[0].frame; first.EtherType() != packet.EtherTypeARP || first.Dst() != packet.Broadcast ||
			!probe.IsColored(first.Src()) {
			t.Errorf("first frame %x", first.Bytes())
		}
		res, _ = l.probe(probespec.Request{Source: "vm1", Destination: "192.0.2.1", Count: 1})
		last := l.frames(isEcho)
		if res.Verdict != probespec.Reachable || last[len(last)-1].frame.Dst() != gw.MAC {
			t.Errorf("behind the gateway: %+v", res)
		}
		before := len(l.frames(isEcho))
		res, _ = l.probe(probespec.Request{Source: "vm1", Destination: "10.0.10.78", Count: 5})
		if res.Verdict != probespec.Unreachable || res.Sent != 3 || res.Loss.Stage != probespec.UnknownDestination ||
			len(l.frames(isEcho)) != before {
			t.Errorf("nobody: %+v %+v", res, res.Loss)
		}
		l.change(func() { gw.dead = true })
		res, _ = l.probe(probespec.Request{Source: "vm1", Destination: "192.0.2.1", Count: 1})
		if res.Verdict != probespec.Unreachable || res.Loss.Stage != probespec.UnknownDestination ||
			!strings.Contains(res.Loss.Reason, "gateway") {
			t.Errorf("dead gateway: %+v %+v", res, res.Loss)
		}
	})
}

func TestManyAtOnceDoNotMixUp(t *testing.T) {
	const n = 1000
	inLab(t, Options{}, func(l *lab) {
		l.crowded = true
		for i := range byte(32) {
			g := l.add(fmt.Sprintf("vm%d", i), 1, i+1, 10)
			l.change(func() {
				g.delay = time.Duration(i+1) * time.Millisecond // tells whose answer it is
				if i == 31 {
					g.dead = true
				}
			})
		}
		var wg sync.WaitGroup
		var mu sync.Mutex
		colors := map[int]bool{}
		for i := range n {
			src, dst := i%32, (i/32+i%32+1)%32
			if src == dst {
				dst = (dst + 1) % 32
			}
			wg.Go(func() { // ends with its probe
				res, err := l.e.Probe(l.t.Context(), probespec.Request{
					Source: fmt.Sprintf("vm%d", src), Destination: fmt.Sprintf("vm%d", dst), Count: 3, Interval: ms(10),
				}.WithDefaults(), nil)
				mu.Lock()
				defer mu.Unlock()
				if colors[res.Color] {
					t.Errorf("color %d was used twice", res.Color)
				}
				colors[res.Color] = true
				switch {
				case err != nil:
					t.Error(err)
				case dst == 31:
					if res.Received != 0 {
						t.Errorf("the dead guest answered: %+v", res)
					}
				case res.Received != 3 || res.RTT.Max != probespec.Seconds(dst+1)*oneMS || res.RTT.Min != res.RTT.Max ||
					res.Duplicates != 0:
					t.Errorf("%d -> %d: %+v %+v", src, dst, res, res.RTT)
				}
			})
		}
		wg.Wait()
		for _, r := range probe.Reasons() {
			if count := l.rejected(r); count > 0 {
				t.Errorf("%d answers were rejected: %v", count, r)
			}
		}
		advance(time.Minute)
		if left := l.left(); left != "" {
			t.Errorf("left behind: %s", left)
		}
	})
}

func TestRateCap(t *testing.T) {
	inLab(t, Options{Rate: 100}, func(l *lab) {
		l.add("vm1", 1, 1, 10)
		l.add("vm2", 1, 2, 10)
		l.add("vm3", 2, 3, 10)
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() { // ends with its probe
				l.probe(probespec.Request{Source: "vm1", Destination: "vm2", Count: 25, Interval: ms(1)})
			})
		}
		began := time.Now()
		if res, _ := l.probe(probespec.Request{
			Source: "vm3", Destination: "vm2", Count: 2,
			Interval: ms(1),
		}); res.Received != 2 {
			t.Errorf("another switch: %+v", res)
		}
		if d := time.Since(began); d > 50*time.Millisecond+settleTime {
			t.Errorf("another switch had to wait: %v", d)
		}
		wg.Wait()
		sent := l.frames(func(x *sentFrame) bool { return x.sw == 1 })
		if len(sent) != 500 {
			t.Fatalf("%d sent", len(sent))
		}
		for i := range sent {
			n := 0
			for _, x := range sent[i:] {
				if x.at.Sub(sent[i].at) < time.Second {
					n++
				}
			}
			if n > 106 {
				t.Fatalf("%d requests within a second", n)
			}
		}
		if d := sent[499].at.Sub(sent[0].at); d > 5500*time.Millisecond {
			t.Errorf("took %v: the rate is not used", d)
		}
	})
}

func TestCancellation(t *testing.T) {
	inLab(t, Options{}, func(l *lab) {
		l.add("vm1", 1, 1, 10)
		l.add("vm2", 1, 2, 10)
		ctx, cancel := context.WithCancel(l.t.Context())
		time.AfterFunc(2500*time.Millisecond, cancel)
		began := time.Now()
		res, err := l.e.Probe(ctx, probespec.Request{Source: "vm1", Destination: "vm2", Count: 100}.WithDefaults(), nil)
		if !errors.Is(err, context.Canceled) || res.Received != 3 || res.Sent != 3 ||
			res.Verdict != probespec.Reachable {
			t.Errorf("%v %+v", err, res)
		}
		if d := time.Since(began); d != 2500*time.Millisecond {
			t.Errorf("ended after %v", d)
		}
		advance(2 * linger)
		if left := l.left(); left != "" {
			t.Errorf("left behind: %s", left)
		}
	})
}

func TestReplacedSwitchKeepsItsTraps(t *testing.T) {
	inLab(t, Options{}, func(l *lab) {
		l.add("vm1", 1, 1, 10)
		l.add("vm2", 1, 2, 10)
		l.probe(probespec.Request{Source: "vm1", Destination: "vm2", Count: 1})
		l.replace(1)
		trap := probe.Trap{
			VLAN: 10, Type: probe.ICMP, EthDst: packet.MAC{0x52, 0x54, 0, 0, 10, 1},
			Src: netip.MustParseAddr("10.0.10.2"), Dst: netip.MustParseAddr("10.0.10.1"),
		}
		s := l.at(1)
		s.mu.Lock()
		s.app.AddTrap(trap, &s.out)
		s.mu.Unlock()
		advance(2 * linger)
		if l.traps(1) != 1 {
			t.Error("a trap that somebody else added was removed")
		}
	})
}

// TestNobodysAddress: addresses that no host can have are refused before anything is sent.
func TestNobodysAddress(t *testing.T) {
	subnet := netip.MustParsePrefix("10.0.3.0/24")
	for addr, want := range map[string]string{
		"0.0.0.0": "unspecified", "224.0.0.1": "multicast", "ff02::1": "multicast", "255.255.255.255": "broadcast",
		"127.0.0.1":  "loopback",
		"10.0.3.255": "broadcast address of 10.0.3.0/24", "10.0.3.0": "network 10.0.3.0/24", "10.0.3.9": "",
		"192.0.2.255": "", "fd00::1": "",
	} {
		got := nobody(netip.MustParseAddr(addr), subnet)
		if (want == "") != (got == "") || !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", addr, got, want)
		}
	}
}
