package config

import (
	"net/netip"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/eosin-sdn/eosin/apps/intent"
	"github.com/eosin-sdn/eosin/apps/probe"
	"github.com/eosin-sdn/eosin/apps/probe/probespec"
)

func (r *reader) probes(c *Config, v value) {
	seen := map[string]value{}
	items, _ := r.list(v)
	for _, item := range items {
		p, at, ok := r.probe(c, item)
		if !ok {
			continue
		}
		if first, used := seen[p.Name]; used {
			r.errorf(at, "%s is already the name of the probe on line %d; use another, since metrics carry it",
				quote(p.Name), first.line)
			continue
		}
		seen[p.Name] = at
		c.Probes = append(c.Probes, p)
	}
}

// probe reads one probe and says where its name stands.
func (r *reader) probe(c *Config, v value) (p probespec.Spec, at value, ok bool) {
	if n := resolve(v.node); n == nil || n.Kind != yaml.MappingNode {
		r.errorf(v, "is %s; write {name: NAME, mesh: NETWORK} or one of the other forms", describe(n))
		return p, at, false
	}
	mark := len(r.errors)
	o := r.object(v, "name", "mesh", "from", "to", "pairs", "type", "interval", "timeout", "expect", "size", "count")
	p = probespec.NewSpec()
	at, named := o["name"]
	if !named {
		r.missing(v, mark, "name is missing; add name:, since metrics carry it")
	} else if p.Name, ok = r.text(at); ok {
		ok = r.checkName(at, p.Name, "/:,")
	}
	r.probeTargets(c, &p, v, o, mark)
	if s, ok := r.text(o["type"]); ok {
		t, err := probe.ParseType(s)
		if err != nil {
			r.errorf(o["type"], "%w", err)
		} else {
			p.Type = t
		}
	}
	r.duration(o["interval"], &p.Interval, probespec.MinRoundInterval, probespec.MaxInterval)
	r.duration(o["timeout"], &p.Timeout, probespec.MinTimeout, probespec.MaxTimeout)
	if s, ok := r.text(o["expect"]); ok {
		p.Expect = probespec.Verdict(s)
		if p.Expect != probespec.Reachable && p.Expect != probespec.Unreachable {
			r.errorf(o["expect"], "%s is not a verdict; use reachable or unreachable", quote(s))
		}
	}
	size := 0
	if integer(r, o["size"], &size, 0, probespec.MaxSize, "a size in bytes") && size > 0 { // 0 is the default
		p.Size = size
	}
	integer(r, o["count"], &p.Count, 1, probespec.MaxRound, "a count of packets")
	return p, at, named && ok
}

// probeTargets reads who is probed: exactly one of mesh, from with to, and pairs.
func (r *reader) probeTargets(c *Config, p *probespec.Spec, v value, o map[string]value, mark int) {
	mesh, hasMesh := o["mesh"]
	from, hasFrom := o["from"]
	to, hasTo := o["to"]
	pairs, hasPairs := o["pairs"]
	var ways []string
	if hasMesh {
		ways = append(ways, "mesh")
	}
	if hasFrom || hasTo {
		ways = append(ways, "from/to")
	}
	if hasPairs {
		ways = append(ways, "pairs")
	}
	switch {
	case len(ways) == 0:
		r.missing(v, mark,
			"says nobody to probe; use mesh: NETWORK, or from: NETWORK with to: NETWORK, or pairs: "+
				"[[SOURCE, DESTINATION]]")
	case len(ways) > 1:
		r.errorf(v, "has %s together; keep one and write a probe of its own for the other", strings.Join(ways, " and "))
	case hasFrom && !hasTo:
		r.errorf(from, "from needs to; add to: NETWORK")
	case hasTo && !hasFrom:
		r.errorf(to, "to needs from; add from: NETWORK")
	}
	p.Mesh, p.From, p.To = r.networkName(c, mesh), r.networkName(c, from), r.networkName(c, to)
	if p.To != "" && p.From == p.To {
		r.errorf(to, "from and to are the same network; write mesh: %s", p.To)
	}
	if hasPairs {
		p.Pairs = r.pairs(c, pairs)
	}
}

func (r *reader) pairs(c *Config, v value) []probespec.Pair {
	items, ok := r.list(v)
	if ok && len(items) == 0 {
		r.errorf(v, "the list is empty; write [[SOURCE, DESTINATION]]")
	}
	var list []probespec.Pair
	seen := map[probespec.Pair]bool{}
	for _, item := range items {
		ends, ok := r.list(item)
		switch {
		case resolve(item.node) == nil:
			r.errorf(item, "is empty; a pair is [SOURCE, DESTINATION]")
			continue
		case !ok:
			continue
		case len(ends) != 2:
			r.errorf(item, "has %d entries; a pair is [SOURCE, DESTINATION]", len(ends))
			continue
		}
		source, ok1 := r.target(c, ends[0])
		destination, ok2 := r.target(c, ends[1])
		pair := probespec.Pair{Source: source, Destination: destination}
		switch {
		case !ok1 || !ok2:
		case source == destination:
			r.errorf(item, "source and destination are the same; name two")
		case seen[pair]:
			r.errorf(item, "the pair is in the list twice; remove one")
		default:
			seen[pair] = true
			list = append(list, pair)
		}
	}
	return list
}

// target reads one end of a pair: the name of a host, an IP, a MAC, or SWITCH:PORT. A name that the file does not have
// is only warned about, since hosts and switches that the file does not name have names too, once they are met.
func (r *reader) target(c *Config, v value) (string, bool) {
	s, ok := r.text(v)
	if !ok {
		return "", false
	}
	if _, err := netip.ParseAddr(s); err == nil {
		return s, true
	}
	if _, ok := parseMAC(s); ok {
		return s, true
	}
	if sw, port, ok := strings.Cut(s, ":"); ok {
		if _, known := c.Switches.ByName(sw); !known && !isDatapathID(sw) {
			r.warnf(v, "no switch of this file is named %s; %s", quote(sw), alternatives(r, sw, c.Switches))
		}
		if port == "" {
			r.errorf(v, "%s names no port; write SWITCH:PORT", quote(s))
			return "", false
		}
		return s, true
	}
	if _, known := c.Hosts.ByName(s); !known {
		if !r.checkName(v, s, "/,") {
			return "", false
		}
		r.warnf(v, "no host of this file is named %s; %s", quote(s), alternatives(r, s, c.Hosts))
	}
	return s, true
}

func (r *reader) probing(c *Config, v value) {
	trap := r.object(v, "trap")["trap"]
	s, ok := r.text(trap)
	if !ok {
		return
	}
	if c.Probing.Trap, ok = intent.ParseTrap(s); !ok {
		r.errorf(trap, "%s is not a way to catch replies; use auto, conntrack or dscp", quote(s))
	}
}
