package prober

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/eosin-sdn/eosin/apps/probe"
	"github.com/eosin-sdn/eosin/apps/probe/probespec"
	"github.com/eosin-sdn/eosin/openflow/packet"
)

// target is a destination: a known host, or an address that no known host uses.
type target struct {
	ref  string
	ep   *Endpoint  // nil: an address only
	addr netip.Addr // the address asked for; zero: any of ep's
	via  netip.Addr // the gateway by which addr is reached; zero: it is in the source's network
	mac  packet.MAC // of addr or via where no host of ours has it, once found out
}

// source is where a probe starts.
type source struct {
	ep   *Endpoint
	addr netip.Addr // the address asked for; zero: any of ep's
}

// resolveSource finds the source that ref names.
func resolveSource(f Fabric, ref string) (source, error) {
	ep, err := f.Resolve(ref)
	if err != nil {
		return source{}, &probespec.EndError{End: "source", Err: err}
	}
	addr, _ := netip.ParseAddr(ref)
	return source{&ep, addr.Unmap()}, nil
}

// resolveTarget finds the destination that ref names, as seen from src. An address belongs to the host of the source's
// network that uses it, else to the one host anywhere that does, else to nobody: then it is sought in the source's
// network, or behind that network's gateway if it is outside of its subnet.
func resolveTarget(f Fabric, src *Endpoint, ref string) (target, error) {
	t := target{ref: ref}
	addr, err := netip.ParseAddr(ref)
	if err == nil {
		t.addr = addr.Unmap()
		if why := nobody(t.addr, src.Subnet); why != "" {
			return target{}, invalid("destination", "%v is %s: no host can be probed there", t.addr, why)
		}
		if ep, ok := f.ResolveIn(src.Network, t.addr); ok {
			t.ep = &ep
			return t, nil
		}
	}
	if src.Subnet.IsValid() && src.Subnet.Contains(t.addr) {
		return t, nil // it belongs to the source's network, whoever else uses it elsewhere: ARP finds out
	}
	ep, err := f.Resolve(ref)
	if err == nil {
		t.ep = &ep
		return t, nil
	}
	var unknown *probespec.UnknownError
	if !t.addr.IsValid() || !errors.As(err, &unknown) {
		return target{}, &probespec.EndError{End: "destination", Err: err}
	}
	if src.Subnet.IsValid() && src.Subnet.Addr().Is4() == t.addr.Is4() && !src.Subnet.Contains(t.addr) {
		t.via = src.Gateway
		if !t.via.IsValid() {
			return target{}, cannotRun(probespec.UnknownDestination,
				"%v is outside of %v, and network %s has no gateway; "+
					"give it one in the config (networks: %s: gateway:)",
				t.addr, src.Subnet, src.Network, src.Network)
		}
		if gw, ok := f.ResolveIn(src.Network, t.via); ok {
			t.mac = gw.MAC
		}
	}
	return t, nil
}

// nobody says why an address cannot be a host's, "" if it can. subnet may be invalid.
func nobody(a netip.Addr, subnet netip.Prefix) string {
	switch {
	case a.IsUnspecified():
		return "the unspecified address"
	case a.IsMulticast():
		return "a multicast address"
	case a == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return "the broadcast address"
	case a.IsLoopback():
		return "a loopback address"
	case subnet.IsValid() && a.Is4() && subnet.Bits() < 31 && subnet.Contains(a) && !subnet.Contains(a.Next()):
		return fmt.Sprintf("the broadcast address of %v", subnet)
	case subnet.IsValid() && a.Is4() && subnet.Bits() < 31 && subnet.Masked().Addr() == a:
		return fmt.Sprintf("the address of the network %v", subnet)
	}
	return ""
}

// cannotRun says why a probe cannot be sent.
func cannotRun(stage probespec.Stage, format string, args ...any) *probespec.CannotRunError {
	return &probespec.CannotRunError{Stage: stage, Reason: fmt.Sprintf(format, args...)}
}

// invalid says what is wrong with a field of a request.
func invalid(field, format string, args ...any) error {
	return &probespec.InvalidError{Field: field, Text: fmt.Sprintf(format, args...)}
}

// down returns why nothing can be sent from src, or nil.
func down(src *Endpoint) *probespec.CannotRunError {
	switch {
	case src == nil:
		return cannotRun(probespec.SourceDown, "the source is not known")
	case !src.Located:
		return cannotRun(probespec.SourceDown, "the port of %s is not known: it has not been seen on any switch",
			src.Name)
	case !src.Connected:
		why := cannotRun(probespec.SourceDown, "%s, where %s is", src.away(), src.Name)
		why.Evidence = []string{fmt.Sprintf("%s is at %v", src.Name, src.place())}
		return why
	case !src.PortUp:
		why := cannotRun(probespec.SourceDown, "port %v is down, where %s is", src.place(), src.Name)
		why.Evidence = []string{fmt.Sprintf("%v is down", src.place())}
		return why
	case src.MAC.IsZero():
		return cannotRun(probespec.SourceDown,
			"no host is known at %s: it has not sent a frame yet; give it a MAC in the config (hosts:)", src.Name)
	case src.VLAN == 0:
		return cannotRun(probespec.SourceDown, "%s is in no network: its port is closed", src.Name)
	}
	return nil
}

// route is what the requests of a probe look like and what their replies must be.
type route struct {
	typ      probe.Type
	src      *Endpoint
	dst      *Endpoint // nil: an address only
	link     probe.Link
	from, to netip.Addr
	via      netip.Addr
	cross    bool       // the destination is in another network
	ask      netip.Addr // whose MAC must be found out first; zero: it is known
	derived  bool       // IPv6 addresses were derived from MACs
}

// newRoute says how src probes t. The error is a *probespec.CannotRunError or a *probespec.InvalidError.
func newRoute(typ probe.Type, src source, t *target) (*route, error) {
	if why := down(src.ep); why != nil {
		return nil, why
	}
	r := &route{
		typ: typ, src: src.ep, dst: t.ep, via: t.via,
		link: probe.Link{Src: src.ep.MAC, Tagged: src.ep.Tagged, VLAN: src.ep.VLAN},
	}
	r.link.Dst = t.mac
	if t.ep != nil {
		r.link.Dst = t.ep.MAC
		// The network of a host that was never seen may be unknown.
		r.cross = t.ep.VLAN != 0 && t.ep.VLAN != src.ep.VLAN
		if t.ep.MAC == src.ep.MAC {
			return nil, invalid("destination", "%s is the source itself", t.ref)
		}
	}
	if err := r.address(src, t); err != nil {
		return nil, err
	}
	switch {
	case typ.LinkLayer && (r.link.Dst.IsZero() || r.cross || t.via.IsValid()):
		r.link.Dst, r.via = packet.Broadcast, netip.Addr{} // a request that everybody hears needs no address
	case !r.link.Dst.IsZero():
	case typ.IPv6 || r.cross:
		why := cannotRun(probespec.UnknownDestination, "the MAC address of %s is not known", t.ref)
		why.Evidence = []string{"IPv6 neighbors and hosts of other networks are not asked for it"}
		return nil, why
	default:
		r.ask = r.to
		if t.via.IsValid() {
			r.ask = t.via
		}
	}
	return r, nil
}

// address chooses the addresses of both ends.
func (r *route) address(src source, t *target) error {
	six := r.typ.IPv6
	if t.addr.IsValid() && t.addr.Is6() != six || src.addr.IsValid() && src.addr.Is6() != six && !r.typ.LinkLayer {
		family := "IPv4"
		if six {
			family = "IPv6"
		}
		return invalid("type", "%v needs %s addresses; use %v", r.typ, family, r.typ.OtherFamily())
	}
	to := addresses(t.addr, t.ep, six)
	from := addresses(src.addr, src.ep, six)
	if six {
		if len(to) == 0 && !t.ep.MAC.IsZero() {
			to, r.derived = []netip.Addr{probe.LinkLocal(t.ep.MAC)}, true
		}
		if len(from) == 0 {
			from, r.derived = []netip.Addr{probe.LinkLocal(src.ep.MAC)}, true
		}
	}
	switch {
	case len(to) == 0 && six:
		return cannotRun(probespec.UnknownDestination,
			"no IPv6 and no MAC address of %s is known: it has not sent a frame yet; give it one in the config (hosts:)",
			t.ref)
	case len(to) == 0:
		return cannotRun(probespec.UnknownDestination, noAddress, t.ref)
	case len(from) == 0 && !r.typ.LinkLayer:
		return cannotRun(probespec.SourceDown, noAddress, src.ep.Name)
	case r.typ.LinkLayer:
		r.to = to[0]
		return nil
	}
	r.from, r.to = from[0], to[0]
	for _, f := range from {
		for _, a := range to {
			if neighbors(f, a, src.ep.Subnet) {
				r.from, r.to = f, a
				return nil
			}
		}
	}
	return nil
}

// noAddress says that a host, which is its argument, has no IPv4 address.
const noAddress = "no IPv4 address of %s is known: it has not sent ARP yet; give it one in the config (hosts:)"

// addresses returns the addresses of one family that an end may use.
func addresses(asked netip.Addr, ep *Endpoint, six bool) []netip.Addr {
	if asked.IsValid() {
		return []netip.Addr{asked}
	}
	var of []netip.Addr
	if ep != nil {
		for _, a := range ep.IPs {
			if a = a.Unmap(); a.Is6() == six {
				of = append(of, a)
			}
		}
	}
	return of
}

// neighbors reports whether two addresses of a family look as if they were in one subnet.
func neighbors(a, b netip.Addr, subnet netip.Prefix) bool {
	if subnet.IsValid() && subnet.Addr().Is4() == a.Is4() {
		return subnet.Contains(a) && subnet.Contains(b)
	}
	bits := 24
	if a.Is6() {
		bits = 64
	}
	p, err := a.Prefix(bits)
	return err == nil && p.Contains(b)
}

// want returns what replies must be like.
func (r *route) want(color uint16) probe.Expectation {
	x := probe.Expectation{
		Trap:  probe.NewTrap(r.typ, r.link.VLAN, r.link.Src, r.from, r.to, color),
		Color: color, Switch: r.src.Switch, NotPort: r.src.Port,
	}
	// What comes from another network has found a way that nobody knows of: it may come in anywhere.
	if !r.cross && r.dst != nil && r.dst.Located && r.dst.Switch == r.src.Switch && r.dst.Port != r.src.Port {
		x.Port = r.dst.Port
	}
	return x
}

// end describes an end for a result.
func end(name string, ep *Endpoint, addr netip.Addr) *probespec.End {
	x := &probespec.End{Name: name}
	if addr.IsValid() {
		x.IP = addr.String()
	}
	if ep != nil {
		x.Name, x.Network = ep.Name, ep.Network
		if !ep.MAC.IsZero() {
			x.MAC = ep.MAC.String()
		}
		if ep.Located {
			x.Switch, x.Port = ep.SwitchName, ep.PortName
		}
	}
	return x
}
