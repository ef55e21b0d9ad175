package l2

import (
	"fmt"
	"time"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/apps/event"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/flow"
	"github.com/eosin-sdn/eosin/topology"
)

// suppression is a rule that keeps frames of a frozen host at the wrong port from being copied to the controller.
type suppression struct {
	key   topology.HostKey
	port  openflow.PortNo
	until time.Time
}

// move moves a host to another port of this switch, unless it is frozen. A host that moves to a port at its limit
// becomes unknown: its frames are flooded, and not sent to its previous port.
func (a *App) move(
	now time.Time, k topology.HostKey, h host, to openflow.PortNo, out *apps.Output,
) (Drop, bool) {
	if until, frozen := a.frozen[k]; frozen {
		if now.Before(until) {
			a.suppress(now, k, to, until, out)
			return DropFrozen, false
		}
		delete(a.frozen, k)
	}
	if !a.mayMove(now, k) {
		a.Freeze(now, k, out)
		a.suppress(now, k, to, a.frozen[k], out)
		network, _ := a.sw.Network(k.VLAN())
		from := a.portName(h.port)
		out.Emit(now, event.Event{
			Type: event.HostFrozen, Switch: a.sw.Name, Host: k.MAC().String(), Network: network.Name,
			Message: fmt.Sprintf("host %s (VLAN %d) moves between ports %s and %s of switch %s more than %d times "+
				"in %s: it stays at %s for %s", k.MAC(), k.VLAN(), from, a.portName(to), a.sw.Name,
				a.sw.Settings.Moves, topology.MoveWindow, from, topology.FreezeTime),
		})
		return DropFrozen, false
	}
	if l := a.sw.Settings.HostsPerPort; l > 0 && a.portState(to).hosts >= l {
		a.forget(now, k, h, out)
		return DropPortLimit, false
	}
	a.Moves[k.VLAN()]++
	from := h.port
	a.portState(from).hosts--
	a.portState(to).hosts++
	h.port, h.since, h.last = to, now.UnixNano(), now.UnixNano()
	a.local[k] = h
	a.install(k, to, out)
	a.dropLearn(k, from, out)
	out.Facts = append(out.Facts, hostFact(apps.HostSeen, k, to, now))
	return 0, true
}

// mayMove counts a move of a host and reports whether it is within the limit.
func (a *App) mayMove(now time.Time, k topology.HostKey) bool {
	limit := a.sw.Settings.Moves
	if limit <= 0 {
		return true
	}
	l := a.limiters[k]
	ok := l.Allow(limit, now.UnixNano())
	a.limiters[k] = l
	return ok
}

// Freeze keeps a host from moving or being learned on this switch for [topology.FreezeTime].
func (a *App) Freeze(now time.Time, k topology.HostKey, out *apps.Output) {
	a.frozen[k] = now.Add(topology.FreezeTime)
	out.WakeAt(a.frozen[k])
}

// suppress states the rule of a suppression. Unlike that of a host it has a hard timeout, by which it is told apart in
// a flow dump, and no removal message.
func (a *App) suppress(now time.Time, k topology.HostKey, port openflow.PortNo, until time.Time, out *apps.Output) {
	for _, s := range a.suppressed {
		if s.key == k && s.port == port {
			return
		}
	}
	a.suppressed = append(a.suppressed, suppression{k, port, until})
	out.Put(&flow.Rule{
		Table: a.tables.learn.Number, Priority: prioHost, Cookie: hostCookie(k), Match: learnMatch(k, port),
		HardTimeout:  timeoutSeconds(until.Sub(now)),
		Instructions: flow.Instructions(nil).Goto(a.tables.forward.Number),
	})
	out.WakeAt(until)
}

// expireSuppressed ends suppressions and freezes whose time is over: the next frame is copied again.
func (a *App) expireSuppressed(now time.Time, out *apps.Output) {
	kept := a.suppressed[:0]
	for _, s := range a.suppressed {
		if now.Before(s.until) {
			kept = append(kept, s)
			out.WakeAt(s.until)
			continue
		}
		if h, known := a.local[s.key]; !known || h.port != s.port {
			a.dropLearn(s.key, s.port, out)
		}
	}
	a.suppressed = kept
	for k, until := range a.frozen {
		if !now.Before(until) {
			delete(a.frozen, k)
		} else {
			out.WakeAt(until)
		}
	}
}

func (a *App) portName(no openflow.PortNo) string {
	if p := a.sw.Ports[no]; p != nil {
		return p.Name
	}
	return no.String()
}
