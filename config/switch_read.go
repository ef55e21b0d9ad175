package config

import (
	"cmp"
	"slices"
	"strings"

	"github.com/eosin-sdn/eosin/apps/intent"
	"github.com/eosin-sdn/eosin/openflow"
)

func (r *reader) switches(c *Config, v value) {
	var list Switches
	for _, e := range r.entries(v) {
		known := r.checkNodeName(e.key, e.name)
		mark := len(r.errors)
		o := r.object(e.value, "datapath_id", "certificate", "ports")
		sw := Switch{Name: e.name}
		if id, ok := o["datapath_id"]; !ok {
			r.missing(e.key, mark,
				`datapath_id is missing; add it as "ovs-vsctl get bridge NAME datapath_id" prints it`)
		} else if sw.DatapathID, ok = r.datapathID(id); ok {
			r.claim(id, "", sw.DatapathID.String(), e.name, "every switch has its own")
			if known && isDatapathID(e.name) && !strings.EqualFold(e.name, sw.DatapathID.String()) {
				r.errorf(e.key, "the name is the datapath id of another switch; use another name")
			}
		}
		if v, ok := o["certificate"]; ok {
			if sw.Certificate, ok = r.text(v); ok && sw.Certificate == "" {
				r.errorf(v, "is empty; write the common name of the switch's certificate, or leave the key out")
			}
		}
		sw.Ports = r.ports(c, o["ports"])
		list = append(list, sw)
	}
	slices.SortStableFunc(list, func(a, b Switch) int { return cmp.Compare(a.DatapathID, b.DatapathID) })
	c.Switches = list
}

func (r *reader) datapathID(v value) (openflow.DatapathID, bool) {
	s, ok := r.text(v)
	if !ok {
		return 0, false
	}
	id, err := openflow.ParseDatapathID(s)
	if err == nil && id != 0 {
		return id, true
	}
	if err == nil {
		r.errorf(v, "is all zero, which no switch has; write what \"ovs-vsctl get bridge NAME datapath_id\" prints")
		return 0, false
	}
	right := `write 16 hex digits, as "0000000000000001"`
	if digits := strings.TrimPrefix(strings.ReplaceAll(s, ":", ""), "0x"); digits != "" && len(digits) <= 16 {
		padded := strings.Repeat("0", 16-len(digits)) + digits
		if id, err := openflow.ParseDatapathID(padded); err == nil && id != 0 {
			right = "write " + quote(padded)
		}
	}
	r.errorf(v, "%s is not a datapath id; %s", quote(s), right)
	return 0, false
}

func (r *reader) ports(c *Config, v value) map[string]Port {
	entries := r.entries(v)
	ports := make(map[string]Port, len(entries))
	shown := map[string]entry{} // by the prefix that OpenFlow shows
	for _, e := range entries {
		if !r.checkName(e.key, e.name, "") {
			continue
		}
		short := e.name[:min(len(e.name), portNameSize)]
		if first, used := shown[short]; used {
			r.errorf(e.key, "OpenFlow shows %d bytes of a name, and those are the same as of %q (line %d); rename one",
				portNameSize, shorten(first.name), first.key.line)
		}
		shown[short] = e
		if p, ok := r.port(c, e); ok {
			ports[e.name] = p
		}
	}
	return ports
}

// port reads one port: exactly one of access, trunk, tunnel and closed.
func (r *reader) port(c *Config, e entry) (Port, bool) {
	mark := len(r.errors)
	o := r.object(e.value, "access", "trunk", "native", "tunnel", "closed")
	p := Port{Name: e.name}
	var modes []string
	for _, m := range []intent.Mode{intent.Access, intent.Trunk, intent.Tunnel, intent.Closed} {
		v, ok := o[m.String()]
		if !ok {
			continue
		}
		if m == intent.Tunnel || m == intent.Closed {
			on, ok := r.boolean(v)
			if !ok {
				return p, false
			}
			if !on {
				continue // explicitly not
			}
		}
		p.Mode = m
		modes = append(modes, m.String())
	}
	switch len(modes) {
	case 0:
		r.missing(e.key, mark, "says no mode; use one of access: NETWORK, trunk: [NETWORK, ...], trunk: all, tunnel: "+
			"true, closed: true")
		return p, false
	case 1:
	default:
		r.errorf(e.key, "is in %d modes, %s; keep one", len(modes), strings.Join(modes, " and "))
		return p, false
	}
	native, hasNative := o["native"]
	if hasNative && p.Mode != intent.Trunk {
		r.errorf(native, "native belongs to a trunk, and this port is %s; remove it or add trunk:", p.Mode)
	}
	switch p.Mode {
	case intent.Access:
		p.Access = r.networkName(c, o["access"])
	case intent.Trunk:
		r.trunk(c, &p, o["trunk"], native)
	case intent.Tunnel:
		if len(c.Networks.tunneled()) == 0 {
			r.warnf(o["tunnel"], "no network has a vni, so this tunnel carries nothing; add vni: to the networks that "+
				"it is to carry")
		}
	}
	return p, true
}

func (r *reader) trunk(c *Config, p *Port, v, native value) {
	complete := true // else native may belong to an invalid item
	if s, ok := scalar(resolve(v.node)); ok {
		if s != reservedAll {
			r.errorf(v, "%s is not a list; write trunk: [%s], or trunk: all for every network", quote(s), shorten(s))
			return
		}
		p.TrunkAll = true
	} else {
		items, isList := r.list(v)
		if !isList {
			return
		}
		if len(items) == 0 {
			r.errorf(v, "the list is empty; name the networks, or write trunk: all, or closed: true instead")
			return
		}
		for _, item := range items {
			n, ok := r.network(c, item)
			switch {
			case !ok:
				complete = false
			case slices.Contains(p.Trunk, n.Name):
				r.errorf(item, "%s is in the list twice; remove one", quote(n.Name))
			default:
				p.Trunk = append(p.Trunk, n.Name)
			}
		}
	}
	n, ok := r.network(c, native)
	if !ok {
		return
	}
	p.Native = n.Name
	carried := slices.Contains(p.Trunk, n.Name) || p.TrunkAll && (!n.Implicit || r.configured == 0)
	if !carried && complete {
		r.errorf(native, "%s is not among the trunk's networks; add it to trunk: or choose one of them", quote(n.Name))
	}
}
