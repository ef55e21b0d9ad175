package config

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/eosin-sdn/eosin/apps/intent"
	"github.com/eosin-sdn/eosin/openflow"
)

// Port is a port as the file states it.
type Port struct {
	Name     string
	Mode     intent.Mode
	Access   string   // network of an access port
	Trunk    []string // networks of a trunk in the order of the file; nil with TrunkAll
	TrunkAll bool     // `trunk: all`
	Native   string   // network of untagged frames on a trunk; empty for none
}

// Switch is a configured switch.
type Switch struct {
	Name        string
	DatapathID  openflow.DatapathID
	Certificate string          // common name that its TLS certificate must have; empty: any that the CA signed
	Ports       map[string]Port // by name as written
}

// Switches are sorted by datapath id; names and ids are unique.
type Switches []Switch

// ByDatapathID finds a switch by its datapath id.
func (s Switches) ByDatapathID(id openflow.DatapathID) (Switch, bool) {
	return search(s, id, func(s Switch) openflow.DatapathID { return s.DatapathID })
}

// ByName finds a switch by name.
func (s Switches) ByName(name string) (Switch, bool) { return find(s, name) }

func (s Switch) name() string { return s.Name }

// portNameSize is the longest name in ofp_port (OpenFlow 1.3, section 7.2.1: 16 bytes with the terminating zero).
const portNameSize = 15

// port looks up a port by its name, by the prefix of its name that OpenFlow has room for, and by its number.
func (s Switch) port(name string, number openflow.PortNo) (Port, bool) {
	if p, ok := s.Ports[name]; ok {
		return p, true
	}
	if len(name) == portNameSize {
		for key, p := range s.Ports {
			if len(key) > portNameSize && key[:portNameSize] == name {
				return p, true
			}
		}
	}
	p, ok := s.Ports[strconv.FormatUint(uint64(number), 10)]
	return p, ok
}

// Facts are the columns of OVSDB's Port table about VLANs. The zero value says nothing.
type Facts struct {
	Tag      uint16   // 1 to 4094, or 0 when unset
	Trunks   []uint16 // empty means all
	VLANMode string   // access, trunk, native-tagged, native-untagged, dot1q-tunnel, or empty
}

// IsZero reports whether OVSDB says nothing about the port.
func (f Facts) IsZero() bool { return f.Tag == 0 && len(f.Trunks) == 0 && f.VLANMode == "" }

// ResolvePort returns the mode of a port: from the file, by name and then by number; else from OVSDB, if facts are
// given; else from defaults.network. It never fails: an impossible one is Closed with a Reason.
func (c *Config) ResolvePort(id openflow.DatapathID, name string, number openflow.PortNo, facts ...Facts) intent.Port {
	if sw, ok := c.Switches.ByDatapathID(id); ok {
		if p, ok := sw.port(name, number); ok {
			return c.resolveFile(p)
		}
	}
	for _, f := range facts {
		if !f.IsZero() {
			return c.resolveFacts(f)
		}
	}
	return c.resolveDefault()
}

func (c *Config) resolveFile(p Port) intent.Port {
	mode := intent.Port{Mode: p.Mode, All: p.TrunkAll, Source: intent.SourceFile}
	switch {
	case p.Mode == intent.Access:
		return c.access(p.Access, intent.SourceFile)
	case p.Mode == intent.Tunnel:
		mode.VLANs = c.Networks.tunneled()
	case p.TrunkAll:
		mode.VLANs = c.Networks.carried()
	case p.Mode == intent.Trunk:
		mode.VLANs = c.Networks.vlans(func(n Network) bool { return slices.Contains(p.Trunk, n.Name) })
	}
	if n, ok := c.Networks.ByName(p.Native); ok {
		mode.Native = n.VLAN
	}
	return mode
}

// access is a port of one network.
func (c *Config) access(network string, source intent.Source) intent.Port {
	p := intent.Port{Mode: intent.Access, Source: source}
	if n, ok := c.Networks.ByName(network); ok {
		p.VLANs, p.Native = []uint16{n.VLAN}, n.VLAN
	}
	return p
}

// resolveFacts reads the columns as ovs-vswitchd.conf.db(5) defines them under "VLAN Configuration".
func (c *Config) resolveFacts(f Facts) intent.Port {
	kind := f.VLANMode
	if kind == "" {
		// Without a mode, a tag makes an access port and anything else a trunk.
		kind = "trunk"
		if f.Tag != 0 {
			kind = "access"
		}
	}
	refuse := func(format string, args ...any) intent.Port {
		return intent.Port{Mode: intent.Closed, Source: intent.SourceOVSDB, Reason: fmt.Sprintf(format, args...)}
	}
	for _, vlan := range append([]uint16{f.Tag}, f.Trunks...) {
		if vlan > maxVLAN {
			return refuse("OVSDB asks for VLAN %d; use 1 to %d", vlan, maxVLAN)
		}
	}
	switch kind {
	case "access":
		if f.Tag == 0 {
			return refuse("OVSDB says vlan_mode=access without a tag")
		}
		return intent.Port{Mode: intent.Access, VLANs: []uint16{f.Tag}, Native: f.Tag, Source: intent.SourceOVSDB}
	case "trunk":
		return c.factsTrunk(f.Trunks, 0, false)
	case "native-untagged", "native-tagged":
		if f.Tag == 0 {
			return refuse("OVSDB says vlan_mode=%s without a tag", kind)
		}
		return c.factsTrunk(f.Trunks, f.Tag, kind == "native-tagged")
	}
	return refuse(
		"OVSDB says vlan_mode=%s, which is not supported; use access, trunk, native-tagged or native-untagged", kind)
}

func (c *Config) factsTrunk(trunks []uint16, native uint16, tagged bool) intent.Port {
	mode := intent.Port{Mode: intent.Trunk, Native: native, NativeTagged: tagged, Source: intent.SourceOVSDB}
	vlans := append([]uint16{native}, trunks...)
	if mode.All = len(trunks) == 0; mode.All {
		vlans = append(vlans, c.Networks.carried()...)
	}
	slices.Sort(vlans)
	// VLAN 0 in trunks stands for priority-tagged frames, which only a native VLAN can carry here.
	mode.VLANs = slices.DeleteFunc(slices.Compact(vlans), func(vlan uint16) bool { return vlan == 0 })
	return mode
}

func (c *Config) resolveDefault() intent.Port {
	if c.Defaults.Closed {
		return intent.Port{Mode: intent.Closed, Source: intent.SourceDefault}
	}
	return c.access(c.Defaults.Network, intent.SourceDefault)
}
