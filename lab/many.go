package lab

import (
	"bytes"
	"fmt"
	"math/bits"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Outlets are many ports of a bridge, made at once. Each is a pair of links whose outer ends stay in the host's
// namespace: what is sent there comes in on the port. Guests of their own, with a namespace each, would take minutes.
type Outlets struct {
	Bridge *Bridge
	Ports  []string // on the bridge

	outer  []int // interface index of the outer end, by port
	socket int   // to all of them: the kernel takes its time to close one
}

// AddOutlets makes n ports, called PREFIX0, PREFIX1 and so on, in one transaction.
func (b *Bridge) AddOutlets(prefix string, n int) *Outlets {
	h, o := b.Host, &Outlets{Bridge: b}
	args := []string{}
	for i := range n {
		port, outer := fmt.Sprintf("%s%d", prefix, i), fmt.Sprintf("%s%d-out", prefix, i)
		attrs := netlink.NewLinkAttrs()
		attrs.Name = port
		h.lab.check(h.handle().LinkAdd(&netlink.Veth{
			LinkAttrs: attrs, PeerName: outer,
			PeerNamespace: netlink.NsFd(int(h.fd)),
		}),
			"%s: port %s", h.Name, port)
		link := h.link(outer)
		h.lab.check(h.handle().LinkSetUp(link), "%s: %s up", h.Name, outer)
		h.lab.check(h.handle().LinkSetUp(h.link(port)), "%s: %s up", h.Name, port)
		o.Ports, o.outer = append(o.Ports, port), append(o.outer, link.Attrs().Index)
		args = append(args, "--", "add-port", b.Name, port)
	}
	h.Vsctl(args...)
	h.lab.check(h.Do(func() (err error) {
		o.socket, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
		return err
	}), "%s: socket", h.Name)
	return o
}

// SetUp brings the outer end of a port up or down; the port has a carrier as long as it is up.
func (o *Outlets) SetUp(port int, up bool) { o.Bridge.Host.SetLink(o.Ports[port]+"-out", up) }

// SendRaw has frames come in on a port.
func (o *Outlets) SendRaw(port int, frames ...[]byte) {
	h := o.Bridge.Host
	for _, frame := range frames {
		h.lab.check(unix.Sendto(o.socket, frame, 0, &unix.SockaddrLinklayer{Ifindex: o.outer[port]}),
			"%s: send frame into %s", h.Name, o.Ports[port])
	}
}

// Close ends what sends into the ports.
func (o *Outlets) Close() { unix.Close(o.socket) }

// A Listener hears what comes out of any of the outlets.
type Listener struct {
	ports map[int]int // by interface index of the outer end
	fds   []int
}

// Listen begins to hear frames of some ethertypes, which are those behind a tag. The listener must be closed.
func (o *Outlets) Listen(ethertypes ...uint16) *Listener {
	const room = 16 << 20 // for as many frames as come out before they are looked at
	h, e := o.Bridge.Host, &Listener{ports: map[int]int{}}
	for port, index := range o.outer {
		e.ports[index] = port
	}
	h.lab.check(h.Do(func() error {
		for _, t := range ethertypes {
			fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK,
				int(bits.ReverseBytes16(t)))
			if err != nil {
				return err
			}
			e.fds = append(e.fds, fd)
			if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, room); err != nil {
				return err
			}
		}
		return nil
	}), "%s: listen", h.Name)
	return e
}

// Count adds to a count by port the frames that hold a text and have come out since the last call.
func (e *Listener) Count(text string, count map[int]int) {
	b := make([]byte, 2048)
	for _, fd := range e.fds {
		for {
			n, from, err := unix.Recvfrom(fd, b, 0)
			if err != nil {
				break // there is no more
			}
			at, ok := from.(*unix.SockaddrLinklayer)
			if !ok || !bytes.Contains(b[:n], []byte(text)) {
				continue
			}
			if port, ok := e.ports[at.Ifindex]; ok {
				count[port]++
			}
		}
	}
}

// Close ends it.
func (e *Listener) Close() {
	for _, fd := range e.fds {
		unix.Close(fd)
	}
}
