package controller

import (
	"context"
	"crypto/tls"
	"fmt"
	"slices"
	"strings"

	"github.com/eosin-sdn/eosin/apps/probe/probespec"
	"github.com/eosin-sdn/eosin/controller/api"
	"github.com/eosin-sdn/eosin/controller/datapath"
	"github.com/eosin-sdn/eosin/controller/fabric"
	"github.com/eosin-sdn/eosin/controller/location"
	"github.com/eosin-sdn/eosin/controller/ovsdb"
	"github.com/eosin-sdn/eosin/controller/prober"
	"github.com/eosin-sdn/eosin/controller/southbound"
	"github.com/eosin-sdn/eosin/controller/switches"
	"github.com/eosin-sdn/eosin/openflow"
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

// Probes returns the continuous probes.
func (b *backend) Probes(context.Context) ([]probespec.Status, error) { return b.prober.Probes(), nil }

// Mesh returns the newest verdict of every pair that is probed continuously.
func (b *backend) Mesh(context.Context) ([]probespec.MeshEntry, error) { return b.prober.Mesh(), nil }

// Probe runs one probe.
func (b *backend) Probe(ctx context.Context, req probespec.Request, report func(probespec.Update)) (
	probespec.Result, error,
) {
	return b.prober.Probe(ctx, req, report)
}

// byName sorts objects by their names.
func byName[T any](objects []T, name func(*T) string) {
	slices.SortStableFunc(objects, func(x, y T) int { return strings.Compare(name(&x), name(&y)) })
}

// text is an address or a prefix as text, "" for none.
func text[T interface {
	IsValid() bool
	String() string
}](v T) string {
	if !v.IsValid() {
		return ""
	}
	return v.String()
}

// Switches returns the switches that are or were connected, and those that the config names.
func (b *backend) Switches(context.Context) ([]api.Switch, error) {
	out := []api.Switch{}
	modes := b.modes()
	add := func(id openflow.DatapathID, sw api.Switch) {
		if m, known := modes[id]; known {
			sw.Bridge, sw.FailMode, sw.FailModeWarning = m.Bridge, m.FailMode(), m.Warning
		}
		out = append(out, sw)
	}
	seen := map[openflow.DatapathID]bool{}
	for _, s := range b.registry.List() {
		seen[s.ID()] = true
		add(s.ID(), describe(s))
	}
	for _, sw := range b.status.config.Load().Switches {
		if !seen[sw.DatapathID] {
			add(sw.DatapathID, api.Switch{Name: sw.Name, DatapathID: sw.DatapathID.String()})
		}
	}
	byName(out, func(s *api.Switch) string { return s.Name })
	return out, nil
}

func describe(s *switches.Switch) (sw api.Switch) {
	s.Read(func(m *datapath.Machine, state switches.State) {
		st := m.Status()
		sw = api.Switch{
			Name: st.Name, DatapathID: s.ID().String(), Connected: state.Connected, Ports: st.Ports, Flows: st.Flows,
			Description: strings.TrimSpace(st.Desc.Manufacturer + " " + st.Desc.Hardware),
			Software:    st.Desc.Software, Serial: st.Desc.Serial,
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

// Links returns the discovered links.
func (b *backend) Links(context.Context) ([]api.Link, error) {
	out := []api.Link{}
	for _, l := range b.fabric.Snapshot().Links() {
		x, y := b.place(l.A), b.place(l.B)
		link := api.Link{
			Name: api.LinkName(x, y), A: x, B: y, Up: l.State == topology.Up, State: l.State.String(),
			Forwarding: l.Forwarding, Kind: l.Kind.String(),
		}
		if l.Latency > 0 {
			latency := l.Latency
			link.LatencySeconds = &latency
		}
		out = append(out, link)
	}
	byName(out, func(l *api.Link) string { return l.Name })
	return out, nil
}

func (b *backend) place(ref topology.PortRef) api.Place {
	sw, port := b.registry.PortName(ref)
	return api.Place{Switch: sw, Port: port}
}
