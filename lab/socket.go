package lab

import (
	"net"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"github.com/eosin-sdn/eosin/openflow/packet"
)

// SendRaw puts frames, from their Ethernet header on and without checksum at their end, on an interface.
func (n *Namespace) SendRaw(iface string, frames ...[]byte) {
	n.lab.check(n.Do(func() error { return sendRaw(iface, frames) }), "%s: send frame on %s", n.Name, iface)
}

func sendRaw(iface string, frames [][]byte) error {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	link, err := net.InterfaceByName(iface)
	if err != nil {
		return err
	}
	for _, frame := range frames {
		if err := unix.Sendto(fd, frame, 0, &unix.SockaddrLinklayer{Ifindex: link.Index}); err != nil {
			return err
		}
	}
	return nil
}

// Listen opens a listener in the namespace; it stays there. The address is an IP and a port.
func (n *Namespace) Listen(network, address string) (net.Listener, error) {
	var listener net.Listener
	err := n.Do(func() (err error) {
		listener, err = net.Listen(network, address)
		return err
	})
	return listener, err
}

// Dial connects from the namespace. The address is an IP and a port.
func (n *Namespace) Dial(network, address string, timeout time.Duration) (net.Conn, error) {
	var conn net.Conn
	err := n.Do(func() (err error) {
		conn, err = net.DialTimeout(network, address, timeout)
		return err
	})
	return conn, err
}

// SendRaw puts frames on the guest's interface.
func (v *VM) SendRaw(frames ...[]byte) { v.Namespace.SendRaw("eth0", frames...) }

// Announce broadcasts a gratuitous ARP request for the guest's first IPv4 address, as a booting or migrated guest does.
// A guest without an IPv4 address announces 0.0.0.0, which still teaches switches where it is.
func (v *VM) Announce() {
	hw, err := packet.ParseMAC(v.MAC)
	v.lab.check(err, "%s", v.Name)
	ip := netip.IPv4Unspecified()
	for _, addr := range v.opts.Addrs {
		if p, err := netip.ParsePrefix(addr); err == nil && p.Addr().Is4() {
			ip = p.Addr()
			break
		}
	}
	frame := packet.AppendEthernet(nil, packet.Broadcast, hw, packet.EtherTypeARP)
	v.SendRaw(packet.AppendARPRequest(frame, hw, ip, ip))
}
