package controller

import (
	"context"
	"net/netip"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/config"
	"github.com/eosin-sdn/eosin/controller/api"
	"github.com/eosin-sdn/eosin/openflow"
)

// Hosts returns the hosts that were seen and those that the config names.
func (b *backend) Hosts(context.Context) ([]api.Host, error) {
	cfg := b.status.config.Load()
	out, named := []api.Host{}, map[string]bool{}
	for _, p := range b.finder.Hosts() {
		e := endpoint(cfg, p)
		named[e.Name] = true
		last := p.Last
		out = append(out, api.Host{
			Name: e.Name, MAC: e.MAC.String(), IPs: texts(e.IPs), Network: e.Network, VLAN: e.VLAN,
			Switch: e.SwitchName, Port: e.PortName, Configured: e.Name != e.MAC.String(), LastSeen: &last,
		})
	}
	for _, h := range cfg.Hosts {
		if named[h.Name] {
			continue
		}
		host := api.Host{Name: h.Name, IPs: texts(h.IPs), Network: h.Network, Configured: true}
		if !h.MAC.IsZero() {
			host.MAC = h.MAC.String()
		}
		if n, ok := cfg.Networks.ByName(h.Network); ok {
			host.VLAN = n.VLAN
		}
		out = append(out, host)
	}
	byName(out, func(h *api.Host) string { return h.Name })
	return out, nil
}

func texts(ips []netip.Addr) []string {
	out := make([]string, 0, len(ips))
	for _, ip := range ips {
		out = append(out, ip.String())
	}
	return out
}

// Networks returns the networks of the config, or the implicit one.
func (b *backend) Networks(context.Context) ([]api.Network, error) {
	cfg := b.status.config.Load()
	hosts, ports := b.finder.CountByVLAN(), map[uint16]int{}
	for _, s := range b.registry.List() {
		eachPort(s, func(_ string, p *apps.Port, _ *openflow.PortStats) {
			if !p.Transit {
				for _, v := range p.VLANs {
					ports[v]++
				}
			}
		})
	}
	out := []api.Network{}
	for _, n := range cfg.Networks {
		out = append(out, api.Network{
			Name: n.Name, VLAN: n.VLAN, VNI: n.VNI, Subnet: text(n.Subnet), Gateway: text(n.Gateway),
			Hosts: hosts[n.VLAN], Ports: ports[n.VLAN],
		})
	}
	return out, nil
}

func networkNames(cfg *config.Config, vlans []uint16) []string {
	names := make([]string, 0, len(vlans))
	for _, v := range vlans {
		names = append(names, networkName(cfg, v))
	}
	return names
}

func networkName(cfg *config.Config, vlan uint16) string {
	if n, ok := cfg.Networks.ByVLAN(vlan); ok {
		return n.Name
	}
	return ""
}
