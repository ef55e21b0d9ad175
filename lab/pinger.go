package lab

import (
	"context"
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/eosin-sdn/eosin/openflow/packet"
)

// A pinger sends ICMP or ICMPv6 echo requests on a raw socket and matches what comes back by identifier and sequence
// number.
type pinger struct {
	dst               netip.Addr
	count, size, tos  int
	interval, timeout time.Duration
	id                uint16

	fd       int
	sentAt   map[uint16]time.Time
	result   PingResult
	answered *atomic.Int64 // what result.Received is; others read it while the ping runs
	log      strings.Builder
}

// ICMP types of "destination unreachable", by address family.
const unreachable4, unreachable6 = 3, 1

// duplicatesTime is how long to listen on for duplicates once everything is answered.
const duplicatesTime = 10 * time.Millisecond

// open makes the socket in the namespace that the calling thread is in.
func (p *pinger) open() (err error) {
	type option struct{ level, name, value int }
	family, protocol := unix.AF_INET, unix.IPPROTO_ICMP
	options := []option{
		{unix.IPPROTO_IP, unix.IP_TOS, p.tos},
		{unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_DO},
	}
	if p.dst.Is6() {
		family, protocol = unix.AF_INET6, unix.IPPROTO_ICMPV6
		options = []option{
			{unix.IPPROTO_IPV6, unix.IPV6_TCLASS, p.tos},
			{unix.IPPROTO_IPV6, unix.IPV6_MTU_DISCOVER, unix.IPV6_PMTUDISC_DO},
		}
	}
	p.fd, err = unix.Socket(family, unix.SOCK_RAW|unix.SOCK_CLOEXEC, protocol)
	if err != nil {
		return err
	}
	for _, o := range options {
		if err := unix.SetsockoptInt(p.fd, o.level, o.name, o.value); err != nil {
			unix.Close(p.fd)
			return err
		}
	}
	return nil
}

// run sends at the interval, whatever comes back, until the count is reached or the context ends, then waits for the
// rest.
func (p *pinger) run(ctx context.Context) {
	start := time.Now()
	for i := range p.count {
		next := start.Add(time.Duration(i) * p.interval)
		p.receive(next)
		if ctx.Err() != nil {
			break
		}
		p.send(uint16(i + 1))
	}
	deadline := time.Now().Add(p.timeout)
	for p.result.Received < p.result.Sent && time.Now().Before(deadline) {
		p.receive(time.Now().Add(duplicatesTime))
	}
	p.receive(time.Now().Add(duplicatesTime))
}

// lost lists when the requests without an answer were sent.
func (p *pinger) lost() (times []time.Time) {
	for seq := 1; seq <= p.result.Sent; seq++ {
		if _, answered := p.result.RTTs[seq]; !answered {
			times = append(times, p.sentAt[uint16(seq)])
		}
	}
	return times
}

func (p *pinger) send(seq uint16) {
	message := make([]byte, 8+p.size)
	for i := range message[8:] {
		message[8+i] = byte(i)
	}
	message[0] = packet.ICMPv4EchoRequest
	if p.dst.Is6() {
		message[0] = packet.ICMPv6EchoRequest
	}
	binary.BigEndian.PutUint16(message[4:], p.id)
	binary.BigEndian.PutUint16(message[6:], seq)
	var to unix.Sockaddr = &unix.SockaddrInet6{Addr: p.dst.As16()} // the kernel fills in an ICMPv6 checksum
	if p.dst.Is4() {
		to = &unix.SockaddrInet4{Addr: p.dst.As4()}
		binary.BigEndian.PutUint16(message[2:], packet.Checksum(message))
	}
	p.result.Sent++
	p.sentAt[seq] = time.Now()
	if err := unix.Sendto(p.fd, message, 0, to); err != nil {
		p.result.Errors++
		fmt.Fprintf(&p.log, "%d: send: %v\n", seq, err)
	}
}

// receive handles what arrives until the time has come.
func (p *pinger) receive(until time.Time) {
	buffer := make([]byte, 1<<16)
	for {
		left := time.Until(until)
		if left <= 0 {
			return
		}
		timeout := unix.NsecToTimespec(int64(left))
		ready, err := unix.Ppoll([]unix.PollFd{{Fd: int32(p.fd), Events: unix.POLLIN}}, &timeout, nil)
		if ready <= 0 || err != nil {
			continue // interrupted, or the time is over
		}
		size, _, err := unix.Recvfrom(p.fd, buffer, unix.MSG_DONTWAIT)
		if err == nil {
			p.handle(buffer[:size], time.Now())
		}
	}
}

// handle looks at one packet: ICMP with its IPv4 header, ICMPv6 without a header.
func (p *pinger) handle(b []byte, now time.Time) {
	v4 := p.dst.Is4()
	message := b
	if v4 {
		message = afterIPv4(b)
	}
	switch {
	case len(message) < 8:
	case v4 && message[0] == packet.ICMPv4EchoReply, !v4 && message[0] == packet.ICMPv6EchoReply:
		p.reply(message, now)
	case v4 && message[0] == unreachable4:
		p.undeliverable(afterIPv4(message[8:]), message[1])
	case !v4 && message[0] == unreachable6 && len(message) > 8+40:
		p.undeliverable(message[8+40:], message[1])
	}
}

func (p *pinger) reply(message []byte, now time.Time) {
	sent, ours := p.ours(message)
	if !ours {
		return
	}
	seq := int(binary.BigEndian.Uint16(message[6:]))
	rtt := now.Sub(sent)
	if _, again := p.result.RTTs[seq]; again {
		p.result.Duplicates++
		fmt.Fprintf(&p.log, "%d: duplicate reply after %v\n", seq, rtt)
		return
	}
	p.result.Received++
	p.answered.Add(1)
	p.result.RTTs[seq] = rtt
	fmt.Fprintf(&p.log, "%d: reply after %v\n", seq, rtt)
}

// undeliverable takes the start of the request that could not be delivered.
func (p *pinger) undeliverable(request []byte, code byte) {
	if len(request) < 8 {
		return
	}
	if _, ours := p.ours(request); ours {
		p.result.Errors++
		fmt.Fprintf(&p.log, "%d: destination unreachable, code %d\n", binary.BigEndian.Uint16(request[6:]), code)
	}
}

// ours finds when the request was sent that has this message's identifier and sequence number.
func (p *pinger) ours(message []byte) (time.Time, bool) {
	if binary.BigEndian.Uint16(message[4:]) != p.id {
		return time.Time{}, false
	}
	sent, ok := p.sentAt[binary.BigEndian.Uint16(message[6:])]
	return sent, ok
}

func afterIPv4(b []byte) []byte {
	if len(b) < 20 || int(b[0]&15)*4 > len(b) {
		return nil
	}
	return b[int(b[0]&15)*4:]
}
