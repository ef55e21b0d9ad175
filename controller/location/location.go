// Package location finds hosts: where they are, what the config calls them, and who uses an IP address.
package location

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/apps/l2"
	"github.com/eosin-sdn/eosin/config"
	"github.com/eosin-sdn/eosin/controller/datapath"
	"github.com/eosin-sdn/eosin/controller/switches"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/packet"
	"github.com/eosin-sdn/eosin/topology"
)

// Host is a host where it was found.
type Host struct {
	l2.Host
	Switch     openflow.DatapathID
	SwitchName string
	Connected  bool // the switch can be asked to send
	Standby    bool // the switch obeys another controller
	At         apps.Port
}

// Finder finds hosts at the switches of a registry.
type Finder struct {
	registry *switches.Registry
	book     *addressBook
}

// NewFinder returns a finder that knows no addresses yet.
func NewFinder(r *switches.Registry) *Finder { return &Finder{registry: r, book: newAddressBook()} }

// Find returns where a host is, or else where it was until its port went down. Components that no known link joins may
// each know it.
func (f *Finder) Find(k topology.HostKey) []Host {
	var found, unplugged []Host
	for _, s := range f.registry.List() {
		if h, present, ok := at(s, k); present {
			found = append(found, h)
		} else if ok {
			unplugged = append(unplugged, h)
		}
	}
	if len(found) == 0 {
		return unplugged
	}
	return found
}

// at returns a host that is at a switch (present), or was until its port went down.
func at(s *switches.Switch, k topology.HostKey) (host Host, present, ok bool) {
	s.Read(func(m *datapath.Machine, st switches.State) {
		h, here := m.Host(k)
		if present, ok = here, here; !ok {
			h, ok = m.Unplugged(time.Now(), k)
		}
		if ok {
			host = locate(s, m, st, h)
		}
	})
	return host, present, ok
}

func locate(s *switches.Switch, m *datapath.Machine, st switches.State, h l2.Host) Host {
	port, _ := m.Port(h.Port)
	return Host{Host: h, Switch: s.ID(), SwitchName: m.Name(), Connected: st.Usable, Standby: st.Standby, At: port}
}

// Hosts returns every host that is at a switch, by network and address.
func (f *Finder) Hosts() []Host {
	var all []Host
	for _, s := range f.registry.List() {
		all = appendHosts(all, s)
	}
	slices.SortFunc(all, func(a, b Host) int {
		return cmp.Or(cmp.Compare(a.Key, b.Key), strings.Compare(a.SwitchName, b.SwitchName))
	})
	return all
}

// appendHosts appends all hosts of a switch. There may be many at one port, which is copied once.
func appendHosts(all []Host, s *switches.Switch) []Host {
	s.Read(func(m *datapath.Machine, st switches.State) {
		all = slices.Grow(all, m.HostCount())
		ports := map[openflow.PortNo]apps.Port{}
		host := Host{Switch: s.ID(), SwitchName: m.Name(), Connected: st.Usable, Standby: st.Standby}
		m.Hosts(func(h l2.Host) {
			port, ok := ports[h.Port]
			if !ok {
				port, _ = m.Port(h.Port)
				ports[h.Port] = port
			}
			host.Host, host.At = h, port
			all = append(all, host)
		})
	})
	return all
}

// Unplugged returns where hosts were whose port is down now.
func (f *Finder) Unplugged() []Host {
	var all []Host
	for _, s := range f.registry.List() {
		s.Read(func(m *datapath.Machine, st switches.State) {
			m.EachUnplugged(time.Now(), func(h l2.Host) { all = append(all, locate(s, m, st, h)) })
		})
	}
	return all
}

// CountByVLAN returns how many hosts are known in each VLAN.
func (f *Finder) CountByVLAN() map[uint16]int {
	n := map[uint16]int{}
	for _, s := range f.registry.List() {
		s.Read(func(m *datapath.Machine, _ switches.State) { m.CountHosts(n) })
	}
	return n
}

// AddAddress notes that a host uses an IP address. It never blocks.
func (f *Finder) AddAddress(a netip.Addr, sw openflow.DatapathID, k topology.HostKey) {
	f.book.add(a, hostRef{sw, k})
}

// Sweep forgets addresses that no host has any more.
func (f *Finder) Sweep() { f.book.sweep(f.hasAddress) }

// user returns a host that is there, or was until its port went down, if it uses an address.
func (f *Finder) user(ref hostRef, ip netip.Addr) (host Host, present, ok bool) {
	if s := f.registry.Get(ref.sw); s != nil {
		host, present, ok = at(s, ref.key)
	}
	return host, present, ok && slices.Contains(host.IPs, ip)
}

func (f *Finder) hasAddress(ref hostRef, ip netip.Addr) bool {
	_, _, ok := f.user(ref, ip)
	return ok
}

// ByAddress returns the hosts that were seen to use an IP address, or else those that did until their port went down.
func (f *Finder) ByAddress(ip netip.Addr) []Host {
	var found, unplugged []Host
	for _, ref := range f.book.users(ip) {
		h, present, ok := f.user(ref, ip)
		if !ok && f.book.dropUnless(ip, ref, f.hasAddress) {
			h, present, ok = f.user(ref, ip)
		}
		switch {
		case present && ok:
			found = append(found, h)
		case ok:
			unplugged = append(unplugged, h)
		}
	}
	if len(found) == 0 {
		return unplugged
	}
	return found
}

// Port is a port with the hosts at it.
type Port struct {
	apps.Port
	Connected, Standby bool // of its switch
	Hosts              []Host
}

// AtPort returns a port, by its name or number, with the hosts at it or else those that were there until it went down.
// names are those of all ports of the switch.
func (f *Finder) AtPort(s *switches.Switch, port string) (p Port, names []string, ok bool) {
	s.Read(func(m *datapath.Machine, st switches.State) {
		p.Connected, p.Standby = st.Usable, st.Standby
		m.Ports(func(q *apps.Port, _ *openflow.PortStats) {
			names = append(names, q.Name)
			if q.Name == port || q.No.String() == port {
				p.Port, ok = *q, true
			}
		})
		collect := func(h l2.Host) {
			if ok && h.Port == p.No {
				p.Hosts = append(p.Hosts, locate(s, m, st, h))
			}
		}
		if m.Hosts(collect); len(p.Hosts) == 0 {
			m.EachUnplugged(time.Now(), collect)
		}
	})
	return p, names, ok
}

// Name returns the name that the config gives to a host, else its MAC address. network may be "".
func Name(cfg *config.Config, network string, mac packet.MAC, ips []netip.Addr) string {
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
