package controller

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/apps/intent"
	"github.com/eosin-sdn/eosin/apps/pipeline"
	"github.com/eosin-sdn/eosin/config"
	"github.com/eosin-sdn/eosin/controller/api"
	"github.com/eosin-sdn/eosin/controller/datapath"
	"github.com/eosin-sdn/eosin/controller/fabric"
	"github.com/eosin-sdn/eosin/controller/location"
	"github.com/eosin-sdn/eosin/controller/ovsdb"
	"github.com/eosin-sdn/eosin/controller/prober"
	"github.com/eosin-sdn/eosin/controller/southbound"
	"github.com/eosin-sdn/eosin/controller/switches"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/flow"
	"github.com/eosin-sdn/eosin/openflow/oftext"
	"github.com/eosin-sdn/eosin/topology"
)

// backend answers what the API asks.
type backend struct {
	*api.EventLog
	status   *status
	registry *switches.Registry
	finder   *location.Finder
	fabric   *fabric.Fabric
	prober   *prober.Engine
	modes    func() map[openflow.DatapathID]ovsdb.SwitchMode
}

var _ api.Backend = (*backend)(nil)

// Ready reports whether the controller serves by the config that it was given last, and if not, why.
func (b *backend) Ready(context.Context) (bool, string) { return b.status.ready() }

// Switches returns the switches that are or were connected, and those that the config names.
func (b *backend) Switches(context.Context) ([]api.Switch, error) {
	out := []api.Switch{}
	modes := b.modes()
	seen := map[openflow.DatapathID]bool{}
	for _, s := range b.registry.List() {
		seen[s.ID()] = true
		out = append(out, describe(s))
	}
	for _, sw := range b.status.config.Load().Switches {
		if !seen[sw.DatapathID] {
			out = append(out, api.Switch{Name: sw.Name, DatapathID: sw.DatapathID.String()})
		}
	}
	for i := range out {
		id, _ := openflow.ParseDatapathID(out[i].DatapathID)
		if m, known := modes[id]; known {
			out[i].Bridge, out[i].FailMode, out[i].FailModeWarning = m.Bridge, m.FailMode(), m.Warning
		}
	}
	slices.SortStableFunc(out, func(x, y api.Switch) int { return strings.Compare(x.Name, y.Name) })
	return out, nil
}

func describe(s *switches.Switch) (sw api.Switch) {
	s.Read(func(m *datapath.Machine, state switches.State) {
		st := m.Status()
		sw = api.Switch{
			Name: st.Name, DatapathID: s.ID().String(), Connected: state.Connected, Ports: st.Ports, Flows: st.Flows,
			Description: strings.TrimSpace(st.Desc.Manufacturer + " " + st.Desc.Hardware), Software: st.Desc.Software, Serial: st.Desc.Serial,
		}
		if state.Connected {
			sw.Address, sw.ConnectedSince = state.Peer, &st.Since
			sw.Role = openflow.RoleName(st.Role)
			if cert, tlsState := southbound.PeerCertificate(state.NetConn); cert != nil {
				sw.TLS = &api.SwitchTLS{
					Version: tls.VersionName(tlsState.Version), Certificate: cert.Subject.CommonName,
					Serial: fmt.Sprintf("%X", cert.SerialNumber), Expires: cert.NotAfter,
				}
			}
		}
		if st.Err != nil {
			sw.Error = st.Err.Error()
		}
	})
	return sw
}

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
				Switch: name, Name: p.Name, Number: uint32(p.No), Up: p.Up, Observable: p.Observable, Mode: p.Mode.String(), Source: string(p.Source),
				Networks: networkNames(cfg, p.VLANs), Native: nativeName(cfg, p), Transit: p.Transit, MAC: p.MAC.String(), Counters: portCounters(stats),
			})
		})
	}
	slices.SortStableFunc(out, func(x, y api.Port) int { return cmp.Compare(x.Switch, y.Switch) })
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
		RxPackets: known(s.RxPackets), TxPackets: known(s.TxPackets), RxBytes: known(s.RxBytes), TxBytes: known(s.TxBytes),
		RxDropped: known(s.RxDropped), TxDropped: known(s.TxDropped), RxErrors: known(s.RxErrors), TxErrors: known(s.TxErrors),
	}
}

func networkNames(cfg *config.Config, vlans []uint16) []string {
	names := make([]string, 0, len(vlans))
	for _, v := range vlans {
		names = append(names, networkName(cfg, v))
	}
	return names
}

func networkName(cfg *config.Config, vlan uint16) string {
	if n, ok := cfg.Networks.ByVLAN(vlan); ok {
		return n.Name
	}
	return ""
}

func nativeName(cfg *config.Config, p *apps.Port) string {
	if p.Mode == intent.Trunk && p.Native != 0 {
		return networkName(cfg, p.Native)
	}
	return ""
}

// Hosts returns the hosts that were seen and those that the config names.
func (b *backend) Hosts(context.Context) ([]api.Host, error) {
	cfg := b.status.config.Load()
	out, named := []api.Host{}, map[string]bool{}
	for _, p := range b.finder.Hosts() {
		e := endpoint(cfg, p)
		named[e.Name] = true
		last := p.Last
		out = append(out, api.Host{
			Name: e.Name, MAC: e.MAC.String(), IPs: texts(e.IPs), Network: e.Network, VLAN: e.VLAN, Switch: e.SwitchName, Port: e.PortName,
			Configured: e.Name != e.MAC.String(), LastSeen: &last,
		})
	}
	for _, h := range cfg.Hosts {
		if named[h.Name] {
			continue
		}
		host := api.Host{Name: h.Name, IPs: texts(h.IPs), Network: h.Network, Configured: true}
		if !h.MAC.IsZero() {
			host.MAC = h.MAC.String()
		}
		if n, ok := cfg.Networks.ByName(h.Network); ok {
			host.VLAN = n.VLAN
		}
		out = append(out, host)
	}
	slices.SortStableFunc(out, func(x, y api.Host) int { return strings.Compare(x.Name, y.Name) })
	return out, nil
}

func texts(ips []netip.Addr) []string {
	out := make([]string, 0, len(ips))
	for _, ip := range ips {
		out = append(out, ip.String())
	}
	return out
}

func text(ip netip.Addr) string {
	if !ip.IsValid() {
		return ""
	}
	return ip.String()
}

// Links returns the discovered links.
func (b *backend) Links(context.Context) ([]api.Link, error) {
	out := []api.Link{}
	for _, l := range b.fabric.Snapshot().Links() {
		x, y := b.place(l.A), b.place(l.B)
		link := api.Link{
			Name: api.LinkName(x, y), A: x, B: y, Up: l.State == topology.Up, State: l.State.String(), Forwarding: l.Forwarding, Kind: l.Kind.String(),
		}
		if l.Latency > 0 {
			latency := l.Latency
			link.LatencySeconds = &latency
		}
		out = append(out, link)
	}
	slices.SortStableFunc(out, func(x, y api.Link) int { return strings.Compare(x.Name, y.Name) })
	return out, nil
}

func (b *backend) place(ref topology.PortRef) api.Place {
	sw, port := b.registry.PortName(ref)
	return api.Place{Switch: sw, Port: port}
}

// Networks returns the networks of the config, or the implicit one.
func (b *backend) Networks(context.Context) ([]api.Network, error) {
	cfg := b.status.config.Load()
	hosts, ports := b.finder.CountByVLAN(), map[uint16]int{}
	for _, s := range b.registry.List() {
		eachPort(s, func(_ string, p *apps.Port, _ *openflow.PortStats) {
			if !p.Transit {
				for _, v := range p.VLANs {
					ports[v]++
				}
			}
		})
	}
	out := []api.Network{}
	for _, n := range cfg.Networks {
		net := api.Network{Name: n.Name, VLAN: n.VLAN, VNI: n.VNI, Hosts: hosts[n.VLAN], Ports: ports[n.VLAN]}
		if n.Subnet.IsValid() {
			net.Subnet = n.Subnet.String()
		}
		if n.Gateway.IsValid() {
			net.Gateway = n.Gateway.String()
		}
		out = append(out, net)
	}
	return out, nil
}

// Tunnels returns the ports that are tunnels: by config, or because discovery frames came through one.
func (b *backend) Tunnels(ctx context.Context) ([]api.Tunnel, error) {
	cfg := b.status.config.Load()
	b.refreshPortStats(ctx)
	peers := map[topology.PortRef]topology.PortRef{}
	tunnels := map[topology.PortRef]bool{} // whether any of the links that are known through it is not down
	for _, l := range b.fabric.Snapshot().Links() {
		if l.Kind != topology.Tunnel {
			continue
		}
		for _, end := range [...]topology.PortRef{l.A, l.B} {
			tunnels[end] = tunnels[end] || l.State != topology.Down
		}
		if l.State == topology.Up {
			peers[l.A], peers[l.B] = l.B, l.A
		}
	}
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
				Networks: networkNames(cfg, p.VLANs), Up: p.Up && (alive || !linked), Counters: portCounters(stats), Local: text(p.TunnelLocal), Remote: text(p.TunnelRemote),
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
	slices.SortStableFunc(out, func(x, y api.Tunnel) int { return strings.Compare(x.Name, y.Name) })
	return out, nil
}

// Flows returns the flows that switches should have. There may be very many: they are copied under the switch's lock,
// and made readable without it.
func (b *backend) Flows(_ context.Context, filter api.FlowFilter) ([]api.Flow, error) {
	out := []api.Flow{}
	for _, s := range b.registry.List() {
		name, mods := flowsOf(s, filter)
		out = slices.Grow(out, len(mods))
		for i := range mods {
			m := &mods[i]
			owner, _ := flow.OwnerOf(m.Cookie)
			out = append(out, api.Flow{
				Switch: name, Table: m.TableID, TableName: pipeline.Layout.Name(m.TableID), Priority: m.Priority, Cookie: fmt.Sprintf("%#x", m.Cookie),
				Owner: pipeline.Layout.AppOf(owner), Match: oftext.Match(m.Match), Actions: oftext.Instructions(m.Instructions),
			})
		}
	}
	slices.SortFunc(out, func(x, y api.Flow) int {
		return cmp.Or(strings.Compare(x.Switch, y.Switch), cmp.Compare(x.Table, y.Table), cmp.Compare(y.Priority, x.Priority), strings.Compare(x.Match, y.Match))
	})
	return out, nil
}

// flowsOf copies the switch's flows that a filter lets through.
func flowsOf(s *switches.Switch, filter api.FlowFilter) (name string, mods []openflow.FlowMod) {
	s.Read(func(m *datapath.Machine, _ switches.State) {
		name = m.Name()
		if filter.Switch != "" && filter.Switch != name {
			return
		}
		m.Flows(func(mod *openflow.FlowMod) {
			if filter.Table < 0 || int(mod.TableID) == filter.Table {
				c := *mod
				c.Match, c.Instructions = bytes.Clone(mod.Match), bytes.Clone(mod.Instructions)
				mods = append(mods, c)
			}
		})
	})
	return name, mods
}
