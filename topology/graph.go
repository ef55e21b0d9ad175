package topology

import (
	"time"

	"github.com/eosin-sdn/eosin/openflow"
)

// PortInfo describes a port.
type PortInfo struct {
	// Up is false while the port cannot carry frames.
	Up bool
	// Mesh is true for a tunnel port that obeys split horizon.
	Mesh bool
	// Retained is true for a port that was the end of a link before a restart of the controller, and whose link has not
	// been found again yet.
	Retained bool
	// VLANs are the ids that the port carries.
	VLANs VLANs
}

func (p PortInfo) equal(o PortInfo) bool {
	return p.Up == o.Up && p.Mesh == o.Mesh && p.Retained == o.Retained && p.VLANs.equal(o.VLANs)
}

// Graph is the mutable network graph. It is not safe for concurrent use. Use [NewGraph] to make one.
//
// Facts may come in any order: a link whose switch or port is not described yet is down until it is.
type Graph struct {
	switches map[openflow.DatapathID]bool // value: connected
	answered map[openflow.DatapathID]time.Time
	ports    map[PortRef]PortInfo
	links    map[LinkRef]*link
	byPort   map[PortRef][]*link
	bySwitch map[openflow.DatapathID][]*link

	vlanSets map[vlanBits]*vlanBits // interned sets

	version  uint64
	snapshot *Snapshot // the latest, valid until changed or measured is set
	changed  bool
	measured bool // only latencies changed
}

// NewGraph returns an empty graph.
func NewGraph() *Graph {
	return &Graph{
		switches: map[openflow.DatapathID]bool{},
		answered: map[openflow.DatapathID]time.Time{},
		ports:    map[PortRef]PortInfo{},
		links:    map[LinkRef]*link{},
		byPort:   map[PortRef][]*link{},
		bySwitch: map[openflow.DatapathID][]*link{},
		vlanSets: map[vlanBits]*vlanBits{*noVLANs: noVLANs},
		changed:  true,
	}
}

// SetSwitch adds a switch or changes whether it is connected. The links of a disconnected switch stay, unverified.
func (g *Graph) SetSwitch(dpid openflow.DatapathID, connected bool) {
	if was, known := g.switches[dpid]; known && was == connected {
		return
	}
	g.switches[dpid] = connected
	delete(g.answered, dpid)
	g.changed = true
	for _, l := range g.bySwitch[dpid] {
		// Hellos sent around the change prove nothing: nobody was there to report them.
		l.ab.clearPending()
		l.ba.clearPending()
	}
}

// RemoveSwitch forgets a switch with its ports and links.
func (g *Graph) RemoveSwitch(dpid openflow.DatapathID) {
	if _, known := g.switches[dpid]; known {
		delete(g.switches, dpid)
		delete(g.answered, dpid)
		g.changed = true
	}
	for len(g.bySwitch[dpid]) > 0 {
		g.remove(g.bySwitch[dpid][0])
	}
	for ref := range g.ports {
		if ref.Switch == dpid {
			delete(g.ports, ref)
		}
	}
}

// SetPort describes a port. The links of a port that is not up go down and have to be discovered again.
func (g *Graph) SetPort(ref PortRef, info PortInfo) {
	old, known := g.ports[ref]
	if known && old.equal(info) {
		return
	}
	info.VLANs = g.intern(info.VLANs)
	g.ports[ref] = info
	if len(g.byPort[ref]) > 0 || old.Retained != info.Retained {
		g.changed = true // other ports are not part of snapshots
	}
	if !info.Up {
		for _, l := range g.byPort[ref] {
			g.linkDown(l)
		}
	}
}

// RemovePort forgets a port and its links.
func (g *Graph) RemovePort(ref PortRef) {
	g.changed = g.changed || g.ports[ref].Retained
	delete(g.ports, ref)
	for len(g.byPort[ref]) > 0 {
		g.remove(g.byPort[ref][0])
	}
}

// intern returns the set with memory shared by all equal sets, so that snapshots tell them apart by address.
func (g *Graph) intern(v VLANs) VLANs {
	raw := v.raw()
	if known, ok := g.vlanSets[*raw]; ok {
		return VLANs{known}
	}
	g.vlanSets[*raw] = raw
	return VLANs{raw}
}
