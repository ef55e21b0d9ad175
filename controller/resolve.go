package controller

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/apps/l2"
	"github.com/eosin-sdn/eosin/apps/probe"
	"github.com/eosin-sdn/eosin/apps/probe/probespec"
	"github.com/eosin-sdn/eosin/config"
	"github.com/eosin-sdn/eosin/controller/datapath"
	"github.com/eosin-sdn/eosin/controller/prober"
	"github.com/eosin-sdn/eosin/intent"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/packet"
	"github.com/eosin-sdn/eosin/spelling"
	"github.com/eosin-sdn/eosin/topology"
)

// place is a host where it was found.
type place struct {
	sw        *datapathSwitch
	swName    string
	connected bool
	standby   bool // not connected, because another controller is the switch's master
	port      apps.Port
	host      l2.Host
}

// find returns where a host lives, or else where it lived until its port went down. Components that no known link joins may each
// know it.
func (c *Controller) find(k topology.HostKey) []place {
	var found, unplugged []place
	for _, s := range c.list() {
		if p, ok := s.find(k); ok {
			found = append(found, p)
		} else if p, ok := s.findUnplugged(k); ok {
			unplugged = append(unplugged, p)
		}
	}
	if len(found) == 0 {
		return unplugged
	}
	return found
}

func (s *datapathSwitch) find(k topology.HostKey) (place, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h, ok := s.machine.Host(k)
	if !ok {
		return place{}, false
	}
	return s.place(h), true
}

// findUnplugged returns a host that lived here until its port went down.
func (s *datapathSwitch) findUnplugged(k topology.HostKey) (place, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h, ok := s.machine.Unplugged(time.Now(), k)
	if !ok {
		return place{}, false
	}
	return s.place(h), true
}

// place describes a host of the switch. The lock is held.
func (s *datapathSwitch) place(h l2.Host) place {
	port, _ := s.machine.Port(h.Port)
	return place{sw: s, swName: s.machine.Name(), connected: s.usable(), standby: s.standsBy(), port: port, host: h}
}

// usable reports whether the switch can be asked to send. The lock is held.
func (s *datapathSwitch) usable() bool {
	return s.conn != nil && s.machine.Phase() >= datapath.Adopting
}

// standsBy reports whether the switch has a session, and obeys another controller. The lock is held.
func (s *datapathSwitch) standsBy() bool {
	return s.conn != nil && s.machine.Phase() == datapath.Standby
}

// reach lets the probe engine see and use the network.
type reach struct{ c *Controller }

var _ prober.Fabric = (*reach)(nil)

// Exec runs fn as one step of a switch.
func (r *reach) Exec(sw openflow.DatapathID, fn func(now time.Time, app *probe.App, out *apps.Output)) error {
	s := r.c.lookup(sw)
	if s == nil {
		return fmt.Errorf("switch %s: %w", sw, errOffline)
	}
	return s.exec(fn)
}

// Barrier waits until a switch has done all that was sent before.
func (r *reach) Barrier(ctx context.Context, sw openflow.DatapathID) error {
	s := r.c.lookup(sw)
	if s == nil {
		return fmt.Errorf("switch %s: %w", sw, errOffline)
	}
	return s.barrier(ctx)
}

// Resolve finds who is meant by a host's name, an IP address, a MAC address, or SWITCH:PORT.
func (r *reach) Resolve(ref string) (prober.Endpoint, error) {
	cfg := r.c.Config()
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
		if s := r.c.byName(ref[:i]); s != nil {
			return r.atPort(cfg, s, ref[:i], ref[i+1:])
		}
		return prober.Endpoint{}, &probespec.UnknownError{Ref: ref, Candidates: r.near(ref[:i], r.switchNames())}
	}
	return prober.Endpoint{}, &probespec.UnknownError{Ref: ref, Candidates: r.near(ref, r.hostNames(cfg))}
}

// one returns the only endpoint that a reference can mean.
func (r *reach) one(ref string, es []prober.Endpoint) (prober.Endpoint, error) {
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
func (r *reach) named(cfg *config.Config, h config.Host) (prober.Endpoint, error) {
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
func (r *reach) byMAC(cfg *config.Config, mac packet.MAC) []prober.Endpoint {
	var es []prober.Endpoint
	for _, n := range cfg.Networks {
		for _, p := range r.c.find(topology.NewHostKey(n.VLAN, mac)) {
			es = append(es, endpoint(cfg, p))
		}
	}
	return es
}

// uses reports whether a host is there, or was until its port went down, and has an address.
func (c *Controller) uses(ip netip.Addr, ref hostRef) bool {
	s := c.lookup(ref.sw)
	if s == nil {
		return false
	}
	p, ok := s.find(topology.HostKey(ref.key))
	if !ok {
		p, ok = s.findUnplugged(topology.HostKey(ref.key))
	}
	return ok && slices.Contains(p.host.IPs, ip)
}

// byAddress finds hosts with an IP address: those that were seen to use it, and those of the config. network may be "".
func (r *reach) byAddress(cfg *config.Config, network string, ip netip.Addr) []prober.Endpoint {
	var es, unplugged []prober.Endpoint
	for _, ref := range r.c.book.users(ip) {
		s := r.c.lookup(ref.sw)
		if s == nil {
			continue
		}
		p, ok := s.find(topology.HostKey(ref.key))
		if !ok {
			if p, ok = s.findUnplugged(topology.HostKey(ref.key)); ok && slices.Contains(p.host.IPs, ip) {
				unplugged = append(unplugged, endpoint(cfg, p))
				continue
			}
		}
		if !ok || !slices.Contains(p.host.IPs, ip) {
			r.c.book.drop(ip, ref)
			// It may have said so again at this moment, which is told once only.
			if p, ok = s.find(topology.HostKey(ref.key)); !ok || !slices.Contains(p.host.IPs, ip) {
				continue
			}
			r.c.book.add(ip, ref)
		}
		es = append(es, endpoint(cfg, p))
	}
	if len(es) == 0 {
		es = unplugged
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
func (r *reach) ResolveIn(network string, addr netip.Addr) (prober.Endpoint, bool) {
	es := r.byAddress(r.c.Config(), network, addr)
	if len(es) == 0 {
		return prober.Endpoint{}, false
	}
	return es[0], true
}

// Network returns every host that is known in a network: seen, unplugged a short while ago, or named by the config.
func (r *reach) Network(name string) []prober.Endpoint {
	cfg := r.c.Config()
	n, ok := cfg.Networks.ByName(name)
	if !ok {
		return nil
	}
	var es []prober.Endpoint
	for _, p := range r.c.hosts() {
		if p.host.Key.VLAN() == n.VLAN {
			es = append(es, endpoint(cfg, p))
		}
	}
	for _, p := range r.c.unplugged() {
		if p.host.Key.VLAN() == n.VLAN && !slices.ContainsFunc(es, func(e prober.Endpoint) bool { return e.MAC == p.host.Key.MAC() }) {
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
func (r *reach) atPort(cfg *config.Config, s *datapathSwitch, swName, portName string) (prober.Endpoint, error) {
	ref := swName + ":" + portName
	s.mu.Lock()
	var ports []string
	var at *apps.Port
	s.machine.Ports(func(p *apps.Port, _ *openflow.PortStats) {
		ports = append(ports, swName+":"+p.Name)
		if p.Name == portName || p.No.String() == portName {
			c := *p
			at = &c
		}
	})
	var here []place
	if at != nil {
		s.machine.Hosts(func(h l2.Host) {
			if h.Port == at.No {
				here = append(here, s.place(h))
			}
		})
		if len(here) == 0 {
			s.machine.EachUnplugged(time.Now(), func(h l2.Host) {
				if h.Port == at.No {
					here = append(here, s.place(h))
				}
			})
		}
	}
	connected, standby := s.usable(), s.standsBy()
	s.mu.Unlock()
	if at == nil {
		return prober.Endpoint{}, &probespec.UnknownError{Ref: ref, Candidates: r.near(ref, ports)}
	}
	if len(here) > 0 {
		es := make([]prober.Endpoint, len(here))
		for i, p := range here {
			es[i] = endpoint(cfg, p)
		}
		return r.one(ref, es)
	}
	e := prober.Endpoint{
		Name: ref, Switch: s.id, SwitchName: swName, Port: at.No, PortName: at.Name, PortUp: at.Up, Connected: connected,
		Standby: standby, Located: true,
	}
	if n, ok := cfg.Networks.ByVLAN(at.Native); ok {
		e.Network, e.VLAN, e.Gateway, e.Subnet = n.Name, n.VLAN, n.Gateway, n.Subnet
	}
	return e, nil
}

// endpoint describes a host where it was found.
func endpoint(cfg *config.Config, p place) prober.Endpoint {
	vlan, mac := p.host.Key.VLAN(), p.host.Key.MAC()
	e := prober.Endpoint{
		Switch: p.sw.id, SwitchName: p.swName, Port: p.port.No, PortName: p.port.Name, PortUp: p.port.Up, Connected: p.connected,
		Standby: p.standby, Located: true, Tagged: p.port.Mode == intent.Trunk && p.port.Native != vlan, VLAN: vlan, MAC: mac, IPs: p.host.IPs,
	}
	if n, ok := cfg.Networks.ByVLAN(vlan); ok {
		e.Network, e.Gateway, e.Subnet = n.Name, n.Gateway, n.Subnet
	}
	e.Name = hostName(cfg, e.Network, mac, p.host.IPs)
	if h, ok := cfg.Hosts.ByName(e.Name); ok {
		e.IPs = append(slices.Clone(h.IPs), slices.DeleteFunc(slices.Clone(p.host.IPs), func(a netip.Addr) bool { return slices.Contains(h.IPs, a) })...)
	}
	return e
}

// hostName returns the name that the config gives to a host, else its MAC address.
func hostName(cfg *config.Config, network string, mac packet.MAC, ips []netip.Addr) string {
	for _, h := range cfg.Hosts {
		if h.Network != "" && network != "" && h.Network != network {
			continue
		}
		if packet.MAC(h.MAC) == mac {
			return h.Name
		}
		if h.MAC.IsZero() && slices.ContainsFunc(h.IPs, func(a netip.Addr) bool { return slices.Contains(ips, a) }) {
			return h.Name
		}
	}
	return mac.String()
}

// hosts returns every host that lives at a switch.
func (c *Controller) hosts() []place {
	var all []place
	for _, s := range c.list() {
		all = s.appendHosts(all)
	}
	slices.SortFunc(all, func(a, b place) int {
		return cmp.Or(cmp.Compare(a.host.Key, b.host.Key), strings.Compare(a.swName, b.swName))
	})
	return all
}

// appendHosts appends the places of all hosts of the switch. There may be many at one port, which is copied once.
func (s *datapathSwitch) appendHosts(all []place) []place {
	s.mu.Lock()
	defer s.mu.Unlock()
	all = slices.Grow(all, s.machine.HostCount())
	ports, at := map[openflow.PortNo]apps.Port{}, place{sw: s, swName: s.machine.Name(), connected: s.usable(), standby: s.standsBy()}
	s.machine.Hosts(func(h l2.Host) {
		port, ok := ports[h.Port]
		if !ok {
			port, _ = s.machine.Port(h.Port)
			ports[h.Port] = port
		}
		at.port, at.host = port, h
		all = append(all, at)
	})
	return all
}

// hostCounts returns how many hosts are known in each VLAN.
func (c *Controller) hostCounts() map[uint16]int {
	n := map[uint16]int{}
	for _, s := range c.list() {
		s.mu.Lock()
		s.machine.CountHosts(n)
		s.mu.Unlock()
	}
	return n
}

// unplugged returns where hosts lived whose port is down now.
func (c *Controller) unplugged() []place {
	var all []place
	for _, s := range c.list() {
		s.mu.Lock()
		s.machine.EachUnplugged(time.Now(), func(h l2.Host) { all = append(all, s.place(h)) })
		s.mu.Unlock()
	}
	return all
}

// portName names a port of the network for people.
func (c *Controller) portName(ref topology.PortRef) string {
	s := c.lookup(ref.Switch)
	if s == nil {
		return ref.String()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if p, ok := s.machine.Port(ref.Port); ok {
		return s.machine.Name() + ":" + p.Name
	}
	return fmt.Sprintf("%s:%s", s.machine.Name(), ref.Port)
}

func (r *reach) hostNames(cfg *config.Config) []string {
	var names []string
	for _, h := range cfg.Hosts {
		names = append(names, h.Name)
	}
	for _, p := range r.c.hosts() {
		n, _ := cfg.Networks.ByVLAN(p.host.Key.VLAN())
		if name := hostName(cfg, n.Name, p.host.Key.MAC(), p.host.IPs); !slices.Contains(names, name) {
			names = append(names, name)
		}
		if len(names) > 10*maxCandidates {
			break
		}
	}
	return names
}

func (r *reach) switchNames() []string {
	var names []string
	for _, s := range r.c.list() {
		names = append(names, s.name())
	}
	return names
}

// maxCandidates is how many names an error lists.
const maxCandidates = 12

// near returns the names that are most like what was written.
func (r *reach) near(ref string, names []string) []string {
	return spelling.Nearest(ref, names, maxCandidates)
}
