package l2

import (
	"fmt"
	"time"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/event"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/flow"
	"github.com/eosin-sdn/eosin/topology"
)

// A host that moves more often than the limit within moveWindow stays where it is for freezeFor: two guests with one address,
// or a loop behind edge ports, must not keep the controller busy.
const (
	moveWindow = 10 * time.Second
	freezeFor  = 60 * time.Second
)

// hush is a rule that keeps the frames of a frozen host at the wrong port from being copied again and again.
type hush struct {
	key   topology.HostKey
	port  openflow.PortNo
	until time.Time
}

// move takes a host to another port of this switch, or refuses to because it is frozen. One that comes to a port which has as many
// hosts as it may have is known nowhere from then on: its frames are flooded, and not sent to where it was.
func (a *App) move(now time.Time, k topology.HostKey, h host, to openflow.PortNo, out *apps.Output) (Drop, bool) {
	if until, frozen := a.frozen[k]; frozen {
		if now.Before(until) {
			a.hush(now, k, to, until, out)
			return DropFrozen, false
		}
		delete(a.frozen, k)
	}
	if now.UnixNano()-h.moved > int64(moveWindow) {
		h.moved, h.moves = now.UnixNano(), 0
	}
	h.moves++
	if l := a.sw.Settings.Moves; l > 0 && int(h.moves) > l {
		a.local[k] = h
		a.Freeze(now, k, out)
		a.hush(now, k, to, a.frozen[k], out)
		network, _ := a.sw.Network(k.VLAN())
		out.Emit(now, event.Event{
			Type: event.HostFrozen, Switch: a.sw.Name, Host: k.MAC().String(), Network: network.Name,
			Message: fmt.Sprintf("host %s (VLAN %d) moves between ports %s and %s of switch %s more than %d times in %s: it stays at %s for %s",
				k.MAC(), k.VLAN(), a.portName(h.port), a.portName(to), a.sw.Name, l, moveWindow, a.portName(h.port), freezeFor),
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
	out.Facts = append(out.Facts, apps.Fact{Kind: apps.HostSeen, Port: to, VLAN: k.VLAN(), MAC: k.MAC(), At: now})
	return 0, true
}

// Freeze keeps a host from moving or being learned on this switch for a while.
func (a *App) Freeze(now time.Time, k topology.HostKey, out *apps.Output) {
	a.frozen[k] = now.Add(freezeFor)
	out.WakeAt(a.frozen[k])
}

// hush states such a rule. Unlike a host's it has a hard timeout, by which it is told from one in a dump, and no removal message.
func (a *App) hush(now time.Time, k topology.HostKey, port openflow.PortNo, until time.Time, out *apps.Output) {
	for _, h := range a.hushes {
		if h.key == k && h.port == port {
			return
		}
	}
	a.hushes = append(a.hushes, hush{k, port, until})
	out.Put(&flow.Rule{
		Table: apps.TableLearn, Priority: prioHost, Cookie: hostCookie(k), HardTimeout: idleSeconds(until.Sub(now)),
		Match: learnMatch(k, port), Instructions: flow.Instructions(nil).Goto(apps.TableForward),
	})
	out.WakeAt(until)
}

// unhush ends what has frozen for long enough: the next frame is looked at again.
func (a *App) unhush(now time.Time, out *apps.Output) {
	kept := a.hushes[:0]
	for _, h := range a.hushes {
		if now.Before(h.until) {
			kept = append(kept, h)
			out.WakeAt(h.until)
			continue
		}
		if at, known := a.local[h.key]; !known || at.port != h.port {
			a.dropLearn(h.key, h.port, out)
		}
	}
	a.hushes = kept
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
