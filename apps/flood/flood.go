// Package flood owns the flood table: frames without a known destination go to every port of their network, once.
package flood

import (
	"time"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/apps/intent"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/flow"
)

// Priorities in the flood table.
const (
	prioBlocked = 30 // the port is not in the flood tree
	prioMesh    = 20 // the frame came through a mesh tunnel
	prioNetwork = 10
)

// Ingress classes: each has its own group per network.
const (
	fromAnywhere = 0
	fromMesh     = 1 // split horizon: not to other mesh tunnels
)

// App floods in one switch.
type App struct {
	apps.Base
	sw    *apps.Switch
	table apps.Table
	// retained are the ports that were blocked before a restart of the controller. They stay blocked until all links
	// have been found again: the tree of the links known until then may close a loop with an unknown one.
	retained map[blockedPort]struct{}
}

type blockedPort struct {
	port openflow.PortNo
	vlan uint16
}

// New returns the app for a switch.
func New(sw *apps.Switch) *App {
	return &App{sw: sw, table: sw.Layout.Table("flood"), retained: map[blockedPort]struct{}{}}
}

// MultipartReply restores which ports were blocked.
func (a *App) MultipartReply(_ time.Time, f *openflow.FlowStats, m *flow.Match, _ *apps.Output) {
	port, ok := m.GetInPort()
	vlan, ok2 := m.GetVLAN()
	if ok && ok2 && f.TableID == a.table.Number && f.Priority == prioBlocked {
		a.retained[blockedPort{port, vlan}] = struct{}{}
	}
}

// blocked reports whether floods of a network must not use a port.
func (a *App) blocked(vlan uint16, no openflow.PortNo) bool {
	_, retained := a.retained[blockedPort{no, vlan}]
	return retained || a.sw.Graph.Blocked(vlan, a.sw.Ref(no))
}

// Refresh states the groups and rules of every network that the switch carries.
//
//  1. A group per network holds a bucket for each port that carries it, is up, has settled and is not blocked by the
//     flood tree. OVS never sends a frame back out of its in port.
//  2. Frames from a mesh tunnel use a second group without the mesh tunnels: every bridge of the mesh has received the
//     frame from its sender (split horizon).
//  3. Frames from a blocked port are dropped here: they arrive by the tree as well. Both ends of a blocked link do so,
//     which prevents loops even while two switches disagree about the tree.
func (a *App) Refresh(_ time.Time, out *apps.Output) {
	if len(a.retained) > 0 && !a.sw.Restoring() {
		clear(a.retained)
	}
	out.Store.Begin(apps.OwnerFlood)
	for _, n := range a.sw.Networks {
		a.network(n, out)
	}
	out.Store.End(apps.OwnerFlood, a.table.Number)
	out.Store.EndGroups(apps.OwnerFlood)
}

func (a *App) network(n apps.Network, out *apps.Output) {
	put := func(prio uint16, m flow.Match, ins flow.Instructions) {
		out.Put(&flow.Rule{
			Table: a.table.Number, Priority: prio, Cookie: flow.Cookie(apps.OwnerFlood, uint64(n.VLAN)), Match: m,
			Instructions: ins,
		})
	}
	var all, noMesh []flow.Actions
	var mesh []openflow.PortNo
	carried := false
	for _, no := range a.sw.Order {
		p := a.sw.Ports[no]
		if !p.Carries(n.VLAN) || (p.Mode == intent.Tunnel && n.VNI == 0) {
			continue
		}
		carried = true
		if a.blocked(n.VLAN, no) {
			put(prioBlocked, flow.Match{}.InPort(no).VLAN(n.VLAN), nil)
			continue
		}
		if p.Mode == intent.Tunnel {
			mesh = append(mesh, no)
		}
		if !p.Up || !p.Settled {
			continue
		}
		bucket := p.Egress(nil, n)
		all = append(all, bucket)
		if p.Mode != intent.Tunnel {
			noMesh = append(noMesh, bucket)
		}
	}
	if !carried {
		return
	}
	if len(mesh) > 0 {
		through := groups(n.VLAN, fromMesh, noMesh, out)
		for _, no := range mesh {
			put(prioMesh, flow.Match{}.InPort(no).VLAN(n.VLAN), through)
		}
	}
	put(prioNetwork, flow.Match{}.VLAN(n.VLAN), groups(n.VLAN, fromAnywhere, all, out))
}

// maxBuckets limits the buckets of one group, which has to fit into one message of 64 KiB: a bucket has up to 56 bytes.
const maxBuckets = 1000

// groups states as many groups as the buckets need, and returns the instructions that send a frame through all of them.
func groups(vlan uint16, class uint32, buckets []flow.Actions, out *apps.Output) flow.Instructions {
	var through flow.Actions
	for part := uint32(0); part == 0 || len(buckets) > 0; part++ {
		n := min(len(buckets), maxBuckets)
		g := flow.Group{ID: groupID(vlan, class, part), Buckets: buckets[:n]}
		out.Store.PutGroup(apps.OwnerFlood, &g)
		through = through.Group(g.ID)
		buckets = buckets[n:]
	}
	return flow.Instructions(nil).Apply(through)
}

// groupID has the VLAN in bits 4 to 15, the ingress class in bit 0, and the part in bits 1 to 3 and 16 to 19.
func groupID(vlan uint16, class, part uint32) uint32 {
	return flow.GroupID(part>>3<<16 | uint32(vlan)<<4 | part&7<<1 | class)
}

var _ apps.App = (*App)(nil)
