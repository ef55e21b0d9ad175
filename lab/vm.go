package lab

import (
	"net"
	"strings"
	"time"
)

// VMOptions of a guest. The zero value is a guest with a MAC and no address on port "vif" + what follows "vm" in its
// name.
type VMOptions struct {
	Port     string   // on the bridge
	MAC      string   // default 02:e0:01:00:00:01 and on
	Addrs    []string // with prefix length; an IPv6 address switches IPv6 on, which is otherwise off
	Gateway  string   // default route
	IPv6     bool     // switch IPv6 on without a static address
	Internal bool     // an internal port of OVS moved into the guest's namespace, instead of a pair of links
	Settings []string // columns of the port's Interface record
}

// A VM is a stand-in for a guest: a namespace with one interface, eth0.
type VM struct {
	*Namespace
	Name   string
	MAC    string
	Bridge *Bridge
	Port   string // its port on the bridge

	opts VMOptions
}

// AddVM makes a guest on a port of the bridge.
func (b *Bridge) AddVM(name string, o VMOptions) *VM {
	l, since := b.Host.lab, time.Now()
	l.claimName(name)
	if o.Port == "" {
		o.Port = "vif" + strings.TrimPrefix(name, "vm")
	}
	if o.MAC == "" {
		o.MAC = mac(1, len(l.vms)+1).String()
	}
	for _, addr := range o.Addrs {
		o.IPv6 = o.IPv6 || strings.Contains(addr, ":")
	}
	v := &VM{Namespace: l.addNamespace(name, o.IPv6), Name: name, MAC: o.MAC, Bridge: b, Port: o.Port, opts: o}
	l.vms = append(l.vms, v)
	if o.Internal {
		b.AddPort(o.Port, append([]string{"type=internal"}, o.Settings...)...)
		v.takeInternalPort()
		b.Host.afterVswitchd = append(b.Host.afterVswitchd, v.takeInternalPort)
	} else {
		hw, err := net.ParseMAC(o.MAC)
		l.check(err, "%s", name)
		l.addVeth(
			vethEnd{ns: b.Host.Namespace, name: o.Port},
			vethEnd{ns: v.Namespace, name: "eth0", mac: hw},
		)
		b.AddPort(o.Port, o.Settings...)
		v.configure()
	}
	l.progress(since, "%s: on %s port %s, %s %s", name, b, o.Port, o.MAC, strings.Join(o.Addrs, " "))
	return v
}

// takeInternalPort moves the device that OVS made into the guest, where it becomes eth0.
func (v *VM) takeInternalPort() {
	l, h := v.Bridge.Host.lab, v.Bridge.Host
	// The predecessor's device outlives it, but nobody reads it any more: the new one does not find it outside its
	// namespace.
	if old, err := v.handle().LinkByName("eth0"); err == nil {
		l.check(v.handle().LinkDel(old), "%s: remove the old eth0", v.Name)
	}
	link := h.link(v.Port)
	l.check(h.handle().LinkSetNsFd(link, int(v.fd)), "%s: move %s into it", v.Name, v.Port)
	link = v.link(v.Port)
	l.check(v.handle().LinkSetName(link, "eth0"), "%s: rename %s", v.Name, v.Port)
	hw, err := net.ParseMAC(v.MAC)
	l.check(err, "%s", v.Name)
	l.check(v.handle().LinkSetHardwareAddr(link, hw), "%s: MAC", v.Name)
	v.disableTxChecksum("eth0")
	v.SetLink("eth0", true)
	v.configure()
}

// configure gives eth0 its addresses and routes.
func (v *VM) configure() {
	for _, addr := range v.opts.Addrs {
		v.AddAddr("eth0", addr)
	}
	if v.opts.Gateway != "" {
		v.AddRoute("0.0.0.0/0", v.opts.Gateway)
	}
}

// IP is the guest's first address, without the prefix length; empty if it has none.
func (v *VM) IP() string {
	if len(v.opts.Addrs) == 0 {
		return ""
	}
	addr, _, _ := strings.Cut(v.opts.Addrs[0], "/")
	return addr
}

// PortNumber is the OpenFlow number of its port.
func (v *VM) PortNumber() int { return v.Bridge.PortNumber(v.Port) }

// SetUp brings the guest's own interface up or down; its port loses its carrier.
func (v *VM) SetUp(up bool) {
	v.SetLink("eth0", up)
	if up {
		if !v.opts.Internal {
			v.awaitUp("eth0")
		}
		// Taking the link down removed what hung on it.
		v.configure()
	}
}

// SetSilent makes the guest ignore pings (it still answers ARP), or answer them again.
func (v *VM) SetSilent(silent bool) {
	value := "0"
	if silent {
		value = "1"
	}
	v.Sysctl("net.ipv4.icmp_echo_ignore_all", value)
}

// ForgetNeighbors empties the guest's ARP and ND tables, so that its next packet asks again.
func (v *VM) ForgetNeighbors() { v.Run("ip", "neigh", "flush", "all") }

// Move unplugs the guest from its port and plugs it into a new port of another bridge, as a migration does. It sends
// nothing.
func (v *VM) Move(to *Bridge, port string) {
	l, since := v.lab, time.Now()
	if v.opts.Internal {
		l.fatal("%s: an internal port cannot move", v.Name)
	}
	from := v.Bridge.Host
	v.Bridge.DelPort(v.Port)
	link := from.link(v.Port)
	l.check(from.handle().LinkSetDown(link), "%s: %s down", v.Name, v.Port)
	if port != v.Port {
		l.check(from.handle().LinkSetName(link, port), "%s: rename %s to %s", v.Name, v.Port, port)
	}
	if to.Host != from {
		l.check(from.handle().LinkSetNsFd(link, int(to.Host.fd)), "%s: move to %s", v.Name, to)
	}
	to.Host.disableTxChecksum(port)
	to.Host.SetLink(port, true)
	v.awaitUp("eth0")
	to.AddPort(port, v.opts.Settings...)
	v.Bridge, v.Port = to, port
	l.progress(since, "%s: moved to %s port %s", v.Name, to, port)
}

// Capture starts a capture on the guest's interface.
func (v *VM) Capture(filter string) *Capture { return v.Namespace.Capture("eth0", filter) }
