package apps

import (
	"net/netip"
	"slices"
	"time"

	"github.com/eosin-sdn/eosin/apps/intent"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/flow"
	"github.com/eosin-sdn/eosin/openflow/packet"
	"github.com/eosin-sdn/eosin/topology"
)

// Network is one L2 network.
type Network struct {
	Name string
	VLAN uint16
	VNI  uint32 // 0: not carried by tunnels with a key
}

// Port is a port of the switch with its intended mode.
type Port struct {
	No   openflow.PortNo
	Name string
	MAC  packet.MAC

	Up         bool // the link is up, or it cannot be told and is taken to be
	Observable bool // false where the switch cannot see the link, as with a device moved into another namespace
	UpSince    time.Time
	Settled    bool // discovery has had its chance: the port may flood
	Transit    bool // an end of a discovered link
	// Retained is set while the port is taken for the end of a link because it was one before the controller was
	// restarted: the switch at the other end may need longer to come back. A retained port is a transit port.
	Retained bool

	Mode   intent.Mode
	VLANs  []uint16 // the networks it carries, ascending
	Native uint16   // the network of untagged frames: of an access port always, of a trunk if not 0
	Source intent.Source

	// Of a tunnel, once a discovery frame has come through it: the ends of the underlay.
	TunnelLocal, TunnelRemote netip.Addr
}

// Carries reports whether frames of the VLAN may pass the port.
func (p *Port) Carries(vlan uint16) bool {
	if len(p.VLANs) == 1 {
		return p.VLANs[0] == vlan
	}
	_, ok := slices.BinarySearch(p.VLANs, vlan)
	return ok
}

// Switch is what the machine tells the apps of their switch. Only the machine writes it.
type Switch struct {
	ID       openflow.DatapathID
	Name     string
	Ports    map[openflow.PortNo]*Port
	Order    []openflow.PortNo // the ports, ascending
	Networks []Network         // ascending by VLAN
	Settings intent.Settings
	Graph    *topology.Snapshot
	Layout   *Layout
	// NoConntrack is set where the switch refused a ct action: probes then trap by DSCP.
	NoConntrack bool
	// NeedsMegaflowWorkaround is set where Open vSwitch changes the actions of the wrong one of two overlapping
	// megaflows: see [Switch.PinMegaflow].
	NeedsMegaflowWorkaround bool
}

// Classes of decisions about where a frame goes, for PinMegaflow: one for each bit of a mark.
const (
	portClasses = 16
	classFlood  = portClasses
)

// PinMegaflow makes a frame's megaflow depend on the port to which its rule sends it (PortAny: all), on switches that
// need that.
//
// The userspace datapath of Open vSwitch before 2.17.8, 3.0.5, 3.1.3 and 3.2.0 looks up a megaflow whose actions have
// changed by a packet that it matches, and not by its identity. If another one overlaps, which is legal while both have
// the same actions, and happens when a rule is deleted that matched more than MAC addresses, the other's actions are
// changed and its own stay until no packet uses it any more. A megaflow is deleted, by its identity, if the new
// decision depends on more of the packet than its mask has. So each depends on another bit of pkt_mark, which is 0.
//
// Ports share bits, since each costs the datapath one more mask to try.
func (s *Switch) PinMegaflow(a flow.Actions, p openflow.PortNo) flow.Actions {
	switch {
	case !s.NeedsMegaflowWorkaround:
		return a
	case p == openflow.PortAny:
		return a.DependOnMark(classFlood)
	}
	return a.DependOnMark(uint8(p % portClasses))
}

// Network returns the network of a VLAN.
func (s *Switch) Network(vlan uint16) (Network, bool) {
	i, ok := slices.BinarySearchFunc(s.Networks, vlan, func(n Network, v uint16) int { return int(n.VLAN) - int(v) })
	if !ok {
		return Network{}, false
	}
	return s.Networks[i], true
}

// CarriesVLAN reports whether any port of the switch carries the VLAN.
func (s *Switch) CarriesVLAN(vlan uint16) bool {
	for _, no := range s.Order {
		if s.Ports[no].Carries(vlan) {
			return true
		}
	}
	return false
}

// Restoring reports whether links of before the controller's restart have not been found again, here or elsewhere.
func (s *Switch) Restoring() bool {
	for _, no := range s.Order {
		if s.Ports[no].Retained {
			return true
		}
	}
	return s.Graph.Restoring()
}

// Ref returns the port's name in the graph.
func (s *Switch) Ref(p openflow.PortNo) topology.PortRef {
	return topology.PortRef{Switch: s.ID, Port: p}
}

// Egress appends the actions that send a frame of the network, which has its VLAN tag inside the pipeline, out of the
// port. The match of the rule, or of the one that leads to the group, must name the VLAN.
func (p *Port) Egress(a flow.Actions, n Network) flow.Actions {
	switch p.Mode {
	case intent.Access:
		a = a.PopVLAN()
	case intent.Trunk:
		if p.Native == n.VLAN {
			a = a.PopVLAN()
		}
	case intent.Tunnel:
		a = a.SetTunnelID(uint64(n.VNI)).PopVLAN()
	}
	return a.Output(p.No)
}
