package location

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/apps/discovery"
	"github.com/eosin-sdn/eosin/apps/event"
	"github.com/eosin-sdn/eosin/apps/intent"
	"github.com/eosin-sdn/eosin/apps/probe"
	"github.com/eosin-sdn/eosin/config"
	"github.com/eosin-sdn/eosin/controller/datapath"
	"github.com/eosin-sdn/eosin/controller/southbound"
	"github.com/eosin-sdn/eosin/controller/switches"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/oftest"
	"github.com/eosin-sdn/eosin/openflow/packet"
	"github.com/eosin-sdn/eosin/topology"
)

// nobody is a fabric and a prober that do nothing.
type nobody struct{}

func (nobody) Snapshot() *topology.Snapshot { return topology.NewGraph().Snapshot() }

func (nobody) Facts(openflow.DatapathID, []apps.Fact)                           {}
func (nobody) Ports(openflow.DatapathID, map[openflow.PortNo]topology.PortInfo) {}
func (nobody) SwitchConnected(openflow.DatapathID, bool)                        {}
func (nobody) SwitchRemoved(openflow.DatapathID)                                {}
func (nobody) HostsChanged()                                                    {}
func (nobody) Received(openflow.DatapathID, openflow.PortNo, time.Time, uint16, *probe.Trapped) {
}

// connect has switches connect, each with ports p1 and p2 in VLAN 10, and returns a finder of their hosts.
func connect(t *testing.T, sws ...*oftest.Switch) *Finder {
	t.Helper()
	r, key := switches.NewRegistry(), probe.NewKey()
	f := NewFinder(r)
	sessions := switches.NewSessions(r, switches.Deps{
		Keys: datapath.Keys{Hellos: discovery.NewSigner(time.Now()), Probes: &key},
		Intent: func(id openflow.DatapathID) datapath.Intent {
			return datapath.Intent{
				Name: fmt.Sprintf("sw%d", id), Networks: []apps.Network{{Name: "blue", VLAN: 10}},
				Settings: intent.Settings{
					HostTimeout: time.Hour, HostsPerPort: 10, HostsPerSwitch: 10, PacketIns: 1000, Moves: 10,
				},
				Port: func(string, openflow.PortNo) intent.Port {
					return intent.Port{Mode: intent.Access, VLANs: []uint16{10}, Native: 10}
				},
			}
		},
		Fabric: nobody{}, Prober: nobody{}, AddAddress: f.AddAddress, Emit: func(event.Event) {},
	})
	server := southbound.NewServer(southbound.Options{
		Config: config.Default, Session: sessions.Serve, Emit: func(event.Event) {},
	})
	for _, sw := range sws {
		a, b := net.Pipe()
		go func() { _ = server.Serve(t.Context(), a, "pipe") }() // ends with the connection
		go func() { _ = sw.Serve(b) }()                          // ends with Close
	}
	time.Sleep(10 * time.Second) // of virtual time
	return f
}

func port(no openflow.PortNo, down bool) oftest.Port {
	return oftest.Port{No: no, Name: fmt.Sprintf("p%d", no), MAC: [6]byte{2, 0, 0, 0, 0, byte(no)}, Down: down}
}

func TestFinder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one := oftest.New(oftest.Options{DatapathID: 1}, port(1, false), port(2, false))
		two := oftest.New(oftest.Options{DatapathID: 2}, port(1, false))
		f := connect(t, one, two)
		defer one.Close()
		defer two.Close()

		mac, ip := packet.MAC{2, 9, 0, 0, 0, 1}, netip.MustParseAddr("192.0.2.1")
		arp := packet.AppendEthernet(nil, packet.MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, mac, 0x0806)
		arp = packet.AppendARPRequest(arp, mac, ip, ip.Next())
		one.Inject(1, arp)
		time.Sleep(time.Second)
		key := topology.NewHostKey(10, mac)
		want := func(what string, got []Host, places ...string) {
			t.Helper()
			var at []string
			for _, h := range got {
				at = append(at, fmt.Sprintf("%s:%s", h.SwitchName, h.At.Name))
			}
			if !slices.Equal(at, places) {
				t.Fatalf("%s: at %q, want %q", what, at, places)
			}
		}
		want("Find", f.Find(key), "sw1:p1")
		want("Find in another VLAN", f.Find(topology.NewHostKey(11, mac)))
		want("Hosts", f.Hosts(), "sw1:p1")
		want("Unplugged", f.Unplugged())
		want("ByAddress", f.ByAddress(ip), "sw1:p1")
		want("ByAddress of nobody", f.ByAddress(ip.Next()))
		if n := f.CountByVLAN(); n[10] != 1 || len(n) != 1 {
			t.Errorf("CountByVLAN: %v", n)
		}
		if h := f.Find(key)[0]; !h.Connected || h.Standby || h.Switch != 1 {
			t.Errorf("the host's switch: %+v", h)
		}
		for _, name := range []string{"p1", "1"} {
			p, names, ok := f.AtPort(f.registry.Get(1), name)
			if want("AtPort", p.Hosts, "sw1:p1"); !ok || p.No != 1 || len(names) != 2 {
				t.Errorf("AtPort %s: %v, %q, %v", name, p.No, names, ok)
			}
		}
		if p, names, ok := f.AtPort(f.registry.Get(1), "p3"); ok || len(p.Hosts) > 0 || len(names) != 2 {
			t.Errorf("AtPort of no port: %q, %v", names, ok)
		}

		two.Inject(1, arp) // no known link joins the switches
		time.Sleep(time.Second)
		want("Find at two places", f.Find(key), "sw1:p1", "sw2:p1")
		want("ByAddress at two places", f.ByAddress(ip), "sw1:p1", "sw2:p1")

		one.SetPort(port(1, true))
		time.Sleep(time.Second)
		want("Find, unplugged at one", f.Find(key), "sw2:p1")
		two.SetPort(port(1, true))
		time.Sleep(time.Second)
		want("Find, unplugged", f.Find(key), "sw1:p1", "sw2:p1")
		want("ByAddress, unplugged", f.ByAddress(ip), "sw1:p1", "sw2:p1")
		want("Unplugged", f.Unplugged(), "sw1:p1", "sw2:p1")
		want("Hosts, unplugged", f.Hosts())
		p, _, _ := f.AtPort(f.registry.Get(1), "p1")
		want("AtPort, unplugged", p.Hosts, "sw1:p1")

		f.Sweep()
		if n := len(f.book.users(ip)); n != 2 {
			t.Errorf("a sweep leaves %d users of the address, want those that are unplugged", n)
		}
		one.DeletePort(1)
		time.Sleep(time.Second)
		f.Sweep()
		if n := len(f.book.users(ip)); n != 1 {
			t.Errorf("a sweep leaves %d users of the address", n)
		}
		want("ByAddress, one gone", f.ByAddress(ip), "sw2:p1")
	})
}

func TestName(t *testing.T) {
	mac, ip := packet.MAC{2, 0, 0, 0, 0, 1}, netip.MustParseAddr("192.0.2.1")
	cfg, err := config.Parse("test.yaml", []byte(`
networks: {blue: {vlan: 10}, red: {vlan: 11}}
defaults: {network: blue}
hosts:
  a: {mac: '02:00:00:00:00:01', network: blue}
  b: {ip: 192.0.2.1, network: red}
`))
	if err != nil {
		t.Fatal(err)
	}
	for network, want := range map[string]string{"blue": "a", "": "a", "red": "b", "green": mac.String()} {
		if got := Name(cfg, network, mac, []netip.Addr{ip}); got != want {
			t.Errorf("in network %q it is %s, want %s", network, got, want)
		}
	}
}
