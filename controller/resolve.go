package controller

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/apps/intent"
	"github.com/eosin-sdn/eosin/apps/probe"
	"github.com/eosin-sdn/eosin/apps/probe/probespec"
	"github.com/eosin-sdn/eosin/config"
	"github.com/eosin-sdn/eosin/config/spelling"
	"github.com/eosin-sdn/eosin/controller/location"
	"github.com/eosin-sdn/eosin/controller/prober"
	"github.com/eosin-sdn/eosin/controller/switches"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/packet"
	"github.com/eosin-sdn/eosin/topology"
)

// proberFabric lets the probe engine see and use the network.
type proberFabric struct {
	config   func() *config.Config // the running one
	registry *switches.Registry
	finder   *location.Finder
}

var _ prober.Fabric = (*proberFabric)(nil)

// Exec runs fn as one step of a switch.
func (r *proberFabric) Exec(sw openflow.DatapathID, fn func(now time.Time, app *probe.App, out *apps.Output)) error {
	s := r.registry.Get(sw)
	if s == nil {
		return fmt.Errorf("switch %s: %w", sw, switches.ErrOffline)
	}
	return s.Exec(fn)
}

// Barrier waits until a switch has done all that was sent before.
func (r *proberFabric) Barrier(ctx context.Context, sw openflow.DatapathID) error {
	s := r.registry.Get(sw)
	if s == nil {
		return fmt.Errorf("switch %s: %w", sw, switches.ErrOffline)
	}
	return s.Barrier(ctx)
}

// Resolve finds who is meant by a host's name, an IP address, a MAC address, or SWITCH:PORT.
func (r *proberFabric) Resolve(ref string) (prober.Endpoint, error) {
	cfg := r.config()
	if h, ok := cfg.Hosts.ByName(ref); ok {
		return r.named(cfg, h)
	}
	if ip, err := netip.ParseAddr(ref); err == nil {
		return r.one(ref, r.byAddress(cfg, "", ip.Unmap()))
	}
	if mac, err := packet.ParseMAC(ref); err == nil {
		return r.one(ref, r.byMAC(cfg, mac))
	}
	if i := strings.LastIndexByte(ref, ':'); i > 0 {
		if s := r.registry.ByName(ref[:i]); s != nil {
			return r.atPort(cfg, s, ref[:i], ref[i+1:])
		}
		return prober.Endpoint{}, &probespec.UnknownError{Ref: ref, Candidates: r.suggest(ref[:i], r.switchNames())}
	}
	return prober.Endpoint{}, &probespec.UnknownError{Ref: ref, Candidates: r.suggest(ref, r.hostNames(cfg))}
}

// one returns the only endpoint that a reference can mean.
func (r *proberFabric) one(ref string, es []prober.Endpoint) (prober.Endpoint, error) {
	switch len(es) {
	case 0:
		return prober.Endpoint{}, &probespec.UnknownError{Ref: ref}
	case 1:
		return es[0], nil
	}
	names := make([]string, len(es))
	for i, e := range es {
		names[i] = fmt.Sprintf("%s (%s at %s:%s)", e.Name, e.Network, e.SwitchName, e.PortName)
	}
	return prober.Endpoint{}, &probespec.AmbiguousError{Ref: ref, Candidates: names}
}

// named finds a host of the config. It need not have been seen: then it has no place.
func (r *proberFabric) named(cfg *config.Config, h config.Host) (prober.Endpoint, error) {
	var es []prober.Endpoint
	switch {
	case !h.MAC.IsZero():
		es = r.byMAC(cfg, packet.MAC(h.MAC))
	case len(h.IPs) > 0:
		es = r.byAddress(cfg, h.Network, h.IPs[0])
	}
	if own := inNetwork(es, h.Network); len(own) > 0 {
		es = own // what is seen elsewhere only is taken as it is: the truth is where it is seen
	}
	if len(es) > 1 {
		return r.one(h.Name, es)
	}
	e := prober.Endpoint{Network: h.Network, MAC: packet.MAC(h.MAC)}
	if n, ok := cfg.Networks.ByName(h.Network); ok {
		e.VLAN, e.Gateway, e.Subnet = n.VLAN, n.Gateway, n.Subnet
	}
	if len(es) == 1 {
		e = es[0]
	}
	e.Name = h.Name
	for _, ip := range h.IPs {
		if !slices.Contains(e.IPs, ip) {
			e.IPs = append(e.IPs, ip)
		}
	}
	if len(h.IPs) > 0 { // what the config says comes first
		rest := slices.DeleteFunc(e.IPs, func(a netip.Addr) bool { return slices.Contains(h.IPs, a) })
		e.IPs = append(slices.Clone(h.IPs), rest...)
	}
	return e, nil
}

// inNetwork returns those in a network.
func inNetwork(es []prober.Endpoint, network string) (in []prober.Endpoint) {
	for _, e := range es {
		if e.Network == network {
			in = append(in, e)
		}
	}
	return in
}

// byMAC finds hosts with an address in any network.
func (r *proberFabric) byMAC(cfg *config.Config, mac packet.MAC) []prober.Endpoint {
	var es []prober.Endpoint
	for _, n := range cfg.Networks {
		for _, p := range r.finder.Find(topology.NewHostKey(n.VLAN, mac)) {
			es = append(es, endpoint(cfg, p))
		}
	}
	return es
}

// byAddress finds hosts with an IP address: those that were seen to use it, and those of the config. network may be "".
func (r *proberFabric) byAddress(cfg *config.Config, network string, ip netip.Addr) []prober.Endpoint {
	var es []prober.Endpoint
	for _, p := range r.finder.ByAddress(ip) {
		es = append(es, endpoint(cfg, p))
	}
	for _, h := range cfg.Hosts {
		if h.MAC.IsZero() || !slices.Contains(h.IPs, ip) {
			continue
		}
		if slices.ContainsFunc(es, func(e prober.Endpoint) bool { return e.MAC == packet.MAC(h.MAC) }) {
			continue
		}
		if e, err := r.named(cfg, h); err == nil {
			es = append(es, e)
		}
	}
	if network != "" {
		es = slices.DeleteFunc(es, func(e prober.Endpoint) bool { return e.Network != network })
	}
	return es
}

// ResolveIn finds the host that uses an address in a network.
func (r *proberFabric) ResolveIn(network string, addr netip.Addr) (prober.Endpoint, bool) {
	es := r.byAddress(r.config(), network, addr)
	if len(es) == 0 {
		return prober.Endpoint{}, false
	}
	return es[0], true
}

// Network returns every host that is known in a network: seen, unplugged a short while ago, or named by the config.
func (r *proberFabric) Network(name string) []prober.Endpoint {
	cfg := r.config()
	n, ok := cfg.Networks.ByName(name)
	if !ok {
		return nil
	}
	var es []prober.Endpoint
	for _, p := range r.finder.Hosts() {
		if p.Key.VLAN() == n.VLAN {
			es = append(es, endpoint(cfg, p))
		}
	}
	for _, p := range r.finder.Unplugged() {
		if p.Key.VLAN() == n.VLAN && !slices.ContainsFunc(es, func(e prober.Endpoint) bool { return e.MAC == p.Key.MAC() }) {
			es = append(es, endpoint(cfg, p))
		}
	}
	for _, h := range cfg.Hosts {
		if h.Network != name || slices.ContainsFunc(es, func(e prober.Endpoint) bool { return e.Name == h.Name }) {
			continue
		}
		if e, err := r.named(cfg, h); err == nil && e.Network == name {
			es = append(es, e)
		}
	}
	slices.SortFunc(es, func(a, b prober.Endpoint) int { return strings.Compare(a.Name, b.Name) })
	return es
}

// atPort finds the host at a port.
func (r *proberFabric) atPort(cfg *config.Config, s *switches.Switch, swName, portName string) (prober.Endpoint, error) {
	ref := swName + ":" + portName
	at, ports, ok := r.finder.AtPort(s, portName)
	if !ok {
		for i, name := range ports {
			ports[i] = swName + ":" + name
		}
		return prober.Endpoint{}, &probespec.UnknownError{Ref: ref, Candidates: r.suggest(ref, ports)}
	}
	if len(at.Hosts) > 0 {
		es := make([]prober.Endpoint, len(at.Hosts))
		for i, p := range at.Hosts {
			es[i] = endpoint(cfg, p)
		}
		return r.one(ref, es)
	}
	e := prober.Endpoint{
		Name: ref, Switch: s.ID(), SwitchName: swName, Port: at.No, PortName: at.Name, PortUp: at.Up, Connected: at.Connected,
		Standby: at.Standby, Located: true,
	}
	if n, ok := cfg.Networks.ByVLAN(at.Native); ok {
		e.Network, e.VLAN, e.Gateway, e.Subnet = n.Name, n.VLAN, n.Gateway, n.Subnet
	}
	return e, nil
}

// endpoint describes a host where it was found.
func endpoint(cfg *config.Config, p location.Host) prober.Endpoint {
	vlan, mac := p.Key.VLAN(), p.Key.MAC()
	e := prober.Endpoint{
		Switch: p.Switch, SwitchName: p.SwitchName, Port: p.At.No, PortName: p.At.Name, PortUp: p.At.Up, Connected: p.Connected,
		Standby: p.Standby, Located: true, Tagged: p.At.Mode == intent.Trunk && p.At.Native != vlan, VLAN: vlan, MAC: mac, IPs: p.IPs,
	}
	if n, ok := cfg.Networks.ByVLAN(vlan); ok {
		e.Network, e.Gateway, e.Subnet = n.Name, n.Gateway, n.Subnet
	}
	e.Name = location.Name(cfg, e.Network, mac, p.IPs)
	if h, ok := cfg.Hosts.ByName(e.Name); ok {
		e.IPs = append(slices.Clone(h.IPs), slices.DeleteFunc(slices.Clone(p.IPs), func(a netip.Addr) bool { return slices.Contains(h.IPs, a) })...)
	}
	return e
}

func (r *proberFabric) hostNames(cfg *config.Config) []string {
	var names []string
	for _, h := range cfg.Hosts {
		names = append(names, h.Name)
	}
	for _, p := range r.finder.Hosts() {
		n, _ := cfg.Networks.ByVLAN(p.Key.VLAN())
		if name := location.Name(cfg, n.Name, p.Key.MAC(), p.IPs); !slices.Contains(names, name) {
			names = append(names, name)
		}
		if len(names) > 10*maxCandidates {
			break
		}
	}
	return names
}

func (r *proberFabric) switchNames() []string {
	var names []string
	for _, s := range r.registry.List() {
		names = append(names, s.Name())
	}
	return names
}

// maxCandidates is how many names an error lists.
const maxCandidates = 12

// suggest returns the names that are most like what was written.
func (r *proberFabric) suggest(ref string, names []string) []string {
	return spelling.Nearest(ref, names, maxCandidates)
}
