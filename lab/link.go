package lab

import (
	"fmt"
	"net"
	"time"
	"unsafe"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// handle is the netlink socket of the namespace.
func (n *Namespace) handle() *netlink.Handle {
	if n.nl == nil {
		h, err := netlink.NewHandle()
		n.lab.check(err, "netlink in namespace %s", n.Name)
		n.nl = h
	}
	return n.nl
}

// link finds an interface that must exist.
func (n *Namespace) link(name string) netlink.Link {
	link, err := n.handle().LinkByName(name)
	n.lab.check(err, "%s: interface %s", n.Name, name)
	return link
}

// SetLink brings an interface up or down.
func (n *Namespace) SetLink(name string, up bool) {
	set := n.handle().LinkSetDown
	if up {
		set = n.handle().LinkSetUp
	}
	n.lab.check(set(n.link(name)), "%s: set %s up=%v", n.Name, name, up)
}

// awaitUp waits until an interface passes packets. The kernel notices a carrier asynchronously and drops what is sent
// before.
func (n *Namespace) awaitUp(name string) {
	if !n.lab.Eventually(5*time.Second, func() bool { return n.link(name).Attrs().OperState == netlink.OperUp }) {
		n.lab.fatal("%s: %s does not come up", n.Name, name)
	}
}

// SetMTU of an interface, in bytes.
func (n *Namespace) SetMTU(name string, mtu int) {
	n.lab.check(n.handle().LinkSetMTU(n.link(name), mtu), "%s: MTU of %s", n.Name, name)
}

// AddAddr adds an address with its prefix length, such as "10.0.3.1/24" or "fd00::1/64".
func (n *Namespace) AddAddr(name, cidr string) {
	addr, err := netlink.ParseAddr(cidr)
	n.lab.check(err, "address %q", cidr)
	if addr.IP.To4() == nil {
		addr.Flags |= unix.IFA_F_NODAD
	}
	n.lab.check(n.handle().AddrReplace(n.link(name), addr), "%s: add %s to %s", n.Name, cidr, name)
}

// AddRoute sends what goes to a network ("0.0.0.0/0", "10.0.0.0/8") to a neighbor.
func (n *Namespace) AddRoute(network, via string) {
	dst, err := netlink.ParseIPNet(network)
	n.lab.check(err, "route to %q", network)
	route := &netlink.Route{Dst: dst, Gw: net.ParseIP(via)}
	n.lab.check(n.handle().RouteReplace(route), "%s: route %s via %s", n.Name, network, via)
}

// HardwareAddr of an interface.
func (n *Namespace) HardwareAddr(name string) string {
	return n.link(name).Attrs().HardwareAddr.String()
}

// vethEnd describes one end of a pair.
type vethEnd struct {
	ns   *Namespace
	name string
	mac  net.HardwareAddr // nil: the kernel chooses
	mtu  int              // 0: 1500
}

// addVeth makes a pair of links, both up, without transmit offloads. Only a may be in the root namespace.
func (l *Lab) addVeth(a, b vethEnd) {
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.HardwareAddr, attrs.MTU = a.name, a.mac, a.mtu
	pair := netlink.NewVeth(attrs)
	pair.PeerName, pair.PeerHardwareAddr, pair.PeerMTU = b.name, b.mac, uint32(b.mtu)
	pair.PeerNamespace = netlink.NsFd(int(b.ns.fd))
	l.check(a.ns.handle().LinkAdd(pair), "link %s:%s to %s:%s", a.ns.Name, a.name, b.ns.Name, b.name)
	for _, end := range []vethEnd{a, b} {
		end.ns.disableTxChecksum(end.name)
		end.ns.SetLink(end.name, true)
	}
	a.ns.awaitUp(a.name)
	b.ns.awaitUp(b.name)
}

// disableTxChecksum makes the kernel fill in checksums itself: the userspace datapath forwards frames as it reads them,
// and a checksum left to the "hardware" of a virtual link is then never computed. It also ends segmentation offload.
func (n *Namespace) disableTxChecksum(name string) {
	n.lab.check(n.Do(func() error { return setTxChecksum(name, 0) }), "%s: switch off checksum offload of %s", n.Name,
		name)
}

// setTxChecksum is ETHTOOL_STXCSUM (ethtool -K NAME tx on|off).
func setTxChecksum(name string, on uint32) error {
	const ethtoolSetTxChecksum = 0x17
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	value := struct{ command, data uint32 }{ethtoolSetTxChecksum, on}
	request := struct {
		name [unix.IFNAMSIZ]byte
		data unsafe.Pointer
		_    [16]byte
	}{data: unsafe.Pointer(&value)}
	if copy(request.name[:unix.IFNAMSIZ-1], name) < len(name) {
		return fmt.Errorf("interface name %q is too long", name)
	}
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&request)))
	if errno != 0 {
		return errno
	}
	return nil
}

// addLinuxBridge makes a plain learning switch.
func (n *Namespace) addLinuxBridge(name string, mtu int) {
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.MTU = name, mtu
	snooping := false
	bridge := &netlink.Bridge{LinkAttrs: attrs, MulticastSnooping: &snooping}
	n.lab.check(n.handle().LinkAdd(bridge), "%s: bridge %s", n.Name, name)
	n.SetLink(name, true)
}

// enslave makes an interface a port of a Linux bridge.
func (n *Namespace) enslave(name, bridge string) {
	n.lab.check(n.handle().LinkSetMaster(n.link(name), n.link(bridge)), "%s: %s into %s", n.Name, name, bridge)
}

// mac is a locally administered address that is unique in a lab.
func mac(kind byte, number int) net.HardwareAddr {
	return net.HardwareAddr{0x02, 0xe0, kind, byte(number >> 16), byte(number >> 8), byte(number)}
}
