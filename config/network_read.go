package config

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"github.com/eosin-sdn/eosin/config/spelling"
)

func (r *reader) networks(c *Config, v value) {
	var list Networks
	for _, e := range r.entries(v) {
		if e.name == reservedAll || e.name == reservedNone {
			r.errorf(e.key, "%q has a meaning of its own; use another name", e.name)
			continue
		}
		if !r.checkName(e.key, e.name, "/:,") {
			continue
		}
		mark := len(r.errors)
		o := r.object(e.value, "vlan", "vni", "subnet", "gateway")
		n := Network{Name: e.name}
		if vlan, ok := o["vlan"]; !ok {
			r.missing(e.key, mark, "vlan is missing; add vlan: with a number from 1 to %d", maxVLAN)
		} else if integer(r, vlan, &n.VLAN, 1, maxVLAN, "a VLAN") {
			r.claim(vlan, "", fmt.Sprintf("VLAN %d", n.VLAN), n.Name, "use another")
		}
		if integer(r, o["vni"], &n.VNI, 1, maxVNI, "a VNI") {
			r.claim(o["vni"], "", fmt.Sprintf("VNI %d", n.VNI), n.Name, "use another")
		}
		r.subnet(&n, o["subnet"], o["gateway"])
		// Kept in spite of errors, so that they are not reported again wherever the network is named.
		list = append(list, n)
	}
	slices.SortStableFunc(list, func(a, b Network) int { return cmp.Compare(a.VLAN, b.VLAN) })
	r.configured = len(list)
	c.Networks = list
}

func (r *reader) subnet(n *Network, subnet, gateway value) {
	if s, ok := r.text(subnet); ok {
		p, err := netip.ParsePrefix(s)
		switch {
		case err != nil || p.Addr().Is4In6():
			r.errorf(subnet, "%s is not a subnet; write ADDRESS/LENGTH, as 10.0.3.0/24 or 2001:db8::/64", quote(s))
		case p != p.Masked():
			r.errorf(subnet, "%s has bits set beyond its length; write %s", s, p.Masked())
		case p.Addr().IsMulticast() || p.Bits() == 0:
			r.errorf(subnet, "%s is not a subnet of hosts; write a unicast one, as 10.0.3.0/24", s)
		default:
			n.Subnet = p
		}
	}
	ip, ok := r.ip(gateway)
	switch {
	case !ok:
	case subnet.node == nil:
		r.errorf(gateway, "a gateway needs a subnet, which says what lies behind it; add subnet: to the network")
	case !n.Subnet.IsValid(): // already reported
	case !n.Subnet.Contains(ip):
		r.errorf(gateway, "%s is outside the subnet %s; use an address in it", ip, n.Subnet)
	case reservedIn(n.Subnet, ip) != "":
		r.errorf(gateway, "%s is the %s of %s; use a host's address", ip, reservedIn(n.Subnet, ip), n.Subnet)
	default:
		n.Gateway = ip
	}
}

// ip reads the address of a host.
func (r *reader) ip(v value) (netip.Addr, bool) {
	s, ok := r.text(v)
	if !ok {
		return netip.Addr{}, false
	}
	ip, err := netip.ParseAddr(s)
	switch {
	case err != nil:
		r.errorf(v, "%s is not an IP address; write it as 10.0.3.1 or 2001:db8::1", quote(s))
	case ip.Zone() != "" || ip.Is4In6():
		r.errorf(v, "%s is not an address on the wire; write it without zone and without ::ffff:", quote(s))
	case ip.IsUnspecified() || ip.IsMulticast() || ip.IsLoopback() || s == "255.255.255.255":
		r.errorf(v, "%s is not the address of a host; use a unicast one", s)
	default:
		return ip, true
	}
	return netip.Addr{}, false
}

// reservedIn says what an IPv4 address is if no host can have it: the first or last of a subnet of more than two.
func reservedIn(p netip.Prefix, ip netip.Addr) string {
	switch {
	case !ip.Is4() || p.Bits() > 30 || !p.Contains(ip):
	case ip == p.Addr():
		return "network address"
	case !p.Contains(ip.Next()):
		return "broadcast address"
	}
	return ""
}

// defaults reads the section and adds the implicit network if nothing else has VLAN 1 and no default network is named.
func (r *reader) defaults(c *Config, v value) {
	o := r.object(v, "network")
	network, said := o["network"]
	if said || r.configured > 0 {
		c.Defaults = Defaults{}
	}
	if name, _ := scalar(resolve(network.node)); said && name == reservedNone {
		c.Defaults.Closed = true
	}
	_, hasVLAN := c.Networks.ByVLAN(implicitVLAN)
	if r.configured == 0 || !said && !hasVLAN {
		implicit := Network{Name: implicitName, VLAN: implicitVLAN, Implicit: true}
		if _, taken := c.Networks.ByName(implicitName); taken {
			implicit.Name = implicitOther
		}
		c.Networks = append(Networks{implicit}, c.Networks...)
	}
	switch {
	case said && !c.Defaults.Closed:
		c.Defaults.Network = r.networkName(c, network)
	case !said:
		n, _ := c.Networks.ByVLAN(implicitVLAN)
		c.Defaults.Network = n.Name
	}
}

// network reads the name of a network and lists those that exist when there is none of that name.
func (r *reader) network(c *Config, v value) (Network, bool) {
	name, ok := r.text(v)
	if !ok {
		return Network{}, false
	}
	n, ok := c.Networks.ByName(name)
	if !ok {
		r.errorf(v, "there is no network %s; %s", quote(name), alternatives(r, name, c.Networks))
	}
	return n, ok
}

// networkName reads the name of a network that exists, else "".
func (r *reader) networkName(c *Config, v value) string {
	n, _ := r.network(c, v)
	return n.Name
}

// maxSearches bounds the searches for a similar name, so that a large file full of errors is still checked fast.
const maxSearches = 1000

// alternatives says what would be right instead of an unknown name.
func alternatives[T named](r *reader, name string, list []T) string {
	if r.searches++; r.searches > maxSearches {
		return "use one that exists"
	}
	known := names(list)
	if len(known) == 0 {
		return "there is none at all"
	}
	text := "those that exist are " + join(known)
	if meant := spelling.Suggest(name, known); meant != "" {
		text = "did you mean " + quote(meant) + "? " + text
	}
	return text
}
