package datapath

import (
	"strings"
	"testing"
	"time"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/flow"
	"github.com/eosin-sdn/eosin/openflow/packet"
)

// foreign is a frame that no rule of ours sent, as a plain generator sends it.
func foreign(in openflow.PortNo, frame []byte) []byte {
	return openflow.AppendPacketIn(nil, 0, &openflow.PacketIn{
		BufferID: openflow.BufferNone, TotalLen: uint16(len(frame)), Reason: openflow.PacketInNoMatch,
		Cookie: ^uint64(0), InPort: in, Data: frame,
	})
}

func TestPacketInWithoutCookie(t *testing.T) {
	untagged := append(packet.AppendEthernet(nil, macB, macA, 0x88b5), make([]byte, 46)...)
	tagged := append(packet.AppendEthernetVLAN(nil, macB, macA, 11, 0x88b5), make([]byte, 46)...)
	learned := []string{
		"add cookie=0xe05552540000000a, table=6, " +
			"priority=10,dl_vlan=10,dl_dst=52:54:00:00:00:0a actions=pop_vlan,output:1",
		"add cookie=0xe05552540000000a, table=5, idle_timeout=300, send_flow_rem " +
			"priority=10,in_port=1,dl_vlan=10,dl_src=52:54:00:00:00:0a actions=goto_table:6",
	}
	for _, c := range []struct {
		name      string
		msg       []byte
		want      []string
		malformed uint64
	}{
		{"untagged", foreign(1, untagged), learned, 0},
		{"tag of another network", foreign(1, tagged), nil, 1},
		{"unknown port", foreign(99, untagged), nil, 1},
		{"no port", foreign(0, untagged), nil, 1},
		{"reserved port", foreign(openflow.PortController, untagged), nil, 1},
		{"multicast source", foreign(1, append(packet.AppendEthernet(nil, macB, packet.MAC{1, 0, 0x5e}, 0x88b5),
			make([]byte, 46)...)), nil, 0},
		{"cut frame", foreign(1, untagged[:9]), nil, 1},
		{"no frame", foreign(1, nil), nil, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPeer(t)
			p.ready()
			p.recv(c.msg)
			p.wantSent(c.want...)
			if p.m.Malformed != c.malformed || p.err != nil {
				t.Errorf("%d malformed, %v", p.m.Malformed, p.err)
			}
			p.recv(c.msg) // a known host, or the same nonsense: nothing to do
			p.wantSent()
		})
	}
}

func TestPacketInOfNobody(t *testing.T) {
	p := newPeer(t)
	p.ready()
	p.recv(packetIn(flow.Cookie(15, 1), 1, macA))
	if p.m.UnknownOwner != 1 || p.m.Status().Hosts != 0 {
		t.Errorf("%d of unknown owners, %d hosts", p.m.UnknownOwner, p.m.Status().Hosts)
	}
	p.wantSent()
}

// Each class has its own budget: a flood of one does not silence another.
func TestPacketInBudgets(t *testing.T) {
	const rate = 100
	in := inNetwork()
	in.Settings.PacketIns, in.Settings.Probes = rate, rate/2
	cookies := [numClasses]uint64{
		classLearning:  learnCookie,
		classDiscovery: flow.Cookie(apps.OwnerDiscovery, 0), classProbe: flow.Cookie(apps.OwnerProbe, 2),
	}
	budget := [numClasses]uint64{
		classLearning: rate, classDiscovery: apps.EdgeHellos + apps.LinkHellos,
		classProbe: rate,
	}
	for flooded := range numClasses {
		t.Run(flooded.String(), func(t *testing.T) {
			p := newPeer(t)
			p.m.Configure(in)
			p.ready()
			// A frame that the machine sends through the tables may come back as a packet-in, which the budget pays
			// for.
			p.silent = func(msg []byte) bool { return openflow.Type(msg[1]) == openflow.TypePacketOut }
			sent := budget[flooded] + 500
			for range sent {
				p.receive(packetIn(cookies[flooded], 1, macA))
			}
			for class := range numClasses {
				if class != flooded {
					p.receive(packetIn(cookies[class], 1, macA))
				}
			}
			for class := range numClasses {
				want := uint64(0)
				if class == flooded {
					want = 500
				}
				if got := p.m.PacketInsDropped[class]; got != want {
					t.Errorf("%d of class %s dropped, want %d", got, class, want)
				}
			}
			// A tenth of a second later a tenth of the budget is there again.
			p.run()
			p.now = p.now.Add(100 * time.Millisecond)
			for range sent {
				p.receive(packetIn(cookies[flooded], 1, macA))
			}
			taken, tenth := sent-(p.m.PacketInsDropped[flooded]-500), budget[flooded]/10
			if taken < tenth || taken > tenth+1 {
				t.Errorf("%d taken after 100 ms, want %d", taken, tenth)
			}
		})
	}
}

func TestPacketInsUnlimited(t *testing.T) {
	p := newPeer(t)
	in := inNetwork()
	in.Settings.PacketIns, in.Settings.HostsPerPort, in.Settings.HostsPerSwitch = 0, 0, 0
	p.m.Configure(in)
	p.ready()
	p.silent = func([]byte) bool { return true } // what it does with the flows does not matter here
	p.recv(manyHosts(30_000)...)
	if n := p.m.Status().Hosts; n != 30_000 || p.m.PacketInsDropped[classLearning] != 0 {
		t.Errorf("%d hosts, %v dropped", n, p.m.PacketInsDropped)
	}
}

// A flood of sources ends at the limits, and hosts that are known stay.
func TestMACFlood(t *testing.T) {
	p := newPeer(t)
	in := inNetwork()
	in.Settings.HostsPerPort, in.Settings.HostsPerSwitch = 100, 150
	p.m.Configure(in)
	p.ready()
	p.recv(packetIn(learnCookie, 2, macA))
	p.recv(manyHosts(5000)...)
	if n := p.m.Status().Hosts; n != 101 {
		t.Errorf("%d hosts", n)
	}
	p.sent()
	p.recv(packetIn(learnCookie, 2, macA))
	p.wantSent()
	drops := map[string]uint64{}
	p.m.Drops(func(reason string, n uint64) { drops[reason] = n })
	if drops["hosts_per_port"] != 4900 {
		t.Errorf("drops %v", drops)
	}
}

// Before the switch has told its ports, frames teach nothing.
func TestPacketInTooEarly(t *testing.T) {
	p := newPeer(t)
	p.withhold(openflow.MultipartMeterConfig)
	p.attach()
	p.sent()
	p.recv(packetIn(learnCookie, 1, macA))
	if p.m.Phase() != Describing || p.m.Status().Hosts != 0 || strings.Contains(p.sent(), "add") {
		t.Errorf("phase %s, %d hosts", p.m.Phase(), p.m.Status().Hosts)
	}
}
