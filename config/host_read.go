package config

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"github.com/eosin-sdn/eosin/openflow/packet"
)

func (r *reader) hosts(c *Config, v value) {
	var hosts Hosts
	for _, e := range r.entries(v) {
		r.checkNodeName(e.key, e.name)
		mark := len(r.errors)
		o := r.object(e.value, "mac", "ip", "ips", "network")
		h := Host{Name: e.name}
		mac, hasMAC := o["mac"]
		addresses, _ := r.list(o["ips"])
		if ip, ok := o["ip"]; ok {
			addresses = append([]value{ip}, addresses...)
		}
		if !hasMAC && len(addresses) == 0 {
			r.missing(e.key, mark, "has no address; add mac: or ip:")
		}
		h.MAC = r.mac(mac)
		at := map[netip.Addr]value{}
		for _, a := range addresses {
			ip, ok := r.ip(a)
			if !ok {
				continue
			}
			if _, twice := at[ip]; twice {
				r.errorf(a, "%s is written twice; remove one", ip)
				continue
			}
			at[ip] = a
			h.IPs = append(h.IPs, ip)
		}
		r.hostNetwork(c, &h, o["network"], at)
		if !h.MAC.IsZero() {
			r.claim(mac, h.Network, h.MAC.String(), h.Name, "a network has a MAC once")
		}
		for _, ip := range h.IPs {
			r.claim(at[ip], h.Network, ip.String(), h.Name, "a network has an IP once")
		}
		hosts = append(hosts, h)
	}
	slices.SortStableFunc(hosts, func(a, b Host) int { return cmp.Compare(a.Name, b.Name) })
	c.Hosts = hosts
}

// parseMAC reads six pairs of hex digits with colons or hyphens.
func parseMAC(s string) (packet.MAC, bool) {
	if !strings.Contains(s, ":") {
		s = strings.ReplaceAll(s, "-", ":")
	}
	m, err := packet.ParseMAC(s)
	return m, err == nil
}

// mac reads the address of one host.
func (r *reader) mac(v value) packet.MAC {
	s, ok := r.text(v)
	if !ok {
		return packet.MAC{}
	}
	m, ok := parseMAC(s)
	if !ok {
		r.errorf(v, `%s is not a MAC address; write six pairs of hex digits, as "52:54:00:00:00:01"`, quote(s))
		return packet.MAC{}
	}
	switch {
	case m.IsZero():
		r.errorf(v, "%s is no host's address; use the address of its interface", m)
	case m.IsMulticast():
		r.errorf(v, "%s is a multicast address; a host's has an even first byte", m)
		return packet.MAC{}
	}
	return m
}

// hostNetwork finds the network of a host and checks its addresses against the subnet.
//
//  1. The network that the file names. Nothing is checked if it has no subnet of the address's family.
//  2. Else the network whose subnet contains the address. If subnets overlap, the file must name the network.
//  3. An address in no subnet is an error if every network has a subnet of that family. Else the network is
//     learned, with a warning.
func (r *reader) hostNetwork(c *Config, h *Host, said value, at map[netip.Addr]value) {
	if n, ok := r.network(c, said); ok { // 1
		h.Network = n.Name
		for _, ip := range h.IPs {
			if n.hasSubnetFor(ip) && !n.Subnet.Contains(ip) {
				r.errorf(at[ip], "%s is outside %s, the subnet of network %q; use an address in it", ip, n.Subnet,
					n.Name)
			}
			r.checkReserved(n, ip, at[ip])
		}
		return
	}
	if said.node != nil {
		return
	}
	for _, ip := range h.IPs {
		var in Networks
		open, family := false, false // a network without, and one with a subnet of this family
		for _, n := range c.Networks {
			switch {
			case !n.hasSubnetFor(ip):
				open = open || !n.Implicit
			case n.Subnet.Contains(ip):
				in = append(in, n)
				family = true
			default:
				family = true
			}
		}
		switch {
		case len(in) == 1 && h.Network != "" && h.Network != in[0].Name:
			r.errorf(at[ip], "%s is in network %q, but another address of this host is in %q; a host is in one network",
				ip, in[0].Name, h.Network)
		case len(in) == 1: // 2
			h.Network = in[0].Name
			r.checkReserved(in[0], ip, at[ip])
		case len(in) > 1 && !slices.Contains(names(in), h.Network):
			r.errorf(at[ip], "%s is in the subnets of several networks, %s; add network: with one of them", ip,
				join(names(in)))
		case len(in) == 0 && family && !open: // 3
			r.errorf(at[ip], "%s is outside every subnet; those that exist are %s", ip, c.Networks.subnetsFor(ip))
		case len(in) == 0 && family:
			r.warnf(at[ip], "%s is in no subnet, so the host's network is learned; subnets are %s", ip,
				c.Networks.subnetsFor(ip))
		}
	}
}

// hasSubnetFor reports that the network has a subnet of the address's family.
func (n Network) hasSubnetFor(ip netip.Addr) bool {
	return n.Subnet.IsValid() && n.Subnet.Addr().Is4() == ip.Is4()
}

// subnetsFor lists the subnets of the address's family for a message.
func (n Networks) subnetsFor(ip netip.Addr) string {
	var subnets []string
	for i := range n {
		if n[i].hasSubnetFor(ip) && len(subnets) <= listSize {
			subnets = append(subnets, n[i].Subnet.String()+" ("+n[i].Name+")")
		}
	}
	return join(subnets)
}

func (r *reader) checkReserved(n Network, ip netip.Addr, v value) {
	if what := reservedIn(n.Subnet, ip); what != "" {
		r.errorf(v, "%s is the %s of %s; use a host's address", ip, what, n.Subnet)
	}
}
