package controller

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/apps/probe"
	"github.com/eosin-sdn/eosin/apps/probe/probespec"
	"github.com/eosin-sdn/eosin/config"
	"github.com/eosin-sdn/eosin/config/spelling"
	"github.com/eosin-sdn/eosin/controller/location"
	"github.com/eosin-sdn/eosin/controller/prober"
	"github.com/eosin-sdn/eosin/controller/switches"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/packet"
)

// proberFabric lets the probe engine see and use the network.
type proberFabric struct {
	config   func() *config.Config // the running one
	registry *switches.Registry
	finder   *location.Finder
}

var _ prober.Fabric = (*proberFabric)(nil)

// Exec runs fn as one step of a switch.
func (r *proberFabric) Exec(sw openflow.DatapathID, fn func(now time.Time, app *probe.App, out *apps.Output)) error {
	s, err := r.get(sw)
	if err != nil {
		return err
	}
	return s.Exec(fn)
}

// Barrier waits until a switch has done all that was sent before.
func (r *proberFabric) Barrier(ctx context.Context, sw openflow.DatapathID) error {
	s, err := r.get(sw)
	if err != nil {
		return err
	}
	return s.Barrier(ctx)
}

func (r *proberFabric) get(id openflow.DatapathID) (*switches.Switch, error) {
	if s := r.registry.Get(id); s != nil {
		return s, nil
	}
	return nil, fmt.Errorf("switch %s: %w", id, switches.ErrOffline)
}

// Resolve finds who is meant by a host's name, an IP address, a MAC address, or SWITCH:PORT.
func (r *proberFabric) Resolve(ref string) (prober.Endpoint, error) {
	cfg := r.config()
	if h, ok := cfg.Hosts.ByName(ref); ok {
		return r.named(cfg, h)
	}
	if ip, err := netip.ParseAddr(ref); err == nil {
		return one(ref, r.byAddress(cfg, "", ip.Unmap()))
	}
	if mac, err := packet.ParseMAC(ref); err == nil {
		return one(ref, r.byMAC(cfg, mac))
	}
	if i := strings.LastIndexByte(ref, ':'); i > 0 {
		if s := r.registry.ByName(ref[:i]); s != nil {
			return r.atPort(cfg, s, ref[:i], ref[i+1:])
		}
		return prober.Endpoint{}, &probespec.UnknownError{Ref: ref, Candidates: suggest(ref[:i], r.switchNames())}
	}
	return prober.Endpoint{}, &probespec.UnknownError{Ref: ref, Candidates: suggest(ref, r.hostNames(cfg))}
}

// one returns the only endpoint that a reference can mean.
func one(ref string, es []prober.Endpoint) (prober.Endpoint, error) {
	switch len(es) {
	case 0:
		return prober.Endpoint{}, &probespec.UnknownError{Ref: ref}
	case 1:
		return es[0], nil
	}
	names := make([]string, len(es))
	for i, e := range es {
		names[i] = fmt.Sprintf("%s (%s at %s:%s)", e.Name, e.Network, e.SwitchName, e.PortName)
	}
	return prober.Endpoint{}, &probespec.AmbiguousError{Ref: ref, Candidates: names}
}

// ResolveIn finds the host that uses an address in a network.
func (r *proberFabric) ResolveIn(network string, addr netip.Addr) (prober.Endpoint, bool) {
	es := r.byAddress(r.config(), network, addr)
	if len(es) == 0 {
		return prober.Endpoint{}, false
	}
	return es[0], true
}

// Network returns every host that is known in a network: seen, unplugged a short while ago, or named by the config.
func (r *proberFabric) Network(name string) []prober.Endpoint {
	cfg := r.config()
	n, ok := cfg.Networks.ByName(name)
	if !ok {
		return nil
	}
	var es []prober.Endpoint
	for _, p := range r.finder.Hosts() {
		if p.Key.VLAN() == n.VLAN {
			es = append(es, endpoint(cfg, p))
		}
	}
	for _, p := range r.finder.Unplugged() {
		if p.Key.VLAN() == n.VLAN && !hasMAC(es, p.Key.MAC()) {
			es = append(es, endpoint(cfg, p))
		}
	}
	for _, h := range cfg.Hosts {
		if h.Network != name || slices.ContainsFunc(es, func(e prober.Endpoint) bool { return e.Name == h.Name }) {
			continue
		}
		if e, err := r.named(cfg, h); err == nil && e.Network == name {
			es = append(es, e)
		}
	}
	slices.SortFunc(es, func(a, b prober.Endpoint) int { return strings.Compare(a.Name, b.Name) })
	return es
}

// maxCandidates is how many names an error lists.
const maxCandidates = 12

// suggest returns the names that are most like what was written.
func suggest(ref string, names []string) []string { return spelling.Nearest(ref, names, maxCandidates) }

func (r *proberFabric) hostNames(cfg *config.Config) []string {
	var names []string
	for _, h := range cfg.Hosts {
		names = append(names, h.Name)
	}
	for _, p := range r.finder.Hosts() {
		if name := endpoint(cfg, p).Name; !slices.Contains(names, name) {
			names = append(names, name)
		}
		if len(names) > 10*maxCandidates {
			break
		}
	}
	return names
}

func (r *proberFabric) switchNames() []string {
	var names []string
	for _, s := range r.registry.List() {
		names = append(names, s.Name())
	}
	return names
}
