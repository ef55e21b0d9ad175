package prober

import (
	"cmp"
	"errors"
	"hash/fnv"
	"reflect"
	"slices"
	"time"

	"github.com/eosin-sdn/eosin/apps/probe/probespec"
)

// continuousProbe is a continuous probe with its pairs. The engine's lock guards it.
type continuousProbe struct {
	spec   probespec.Spec
	pairs  map[probespec.Pair]*pair
	colors map[probespec.Pair]*colorShare
	seen   [2][]Endpoint // the hosts that the pairs were computed from
	fresh  bool          // the spec is new: recompute the pairs even if the hosts are the same

	late, duplicates uint64 // replies after the timeout, and repeated replies
}

// colorShare is a color and how many pairs use it.
type colorShare struct {
	color uint16
	pairs int
}

// Configure sets the continuous probes, which the config has checked and whose names differ. What stays the same keeps
// its state, colors and phase.
func (e *Engine) Configure(specs []probespec.Spec) {
	e.mu.Lock()
	defer e.mu.Unlock()
	old := map[string]*continuousProbe{}
	for _, g := range e.probes {
		old[g.spec.Name] = g
	}
	e.probes = e.probes[:0:0]
	for _, s := range specs {
		s.Pairs = slices.Clone(s.Pairs) // the caller may change its own
		g := old[s.Name]
		if g != nil && sameButPairs(&g.spec, &s) {
			g.spec, g.fresh = s, true
			delete(old, s.Name)
		} else {
			g = &continuousProbe{
				spec: s, pairs: map[probespec.Pair]*pair{}, colors: map[probespec.Pair]*colorShare{}, fresh: true,
			}
		}
		e.probes = append(e.probes, g)
	}
	for _, g := range old {
		for _, p := range g.pairs {
			e.drop(p)
		}
	}
	e.changed.Store(true)
	wake(e.wakeCh)
}

// sameButPairs reports whether the pairs that both cover are probed alike.
func sameButPairs(a, b *probespec.Spec) bool {
	x, y := *a, *b
	x.Pairs, y.Pairs = nil, nil
	return reflect.DeepEqual(x, y)
}

// wantedPair is a pair that a continuous probe should have.
type wantedPair struct {
	key            probespec.Pair
	src            source
	dst            target
	srcErr, dstErr error
}

// refresh recomputes the pairs of every continuous probe from the known hosts.
func (e *Engine) refresh() {
	e.mu.Lock()
	probes := slices.Clone(e.probes)
	specs := make([]probespec.Spec, len(probes))
	for i, g := range probes {
		specs[i] = g.spec
	}
	e.mu.Unlock()
	networks := map[string][]Endpoint{}
	hosts := func(name string) []Endpoint {
		eps, ok := networks[name]
		if !ok {
			eps = slices.Clone(e.fabric.Network(name))
			slices.SortFunc(eps, func(a, b Endpoint) int {
				return cmp.Or(cmp.Compare(a.Name, b.Name), slices.Compare(a.MAC[:], b.MAC[:]))
			})
			// Names identify metric series and table rows: of several hosts with one name, the first counts.
			eps = slices.CompactFunc(eps, func(a, b Endpoint) bool { return a.Name == b.Name })
			networks[name] = eps
		}
		return eps
	}
	for i, g := range probes {
		s := &specs[i]
		switch {
		case s.Mesh != "":
			e.crossPairs(g, hosts(s.Mesh), hosts(s.Mesh))
		case s.From != "":
			e.crossPairs(g, hosts(s.From), hosts(s.To))
		default:
			want := make([]wantedPair, 0, len(s.Pairs))
			for _, p := range s.Pairs {
				want = append(want, e.resolve(p))
			}
			e.setPairs(g, want)
		}
	}
}

// resolve finds the ends of a configured pair.
func (e *Engine) resolve(p probespec.Pair) wantedPair {
	w := wantedPair{key: p}
	if w.src, w.srcErr = resolveSource(e.fabric, p.Source); w.srcErr != nil {
		return w
	}
	w.dst, w.dstErr = resolveTarget(e.fabric, w.src.ep, p.Destination)
	return w
}

// crossPairs sets the probe's pairs to the product of two lists of hosts.
func (e *Engine) crossPairs(g *continuousProbe, from, to []Endpoint) {
	e.mu.Lock()
	same := !g.fresh && equalEndpoints(g.seen[0], from) && equalEndpoints(g.seen[1], to)
	g.seen = [2][]Endpoint{from, to}
	e.mu.Unlock()
	if same {
		return
	}
	want := make([]wantedPair, 0, len(from)*len(to))
	for i := range from {
		for j := range to {
			if from[i].Name == to[j].Name || from[i].MAC == to[j].MAC {
				continue
			}
			key := probespec.Pair{Source: from[i].Name, Destination: to[j].Name}
			want = append(want, wantedPair{
				key: key, src: source{ep: &from[i]}, dst: target{ref: to[j].Name, ep: &to[j]},
			})
		}
	}
	e.setPairs(g, want)
}

func equalEndpoints(a, b []Endpoint) bool {
	return slices.EqualFunc(a, b, func(x, y Endpoint) bool { return sameEnd(&x, &y) })
}

// sameEnd reports whether two endpoints, which may be nil, are equal.
func sameEnd(x, y *Endpoint) bool {
	if x == nil || y == nil {
		return x == y
	}
	return x.Name == y.Name && x.Switch == y.Switch && x.SwitchName == y.SwitchName && x.Port == y.Port &&
		x.PortName == y.PortName && x.PortUp == y.PortUp && x.Connected == y.Connected && x.Standby == y.Standby &&
		x.Located == y.Located && x.Tagged == y.Tagged && x.Network == y.Network && x.VLAN == y.VLAN &&
		x.MAC == y.MAC && slices.Equal(x.IPs, y.IPs) && x.Gateway == y.Gateway && x.Subnet == y.Subnet
}

// setPairs replaces the probe's pairs; those that stay keep their state.
func (e *Engine) setPairs(g *continuousProbe, want []wantedPair) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !slices.Contains(e.probes, g) {
		return // replaced meanwhile
	}
	g.fresh = false
	now := time.Now()
	keep := make(map[probespec.Pair]bool, len(want))
	for _, w := range want {
		keep[w.key] = true
		p := g.pairs[w.key]
		if p == nil {
			p = e.newPair(g, w.key)
			g.pairs[w.key] = p
			p.plan(now)
		}
		if w.dst.ep == nil && w.dst.addr == p.dst.addr && w.dst.via == p.dst.via && w.dst.mac.IsZero() {
			w.dst.mac = p.dst.mac // learned by ARP
		}
		if !sameEnd(p.src.ep, w.src.ep) || !sameEnd(p.dst.ep, w.dst.ep) {
			p.known = nil // the diagnosis was of another endpoint
		}
		p.src, p.dst, p.srcErr, p.dstErr = w.src, w.dst, w.srcErr, w.dstErr
	}
	for key, p := range g.pairs {
		if !keep[key] {
			delete(g.pairs, key)
			e.drop(p)
		}
	}
}

// phase spreads the pairs over the interval, deterministically.
func phase(s *probespec.Spec, p probespec.Pair) time.Duration {
	h := fnv.New64a()
	for _, part := range [...]string{s.Name, "\x00", p.Source, "\x00", p.Destination} {
		h.Write([]byte(part))
	}
	// FNV spreads the low bits of short, similar names poorly: mix.
	x := h.Sum64()
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	return time.Duration(x % uint64(s.Interval))
}

// colorFor allocates or shares the color of a pair. The engine's lock is held.
func (e *Engine) colorFor(p *pair) (uint16, error) {
	user := p.colorUser()
	share := p.probe.colors[user]
	if share == nil {
		holder := p.probe.spec.Name + ", " + user.Source
		if user.Destination != "" {
			holder += " -> " + user.Destination
		}
		color, err := e.colors.Take(time.Now(), 0, holder)
		if err != nil {
			return 0, err
		}
		share = &colorShare{color: color}
		p.probe.colors[user] = share
	}
	share.pairs++
	return share.color, nil
}

// colorUser is who has the color: the pair where replies show nothing else, otherwise all pairs of a source.
func (p *pair) colorUser() probespec.Pair {
	if p.probe.spec.Type.LinkLayer {
		return p.key
	}
	return probespec.Pair{Source: p.key.Source}
}

// drop ends a pair and releases its trap, color and metrics. The engine's lock is held.
func (e *Engine) drop(p *pair) {
	p.gone = true
	e.rtt.DeleteLabelValues(p.labels()...)
	if p.s == nil {
		return
	}
	e.unregister(p.s)
	if p.set.app != nil {
		e.sender(p.setAt).remove(p.set)
	}
	share := p.probe.colors[p.colorUser()] // since p has a stream
	if share.pairs--; share.pairs == 0 {
		e.colors.Release(time.Now(), share.color)
		delete(p.probe.colors, p.colorUser())
	}
}

// asCannotRun converts an error to the reason why a pair is not probed.
func asCannotRun(err error, stage probespec.Stage) *probespec.CannotRunError {
	var why *probespec.CannotRunError
	if errors.As(err, &why) {
		return why
	}
	return &probespec.CannotRunError{Stage: stage, Reason: err.Error()}
}
