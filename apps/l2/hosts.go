package l2

import (
	"net/netip"
	"slices"
	"time"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/flow"
	"github.com/eosin-sdn/eosin/openflow/packet"
	"github.com/eosin-sdn/eosin/topology"
)

// maxAddresses limits the addresses of one host, which may claim any.
const maxAddresses = 8

// addresses are the IP addresses of a host, newest last.
type addresses []netip.Addr

// snoop learns a host's address from an ARP packet of its own.
func (a *App) snoop(now time.Time, k topology.HostKey, p *apps.Packet, out *apps.Output) {
	arp, ok := packet.ParseARP(p.Frame.Payload())
	if !ok || arp.SenderMAC() != k.MAC() {
		return
	}
	ip := arp.SenderIP()
	if !ip.IsValid() || ip.IsUnspecified() || ip.IsMulticast() {
		return
	}
	known := a.ips[k]
	if slices.Contains(known, ip) {
		return
	}
	if len(known) == maxAddresses {
		known = slices.Delete(known, 0, 1)
	}
	a.ips[k] = append(known, ip)
	fact := hostFact(apps.HostIP, k, p.In.InPort, now)
	fact.Addr = ip
	out.Facts = append(out.Facts, fact)
}

// Host is a host at a port of this switch, as seen from outside.
type Host struct {
	Key   topology.HostKey
	Port  openflow.PortNo
	Since time.Time // first seen at this port
	Last  time.Time // last known to have sent something: a packet-in, or its rule's counter at an audit
	IPs   []netip.Addr
}

func (a *App) view(k topology.HostKey, h host) Host {
	return Host{
		Key: k, Port: h.port, Since: time.Unix(0, h.since), Last: time.Unix(0, h.last), IPs: slices.Clone(a.ips[k]),
	}
}

// Lookup returns a local host.
func (a *App) Lookup(k topology.HostKey) (Host, bool) {
	h, ok := a.local[k]
	if !ok {
		return Host{}, false
	}
	return a.view(k, h), true
}

// Hosts calls f for every local host, in no order.
func (a *App) Hosts(f func(Host)) {
	for k, h := range a.local {
		f(a.view(k, h))
	}
}

// Len returns the number of local hosts.
func (a *App) Len() int { return len(a.local) }

// Count adds the local hosts to a count by VLAN.
func (a *App) Count(n map[uint16]int) {
	for k := range a.local {
		n[k.VLAN()]++
	}
}

// Announce appends a HostSeen fact for every local host, for when the switch gets its first link.
func (a *App) Announce(out *apps.Output) {
	for k, h := range a.local {
		out.Facts = append(out.Facts, hostFact(apps.HostSeen, k, h.port, time.Unix(0, h.since)))
	}
}

// UpdateStats takes the packet count of a host's learn rule at an audit: if it has changed, the host has sent
// something.
func (a *App) UpdateStats(now time.Time, f *openflow.FlowStats, m *flow.Match) {
	vlan, ok := m.GetVLAN()
	mac, ok2 := m.GetEthSrc()
	if f.TableID != a.tables.learn.Number || !ok || !ok2 {
		return
	}
	k := topology.NewHostKey(vlan, mac)
	if h, known := a.local[k]; known && h.count != uint32(f.Packets) {
		h.count, h.last = uint32(f.Packets), now.UnixNano()
		a.local[k] = h
	}
}
