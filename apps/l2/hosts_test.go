package l2

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/eosin-sdn/eosin/apps/apptest"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/flow"
	"github.com/eosin-sdn/eosin/openflow/packet"
	"github.com/eosin-sdn/eosin/topology"
)

func TestUpdateStats(t *testing.T) {
	r := newRig(t)
	r.see(1, blue, mac(10))
	k := topology.NewHostKey(blue, mac(10))
	count := func(table uint8, packets uint64, m flow.Match) time.Time {
		r.now = r.now.Add(30 * time.Second)
		r.app.UpdateStats(r.now, &openflow.FlowStats{TableID: table, Packets: packets}, &m)
		h, _ := r.app.Lookup(k)
		return h.Last
	}
	if last := count(apptest.Learn, 7, learnMatch(k, 1)); !last.Equal(r.now) {
		t.Errorf("it sent something and was last seen %s", last)
	}
	seen := r.now
	if last := count(apptest.Learn, 7, learnMatch(k, 1)); !last.Equal(seen) {
		t.Errorf("it sent nothing and was last seen %s", last)
	}
	count(apptest.Forward, 8, forwardMatch(k))
	count(apptest.Learn, 8, flow.Match{})
	if last := count(apptest.Learn, 8, learnMatch(topology.NewHostKey(red, mac(10)), 1)); !last.Equal(seen) ||
		r.app.Len() != 1 {
		t.Errorf("others' counters: last seen %s", last)
	}
}

// arp is an ARP request as the snoop table copies it.
func arp(src, sender packet.MAC, ip netip.Addr) []byte {
	b := packet.AppendEthernetVLAN(nil, packet.Broadcast, src, blue, packet.EtherTypeARP)
	return packet.AppendARPRequest(b, sender, ip, netip.MustParseAddr("10.0.3.254"))
}

func TestSnoop(t *testing.T) {
	r := newRig(t)
	send := func(src, sender packet.MAC, ip string) {
		r.app.PacketRcvd(r.now, r.packetFrom(1, blue, arp(src, sender, netip.MustParseAddr(ip))), r.out)
	}
	ips := func() []netip.Addr {
		h, _ := r.app.Lookup(topology.NewHostKey(blue, mac(10)))
		return h.IPs
	}
	send(mac(10), mac(10), "10.0.3.1") // learns the host, too
	r.wantFacts("seen 10/02:00:00:00:00:0a at 1", "ip 10/02:00:00:00:00:0a 10.0.3.1")
	send(mac(10), mac(10), "10.0.3.1")
	send(mac(10), mac(10), "0.0.0.0")   // a probe for an address (RFC 5227)
	send(mac(10), mac(10), "224.0.0.1") // no host has it
	send(mac(10), mac(11), "10.0.3.7")  // proxied for another
	r.wantFacts()
	short := arp(mac(10), mac(10), netip.MustParseAddr("10.0.3.8"))
	r.app.PacketRcvd(r.now, r.packetFrom(1, blue, short[:len(short)-1]), r.out)
	r.wantFacts()
	if got := ips(); len(got) != 1 {
		t.Errorf("%v", got)
	}
	for n := range 20 {
		send(mac(10), mac(10), fmt.Sprintf("10.0.4.%d", n+1))
	}
	if got := ips(); len(got) != maxAddresses || got[maxAddresses-1] != netip.MustParseAddr("10.0.4.20") ||
		got[0] != netip.MustParseAddr("10.0.4.13") {
		t.Errorf("%v", got)
	}
	r.sw.Ports[1].Up = false
	r.refresh()
	r.sw.Ports[1].Up = true
	r.refresh()
	r.see(1, blue, mac(10))
	if got := ips(); got != nil {
		t.Errorf("a host that came back has %v", got)
	}
}
