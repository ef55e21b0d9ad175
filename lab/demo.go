package lab

import (
	"fmt"
	"strings"
	"time"
)

// DemoName is the lab of "eosin lab" and "make run".
const DemoName = "demo"

// A Demo is the lab that a newcomer sees: two hosts joined by a VXLAN tunnel, five guests in two VLANs that share one
// address range, so that nothing but the VLAN keeps them apart.
type Demo struct {
	Lab    *Lab
	Config string // Eosin's configuration for it
	Guests []DemoGuest
}

// A DemoGuest and what a probe to it should say.
type DemoGuest struct {
	Name, Network, Host, MAC, IP string
	Silent                       bool // does not answer pings
}

// The guests in the order in which tables list them.
var demoGuests = []DemoGuest{
	{Name: "vm1", Network: "blue", Host: "host1", MAC: "52:54:00:00:00:01", IP: "10.0.3.1"},
	{Name: "vm2", Network: "blue", Host: "host1", MAC: "52:54:00:00:00:02", IP: "10.0.3.2", Silent: true},
	{Name: "vm3", Network: "blue", Host: "host2", MAC: "52:54:00:00:00:03", IP: "10.0.3.3"},
	{Name: "vm4", Network: "red", Host: "host1", MAC: "52:54:00:00:00:04", IP: "10.0.3.4"},
	{Name: "vm5", Network: "red", Host: "host2", MAC: "52:54:00:00:00:05", IP: "10.0.3.5"},
}

const demoTunnel = "vx0"

// BuildDemo makes the demo in an empty lab. Its bridges point at the lab's controller address and wait for one to
// appear.
func BuildDemo(l *Lab) (*Demo, error) {
	d := &Demo{Lab: l, Guests: demoGuests}
	err := l.Try(func() {
		bridges := map[string]*Bridge{}
		for _, name := range []string{"host1", "host2"} {
			bridges[name] = l.AddHost(name).AddBridge("br0", BridgeOptions{Controllers: []string{l.ControllerTarget()}})
		}
		l.Tunnel(bridges["host1"], bridges["host2"], demoTunnel, TunnelOptions{Type: "vxlan", Key: "flow"})
		for _, g := range d.Guests {
			vm := bridges[g.Host].AddVM(g.Name, VMOptions{MAC: g.MAC, Addrs: []string{g.IP + "/24"}})
			if g.Silent {
				vm.SetSilent(true)
			}
		}
		d.Config = d.config(bridges)
		l.File("eosin.yaml", d.Config)
	})
	return d, err
}

// Reachable reports whether a probe between two of the guests should be answered.
func (d *Demo) Reachable(from, to string) bool {
	var source, target DemoGuest
	for _, g := range d.Guests {
		switch g.Name {
		case from:
			source = g
		case to:
			target = g
		}
	}
	return source.Network == target.Network && source.Name != target.Name && !target.Silent
}

// ConfigPath is where BuildDemo left the configuration.
func (d *Demo) ConfigPath() string { return d.Lab.dir + "/eosin.yaml" }

// Announce lets every guest say once where it is, as guests do when they boot.
func (d *Demo) Announce() error {
	return d.Lab.Try(func() {
		for _, vm := range d.Lab.vms {
			vm.Announce()
		}
	})
}

func (d *Demo) config(bridges map[string]*Bridge) string {
	var b strings.Builder
	var databases []string
	for _, host := range d.Lab.hosts {
		databases = append(databases, fmt.Sprintf("%q", "unix:"+host.RunDir()+"/db.sock"))
	}
	fmt.Fprintf(&b, `# The demo lab, made %s
openflow:
  listen: ["%s"]
ovsdb:
  connect: [%s]
networks:
  blue: {vlan: 10, vni: 5010}
  red:  {vlan: 11, vni: 5011}
switches:
`, time.Now().Format(time.DateTime), d.Lab.ControllerTarget(), strings.Join(databases, ", "))
	for _, host := range d.Lab.hosts {
		fmt.Fprintf(&b, "  %s:\n    datapath_id: %q\n    ports:\n", host.Name, bridges[host.Name].DatapathID())
		for _, g := range d.Guests {
			if g.Host == host.Name {
				fmt.Fprintf(&b, "      %s: {access: %s}\n", d.Lab.VM(g.Name).Port, g.Network)
			}
		}
		fmt.Fprintf(&b, "      %s: {tunnel: true}\n", demoTunnel)
	}
	b.WriteString("hosts:\n")
	for _, g := range d.Guests {
		fmt.Fprintf(&b, "  %s: {mac: %q, ip: %s, network: %s}\n", g.Name, g.MAC, g.IP, g.Network)
	}
	b.WriteString(`probes:
  - {name: blue-mesh, mesh: blue, type: icmp, interval: 2s, timeout: 1s}
  - {name: red-mesh, mesh: red, type: icmp, interval: 2s, timeout: 1s}
  - {name: isolation, from: blue, to: red, expect: unreachable, interval: 2s, timeout: 1s}
  - {name: isolation-back, from: red, to: blue, expect: unreachable, interval: 2s, timeout: 1s}
`)
	return b.String()
}
