package controller

import (
	"net/netip"
	"slices"

	"github.com/eosin-sdn/eosin/apps/intent"
	"github.com/eosin-sdn/eosin/apps/probe/probespec"
	"github.com/eosin-sdn/eosin/config"
	"github.com/eosin-sdn/eosin/controller/location"
	"github.com/eosin-sdn/eosin/controller/prober"
	"github.com/eosin-sdn/eosin/controller/switches"
	"github.com/eosin-sdn/eosin/openflow/packet"
	"github.com/eosin-sdn/eosin/topology"
)

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
		return one(h.Name, es)
	}
	e := prober.Endpoint{Network: h.Network, MAC: packet.MAC(h.MAC)}
	if n, ok := cfg.Networks.ByName(h.Network); ok {
		e.VLAN, e.Gateway, e.Subnet = n.VLAN, n.Gateway, n.Subnet
	}
	if len(es) == 1 {
		e = es[0]
	}
	e.Name, e.IPs = h.Name, configFirst(h.IPs, e.IPs)
	return e, nil
}

// inNetwork returns those in a network.
func inNetwork(es []prober.Endpoint, network string) []prober.Endpoint {
	return slices.DeleteFunc(slices.Clone(es), func(e prober.Endpoint) bool { return e.Network != network })
}

func hasMAC(es []prober.Endpoint, mac packet.MAC) bool {
	return slices.ContainsFunc(es, func(e prober.Endpoint) bool { return e.MAC == mac })
}

// configFirst returns the addresses of the config, and then the others that were seen.
func configFirst(config, seen []netip.Addr) []netip.Addr {
	ips := slices.Clone(config)
	for _, ip := range seen {
		if !slices.Contains(ips, ip) {
			ips = append(ips, ip)
		}
	}
	return ips
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
		if h.MAC.IsZero() || !slices.Contains(h.IPs, ip) || hasMAC(es, packet.MAC(h.MAC)) {
			continue
		}
		if e, err := r.named(cfg, h); err == nil {
			es = append(es, e)
		}
	}
	if network != "" {
		es = inNetwork(es, network)
	}
	return es
}

// atPort finds the host at a port.
func (r *proberFabric) atPort(cfg *config.Config, s *switches.Switch, swName, portName string) (
	prober.Endpoint, error,
) {
	ref := swName + ":" + portName
	at, ports, ok := r.finder.AtPort(s, portName)
	if !ok {
		for i, name := range ports {
			ports[i] = swName + ":" + name
		}
		return prober.Endpoint{}, &probespec.UnknownError{Ref: ref, Candidates: suggest(ref, ports)}
	}
	if len(at.Hosts) > 0 {
		es := make([]prober.Endpoint, len(at.Hosts))
		for i, p := range at.Hosts {
			es[i] = endpoint(cfg, p)
		}
		return one(ref, es)
	}
	e := prober.Endpoint{
		Name: ref, Switch: s.ID(), SwitchName: swName, Connected: at.Connected, Standby: at.Standby,
		Port: at.No, PortName: at.Name, PortUp: at.Up, Located: true,
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
		Switch: p.Switch, SwitchName: p.SwitchName, Connected: p.Connected, Standby: p.Standby,
		Port: p.At.No, PortName: p.At.Name, PortUp: p.At.Up, Located: true,
		Tagged: p.At.Mode == intent.Trunk && p.At.Native != vlan, VLAN: vlan, MAC: mac, IPs: p.IPs,
	}
	if n, ok := cfg.Networks.ByVLAN(vlan); ok {
		e.Network, e.Gateway, e.Subnet = n.Name, n.Gateway, n.Subnet
	}
	e.Name = location.Name(cfg, e.Network, mac, p.IPs)
	if h, ok := cfg.Hosts.ByName(e.Name); ok {
		e.IPs = configFirst(h.IPs, p.IPs)
	}
	return e
}
