package controller

import (
	"cmp"
	"slices"
	"time"

	"github.com/eosin-sdn/eosin/openflow"
)

// A switch that is gone is kept for a while, since it usually comes back and goes on forwarding meanwhile. But who may connect may
// also make up datapath ids, and must not fill the memory with them.
const (
	keepFor       = time.Hour
	keepStrangers = 256     // disconnected switches that the config does not name
	keepFlows     = 100_000 // of all of them
)

// forgetStrangers drops switches that are disconnected and that the config does not name: those that never got as far as to be
// ready at once, others after an hour, or earlier when there are many.
func (c *Controller) forgetStrangers(now time.Time) {
	type gone struct {
		id    openflow.DatapathID
		left  time.Time
		ready bool
		flows int
	}
	cfg := c.Config()
	var strangers []gone
	for _, s := range c.list() {
		if _, named := cfg.Switches.ByDatapathID(s.id); named {
			continue
		}
		s.mu.Lock()
		if s.conn == nil && !s.left.IsZero() {
			strangers = append(strangers, gone{s.id, s.left, s.machine.WasReady(), s.machine.Out.Store.Len()})
		}
		s.mu.Unlock()
	}
	slices.SortFunc(strangers, func(a, b gone) int { return cmp.Compare(b.left.UnixNano(), a.left.UnixNano()) }) // the latest first
	flows := 0
	for i, g := range strangers {
		flows += g.flows
		if g.ready && i < keepStrangers && now.Sub(g.left) < keepFor && flows <= keepFlows {
			continue
		}
		c.forget(g.id)
	}
}

// forget drops a switch, unless it has just come back.
func (c *Controller) forget(id openflow.DatapathID) {
	c.mu.Lock()
	s := c.switches[id]
	c.mu.Unlock()
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != nil {
		return
	}
	s.forgotten = true
	if s.timer != nil {
		s.timer.Stop()
	}
	c.mu.Lock()
	delete(c.switches, id)
	c.mu.Unlock()
	c.fabric.post(post{sw: id, kind: postForgotten})
}
