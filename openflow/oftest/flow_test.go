package oftest

import (
	"encoding/binary"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/flow"
)

// add returns a flow-mod that adds a flow.
func add(table uint8, priority uint16, cookie uint64, m *flow.Match, i flow.Instructions) []byte {
	return mod(openflow.FlowAdd, m, func(f *openflow.FlowMod) {
		f.TableID, f.Priority, f.Cookie, f.Instructions = table, priority, cookie, i
	})
}

func mod(command uint8, m *flow.Match, set func(*openflow.FlowMod)) []byte {
	f := openflow.NewFlowMod()
	if m != nil {
		f.Match = m.Bytes()
	}
	if set != nil {
		set(&f)
	}
	return openflow.AppendFlowMod(nil, 77, command, &f)
}

func match(m flow.Match) *flow.Match { return &m }

func apply(a flow.Actions) flow.Instructions { return flow.Instructions(nil).Apply(a) }

func output(p openflow.PortNo) flow.Instructions { return apply(flow.Actions(nil).Output(p)) }

func toController() flow.Instructions { return output(openflow.PortController) }

// clock is a clock that stands still.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// priorities returns the priorities of all flows.
func priorities(sw *Switch) []uint16 {
	var p []uint16
	for _, f := range sw.Flows() {
		p = append(p, f.Priority)
	}
	slices.Sort(p)
	return p
}

func TestFlowSelection(t *testing.T) {
	fill := func(c *controller) {
		c.ok(
			openflow.AppendGroupMod(nil, 1, openflow.GroupAdd, 0, 5, nil),
			add(0, 1, 0x10, match(flow.Match{}.InPort(1)), output(2)),
			add(0, 2, 0x11, match(flow.Match{}.InPort(1).VLAN(10)), output(3)),
			add(1, 3, 0x20, match(flow.Match{}.VLAN(10)), apply(flow.Actions(nil).Group(5))),
			add(1, 4, 0x21, nil, nil),
		)
	}
	del := openflow.FlowDelete
	for _, tc := range []struct {
		name    string
		command uint8
		match   *flow.Match
		set     func(*openflow.FlowMod)
		left    []uint16
	}{
		{"table", del, nil, func(f *openflow.FlowMod) { f.TableID = 1 }, []uint16{1, 2}},
		{"all tables", del, nil, func(f *openflow.FlowMod) { f.TableID = openflow.TableAll }, nil},
		{"match", del, match(flow.Match{}.InPort(1)), nil, []uint16{3, 4}},
		{"narrower match", del, match(flow.Match{}.InPort(1).VLAN(10)), nil, []uint16{1, 3, 4}},
		{"cookie", del, nil, func(f *openflow.FlowMod) {
			f.TableID, f.Cookie, f.CookieMask = openflow.TableAll, 0x20, 0xf0
		}, []uint16{1, 2}},
		{"out port", del, nil, func(f *openflow.FlowMod) { f.OutPort = 3 }, []uint16{1, 3, 4}},
		{"out group", del, nil, func(f *openflow.FlowMod) {
			f.TableID, f.OutGroup = openflow.TableAll, 5
		}, []uint16{1, 2, 4}},
		{"strict", openflow.FlowDeleteStrict, match(flow.Match{}.InPort(1)), func(f *openflow.FlowMod) {
			f.Priority = 1
		}, []uint16{2, 3, 4}},
		{"strict, other priority", openflow.FlowDeleteStrict, match(flow.Match{}.InPort(1)), func(f *openflow.FlowMod) {
			f.Priority = 2
		}, []uint16{1, 2, 3, 4}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			sw := New(Options{}, ports(3)...)
			c := connect(t, sw)
			fill(c)
			c.ok(mod(tc.command, tc.match, tc.set))
			if got := priorities(sw); !slices.Equal(got, tc.left) {
				t.Errorf("left %v, want %v", got, tc.left)
			}
		})
	}
}

func TestModify(t *testing.T) {
	sw := New(Options{}, ports(3)...)
	c := connect(t, sw)
	c.ok(
		add(0, 1, 7, match(flow.Match{}.InPort(1)), output(2)),
		add(0, 2, 8, match(flow.Match{}.InPort(1).VLAN(10)), output(2)),
		add(0, 3, 9, nil, output(2)),
	)
	to := func(p openflow.PortNo) func(*openflow.FlowMod) {
		return func(f *openflow.FlowMod) { f.Instructions, f.Priority, f.Cookie = output(p), 3, 99 }
	}
	c.ok(mod(openflow.FlowModify, match(flow.Match{}.InPort(1)), to(3)), mod(openflow.FlowModifyStrict, nil, to(1)),
		mod(openflow.FlowModifyStrict, match(flow.Match{}.InPort(9)), to(1)))
	const want = `cookie=0x9, table=0, priority=3 actions=output:1
cookie=0x8, table=0, priority=2,in_port=1,dl_vlan=10 actions=output:3
cookie=0x7, table=0, priority=1,in_port=1 actions=output:3
`
	if got := sw.Dump(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestTimeoutsAndFlowRemoved(t *testing.T) {
	now := &clock{t: time.Unix(1000, 0)}
	sw := New(Options{Now: now.now}, ports(2)...)
	c := connect(t, sw)
	timed := func(priority, idle, hard uint16, m *flow.Match) []byte {
		return mod(openflow.FlowAdd, m, func(f *openflow.FlowMod) {
			f.Priority, f.IdleTimeout, f.HardTimeout, f.Flags = priority, idle, hard, openflow.FlagSendFlowRem
			f.Cookie = uint64(priority)
		})
	}
	c.ok(timed(4, 10, 0, match(flow.Match{}.InPort(1))), timed(3, 0, 12, nil), timed(2, 10, 0, nil),
		timed(1, 0, 0, nil))
	now.add(9 * time.Second)
	if n := sw.Expire(); n != 0 {
		t.Errorf("%d expired early", n)
	}
	sw.Inject(1, frame(macA, macB, -1))
	now.add(time.Second)
	sw.Expire() // 2: idle
	now.add(2 * time.Second)
	sw.Expire() // 3: hard
	now.add(7 * time.Second)
	sw.Expire() // 4: idle, later for the frame
	got := c.do(mod(openflow.FlowDelete, nil, nil))
	want := []openflow.FlowRemoved{
		{Cookie: 2, Reason: openflow.FlowRemovedIdleTimeout, DurationSec: 10},
		{Cookie: 3, Reason: openflow.FlowRemovedHardTimeout, DurationSec: 12},
		{Cookie: 4, Reason: openflow.FlowRemovedIdleTimeout, DurationSec: 19, Packets: 1, Bytes: 64},
		{Cookie: 1, Reason: openflow.FlowRemovedDelete, DurationSec: 19},
	}
	if len(got) != len(want) {
		t.Fatalf("%d messages", len(got))
	}
	for i, m := range got {
		var r openflow.FlowRemoved
		if err := r.Decode(m); err != nil {
			t.Fatal(err)
		}
		w := want[i]
		if r.Cookie != w.Cookie || r.Reason != w.Reason || r.DurationSec != w.DurationSec || r.Packets != w.Packets ||
			r.Bytes != w.Bytes || r.Priority != uint16(w.Cookie) {
			t.Errorf("%d: %+v", i, r)
		}
	}
}

func TestGroupDeleteTakesItsFlows(t *testing.T) {
	sw := New(Options{}, ports(3)...)
	c := connect(t, sw)
	bucket := openflow.AppendBucket(nil, 0, openflow.PortAny, openflow.GroupAny, flow.Actions(nil).Output(2))
	c.ok(
		openflow.AppendGroupMod(nil, 1, openflow.GroupAdd, 0, 5, bucket),
		mod(openflow.FlowAdd, nil, func(f *openflow.FlowMod) {
			f.Priority, f.Flags, f.Instructions = 1, openflow.FlagSendFlowRem, apply(flow.Actions(nil).Group(5))
		}),
		add(0, 2, 0, nil, output(2)),
	)
	if got, want := sw.DumpGroups(), "group_id=5,type=all,bucket=actions=output:2\n"; got != want {
		t.Errorf("got %s", got)
	}
	got := c.do(openflow.AppendGroupMod(nil, 1, openflow.GroupDelete, 0, 5, nil))
	var r openflow.FlowRemoved
	if len(got) != 1 {
		t.Fatalf("%d messages", len(got))
	}
	if err := r.Decode(got[0]); err != nil || r.Reason != openflow.FlowRemovedGroupDelete {
		t.Errorf("%+v, %v", r, err)
	}
	if sw.FlowCount() != 1 || sw.DumpGroups() != "" {
		t.Errorf("left:\n%s%s", sw.Dump(), sw.DumpGroups())
	}
}

// bundleOf returns an atomic bundle of messages.
func bundleOf(id uint32, msgs ...[]byte) []byte {
	const flags = openflow.BundleAtomic | openflow.BundleOrdered
	b := openflow.AppendBundleControl(nil, 100, id, openflow.BundleOpenRequest, flags)
	for i, m := range msgs {
		b = openflow.AppendBundleAdd(b, 101+uint32(i), id, flags, m)
	}
	b = openflow.AppendBundleControl(b, 200, id, openflow.BundleCloseRequest, flags)
	return openflow.AppendBundleControl(b, 201, id, openflow.BundleCommitRequest, flags)
}

func TestBundle(t *testing.T) {
	sw := New(Options{}, ports(3)...)
	c := connect(t, sw)
	bucket := openflow.AppendBucket(nil, 0, openflow.PortAny, openflow.GroupAny, flow.Actions(nil).Output(2))
	group := openflow.AppendGroupMod(nil, 1, openflow.GroupAdd, 0, 5, bucket)
	good := bundleOf(1, group, add(0, 1, 1, nil, apply(flow.Actions(nil).Group(5))), add(0, 2, 1, nil, output(1)))
	got := c.do(good)
	c.wantErrors(got)
	if len(got) != 3 || sw.FlowCount() != 2 {
		t.Fatalf("%d answers, %d flows", len(got), sw.FlowCount())
	}
	before, groups := sw.Dump(), sw.DumpGroups()
	bad := bundleOf(1,
		mod(openflow.FlowDelete, nil, nil),
		add(3, 9, 9, nil, nil),
		mod(openflow.FlowModify, nil, func(f *openflow.FlowMod) { f.Instructions = output(3) }),
		openflow.AppendGroupMod(nil, 1, openflow.GroupDelete, 0, openflow.GroupAll, nil),
		openflow.AppendGroupMod(nil, 1, openflow.GroupAdd, 0, 6, nil),
		add(0, 9, 9, nil, apply(flow.Actions(nil).Group(5))), // gone
	)
	got = c.do(bad)
	c.wantErrors(got, [2]uint16{openflow.ErrorTypeBadAction, openflow.BadActionBadOutGroup},
		[2]uint16{openflow.ErrorTypeExperimenter, openflow.BundleErrorMsgFailed})
	var e openflow.Error
	if err := e.Decode(got[2]); err != nil || e.Xid != 106 {
		t.Errorf("error's xid %d, %v", e.Xid, err)
	}
	if sw.Dump() != before || sw.DumpGroups() != groups {
		t.Errorf("after a failed bundle:\n%s%swant\n%s%s", sw.Dump(), sw.DumpGroups(), before, groups)
	}
	// Unequal xids are refused, and the commit succeeds with nothing applied.
	const flags = openflow.BundleAtomic
	b := openflow.AppendBundleAdd(nil, 300, 2, flags, add(0, 50, 1, nil, nil))
	binary.BigEndian.PutUint32(b[28:], 299)
	b = openflow.AppendBundleControl(b, 301, 3, openflow.BundleDiscardRequest, flags)
	b = openflow.AppendBundleAdd(b, 302, 4, flags,
		openflow.AppendMeterMod(nil, 1, openflow.MeterAdd, openflow.MeterPktps, 1, 5, 0))
	c.wantErrors(c.do(b), [2]uint16{openflow.ErrorTypeExperimenter, openflow.BundleErrorMsgBadXid},
		[2]uint16{openflow.ErrorTypeExperimenter, openflow.BundleErrorBadID},
		[2]uint16{openflow.ErrorTypeExperimenter, openflow.BundleErrorMsgUnsup})
	if sw.Dump() != before {
		t.Errorf("changed:\n%s", sw.Dump())
	}
}

func TestLongDump(t *testing.T) {
	sw := New(Options{}, ports(3)...)
	c := connect(t, sw)
	const n = 2500
	var b []byte
	for i := range n {
		b = append(b, add(uint8(i%3), uint16(i), uint64(i), match(flow.Match{}.InPort(1).VLAN(uint16(i))),
			output(2))...)
	}
	c.ok(b)
	dump := func(r openflow.FlowStatsRequest) (flows, parts int) {
		got := c.do(openflow.AppendFlowStatsRequest(nil, 55, r))
		for i, msg := range got {
			var m openflow.Multipart
			if err := m.Decode(msg); err != nil {
				t.Fatal(err)
			}
			if m.More != (i < len(got)-1) {
				t.Errorf("part %d of %d: more %v", i, len(got), m.More)
			}
			for body := m.Body; len(body) > 0; flows++ {
				var err error
				if _, body, err = openflow.DecodeFlowStats(body); err != nil {
					t.Fatal(err)
				}
			}
		}
		return flows, len(got)
	}
	all := openflow.FlowStatsRequest{TableID: openflow.TableAll, OutPort: openflow.PortAny, OutGroup: openflow.GroupAny}
	if flows, parts := dump(all); flows != n || parts < 4 {
		t.Errorf("%d flows in %d parts", flows, parts)
	}
	all.Cookie, all.CookieMask = 0x100, 0xff00
	if flows, _ := dump(all); flows != 256 {
		t.Errorf("%d flows by cookie", flows)
	}
	if lines := strings.Count(sw.Dump(), "\n"); lines != n {
		t.Errorf("%d lines", lines)
	}
}

func TestMeters(t *testing.T) {
	sw := New(Options{}, ports(1)...)
	c := connect(t, sw)
	meter := openflow.AppendMeterMod(nil, 1, openflow.MeterAdd, openflow.MeterPktps, 7, 100, 0)
	c.wantErrors(c.do(meter, meter), [2]uint16{openflow.ErrorTypeMeterModFailed, openflow.MeterModFailedMeterExists})
	got := c.do(openflow.AppendMeterConfigRequest(nil, 5, openflow.MeterAll))
	var m openflow.Multipart
	if err := m.Decode(got[0]); err != nil {
		t.Fatal(err)
	}
	mc, _, err := openflow.DecodeMeterConfig(m.Body)
	if err != nil || mc.ID != 7 || mc.Flags != openflow.MeterPktps {
		t.Errorf("%+v, %v", mc, err)
	}
	c.ok(openflow.AppendMeterMod(nil, 1, openflow.MeterDelete, 0, openflow.MeterAll, 0, 0))
	if len(sw.State().Meters) != 0 {
		t.Error("meters left")
	}
}

// TestConcurrent has three controllers and the ports busy at once: nothing is lost, and the race detector looks on.
func TestConcurrent(t *testing.T) {
	sw := New(Options{}, ports(4)...)
	var wg sync.WaitGroup
	for i := range 3 {
		c := connect(t, sw)
		wg.Go(func() {
			for n := range 100 {
				c.step(add(uint8(i), uint16(n), 1, nil, output(openflow.PortFlood)))
				c.step(openflow.AppendPacketOut(nil, 1, 1, flow.Actions(nil).Output(openflow.PortTable),
					frame(macA, macB, -1)))
			}
			c.do()
		})
	}
	wg.Go(func() {
		for range 100 {
			sw.Inject(1, frame(macA, macB, 10))
			sw.Expire()
			sw.SetPort(Port{No: 5, Name: "p5"})
			_ = sw.Dump()
		}
	})
	wg.Wait()
	if sw.FlowCount() != 300 {
		t.Errorf("%d flows", sw.FlowCount())
	}
}
