package prober

import (
	"cmp"
	"slices"

	"github.com/eosin-sdn/eosin/apps/probe/probespec"
)

// Probes returns the continuous probes in the order of the config.
func (e *Engine) Probes() []probespec.Status {
	e.mu.Lock()
	defer e.mu.Unlock()
	list := make([]probespec.Status, 0, len(e.probes))
	for _, g := range e.probes {
		kind, of := g.spec.Covers()
		s := probespec.Status{
			Name: g.spec.Name, Kind: kind, Of: of, Type: g.spec.Type.String(), Expect: g.spec.Expect,
			Interval: probespec.Seconds(g.spec.Interval), Timeout: probespec.Seconds(g.spec.Timeout),
			Pairs: len(g.pairs),
		}
		for _, p := range g.pairs {
			switch {
			case !p.decided:
				s.Pending++
			case p.ok:
				s.OK++
			default:
				s.Failing++
			}
		}
		list = append(list, s)
	}
	return list
}

// Mesh returns every pair of the continuous probes: by probe in the order of the config, then by source and
// destination.
func (e *Engine) Mesh() []probespec.MeshEntry {
	list := []probespec.MeshEntry{}
	for _, entries := range e.entries() {
		slices.SortFunc(entries, func(a, b probespec.MeshEntry) int {
			return cmp.Or(cmp.Compare(a.Source, b.Source), cmp.Compare(a.Destination, b.Destination))
		})
		list = append(list, entries...)
	}
	return list
}

// entries returns the pairs of each probe.
func (e *Engine) entries() [][]probespec.MeshEntry {
	e.mu.Lock()
	defer e.mu.Unlock()
	all := make([][]probespec.MeshEntry, 0, len(e.probes))
	for _, g := range e.probes {
		list := make([]probespec.MeshEntry, 0, len(g.pairs))
		for _, p := range g.pairs {
			m := probespec.MeshEntry{
				Probe: g.spec.Name, Source: p.key.Source, Destination: p.key.Destination, Type: g.spec.Type.String(),
				Expect: g.spec.Expect, OK: p.ok, Verdict: p.verdict, LossRatio: p.lossRatio(), Loss: p.loss,
			}
			if rtt := probespec.Seconds(p.rttLast); rtt > 0 {
				m.RTT = &rtt
			}
			if last := p.last; !last.IsZero() {
				m.Last = &last
			}
			if p.src.ep != nil {
				m.Network = p.src.ep.Network
			}
			list = append(list, m)
		}
		all = append(all, list)
	}
	return all
}
