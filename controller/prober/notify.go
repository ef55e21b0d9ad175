package prober

import (
	"fmt"

	"github.com/eosin-sdn/eosin/apps/event"
)

// notifyTransition reports a pair that is no longer as expected, and its recovery. Broken isolation is also counted,
// each round of it.
func (p *pair) notifyTransition() {
	broken := p.verdict != p.probe.spec.Expect
	if broken && p.unreachable() {
		p.violations++
	}
	if broken == p.broken {
		return
	}
	p.broken = broken
	src, dst := describe(p.key.Source, p.src.ep), describe(p.key.Destination, p.dst.ep)
	switch {
	case p.unreachable() && broken:
		p.notify(event.IsolationViolation, "%s reaches %s, which must be unreachable", src, dst)
	case p.unreachable():
		p.notify(event.IsolationRestored, "%s no longer reaches %s", src, dst)
	case !broken:
		p.notify(event.ProbeRecovered, "%s reaches %s again", src, dst)
	case p.loss != nil:
		p.notify(event.ProbeFailing, "%s does not reach %s: %s", src, dst, p.loss.Reason)
	}
}

// notify queues an event for the goroutine of Run.
func (p *pair) notify(t *event.Type, format string, args ...any) {
	name := p.probe.spec.Name
	p.e.events = append(p.e.events, event.Event{
		Type: t, Probe: name, Message: "probe " + name + ": " + fmt.Sprintf(format, args...),
	})
	wake(p.e.wakeCh)
}

func describe(name string, ep *Endpoint) string {
	if ep == nil {
		return name
	}
	return name + " (" + ep.Network + ")"
}
