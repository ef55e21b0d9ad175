package e2e

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/eosin-sdn/eosin/controller/api"
	"github.com/eosin-sdn/eosin/lab"
)

const (
	// patience is for what must happen, but not by a certain time: the machine may be busy.
	patience = 20 * time.Second
	// truthWithin is how soon "eosin get" must be true after anything changed.
	truthWithin = 2 * time.Second
)

// A site is a lab with a running controller.
type site struct {
	*lab.Lab
	t   *testing.T
	ctl *lab.Controller
}

// newSite makes a lab and starts the controller with a config; an empty one means none, so that only flags are given.
func newSite(t *testing.T, config string) *site {
	t.Helper()
	l := lab.Start(t)
	return &site{Lab: l, t: t, ctl: l.StartController(program, config)}
}

// bridge makes a host with bridge br0, which is connected to the controller when this returns. Datapath ids are 1, 2, 3
// ...
func (s *site) bridge(host string) *lab.Bridge {
	s.t.Helper()
	return s.secondBridge(s.AddHost(host), "br0")
}

// secondBridge makes a bridge on a host that is there already.
func (s *site) secondBridge(h *lab.Host, name string) *lab.Bridge {
	s.t.Helper()
	br := h.AddBridge(name, lab.BridgeOptions{Controllers: []string{s.ControllerTarget()}})
	s.waitConnected(br)
	return br
}

func (s *site) waitConnected(br *lab.Bridge) {
	s.t.Helper()
	s.eventually(patience, br.String()+" connected", func() bool { return s.isConnected(br) })
}

func (s *site) isConnected(br *lab.Bridge) bool {
	return slices.ContainsFunc(get[api.Switch](s, "switches"), func(o api.Switch) bool {
		return o.DatapathID == br.DatapathID() && o.Connected
	})
}

// vm makes a guest with an address in 10.0.3.0/24 that ends like its name: vm7 has 10.0.3.7.
func (s *site) vm(br *lab.Bridge, name string) *lab.VM {
	return br.AddVM(name, lab.VMOptions{Addrs: []string{"10.0.3." + strings.TrimPrefix(name, "vm") + "/24"}})
}

// conf is a config with the networks blue (VLAN 10, VNI 5010) and red (VLAN 11, VNI 5011). Ports that it does not name
// are closed.
func conf(switches ...string) string {
	return `networks:
  blue: {vlan: 10, vni: 5010}
  red: {vlan: 11, vni: 5011}
defaults: {network: none}
switches:
` + strings.Join(switches, "")
}

// bridgeConf is the part of a config about the nth bridge of a lab, which it names "swN".
func bridgeConf(n int, ports ...string) string {
	return fmt.Sprintf("  sw%d:\n    datapath_id: \"%016x\"\n    ports:\n      %s\n", n, n,
		strings.Join(ports, "\n      "))
}

// eventually waits for a condition and ends the test if it does not come about.
func (s *site) eventually(timeout time.Duration, what string, yes func() bool) {
	s.t.Helper()
	if !s.Eventually(timeout, yes) {
		s.t.Fatalf("not within %v: %s", timeout, what)
	}
}

// get asks the API for a kind of object. "eosin get KIND -o json" prints the same, see TestAPI, but a process for each
// question of a test that polls would take more of the machine than what is tested.
func get[T any](s *site, kind string) []T {
	s.t.Helper()
	var list []T
	if err := s.ctl.GetJSON("/api/v1/"+kind, &list); err != nil {
		s.t.Fatal(err)
	}
	return list
}

// port is what "eosin get ports" says of a port.
func (s *site) port(br *lab.Bridge, name string) (api.Port, bool) {
	s.t.Helper()
	sw := s.switchName(br)
	ports := get[api.Port](s, "ports")
	i := slices.IndexFunc(ports, func(p api.Port) bool { return p.Switch == sw && p.Name == name })
	if i < 0 {
		return api.Port{}, false
	}
	return ports[i], true
}

// switchName is how the controller calls a bridge.
func (s *site) switchName(br *lab.Bridge) string {
	s.t.Helper()
	for _, o := range get[api.Switch](s, "switches") {
		if o.DatapathID == br.DatapathID() {
			return o.Name
		}
	}
	s.t.Fatalf("eosin get switches does not list %s", br)
	return ""
}

// location is "SWITCH:PORT" of a guest, as "eosin get hosts" says; empty when it does not know.
func (s *site) location(vm *lab.VM) string {
	s.t.Helper()
	for _, h := range get[api.Host](s, "hosts") {
		if h.MAC == vm.MAC && h.Switch != "" {
			return h.Switch + ":" + h.Port
		}
	}
	return ""
}

// at is "SWITCH:PORT" of where a guest is in truth.
func (s *site) at(vm *lab.VM) string { return s.switchName(vm.Bridge) + ":" + vm.Port }

// linksUp counts the links that "eosin get links" says are up.
func (s *site) linksUp() int {
	s.t.Helper()
	n := 0
	for _, l := range get[api.Link](s, "links") {
		if l.Up {
			n++
		}
	}
	return n
}

// waitLinks waits until exactly n links are up.
func (s *site) waitLinks(n int) {
	s.t.Helper()
	s.eventually(patience, fmt.Sprintf("%d links up", n), func() bool { return s.linksUp() == n })
}

// reach checks that a guest reaches others: it waits until the first answer of each, after which nothing may be lost.
func (s *site) reach(from *lab.VM, others ...*lab.VM) {
	s.t.Helper()
	for _, to := range others {
		if !from.WaitReach(to.IP(), patience) {
			s.t.Errorf("%s does not reach %s", from.Name, to.Name)
			continue
		}
		s.pings(from, to)
	}
}

// pings checks that a guest reaches another at once.
func (s *site) pings(from, to *lab.VM, options ...lab.PingOption) {
	s.t.Helper()
	if r := from.Ping(to.IP(), options...); !r.AllReceived() {
		s.t.Errorf("%s to %s: %v\n%s", from.Name, to.Name, r, r.Output)
	}
}

// reachAll checks that each guest reaches every other.
func (s *site) reachAll(vms ...*lab.VM) {
	s.t.Helper()
	for _, from := range vms {
		for _, to := range vms {
			if from != to {
				s.reach(from, to)
			}
		}
	}
}

// isolated checks that a guest does not reach others. It proves something only when the guests reach somebody.
func (s *site) isolated(from *lab.VM, others ...*lab.VM) {
	s.t.Helper()
	for _, to := range others {
		if r := from.Ping(to.IP(), lab.Count(3), lab.Timeout(300*time.Millisecond)); !r.NoneReceived() {
			s.t.Errorf("%s to %s: %v, want no answer", from.Name, to.Name, r)
		}
	}
}

// Ethernet, for frames made by hand.
const (
	everybody  = "ff:ff:ff:ff:ff:ff"
	testType   = 0x88b5 // IEEE 802, local experimental
	customer   = 0x8100 // tag of 802.1Q
	service    = 0x88a8 // tag of 802.1ad
	minPayload = 46
)

// frame makes a frame: addresses, 16 bit words (tags and the type), payload.
func frame(dst, src string, words []uint16, payload string) []byte {
	f := append(mac(dst), mac(src)...)
	for _, w := range words {
		f = binary.BigEndian.AppendUint16(f, w)
	}
	return append(f, append([]byte(payload), make([]byte, max(0, minPayload-len(payload)))...)...)
}

func mac(text string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(text, ":", ""))
	if err != nil || len(b) != 6 {
		panic("not a MAC: " + text)
	}
	return b
}

func words(w ...uint16) []uint16 { return w }

var serial atomic.Uint64

// unique makes a payload that is in no other frame and in no other payload.
func unique(what string) string { return fmt.Sprintf("<%s %d>", what, serial.Add(1)) }

// holding selects the frames that have a payload.
func holding(frames []lab.Frame, payload string) [][]byte {
	var found [][]byte
	for _, f := range frames {
		if bytes.Contains(f.Data, []byte(payload)) {
			found = append(found, f.Data)
		}
	}
	return found
}

// waitFor waits until a capture holds a payload.
func (s *site) waitFor(c *lab.Capture, payload string) {
	s.t.Helper()
	s.eventually(patience, "a frame with "+payload, func() bool { return len(holding(c.Frames(), payload)) > 0 })
}

// a listener is a capture at one guest.
type listener struct {
	vm *lab.VM
	*lab.Capture
}

// listen captures at guests.
func (s *site) listen(filter string, vms ...*lab.VM) []listener {
	s.t.Helper()
	var listeners []listener
	for _, vm := range vms {
		listeners = append(listeners, listener{vm, vm.Capture(filter)})
	}
	return listeners
}

// exactlyOnce sends distinct broadcasts from a guest and checks that each arrives exactly once at every other guest and
// does not come back, and that the ports of the bridges have sent no more frames than these broadcasts need, plus a
// margin.
func (s *site) exactlyOnce(from *lab.VM, all []*lab.VM, bridges []*lab.Bridge, sentFor int) {
	s.t.Helper()
	// The margin is for what guests and the controller send meanwhile.
	const broadcasts, margin, perSecond = 100, 300, 50
	listeners := s.listen(fmt.Sprintf("ether proto %#x", testType), all...)
	before, began := s.sent(bridges), time.Now()
	payloads := make([]string, broadcasts)
	for i := range payloads {
		payloads[i] = unique("broadcast")
		from.SendRaw(frame(everybody, from.MAC, words(testType), payloads[i]))
	}
	last := payloads[broadcasts-1]
	for _, e := range listeners {
		if !s.Eventually(patience, func() bool { return len(holding(e.Frames(), last)) > 0 }) {
			s.t.Errorf("the last broadcast of %s does not arrive at %s", from.Name, e.vm.Name)
		}
	}
	for _, e := range listeners {
		frames := e.Stop()
		once, never, most := 0, 0, 0
		for _, p := range payloads {
			n := len(holding(frames, p))
			most = max(most, n)
			switch n {
			case 0:
				never++
			case 1: // the sender's own capture has each frame as it goes out
				once++
			}
		}
		if once != broadcasts {
			s.t.Errorf("of %d broadcasts of %s, %s sees %d once, %d never, and one %d times", broadcasts, from.Name,
				e.vm.Name, once, never, most)
		}
	}
	took := time.Since(began)
	most := uint64(broadcasts*sentFor + margin + int(perSecond*took.Seconds()))
	if sent := s.sent(bridges) - before; sent > most {
		s.t.Errorf("the ports sent %d frames in %v for %d broadcasts, at most %d are due", sent, took, broadcasts, most)
	}
}

var txPackets = regexp.MustCompile(`tx pkts=(\d+)`)

// sent is how many frames the ports of bridges have sent.
func (s *site) sent(bridges []*lab.Bridge) (sum uint64) {
	s.t.Helper()
	for _, br := range bridges {
		found := txPackets.FindAllStringSubmatch(br.Host.Ofctl("dump-ports", br.Name), -1)
		if found == nil {
			s.t.Fatalf("%s: no port counters", br)
		}
		for _, m := range found {
			n, _ := strconv.ParseUint(m[1], 10, 64)
			sum += n
		}
	}
	return sum
}

// Cookies of the controller's flows have this at the top.
const (
	ourCookie     = 0xe05 << 52
	ourCookieMask = 0xfff << 52
)

func ours(f lab.Flow) bool { return f.Cookie&ourCookieMask == ourCookie }

// dump is all flows, groups and meters of a bridge, without ages and counters; each line begins with the bridge.
func dump(br *lab.Bridge) []string {
	lines := slices.Concat(br.DumpFlows(), br.DumpGroups(), br.DumpMeters())
	for i := range lines {
		lines[i] = br.String() + " " + lines[i]
	}
	return lines
}

// steady waits until what bridges hold has not changed for a while and returns it.
func (s *site) steady(bridges ...*lab.Bridge) []string {
	s.t.Helper()
	all := func() (lines []string) {
		for _, br := range bridges {
			lines = append(lines, dump(br)...)
		}
		return lines
	}
	const still = time.Second // longer than a port waits before it floods
	lines, ok := lab.Steady(still, patience, all, slices.Equal)
	if !ok {
		s.t.Fatalf("the flow tables go on changing for %v", patience)
	}
	return lines
}

// observe watches for a time that a condition holds.
func (s *site) observe(window time.Duration, what string, holds func() bool) {
	s.t.Helper()
	if began := time.Now(); !lab.Observe(window, holds) {
		s.t.Errorf("not so after %v of %v: %s", since(began), window, what)
	}
}

// audited waits until a whole comparison of each bridge's flows has been made from now on.
func (s *site) audited(bridges ...*lab.Bridge) {
	s.t.Helper()
	for _, br := range bridges {
		series := s.series(br, "eosin_flow_audits_total")
		before := s.metric(series)
		// one may be under way
		s.eventually(patience, "audits of "+br.String(), func() bool { return s.metric(series) >= before+2 })
	}
}

// difference is what two dumps do not share: lines that went (-) and came (+).
func difference(before, after []string) []string {
	var d []string
	for _, line := range before {
		if !slices.Contains(after, line) {
			d = append(d, "- "+line)
		}
	}
	for _, line := range after {
		if !slices.Contains(before, line) {
			d = append(d, "+ "+line)
		}
	}
	return d
}

// same checks that two dumps are equal.
func (s *site) same(what string, before, after []string) {
	s.t.Helper()
	if d := difference(before, after); len(d) > 0 {
		s.t.Errorf("%s changed the tables:\n%s", what, strings.Join(d, "\n"))
	}
}

var outputPort = regexp.MustCompile(`output:(\d+)`)

// outPort is the port to which a bridge sends frames for a known guest; 0 when it does not know the guest.
func outPort(br *lab.Bridge, vm *lab.VM) int {
	for _, f := range br.Flows() {
		if m := outputPort.FindStringSubmatch(f.Actions); m != nil && ours(f) &&
			strings.Contains(f.Match, "dl_dst="+vm.MAC) {
			n, _ := strconv.Atoi(m[1])
			return n
		}
	}
	return 0
}

// metric reads one series of /metrics, such as `eosin_switch_connected{datapath_id="...",switch="sw1"}`.
func (s *site) metric(series string) float64 {
	s.t.Helper()
	body, err := s.ctl.Get("/metrics")
	if err != nil {
		s.t.Fatal(err)
	}
	for line := range strings.Lines(string(body)) {
		if rest, ok := strings.CutPrefix(line, series+" "); ok {
			v, err := strconv.ParseFloat(strings.TrimSpace(rest), 64)
			if err != nil {
				s.t.Fatalf("metric %q: %v", line, err)
			}
			return v
		}
	}
	s.t.Fatalf("no metric %s", series)
	return 0
}

// waitLog waits until the controller has logged all of some texts in one line.
func (s *site) waitLog(timeout time.Duration, texts ...string) {
	s.t.Helper()
	s.eventually(timeout, fmt.Sprintf("log line with %q", texts), func() bool {
		for line := range strings.Lines(s.ctl.Log()) {
			if !slices.ContainsFunc(texts, func(text string) bool { return !strings.Contains(line, text) }) {
				return true
			}
		}
		return false
	})
}
