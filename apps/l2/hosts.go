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

// maxAddresses bounds what is remembered of one host, which may claim any address it likes.
const maxAddresses = 8

// addresses are the IP addresses that a host uses, the newest last.
type addresses []netip.Addr

// snoop learns a host's address from an ARP packet that it sent itself.
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
	out.Facts = append(out.Facts, apps.Fact{Kind: apps.HostIP, Port: p.In.InPort, VLAN: k.VLAN(), MAC: k.MAC(), At: now, Addr: ip})
}

// Host is a host at a port of this switch, for reading.
type Host struct {
	Key   topology.HostKey
	Port  openflow.PortNo
	Since time.Time // when it was seen at this port first
	Last  time.Time // when it is known to have sent something: by a packet-in, or by its rule's counter at an audit
	IPs   []netip.Addr
}

func (a *App) view(k topology.HostKey, h host) Host {
	return Host{Key: k, Port: h.port, Since: time.Unix(0, h.since), Last: time.Unix(0, h.last), IPs: slices.Clone(a.ips[k])}
}

// Lookup returns a host of this switch.
func (a *App) Lookup(k topology.HostKey) (Host, bool) {
	h, ok := a.local[k]
	if !ok {
		return Host{}, false
	}
	return a.view(k, h), true
}

// Hosts calls f for every host of this switch, in no order.
func (a *App) Hosts(f func(Host)) {
	for k, h := range a.local {
		f(a.view(k, h))
	}
}

// Len returns how many hosts live at this switch.
func (a *App) Len() int { return len(a.local) }

// Count adds the hosts of this switch to a count by VLAN.
func (a *App) Count(n map[uint16]int) {
	for k := range a.local {
		n[k.VLAN()]++
	}
}

// Announce appends a HostSeen fact for every host of this switch: when it gets its first link, the others want to know.
func (a *App) Announce(out *apps.Output) {
	for k, h := range a.local {
		out.Facts = append(out.Facts, apps.Fact{
			Kind: apps.HostSeen, Port: h.port, VLAN: k.VLAN(), MAC: k.MAC(), At: time.Unix(0, h.since),
		})
	}
}

// UpdateStats takes the counter of a host's learn rule from an audit's dump: when it has grown, the host has sent something.
func (a *App) UpdateStats(now time.Time, f *openflow.FlowStats, m *flow.Match) {
	vlan, ok := m.GetVLAN()
	mac, ok2 := m.GetEthSrc()
	if f.TableID != apps.TableLearn || !ok || !ok2 {
		return
	}
	k := topology.NewHostKey(vlan, mac)
	if h, known := a.local[k]; known && h.count != uint32(f.Packets) {
		h.count, h.last = uint32(f.Packets), now.UnixNano()
		a.local[k] = h
	}
}

// DropRemote forgets where hosts of other switches are: no link leads there any more.
func (a *App) DropRemote(out *apps.Output) {
	for k := range a.remote {
		a.dropForward(k, out)
	}
	clear(a.remote)
}
