package config

import (
	"reflect"
	"testing"

	"github.com/eosin-sdn/eosin/apps/intent"
	"github.com/eosin-sdn/eosin/openflow"
)

const portsFile = `
networks:
  blue: {vlan: 10, vni: 5010}
  red: {vlan: 5}
  green: {vlan: 20, vni: 7}
switches:
  host1:
    datapath_id: "0000000000000001"
    ports:
      vif1: {access: red}
      s0: {trunk: [blue, red], native: blue}
      up0: {trunk: all, native: green}
      vx0: {tunnel: true}
      off: {closed: true}
      7: {access: green}
      averylongportname: {access: green}
`

func TestResolvePort(t *testing.T) {
	plain := mustParse(t, portsFile)
	blue := mustParse(t, portsFile+"defaults: {network: blue}\n")
	none := mustParse(t, portsFile+"defaults: {network: none}\n")
	vlans := func(v ...uint16) []uint16 { return v }
	for _, test := range []struct {
		what   string
		config *Config
		id     openflow.DatapathID
		name   string
		number openflow.PortNo
		facts  []Facts
		want   intent.Port
	}{
		{"access", plain, 1, "vif1", 9, nil, intent.Port{
			Mode: intent.Access, VLANs: vlans(5), Native: 5,
			Source: intent.SourceFile,
		}},
		{
			"file before ovsdb", plain, 1, "vif1", 9,
			[]Facts{{Tag: 20}},
			intent.Port{Mode: intent.Access, VLANs: vlans(5), Native: 5, Source: intent.SourceFile},
		},
		{"trunk", plain, 1, "s0", 9, nil, intent.Port{
			Mode: intent.Trunk, VLANs: vlans(5, 10), Native: 10,
			Source: intent.SourceFile,
		}},
		{
			"trunk all leaves out the implicit network", plain, 1, "up0", 9, nil,
			intent.Port{Mode: intent.Trunk, VLANs: vlans(5, 10, 20), All: true, Native: 20, Source: intent.SourceFile},
		},
		{
			"tunnel carries what has a VNI", plain, 1, "vx0", 9, nil,
			intent.Port{Mode: intent.Tunnel, VLANs: vlans(10, 20), Source: intent.SourceFile},
		},
		{"closed", plain, 1, "off", 9, nil, intent.Port{Mode: intent.Closed, Source: intent.SourceFile}},
		{"by number", plain, 1, "x", 7, nil, intent.Port{
			Mode: intent.Access, VLANs: vlans(20), Native: 20,
			Source: intent.SourceFile,
		}},
		{
			"name before number", plain, 1, "vif1", 7, nil,
			intent.Port{Mode: intent.Access, VLANs: vlans(5), Native: 5, Source: intent.SourceFile},
		},
		{
			"cut name", plain, 1, "averylongportna", 9, nil,
			intent.Port{Mode: intent.Access, VLANs: vlans(20), Native: 20, Source: intent.SourceFile},
		},
		{
			"whole name", plain, 1, "averylongportname", 9, nil,
			intent.Port{Mode: intent.Access, VLANs: vlans(20), Native: 20, Source: intent.SourceFile},
		},
		{
			"too short a name", plain, 1, "averylongportn", 9, nil,
			intent.Port{Mode: intent.Access, VLANs: vlans(1), Native: 1, Source: intent.SourceDefault},
		},
		{"unnamed", plain, 1, "x", 9, nil, intent.Port{
			Mode: intent.Access, VLANs: vlans(1), Native: 1,
			Source: intent.SourceDefault,
		}},
		{"other switch", plain, 2, "vif1", 7, nil, intent.Port{
			Mode: intent.Access, VLANs: vlans(1), Native: 1,
			Source: intent.SourceDefault,
		}},
		{
			"default network", blue, 1, "x", 9,
			[]Facts{{}},
			intent.Port{Mode: intent.Access, VLANs: vlans(10), Native: 10, Source: intent.SourceDefault},
		},
		{"no default", none, 1, "x", 9, nil, intent.Port{Mode: intent.Closed, Source: intent.SourceDefault}},
		{
			"ovsdb tag before defaults", none, 1, "x", 9,
			[]Facts{{Tag: 77}},
			intent.Port{Mode: intent.Access, VLANs: vlans(77), Native: 77, Source: intent.SourceOVSDB},
		},
		{
			"ovsdb trunks", blue, 2, "x", 9,
			[]Facts{{Trunks: vlans(30, 10, 0, 30)}},
			intent.Port{Mode: intent.Trunk, VLANs: vlans(10, 30), Source: intent.SourceOVSDB},
		},
		{
			"ovsdb trunk of all", blue, 2, "x", 9,
			[]Facts{{VLANMode: "trunk"}},
			intent.Port{Mode: intent.Trunk, VLANs: vlans(5, 10, 20), All: true, Source: intent.SourceOVSDB},
		},
		{
			"ovsdb native", blue, 2, "x", 9,
			[]Facts{{Tag: 9, Trunks: vlans(10), VLANMode: "native-untagged"}},
			intent.Port{Mode: intent.Trunk, VLANs: vlans(9, 10), Native: 9, Source: intent.SourceOVSDB},
		},
		{
			"ovsdb native tagged", blue, 2, "x", 9,
			[]Facts{{Tag: 10, VLANMode: "native-tagged"}},
			intent.Port{
				Mode: intent.Trunk, VLANs: vlans(5, 10, 20), All: true, Native: 10, NativeTagged: true,
				Source: intent.SourceOVSDB,
			},
		},
		{
			"ovsdb tag on a trunk", blue, 2, "x", 9,
			[]Facts{{Tag: 9, Trunks: vlans(10)}},
			intent.Port{Mode: intent.Access, VLANs: vlans(9), Native: 9, Source: intent.SourceOVSDB},
		},
		{
			"ovsdb access without tag", blue, 2, "x", 9,
			[]Facts{{VLANMode: "access"}},
			intent.Port{
				Mode: intent.Closed, Source: intent.SourceOVSDB,
				Reason: "OVSDB says vlan_mode=access without a tag",
			},
		},
		{
			"ovsdb native without tag", blue, 2, "x", 9,
			[]Facts{{VLANMode: "native-tagged"}},
			intent.Port{
				Mode: intent.Closed, Source: intent.SourceOVSDB,
				Reason: "OVSDB says vlan_mode=native-tagged without a tag",
			},
		},
		{
			"ovsdb VLAN 4095", blue, 2, "x", 9,
			[]Facts{{Tag: 4095}},
			intent.Port{
				Mode: intent.Closed, Source: intent.SourceOVSDB,
				Reason: "OVSDB asks for VLAN 4095; use 1 to 4094",
			},
		},
		{
			"ovsdb QinQ", blue, 2, "x", 9,
			[]Facts{{Tag: 9, VLANMode: "dot1q-tunnel"}},
			intent.Port{
				Mode: intent.Closed, Source: intent.SourceOVSDB,
				Reason: "OVSDB says vlan_mode=dot1q-tunnel, which is not supported; use access, trunk, native-tagged " +
					"or native-untagged",
			},
		},
		{"no file", Default(), 1, "x", 9, nil, intent.Port{
			Mode: intent.Access, VLANs: vlans(1), Native: 1,
			Source: intent.SourceDefault,
		}},
		{
			"no file, ovsdb trunk", Default(), 1, "x", 9,
			[]Facts{{VLANMode: "trunk"}},
			intent.Port{Mode: intent.Trunk, VLANs: vlans(1), All: true, Source: intent.SourceOVSDB},
		},
	} {
		got := test.config.ResolvePort(test.id, test.name, test.number, test.facts...)
		if !got.Equal(test.want) {
			t.Errorf("%s: got %+v, want %+v", test.what, got, test.want)
		}
	}
}

// TestResolveIsPure checks that results share no memory with the config or the facts.
func TestResolveIsPure(t *testing.T) {
	c := mustParse(t, portsFile)
	facts := Facts{Trunks: []uint16{30, 10}}
	for _, name := range []string{"s0", "up0", "vx0", "vif1", "x"} {
		first := c.ResolvePort(1, name, 9, facts)
		for i := range first.VLANs {
			first.VLANs[i] = 4000
		}
		if second := c.ResolvePort(1, name, 9, facts); second.Equal(first) {
			t.Errorf("%s: a result can be changed from outside", name)
		}
	}
	if !reflect.DeepEqual(facts.Trunks, []uint16{30, 10}) || !c.Equal(mustParse(t, portsFile)) {
		t.Error("resolving changed its input")
	}
}

func TestImplicitNetwork(t *testing.T) {
	for _, test := range []struct {
		text string
		want Networks
		def  Defaults
	}{
		{"", Networks{{Name: "default", VLAN: 1, Implicit: true}}, Defaults{Network: "default"}},
		{"defaults: {network: none}", Networks{{Name: "default", VLAN: 1, Implicit: true}}, Defaults{Closed: true}},
		{
			"defaults: {network: default}",
			Networks{{Name: "default", VLAN: 1, Implicit: true}},
			Defaults{Network: "default"},
		},
		{
			"networks: {a: {vlan: 2}}",
			Networks{{Name: "default", VLAN: 1, Implicit: true}, {Name: "a", VLAN: 2}},
			Defaults{Network: "default"},
		},
		{"networks: {a: {vlan: 1}}", Networks{{Name: "a", VLAN: 1}}, Defaults{Network: "a"}},
		{"networks: {a: {vlan: 2}}\ndefaults: {network: a}", Networks{{Name: "a", VLAN: 2}}, Defaults{Network: "a"}},
		{"networks: {a: {vlan: 2}}\ndefaults: {network: none}", Networks{{Name: "a", VLAN: 2}}, Defaults{Closed: true}},
		{"networks: {default: {vlan: 2}}", Networks{
			{Name: "vlan1", VLAN: 1, Implicit: true},
			{Name: "default", VLAN: 2},
		}, Defaults{Network: "vlan1"}},
	} {
		c := mustParse(t, test.text)
		if !reflect.DeepEqual(c.Networks, test.want) || c.Defaults != test.def {
			t.Errorf("%s: got %+v and %+v, want %+v and %+v", test.text, c.Networks, c.Defaults, test.want, test.def)
		}
	}
}

func TestLookups(t *testing.T) {
	c := mustParse(t, portsFile)
	for _, n := range c.Networks {
		if got, ok := c.Networks.ByName(n.Name); !ok || got != n {
			t.Errorf("by name %s: %v", n.Name, got)
		}
		if got, ok := c.Networks.ByVLAN(n.VLAN); !ok || got != n {
			t.Errorf("by VLAN %d: %v", n.VLAN, got)
		}
	}
	if _, ok := c.Networks.ByVLAN(6); ok {
		t.Error("VLAN 6 is found")
	}
	if _, ok := c.Networks.ByName("pink"); ok {
		t.Error("pink is found")
	}
	if sw, ok := c.Switches.ByName("host1"); !ok || sw.DatapathID != 1 {
		t.Error("host1 is not found")
	}
	if _, ok := c.Switches.ByName("host2"); ok {
		t.Error("host2 is found")
	}
}

func TestEqual(t *testing.T) {
	a := mustParse(t, portsFile)
	if b, err := Parse("other.yaml", []byte("# moved\n"+portsFile)); err != nil || !a.Equal(b) {
		t.Errorf("a comment makes a difference; %v", err)
	}
	if a.Equal(mustParse(t, portsFile+"learning: {timeout: 299s}\n")) {
		t.Error("another timeout makes no difference")
	}
}
