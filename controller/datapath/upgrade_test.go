package datapath

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/apps/discovery"
	"github.com/eosin-sdn/eosin/apps/pipeline"
	"github.com/eosin-sdn/eosin/apps/probe"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/flow"
	"github.com/eosin-sdn/eosin/topology"
)

// nextLayout is the pipeline with a table put in behind the first, as a later version.
func nextLayout() *apps.Layout {
	tables := slices.Clone(pipeline.Layout.Tables)
	numbers := map[string]uint8{}
	for i := range tables {
		numbers[tables[i].Name] = tables[i].Number
		if i > 0 {
			tables[i].Number++
		}
	}
	l := apps.NewLayout(pipeline.Layout.Version+1, tables...)
	l.Earlier = map[uint8]map[string]uint8{pipeline.Layout.Version: numbers}
	return l
}

// upgrade replaces the controller by one with nextLayout.
func (p *peer) upgrade() {
	key := probe.NewKey()
	keys := Keys{Hellos: discovery.NewSigner(epoch), Probes: &key}
	p.m = newMachine(dpid, keys, inNetwork(), topology.NewGraph().Snapshot(), nextLayout())
	p.log = nil
}

// learned is a ready switch with flows of today's pipeline and a host.
func learned(t *testing.T) *peer {
	p := newPeer(t)
	p.ready()
	p.recv(packetIn(learnCookie, 1, macA))
	p.sent()
	return p
}

// wantRenumbered checks that the switch has the flows of nextLayout, all of them and no others.
func (p *peer) wantRenumbered() {
	p.t.Helper()
	fresh := newPeer(p.t)
	fresh.upgrade()
	fresh.attach()
	fresh.pass(2 * time.Second)
	fresh.recv(packetIn(learnCookie, 1, macA))
	if p.m.Phase() != Ready || p.dump() != fresh.dump() {
		p.t.Errorf("phase %s, flows:\n%s\nwant:\n%s", p.m.Phase(), p.dump(), fresh.dump())
	}
}

// changes are the messages sent that change the switch by themselves, outside a bundle.
func changes(sent string) (lines []string) {
	for _, l := range strings.Split(sent, "\n") {
		for _, verb := range []string{"add ", "modify ", "delete "} {
			if strings.HasPrefix(l, verb) && !strings.Contains(l, "meter") {
				lines = append(lines, l)
			}
		}
	}
	return lines
}

// TestUpgrade: the flows of a pipeline with other numbers forward until one bundle has replaced all of them, and hosts
// are known by the names of their tables.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	p := learned(t)
	before := p.dump()
	p.upgrade()
	p.attach()
	if p.m.Phase() != Adopting || p.m.HostCount() != 1 {
		t.Fatalf("phase %s, %d hosts", p.m.Phase(), p.m.HostCount())
	}
	p.recv(packetIn(learnCookie, 2, macB)) // what is learned meanwhile waits for the bundle
	p.recv(openflow.AppendFlowRemoved(nil, 0, &openflow.FlowRemoved{
		Cookie: flow.Cookie(apps.OwnerHosts, 1), TableID: 99, Reason: openflow.FlowRemovedIdleTimeout,
	}))
	if p.dump() != before || p.m.HostCount() != 2 || p.m.Unsolicited != 1 {
		t.Errorf("%d hosts, %d unsolicited, flows:\n%s", p.m.HostCount(), p.m.Unsolicited, p.dump())
	}
	m := flow.Match{}.InPort(2).VLAN(10).EthSrc(macB)
	p.recv(openflow.AppendFlowRemoved(nil, 0, &openflow.FlowRemoved{ // under the number that the switch has for it
		Cookie: flow.Cookie(apps.OwnerHosts, macB.Uint64()), TableID: pipeline.Number("learn"), Priority: 10,
		Reason: openflow.FlowRemovedIdleTimeout, Match: m.Bytes(),
	}))
	if p.m.HostCount() != 1 {
		t.Errorf("%d hosts after one was silent", p.m.HostCount())
	}
	p.pass(2 * time.Second)
	got := p.sent()
	if strings.Count(got, "bundle open") != 1 || strings.Count(got, "bundle commit") != 1 || len(changes(got)) > 0 {
		t.Errorf("%d bundles; by themselves: %q", strings.Count(got, "bundle open"), changes(got))
	}
	p.wantRenumbered()
}

// TestUpgradeRejected: a bundle that is rejected, and a session that ends then, leave the old pipeline whole.
func TestUpgradeRejected(t *testing.T) {
	t.Parallel()
	p := learned(t)
	before := p.dump()
	p.refuse = func(msg []byte) (typ, code uint16) {
		if kind(msg) == "bundle add" {
			return openflow.ErrorTypeFlowModFailed, openflow.FlowModFailedTableFull
		}
		return 0, 0
	}
	p.upgrade()
	p.attach()
	p.pass(10 * time.Second)
	for range 2 {
		p.recv(packetIn(learnCookie, 2, macB))
		if got := changes(p.sent()); len(got) > 0 || p.dump() != before || p.m.Phase() != Ready {
			t.Errorf("phase %s; sent by themselves: %q; flows:\n%s", p.m.Phase(), got, p.dump())
		}
		p.m.Detach(p.now)
		p.attach()
		p.pass(10 * time.Second)
		if !p.m.adoption.outdated || p.m.adoption.version != pipeline.Layout.Version {
			t.Errorf("version %d, outdated %v", p.m.adoption.version, p.m.adoption.outdated)
		}
	}
	p.refuse = nil
	p.pass(time.Minute)
	p.flows = slices.DeleteFunc(p.flows, func(f openflow.FlowStats) bool { // macB's
		owner, _ := flow.OwnerOf(f.Cookie)
		return owner == apps.OwnerHosts && flow.Tag(f.Cookie) == macB.Uint64()
	})
	p.wantRenumbered()
}

// TestUpgradeOddDumps: whatever a dump says of its version, one bundle makes the switch right.
func TestUpgradeOddDumps(t *testing.T) {
	t.Parallel()
	own := flow.Match{}.InPort(99)
	for name, c := range map[string]struct {
		change func(p *peer)
		hosts  int
	}{
		"both numberings, the old one first": {func(p *peer) {
			p.flows = append(p.flows, openflow.FlowStats{
				Cookie: flow.Cookie(apps.OwnerDiscovery, nextLayout().VersionTag()), Priority: 7, Match: own.Bytes(),
			})
		}, 1},
		"both numberings, the new one first": {func(p *peer) {
			p.flows = slices.Insert(p.flows, 0, openflow.FlowStats{
				Cookie: flow.Cookie(apps.OwnerDiscovery, nextLayout().VersionTag()), Priority: 7, Match: own.Bytes(),
			})
		}, 1},
		"an unknown version": {func(p *peer) { p.setVersion(200) }, 0},
		"no version at all":  {func(p *peer) { p.setVersion(1 << 40) }, 0},
		"no first table": {func(p *peer) {
			p.flows = slices.DeleteFunc(p.flows, func(f openflow.FlowStats) bool { return f.TableID == 0 })
		}, 1},
		"the first table last": {func(p *peer) { slices.Reverse(p.flows) }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			p := learned(t)
			c.change(p)
			before := p.dump()
			p.upgrade()
			p.attach()
			if p.m.HostCount() != c.hosts {
				t.Errorf("%d hosts restored, want %d", p.m.HostCount(), c.hosts)
			}
			p.recv(packetIn(learnCookie, 1, macA))
			if !p.m.adoption.outdated || p.dump() != before {
				t.Errorf("outdated %v, flows:\n%s", p.m.adoption.outdated, p.dump())
			}
			p.sent()
			p.pass(2 * time.Second)
			if got := p.sent(); strings.Count(got, "bundle commit") != 1 || len(changes(got)) > 0 {
				t.Errorf("%d bundles; by themselves: %q", strings.Count(got, "bundle commit"), changes(got))
			}
			p.wantRenumbered()
		})
	}
}

// setVersion changes the version that the flows of the first table say.
func (p *peer) setVersion(tag uint64) {
	for i := range p.flows {
		if p.flows[i].TableID == 0 {
			p.flows[i].Cookie = flow.Cookie(apps.OwnerDiscovery, tag)
		}
	}
}

// TestManyBeforeTheVersion: the flows that wait for the version of their pipeline are bounded, hosts are still found, and
// nothing of them is left when the session ends.
func TestManyBeforeTheVersion(t *testing.T) {
	t.Parallel()
	p := learned(t)
	first := slices.IndexFunc(p.flows, func(f openflow.FlowStats) bool { return f.TableID == 0 })
	host := slices.IndexFunc(p.flows, func(f openflow.FlowStats) bool {
		owner, _ := flow.OwnerOf(f.Cookie)
		return owner == apps.OwnerHosts && f.TableID == pipeline.Number("learn")
	})
	if first < 0 || host < 0 {
		t.Fatalf("flows:\n%s", p.dump())
	}
	of, table := p.flows[host], p.flows[first]

	p.flows = nil
	p.upgrade()
	p.attach() // its ports are known
	for i := range 20 * maxEarlier / 56 {
		f := openflow.FlowStats{TableID: 200, Priority: uint16(i), Cookie: flow.Cookie(apps.OwnerL2, uint64(i))}
		p.m.restoreFlow(epoch, &f)
		if i == 0 && len(p.m.adoption.earlier) != 1 {
			t.Fatal("nothing waits for the version")
		}
		if p.m.adoption.earlierBytes > maxEarlier {
			t.Fatalf("%d bytes wait", p.m.adoption.earlierBytes)
		}
	}
	if a := &p.m.adoption; a.version != firstVersion || len(a.earlier) != 0 {
		t.Errorf("version %d, %d flows wait", a.version, len(a.earlier))
	}
	p.m.restoreFlow(epoch, &of)
	if p.m.HostCount() != 1 {
		t.Errorf("%d hosts", p.m.HostCount())
	}
	table.Cookie = flow.Cookie(apps.OwnerDiscovery, nextLayout().VersionTag())
	p.m.restoreFlow(epoch, &table)
	if !p.m.adoption.outdated {
		t.Error("flows of two versions, and not outdated")
	}

	for name, end := range map[string]func(){
		"the connection ends":         func() { p.m.Detach(epoch) },
		"another controller takes it": func() { p.m.transition(epoch, becameSlave) },
	} {
		p.upgrade()
		p.m.Attach(epoch)
		p.m.restoreFlow(epoch, &of)
		if len(p.m.adoption.earlier) != 1 {
			t.Fatal("nothing waits for the version")
		}
		if end(); p.m.adoption.earlier != nil {
			t.Errorf("%s, and flows still wait", name)
		}
	}
}

// TestOutdatedDumpBomb: an audit of a switch with another pipeline removes much, but not without end.
func TestOutdatedDumpBomb(t *testing.T) {
	t.Parallel()
	p := learned(t)
	p.m.adoption.outdated = true
	for i := range uint32(maxOutdated + 5000) {
		m := flow.Match{}.InPort(openflow.PortNo(i))
		p.m.auditFlow(epoch, &openflow.FlowStats{TableID: 3, Cookie: flow.Cookie(apps.OwnerHosts, uint64(i)), Match: m.Bytes()})
	}
	if n := p.m.audit.drift.Stray; n != maxOutdated {
		t.Errorf("%d strays", n)
	}
}
