package lab

import (
	"os"
	"slices"
	"testing"

	"go.yaml.in/yaml/v4"
)

// TestDemo: the demo is built, its configuration names what OVS has, and its guests behave as they are said to.
func TestDemo(t *testing.T) {
	t.Parallel()
	l := Start(t)
	d, err := BuildDemo(l)
	if err != nil {
		t.Fatal(err)
	}
	var config struct {
		Networks map[string]struct{ VLAN, VNI int }
		Switches map[string]struct {
			DatapathID string `yaml:"datapath_id"`
			Ports      map[string]struct {
				Access string
				Tunnel bool
			}
		}
		Hosts  map[string]struct{ MAC, IP string }
		Probes []struct{ Name, Mesh, From, To, Expect string }
	}
	text, err := os.ReadFile(d.ConfigPath())
	if err != nil || string(text) != d.Config {
		t.Fatalf("config file: %v", err)
	}
	if err := yaml.Unmarshal(text, &config); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if len(config.Switches) != 2 || len(config.Networks) != 2 || len(config.Probes) != 4 || len(config.Hosts) != 5 {
		t.Errorf("%+v", config)
	}
	for name, s := range config.Switches {
		h := l.Host(name)
		if got := h.Vsctl("get", "Bridge", "br0", "datapath_id"); got != `"`+s.DatapathID+`"` {
			t.Errorf("%s: OVS has datapath id %s, the config %s", name, got, s.DatapathID)
		}
		for port, mode := range s.Ports {
			if n := h.Bridge("br0").PortNumber(port); n <= 0 {
				t.Errorf("%s: port %s has number %d", name, port, n)
			}
			if _, known := config.Networks[mode.Access]; !known && !mode.Tunnel {
				t.Errorf("%s: port %s is in network %q", name, port, mode.Access)
			}
		}
		h.Bridge("br0").AddFlow("actions=NORMAL") // no VLANs without a controller: all share the tunnel's VNI 0
	}
	if err := d.Announce(); err != nil {
		t.Error(err)
	}
	for _, g := range d.Guests {
		if h := config.Hosts[g.Name]; h.MAC != g.MAC || h.IP != g.IP || l.VM(g.Name).HardwareAddr("eth0") != g.MAC {
			t.Errorf("%s: config says %+v", g.Name, h)
		}
		if from := l.VM("vm1"); g.Name != "vm1" {
			if r := from.Ping(g.IP); r.AllReceived() == g.Silent {
				t.Errorf("vm1 to %s, silent=%v: %v", g.Name, g.Silent, r)
			}
		}
	}
	var expected []string
	for _, a := range d.Guests {
		for _, b := range d.Guests {
			if d.Reachable(a.Name, b.Name) {
				expected = append(expected, a.Name+">"+b.Name)
			}
		}
	}
	want := []string{"vm1>vm3", "vm2>vm1", "vm2>vm3", "vm3>vm1", "vm4>vm5", "vm5>vm4"}
	if !slices.Equal(expected, want) {
		t.Errorf("expected pairs %v, want %v", expected, want)
	}
}
