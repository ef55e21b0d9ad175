package controller

import (
	"context"
	"time"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/apps/intent"
	"github.com/eosin-sdn/eosin/config"
	"github.com/eosin-sdn/eosin/controller/api"
	"github.com/eosin-sdn/eosin/controller/datapath"
	"github.com/eosin-sdn/eosin/controller/switches"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/topology"
)

// statsFresh is how old the counters of ports may be.
const statsFresh = time.Second

// Ports returns every port, with counters that were asked for just now.
func (b *backend) Ports(ctx context.Context) ([]api.Port, error) {
	cfg := b.status.config.Load()
	b.refreshPortStats(ctx)
	out := []api.Port{}
	for _, s := range b.registry.List() {
		eachPort(s, func(name string, p *apps.Port, stats *openflow.PortStats) {
			out = append(out, api.Port{
				Switch: name, Name: p.Name, Number: uint32(p.No), MAC: p.MAC.String(), Up: p.Up,
				Observable: p.Observable, Mode: p.Mode.String(), Source: string(p.Source), Transit: p.Transit,
				Networks: networkNames(cfg, p.VLANs), Native: nativeName(cfg, p), Counters: portCounters(stats),
			})
		})
	}
	byName(out, func(p *api.Port) string { return p.Switch })
	return out, nil
}

// refreshPortStats asks all switches for their ports' counters and waits a little for the answers.
func (b *backend) refreshPortStats(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, statsFresh)
	defer cancel()
	var answers []chan struct{}
	for _, s := range b.registry.List() {
		_ = s.Step(func(now time.Time, m *datapath.Machine, st switches.State) error {
			if st.Usable {
				done := make(chan struct{})
				m.RequestPortStats(now)
				m.Barrier(done)
				answers = append(answers, done)
			}
			return nil
		})
	}
	for _, a := range answers {
		select {
		case <-a:
		case <-ctx.Done():
			return
		}
	}
}

func eachPort(s *switches.Switch, f func(name string, p *apps.Port, stats *openflow.PortStats)) {
	s.Read(func(m *datapath.Machine, state switches.State) {
		m.Ports(func(p *apps.Port, st *openflow.PortStats) {
			c := *p
			c.Up = p.Up && state.Connected // nobody knows, and frames of a dead switch go nowhere
			f(m.Name(), &c, st)
		})
	})
}

func portCounters(s *openflow.PortStats) *api.Counters {
	if s == nil {
		return nil
	}
	known := func(v uint64) uint64 {
		if v == ^uint64(0) {
			return 0 // the switch does not keep it
		}
		return v
	}
	return &api.Counters{
		RxPackets: known(s.RxPackets), TxPackets: known(s.TxPackets),
		RxBytes: known(s.RxBytes), TxBytes: known(s.TxBytes),
		RxDropped: known(s.RxDropped), TxDropped: known(s.TxDropped),
		RxErrors: known(s.RxErrors), TxErrors: known(s.TxErrors),
	}
}

func nativeName(cfg *config.Config, p *apps.Port) string {
	if p.Mode == intent.Trunk && p.Native != 0 {
		return networkName(cfg, p.Native)
	}
	return ""
}

// Tunnels returns the ports that are tunnels: by config, or because discovery frames came through one.
func (b *backend) Tunnels(ctx context.Context) ([]api.Tunnel, error) {
	cfg := b.status.config.Load()
	b.refreshPortStats(ctx)
	peers, tunnels := tunnelEnds(b.fabric.Snapshot())
	out := []api.Tunnel{}
	for _, s := range b.registry.List() {
		var ts []api.Tunnel
		var refs []topology.PortRef
		eachPort(s, func(name string, p *apps.Port, stats *openflow.PortStats) {
			ref := topology.PortRef{Switch: s.ID(), Port: p.No}
			alive, linked := tunnels[ref]
			if p.Mode != intent.Tunnel && !linked {
				return
			}
			t := api.Tunnel{
				Name: name + ":" + p.Name, Switch: name, Port: p.Name, Number: uint32(p.No), Mode: p.Mode.String(),
				Networks: networkNames(cfg, p.VLANs), Up: p.Up && (alive || !linked), Counters: portCounters(stats),
				Local: text(p.TunnelLocal), Remote: text(p.TunnelRemote),
			}
			if p.Mode == intent.Tunnel {
				t.Key = "flow"
			}
			ts, refs = append(ts, t), append(refs, ref)
		})
		for i := range ts {
			if peer, ok := peers[refs[i]]; ok {
				at := b.place(peer)
				ts[i].Peer = &at
			}
		}
		out = append(out, ts...)
	}
	byName(out, func(t *api.Tunnel) string { return t.Name })
	return out, nil
}

// tunnelEnds returns the other ends of links that are up through tunnels, and of each end of such a link whether any
// of its links is not down.
func tunnelEnds(g *topology.Snapshot) (peers map[topology.PortRef]topology.PortRef, alive map[topology.PortRef]bool) {
	peers, alive = map[topology.PortRef]topology.PortRef{}, map[topology.PortRef]bool{}
	for _, l := range g.Links() {
		if l.Kind != topology.Tunnel {
			continue
		}
		for _, end := range [...]topology.PortRef{l.A, l.B} {
			alive[end] = alive[end] || l.State != topology.Down
		}
		if l.State == topology.Up {
			peers[l.A], peers[l.B] = l.B, l.A
		}
	}
	return peers, alive
}
