package prober

import (
	"cmp"
	"slices"
	"time"
)

// ProbeStatus is a continuous probe as it stands.
type ProbeStatus struct {
	Name              string
	Kind              string // mesh, from_to, pairs
	Of                string // what it covers, in words
	Type              string
	Interval, Timeout time.Duration
	Expect            Verdict
	Pairs             int // ordered pairs that it covers now
	OK                int // pairs whose verdict is as expected
	Failing           int // pairs whose verdict is another, or which cannot be tested
	Pending           int // pairs that have not been tested yet
}

// MeshEntry is the newest verdict of one ordered pair of a continuous probe.
type MeshEntry struct {
	Probe               string
	Source, Destination string
	Network             string // the source's
	Type                string
	Expect              Verdict
	OK                  bool
	Verdict             Verdict       // Unknown before the first, and while the pair cannot be tested
	LossRatio           float64       // over the recent requests
	RTT                 time.Duration // of the newest reply; 0 without one
	Last                time.Time     // when the newest round was decided; zero before the first
	Loss                *Loss         // of the newest lost round; nil while the verdict is reachable
}

// Probes returns the continuous probes in the order of the config.
func (e *Engine) Probes() []ProbeStatus {
	e.mu.Lock()
	defer e.mu.Unlock()
	list := make([]ProbeStatus, 0, len(e.groups))
	for _, g := range e.groups {
		kind, of := g.spec.kind()
		s := ProbeStatus{
			Name: g.spec.Name, Kind: kind, Of: of, Type: g.spec.Type, Interval: g.spec.Interval, Timeout: g.spec.Timeout,
			Expect: g.spec.expect(), Pairs: len(g.pairs),
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

// Mesh returns every pair of the continuous probes: by probe in the order of the config, then by source and destination.
func (e *Engine) Mesh() []MeshEntry {
	list := []MeshEntry{}
	for _, entries := range e.entries() {
		slices.SortFunc(entries, func(a, b MeshEntry) int {
			return cmp.Or(cmp.Compare(a.Source, b.Source), cmp.Compare(a.Destination, b.Destination))
		})
		list = append(list, entries...)
	}
	return list
}

// entries returns the pairs of each probe.
func (e *Engine) entries() [][]MeshEntry {
	e.mu.Lock()
	defer e.mu.Unlock()
	all := make([][]MeshEntry, 0, len(e.groups))
	for _, g := range e.groups {
		list := make([]MeshEntry, 0, len(g.pairs))
		for _, p := range g.pairs {
			m := MeshEntry{
				Probe: g.spec.Name, Source: p.key.Source, Destination: p.key.Destination, Type: g.spec.Type, Expect: g.spec.expect(),
				OK: p.ok, Verdict: p.verdict, LossRatio: p.lossRatio(), RTT: p.rttLast, Last: p.last, Loss: p.loss,
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
