package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/time/rate"

	"github.com/eosin-sdn/eosin/apps/pipeline"
	"github.com/eosin-sdn/eosin/controller/api"
	"github.com/eosin-sdn/eosin/lab"
)

// Bounds of a comparison of flows that are as they should be.
const (
	audit10k  = time.Second
	audit100k = 8 * time.Second
)

// unhurried is for what a machine with other work to do takes its time for: a switch with a thousand ports has a lot to
// do.
const unhurried = 6 * patience

// floodTable is where a network's frames go to all of its ports.
var floodTable = int(pipeline.Number("flood"))

// unlimited is the part of a config that sets no bounds.
const unlimited = "limits: {hosts_per_port: 0, hosts_per_switch: 0, packet_ins_per_second: 0}\n"

// series names a metric of a bridge's switch.
func (s *site) series(br *lab.Bridge, name string, labels ...string) string {
	s.t.Helper()
	return name + "{" + strings.Join(append(labels, fmt.Sprintf("switch=%q", s.switchName(br))), ",") + "}"
}

// sentMods is how many messages of a type the controller has sent to a bridge.
func (s *site) sentMods(br *lab.Bridge, kind string) int {
	s.t.Helper()
	body, err := s.ctl.Get("/metrics")
	if err != nil {
		s.t.Fatal(err)
	}
	series := s.series(br, "eosin_openflow_messages_total", `direction="out"`)
	series = strings.TrimSuffix(series, "}") + fmt.Sprintf(",type=%q} ", kind)
	for line := range strings.Lines(string(body)) {
		if rest, ok := strings.CutPrefix(line, series); ok {
			n, _ := strconv.Atoi(strings.TrimSpace(rest))
			return n
		}
	}
	return 0 // it counts from the first on
}

// cost logs what the controller and the switch have used so far.
func (s *site) cost(br *lab.Bridge, when string) {
	s.t.Helper()
	s.t.Logf("%s: the controller has %.0f MiB and has used %.2f s of processor time, the switch %.2f s", when,
		s.metric("process_resident_memory_bytes")/(1<<20), s.metric("process_cpu_seconds_total"),
		processorTime(s.t, br.Host.Vswitchd().PID()).Seconds())
}

// processorTime is what a process has used.
func processorTime(t *testing.T, pid int) time.Duration {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	const tick = 10 * time.Millisecond // USER_HZ is 100 everywhere
	_, rest, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(rest) // from the third of proc(5) on
	user, _ := strconv.Atoi(fields[14-3])
	system, _ := strconv.Atoi(fields[15-3])
	return time.Duration(user+system) * tick
}

// known is the place "PORT" of every host, by MAC address.
func (s *site) known() map[string]string {
	s.t.Helper()
	body, err := s.ctl.Get("/api/v1/hosts")
	if err != nil {
		s.t.Fatal(err)
	}
	var hosts []api.Host
	if err := json.Unmarshal(body, &hosts); err != nil {
		s.t.Fatal(err)
	}
	at := make(map[string]string, len(hosts))
	for _, h := range hosts {
		at[h.MAC] = h.Network + " " + h.Port
	}
	return at
}

// A crowd is hosts behind outlets: each port has as many, and each sends to one of the same network.
type crowd struct {
	*site
	outlets *lab.Outlets
	perPort int
	// network and tag are of a port; the tag is 0 for frames without one.
	network func(port int) (name string, tag uint16)
}

// mac is the address of the nth host of a port.
func (c *crowd) mac(port, n int) string {
	return fmt.Sprintf("06:%02x:%02x:%02x:%02x:%02x", port>>8, port&0xff, n>>16, n>>8&0xff, n&0xff)
}

// frame is one from a host.
func (c *crowd) frame(dst string, port, n int, payload string) []byte {
	w := words(testType)
	if _, tag := c.network(port); tag != 0 {
		w = words(customer, tag, testType)
	}
	return frame(dst, c.mac(port, n), w, payload)
}

// places is where the hosts are in truth.
func (c *crowd) places() map[string]string {
	at := map[string]string{}
	for port, name := range c.outlets.Ports {
		network, _ := c.network(port)
		for n := range c.perPort {
			at[c.mac(port, n)] = network + " " + name
		}
	}
	return at
}

// learn has the hosts of ports speak until all are known. What the switch has dropped, since it queues few frames for
// its controller, comes again, as from real hosts.
func (c *crowd) learn(ports ...int) {
	c.t.Helper()
	speakTo := map[string]string{} // by network: a host that is known, so that nothing is flooded
	for _, port := range ports {
		if network, _ := c.network(port); speakTo[network] == "" {
			speakTo[network] = c.mac(port, 0)
			var spoke time.Time // a frame to everybody at a thousand ports is not sent again before it had its time
			c.eventually(unhurried, "the first host of "+network+" known", func() bool {
				if time.Since(spoke) > 2*time.Second {
					spoke = time.Now()
					c.outlets.SendRaw(port, c.frame(everybody, port, 0, ""))
				}
				return c.known()[speakTo[network]] != ""
			})
		}
	}
	const perSecond, burst = 25_000, 50
	pace := rate.NewLimiter(perSecond, burst)
	began, rounds := time.Now(), 0
	c.eventually(unhurried, "all hosts known", func() bool {
		rounds++
		known, unknown := c.known(), 0
		for _, port := range ports {
			network, _ := c.network(port)
			var frames [][]byte
			for n := range c.perPort {
				if mac := c.mac(port, n); known[mac] != network+" "+c.outlets.Ports[port] {
					frames = append(frames, c.frame(speakTo[network], port, n, ""))
				}
			}
			unknown += len(frames)
			for chunk := range slices.Chunk(frames, burst) {
				if err := pace.WaitN(c.t.Context(), len(chunk)); err != nil {
					c.t.Fatal(err)
				}
				c.outlets.SendRaw(port, chunk...)
			}
		}
		return unknown == 0
	})
	c.t.Logf("%d hosts learned in %v, in %d rounds", len(ports)*c.perPort, since(began), rounds)
}

// restart ends the controller at once and starts it anew: it must find all hosts again, compare all flows within a
// time, and touch nothing.
func (c *crowd) restart(br *lab.Bridge, within time.Duration) {
	c.t.Helper()
	before := snap(br)
	c.ctl.Kill()
	began := time.Now()
	c.ctl.Start()
	c.waitConnected(br)
	c.eventually(unhurried, "the flows compared",
		func() bool { return c.metric(c.series(br, "eosin_flow_audits_total")) >= 1 })
	c.t.Logf("flows compared %v after the start", since(began))
	c.inPlace()
	took := time.Duration(c.metric(c.series(br, "eosin_flow_audit_seconds")) * float64(time.Second))
	c.t.Logf("%d flows were compared in %v", len(before.flows), took.Round(time.Millisecond))
	if took > within {
		c.t.Errorf("%d unchanged flows were compared in %v, want %v at most", len(before.flows), took, within)
	}
	for _, kind := range []string{"flow_mod", "group_mod", "meter_mod", "experimenter"} { // the last: parts of bundles
		if n := c.sentMods(br, kind); n > 0 {
			c.t.Errorf("%d %s were sent though nothing had changed", n, kind)
		}
	}
	if touched := before.touched(br); len(touched) > 0 {
		c.t.Errorf("%d flows were touched by the restart, the first: %s", len(touched), touched[0])
	}
	c.cost(br, "after the restart")
}

var (
	bucketPort = regexp.MustCompile(`\boutput:(\d+)|\b(LOCAL)\b`)
	portName   = regexp.MustCompile(`(?m)^ +(\d+|LOCAL)\(([^)]+)\): addr:`)
)

// flooded is the ports that the groups of a network send to, sorted, and how many groups that takes.
func flooded(br *lab.Bridge, vlan int) (ports []string, groups int) {
	names := map[string]string{}
	for _, m := range portName.FindAllStringSubmatch(br.Host.Ofctl("dump-ports-desc", br.Name), -1) {
		names[m[1]] = m[2]
	}
	buckets := map[string]string{}
	for _, g := range br.DumpGroups() {
		id, rest, _ := strings.Cut(strings.TrimPrefix(g, "group_id="), ",")
		buckets["group:"+id] = rest
	}
	flows := br.Host.Ofctl("--no-names", "dump-flows", br.Name, fmt.Sprintf("table=%d,dl_vlan=%d", floodTable, vlan))
	for line := range strings.Lines(flows) {
		_, actions, _ := strings.Cut(strings.TrimSpace(line), " actions=")
		for action := range strings.SplitSeq(actions, ",") {
			if b, ok := buckets[action]; ok {
				groups++
				for _, m := range bucketPort.FindAllStringSubmatch(b, -1) {
					ports = append(ports, names[m[1]+m[2]])
				}
			}
		}
	}
	slices.Sort(ports)
	return ports, groups
}

// hostFlows counts the rules of the crowd that a bridge has: one from each host, one to each.
func (c *crowd) hostFlows(br *lab.Bridge) int {
	dump := br.DumpFlowsRaw()
	return strings.Count(dump, ",dl_src=06:") + strings.Count(dump, ",dl_dst=06:")
}

// lastConnected is when the controller logged the last connection of a switch.
func (s *site) lastConnected() time.Time {
	s.t.Helper()
	var last time.Time
	for line := range strings.Lines(s.ctl.Log()) {
		if m := connectedAt.FindStringSubmatch(line); m != nil {
			last, _ = time.ParseInLocation("2006-01-02 15:04:05.000", m[1], time.Local)
		}
	}
	return last
}

var connectedAt = regexp.MustCompile(`^time="([^"]+)".*event=switch_connected`)

// TestScale: many flows and many ports, one after the other: together they would only wait for a processor. It is the
// longest test; tests start in the order of their files' names, and this one's is early.
func TestScale(t *testing.T) {
	t.Parallel()
	t.Run("flows", manyFlows)
	t.Run("ports", manyPorts)
}

// manyFlows: 50,000 hosts of two ports are learned, and after a restart of the controller their 100,000 flows are found
// to be as they should be.
func manyFlows(t *testing.T) {
	const ports, perPort = 2, 25_000
	s := newSite(t, unlimited)
	br := s.bridge("host1")
	c := &crowd{s, br.AddOutlets("p", ports), perPort, func(int) (string, uint16) { return "default", 0 }}
	defer c.outlets.Close()
	c.learn(0, 1)
	s.eventually(unhurried, "all flows", func() bool { return c.hostFlows(br) == 2*ports*perPort })
	s.cost(br, "with all hosts")
	c.restart(br, audit100k)
}

// manyPorts: a bridge with 1,000 ports of one network, 200 of another and ten hosts at each. All are served, floods
// reach those that they are for, what happens to one port concerns no other, and restarts of either side lose nothing.
func manyPorts(t *testing.T) {
	const (
		both, blue, red = 100, 900, 100 // ports of both networks, of blue, and of red
		all             = both + blue + red
		perPort         = 10
		tagBlue, tagRed = 10, 11
	)
	var ports []string
	for i := range both {
		ports = append(ports, fmt.Sprintf("p%d: {trunk: [blue, red], native: red}", i))
	}
	for i := range red {
		ports = append(ports, fmt.Sprintf("p%d: {access: red}", both+blue+i))
	}
	s := newSite(t, fmt.Sprintf("%snetworks: {blue: {vlan: %d}, red: {vlan: %d}}\n"+
		"defaults: {network: blue}\nswitches:\n%s",
		unlimited, tagBlue, tagRed, bridgeConf(1, ports...)))
	h := s.AddHost("host1")
	br := h.AddBridge("br0", lab.BridgeOptions{})
	h.SetLink("br0", true) // one port more than fit into a group
	began := time.Now()
	outlets := br.AddOutlets("p", all)
	defer outlets.Close()
	t.Logf("%d ports made in %v", all, since(began))
	c := &crowd{s, outlets, perPort, func(port int) (string, uint16) {
		switch {
		case port < both:
			return "blue", tagBlue
		case port < both+blue:
			return "blue", 0
		}
		return "red", 0
	}}
	wantBlue := append([]string{"br0"}, outlets.Ports[:both+blue]...)
	wantRed := slices.Concat(outlets.Ports[:both], outlets.Ports[both+blue:])
	slices.Sort(wantBlue)
	slices.Sort(wantRed)
	allFlood := func() bool {
		inBlue, groupsBlue := flooded(br, tagBlue)
		inRed, groupsRed := flooded(br, tagRed)
		return slices.Equal(inBlue, wantBlue) && slices.Equal(inRed, wantRed) && groupsBlue == 2 && groupsRed == 1
	}

	br.SetController(s.ControllerTarget())
	s.eventually(unhurried, "all ports flood", allFlood)
	t.Logf("all ports flood %v after the bridge connected", since(s.lastConnected()))
	s.cost(br, "with all ports")

	everyPort := make([]int, all)
	for i := range everyPort {
		everyPort[i] = i
	}
	c.learn(everyPort...)
	c.inPlace()
	s.eventually(unhurried, "all flows", func() bool { return c.hostFlows(br) == 2*all*perPort })
	s.cost(br, "with all hosts")
	c.broadcast(both, both+blue)

	sent := s.sentMods(br, "flow_mod") + s.sentMods(br, "group_mod")
	const flapped = 7
	began = time.Now()
	outlets.SetUp(flapped, false)
	s.eventually(unhurried, "the port gone", func() bool {
		ports, _ := flooded(br, tagBlue)
		return len(ports) == both+blue && c.hostFlows(br) == 2*(all-1)*perPort
	})
	t.Logf("a port is gone after %v", since(began))
	began = time.Now()
	outlets.SetUp(flapped, true)
	s.eventually(unhurried, "the port back", allFlood)
	t.Logf("a port is back after %v", since(began))
	// Two rules for each of its hosts; three groups and a rule that names them, there and back; nothing of other ports.
	if sent = s.sentMods(br, "flow_mod") + s.sentMods(br, "group_mod") - sent; sent > 2*perPort+8 {
		t.Errorf("%d messages were sent when a port went down and came back", sent)
	}
	c.learn(flapped)

	c.restart(br, audit10k)

	h.RestartVswitchd()
	s.eventually(unhurried, "all hosts known to the new switch",
		func() bool { return c.hostFlows(br) == 2*all*perPort && allFlood() })
	t.Logf("the tables are complete %v after the new switch connected", since(s.lastConnected()))
	c.inPlace()
	s.cost(br, "after a restart of the switch")
}

func since(t time.Time) time.Duration { return time.Since(t).Round(time.Millisecond) }

// inPlace checks that each host is known where it is, and no others are.
func (c *crowd) inPlace() {
	c.t.Helper()
	known, want := c.known(), c.places()
	if len(known) != len(want) {
		c.t.Errorf("%d hosts are known, want %d", len(known), len(want))
	}
	for mac, at := range want {
		if known[mac] != at {
			c.t.Fatalf("host %s is known at %q, want %q", mac, known[mac], at)
		}
	}
}

// broadcast checks that a frame of a host at one port to everybody comes out once of each port below end, and of no
// other.
func (c *crowd) broadcast(from, end int) {
	c.t.Helper()
	payload, heard := unique("broadcast"), map[int]int{}
	listener := c.outlets.Listen(testType)
	defer listener.Close()
	c.outlets.SendRaw(from, c.frame(everybody, from, 0, payload))
	c.eventually(unhurried, "a broadcast at every port", func() bool {
		listener.Count(payload, heard)
		return len(heard) >= end-1
	})
	c.observe(500*time.Millisecond, "no port sends the broadcast twice, or to itself", func() bool {
		listener.Count(payload, heard)
		return heard[from] == 0 && !slices.ContainsFunc(slices.Collect(maps.Values(heard)),
			func(n int) bool { return n > 1 })
	})
	for port := range c.outlets.Ports {
		want := 1
		if port >= end || port == from {
			want = 0
		}
		if heard[port] != want {
			c.t.Errorf("a broadcast came out of port %d %d times, want %d", port, heard[port], want)
		}
	}
}
