package prober

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/apps/probe"
	"github.com/eosin-sdn/eosin/apps/probe/probespec"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/packet"
)

// Endpoint is a host, or a port, as it is known at a moment.
type Endpoint struct {
	Name       string
	Switch     openflow.DatapathID
	SwitchName string
	Port       openflow.PortNo
	PortName   string
	PortUp     bool // the port's link is up, or cannot be observed
	Connected  bool // the switch has a session and its tables are as they should be
	Standby    bool // not Connected, because another controller is the switch's master
	Located    bool // the port is known
	Tagged     bool // the host sends its network's frames with a VLAN tag
	Network    string
	VLAN       uint16
	MAC        packet.MAC // zero: not known
	IPs        []netip.Addr
	Gateway    netip.Addr   // of the network, if configured
	Subnet     netip.Prefix // of the network, if configured
}

// place returns where e, which may be nil, is, or nil.
func (e *Endpoint) place() *probespec.Place {
	if e == nil || !e.Located {
		return nil
	}
	return &probespec.Place{Switch: e.SwitchName, Port: e.PortName}
}

// up reports whether e, which may be nil, can be reached as far as its switch says.
func (e *Endpoint) up() bool { return e != nil && e.Located && e.Connected && e.PortUp }

// away says why the switch of e, which is not Connected, cannot be used.
func (e *Endpoint) away() string {
	if e.Standby {
		return fmt.Sprintf("another controller is the master of switch %s", e.SwitchName)
	}
	return fmt.Sprintf("switch %s is not connected", e.SwitchName)
}

// Fabric is what the engine asks of the controller. Its methods are called by several goroutines at once, and never
// from within Engine.Received.
type Fabric interface {
	// Resolve finds a host by its name, IP or MAC address, or what is at SWITCH:PORT. The error is a
	// *probespec.UnknownError or a *probespec.AmbiguousError.
	Resolve(ref string) (Endpoint, error)
	// ResolveIn finds the host of a network that uses the address.
	ResolveIn(network string, addr netip.Addr) (Endpoint, bool)
	// Network returns every known host of a network.
	Network(name string) []Endpoint
	// Exec runs fn as one step of the switch's machine, under its lock, and writes what came of it. It fails without
	// having called fn when the switch is not connected.
	Exec(sw openflow.DatapathID, fn func(now time.Time, app *probe.App, out *apps.Output)) error
	// Barrier returns when the switch has done all that was sent before.
	Barrier(ctx context.Context, sw openflow.DatapathID) error
}
