package switches

import (
	"context"
	"slices"
	"time"

	"github.com/eosin-sdn/eosin/controller/datapath"
	"github.com/eosin-sdn/eosin/openflow"
)

// A switch that is gone is kept for a while, since it usually comes back. But whoever may connect may also make up
// datapath ids, and must not fill the memory with them.
const (
	keepFor    = time.Hour
	keepFlows  = 100_000 // of all of them
	pruneEvery = 5 * time.Second

	// MaxStale is how many disconnected switches are kept that the config does not name.
	MaxStale = 256
)

// disconnected counts a session that has ended. When there were many, stale switches are removed at once.
func (r *Registry) disconnected() {
	if r.disconnections.Add(1) >= MaxStale {
		select {
		case r.pruneNow <- struct{}{}:
		default: // it is on its way
		}
	}
}

// RunPruning removes stale switches until ctx ends. Those that the config names stay; after is called after each round.
func (r *Registry) RunPruning(ctx context.Context, named func(openflow.DatapathID) bool, after func()) error {
	tick := time.NewTicker(pruneEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-r.pruneNow:
		case <-tick.C:
		}
		r.disconnections.Store(0)
		r.Prune(time.Now(), named)
		after()
	}
}

// Prune removes switches that are disconnected and that the config does not name: those that never became ready at
// once, others after an hour, or earlier when there are many.
func (r *Registry) Prune(now time.Time, named func(openflow.DatapathID) bool) {
	type candidate struct {
		sw    *Switch
		left  time.Time
		ready bool
		flows int
	}
	var stale []candidate
	for _, s := range r.List() {
		if named(s.id) {
			continue
		}
		s.Read(func(m *datapath.Machine, st State) {
			if !st.Connected && !st.Left.IsZero() {
				stale = append(stale, candidate{s, st.Left, m.WasReady(), m.Out.Store.Len()})
			}
		})
	}
	slices.SortFunc(stale, func(a, b candidate) int { return b.left.Compare(a.left) }) // the latest first
	flows := 0
	for i, c := range stale {
		flows += c.flows
		if c.ready && i < MaxStale && now.Sub(c.left) < keepFor && flows <= keepFlows {
			continue
		}
		c.sw.remove()
	}
}

// remove removes the switch from its registry, unless it has just come back.
func (s *Switch) remove() {
	s.mu.Lock()
	defer s.unlock()
	if s.session != nil || s.removed {
		return
	}
	s.removed = true
	if s.timer != nil {
		s.timer.Stop()
	}
	s.registry.remove(s.id)
	s.deps.Fabric.SwitchRemoved(s.id)
}
