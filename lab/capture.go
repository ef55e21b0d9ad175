package lab

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"syscall"
	"time"
)

// A frame may take a moment from the wire through the kernel's queues into the capture, on a busy machine longer.
const (
	settle    = 50 * time.Millisecond
	settleMax = 10 * settle // where frames go on coming
)

// A Capture is a running tcpdump.
type Capture struct {
	p    *Process
	path string
	ns   *Namespace
}

// Capture starts tcpdump on an interface and returns when it listens. The filter is tcpdump's ("icmp or arp"); empty
// takes all. Linux keeps the outer 802.1Q tag beside the frame: a filter without the word vlan does not see it ("arp"
// also takes tagged ones, "arp and not vlan" does not), while the captured bytes have it again.
func (n *Namespace) Capture(iface, filter string) *Capture {
	what := fmt.Sprintf("%s: capture %s %d", n.Name, iface, time.Now().UnixNano())
	// The name ends in .pcap because that is what Debian's AppArmor profile lets tcpdump write.
	c := &Capture{ns: n, path: n.lab.path(what) + ".pcap"}
	// A slot of the kernel's ring is as long as a frame may be: by default there are eight, too few for a busy machine.
	args := []string{
		"tcpdump", "-i", iface, "-n", "-s", "4096", "-B", "16384", "-U", "--immediate-mode", "-Z", "root",
		"-w", c.path,
	}
	if filter != "" {
		args = append(args, filter)
	}
	c.p = n.Spawn(what, args...)
	c.p.awaitLog("listening on")
	return c
}

// Frames captured so far.
func (c *Capture) Frames() []Frame {
	data, err := os.ReadFile(c.path)
	c.ns.lab.check(err, "capture")
	frames, err := readPcap(data)
	c.ns.lab.check(err, "capture %s", c.path)
	return frames
}

// Wait until at least n frames were captured; it reports whether that was in time.
func (c *Capture) Wait(n int, timeout time.Duration) bool {
	return c.ns.lab.Eventually(timeout, func() bool { return len(c.Frames()) >= n })
}

// Stop ends the capture when no more frames arrive, and returns all of them.
func (c *Capture) Stop() []Frame {
	size := func() int64 {
		info, err := os.Stat(c.path)
		c.ns.lab.check(err, "capture")
		return info.Size()
	}
	Steady(settle, settleMax, size, func(a, b int64) bool { return a == b })
	c.p.Signal(syscall.SIGINT)
	<-c.p.Done()
	c.p.forget()
	return c.Frames()
}

// packetNumber begins the description of each frame; an encapsulated one continues on further lines.
var packetNumber = regexp.MustCompile(`^ *\d+  `)

// Lines describes each frame that was captured so far as tcpdump -e prints it, without times, encapsulated frames
// included.
func (c *Capture) Lines() []string {
	out := c.ns.Run("tcpdump", "-r", c.path, "-#", "-e", "-n", "-t", "-v", "-Z", "root")
	var lines []string
	for line := range strings.Lines(out) {
		line = strings.TrimRight(line, "\n")
		if number := packetNumber.FindString(line); number != "" {
			lines = append(lines, line[len(number):])
		} else if len(lines) > 0 {
			lines[len(lines)-1] += " " + strings.TrimSpace(line)
		}
	}
	return lines
}
