package l2

import (
	"time"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/flow"
	"github.com/eosin-sdn/eosin/topology"
)

// retainFor is the least time that forward rules of remote hosts outlive a restart of the controller: by then their
// links have been found again, or it is known which are missing.
const retainFor = 10 * time.Second

// MultipartReply restores state from a flow dump after a restart of the controller: local hosts from their learn rules,
// and which ports are ends of links. Forward rules of other hosts are retained until their links are found again.
func (a *App) MultipartReply(now time.Time, f *openflow.FlowStats, m *flow.Match, out *apps.Output) {
	owner, _ := flow.OwnerOf(f.Cookie)
	if port, ok := m.GetInPort(); ok && owner == apps.OwnerL2 && f.TableID == a.tables.learn.Number &&
		f.Priority == prioTransit {
		if p := a.sw.Ports[port]; p != nil && p.Up && !p.Transit {
			p.Retained, p.Transit = true, true
		}
		return
	}
	vlan, ok := m.GetVLAN()
	if owner != apps.OwnerHosts || !ok || f.Priority != prioHost {
		return
	}
	switch f.TableID {
	case a.tables.learn.Number:
		a.restoreLocal(now, vlan, f, m, out)
	case a.tables.forward.Number:
		a.restoreForward(now, vlan, f, m, out)
	}
}

func (a *App) restoreLocal(now time.Time, vlan uint16, f *openflow.FlowStats, m *flow.Match, out *apps.Output) {
	mac, ok := m.GetEthSrc()
	port, ok2 := m.GetInPort()
	p := a.sw.Ports[port]
	if !ok || !ok2 || f.HardTimeout != 0 || p == nil || !p.Carries(vlan) { // a hard timeout marks a suppression
		return
	}
	k := topology.NewHostKey(vlan, mac)
	if _, twice := a.local[k]; twice {
		return
	}
	since := now.Add(-time.Duration(f.DurationSec) * time.Second)
	a.portState(port).hosts++ // a new state: the first Refresh checks what has become of the port
	a.local[k] = host{port: port, since: since.UnixNano(), last: now.UnixNano(), count: uint32(f.Packets)}
	delete(a.retained, k)
	out.Facts = append(out.Facts, hostFact(apps.HostSeen, k, port, since))
}

func (a *App) restoreForward(now time.Time, vlan uint16, f *openflow.FlowStats, m *flow.Match, out *apps.Output) {
	mac, ok := m.GetEthDst()
	if !ok {
		return
	}
	k := topology.NewHostKey(vlan, mac)
	if _, elsewhere := a.remote[k]; elsewhere {
		return // HostAt has stated its rule
	}
	if _, here := a.local[k]; !here {
		a.retained[k] = struct{}{}
	}
	a.retainUntil = now.Add(retainFor)
	out.WakeAt(a.retainUntil)
	out.Put(&flow.Rule{
		Table: f.TableID, Priority: f.Priority, Cookie: f.Cookie, Match: *m,
		Instructions: append(flow.Instructions(nil), f.Instructions...),
	})
}

// Restored is called after the last flow of the dump: it states the rules of the restored hosts.
func (a *App) Restored(out *apps.Output) {
	a.timeout = timeoutSeconds(a.sw.Settings.HostTimeout)
	for k, h := range a.local {
		a.install(k, h.port, out)
	}
}

// Tick drops retained rules and suppressions whose time is over.
func (a *App) Tick(now time.Time, out *apps.Output) {
	if len(a.retained) > 0 {
		switch {
		case now.Before(a.retainUntil):
			out.WakeAt(a.retainUntil)
		case a.sw.Restoring():
			out.WakeAt(now.Add(time.Second))
		default:
			for k := range a.retained { // all of them without a path
				a.dropForward(k, out)
			}
			clear(a.retained)
		}
	}
	a.expireSuppressed(now, out)
}
