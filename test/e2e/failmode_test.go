package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/eosin-sdn/eosin/controller/api"
	"github.com/eosin-sdn/eosin/lab"
)

// events are the events of a type, oldest first.
func (s *site) events(kind string) (list []api.Event) {
	s.t.Helper()
	var all []api.Event
	r := s.ctl.Eosin("events", "-o", "json")
	if err := json.Unmarshal([]byte(r.Stdout), &all); err != nil || r.Exit != 0 {
		s.t.Fatalf("eosin events: %v\n%v", err, r)
	}
	for _, e := range all {
		if e.Type == kind {
			list = append(list, e)
		}
	}
	return list
}

// waitEvents waits until there are n events of a type and returns the last.
func (s *site) waitEvents(kind string, n int) api.Event {
	s.t.Helper()
	s.eventually(patience, fmt.Sprintf("%d events %s", n, kind), func() bool { return len(s.events(kind)) >= n })
	list := s.events(kind)
	if len(list) != n {
		s.t.Fatalf("%d events %s, want %d: %+v", len(list), kind, n, list)
	}
	return list[n-1]
}

// commandIn is the command that a message holds between backquotes.
func (s *site) commandIn(message string) string {
	s.t.Helper()
	parts := strings.Split(message, "`")
	if len(parts) != 3 {
		s.t.Fatalf("no command in %q", message)
	}
	return parts[1]
}

// shell runs a command as an operator pastes it, in no host's environment: what it needs to find the database, it says.
func (s *site) shell(h *lab.Host, command string) {
	s.t.Helper()
	if out := h.Run("env", "-u", "OVS_RUNDIR", "sh", "-c", command); out != "" {
		s.t.Errorf("%s: %s", command, out)
	}
}

// bridgeOf is what "eosin get switches" says of a bridge.
func (s *site) bridgeOf(br *lab.Bridge) (api.Switch, bool) {
	s.t.Helper()
	for _, o := range get[api.Switch](s, "switches") {
		if o.DatapathID == br.DatapathID() {
			return o, true
		}
	}
	return api.Switch{}, false
}

// hasSeries reports whether /metrics has a series, whatever its value.
func (s *site) hasSeries(series string) bool {
	s.t.Helper()
	body, err := s.ctl.Get("/metrics")
	if err != nil {
		s.t.Fatal(err)
	}
	return strings.Contains(string(body), "\n"+series+" ")
}

// failMode is the series of a bridge.
func failMode(br *lab.Bridge, name string) string {
	return fmt.Sprintf("eosin_switch_fail_mode_secure{datapath_id=%q,switch=%q}", br.DatapathID(), name)
}

// newOVSDBSite is a host whose database the controller reads.
func newOVSDBSite(t *testing.T) (*site, *lab.Host) {
	t.Helper()
	l := lab.Start(t)
	h := l.AddHost("host1")
	config := conf("  sw1: {datapath_id: \"0000000000000001\"}\n  sw2: {datapath_id: \"0000000000000002\"}\n") +
		fmt.Sprintf("ovsdb: {connect: [\"unix:%s/db.sock\"]}\n", h.RunDir())
	return &site{Lab: l, t: t, ctl: l.StartController(program, config)}, h
}

// TestFailMode: a bridge that would become a plain switch without its controller is reported, with the command that
// changes it.
func TestFailMode(t *testing.T) {
	t.Parallel()
	s, h := newOVSDBSite(t)
	secure := s.secondBridge(h, "br0") // the lab's default is secure
	br := h.AddBridge("br1", lab.BridgeOptions{FailMode: "unset", Controllers: []string{s.ControllerTarget()}})
	s.waitConnected(br)

	event := s.waitEvents("fail_mode", 1)
	command := s.commandIn(event.Message)
	if want := fmt.Sprintf("ovs-vsctl --db=unix:%s/db.sock set-fail-mode br1 secure", h.RunDir()); command != want {
		t.Errorf("the event's command is %q, want %q", command, want)
	}
	if event.Level != "warning" || event.Switch != "sw2" || !strings.Contains(event.Message, br.DatapathID()) ||
		!strings.Contains(event.Message, "VLANs leak") {
		t.Errorf("event %+v", event)
	}
	s.waitLog(patience, "level=warning", "event=fail_mode", command)
	if v := s.metric(failMode(br, "sw2")); v != 0 {
		t.Errorf("metric %v for a bridge without fail mode", v)
	}
	if v := s.metric(failMode(secure, "sw1")); v != 1 {
		t.Errorf("metric %v for the secure bridge", v)
	}
	if sw, _ := s.bridgeOf(br); sw.FailMode != "standalone" || sw.Bridge != "br1" ||
		!strings.Contains(sw.FailModeWarning, command) {
		t.Errorf("switch %+v", sw)
	}
	if sw, _ := s.bridgeOf(secure); sw.FailMode != "secure" || sw.Bridge != "br0" || sw.FailModeWarning != "" {
		t.Errorf("switch %+v", sw)
	}
	if table := s.ctl.Eosin("get", "switches").Stdout; !strings.Contains(table, "standalone") ||
		!strings.Contains(table, command) {
		t.Errorf("eosin get switches:\n%s", table)
	}

	// A controller that the bridge loses and finds again is no news.
	br.DelController()
	s.eventually(patience, "br1 disconnected", func() bool { return !s.isConnected(br) })
	br.SetController(s.ControllerTarget())
	s.waitConnected(br)
	s.shell(h, command)
	fixed := s.waitEvents("fail_mode_fixed", 1)
	if fixed.Level != "info" || fixed.Switch != "sw2" {
		t.Errorf("event %+v", fixed)
	}
	s.waitEvents("fail_mode", 1)
	if v := s.metric(failMode(br, "sw2")); v != 1 {
		t.Errorf("metric %v after it was fixed", v)
	}
	if sw, _ := s.bridgeOf(br); sw.FailMode != "secure" || sw.FailModeWarning != "" {
		t.Errorf("switch %+v", sw)
	}

	s.databaseRestarts(h, br)

	br.Delete()
	s.eventually(patience, "the series gone", func() bool { return !s.hasSeries(failMode(br, "sw2")) })
	if sw, _ := s.bridgeOf(br); sw.FailMode != "" || sw.Bridge != "" {
		t.Errorf("a removed bridge: %+v", sw)
	}
	s.eventually(truthWithin, "the series of the other bridge still there", func() bool {
		return s.hasSeries(failMode(secure, "sw1"))
	})
}

// databaseRestarts has ovsdb-server be away, killed and started, and sees what is changed afterwards.
func (s *site) databaseRestarts(h *lab.Host, br *lab.Bridge) {
	s.t.Helper()
	threads := s.threads()
	for i, restart := range []func(){h.RestartOVSDB, func() { h.KillOVSDB(); h.StartOVSDB() }} {
		restart()
		s.waitConnected(br)
		h.Vsctl("set-fail-mode", br.Name, "standalone")
		s.waitEvents("fail_mode", i+2)
		h.Vsctl("set-fail-mode", br.Name, "secure")
		s.waitEvents("fail_mode_fixed", i+2)
		s.waitEvents("ovsdb_lost", i+1)
		if last := s.waitEvents("ovsdb_connected", i+2); !strings.Contains(last.Message, h.RunDir()+"/db.sock") {
			s.t.Errorf("event %+v", last)
		}
	}
	h.StopOVSDB()
	lost := s.waitEvents("ovsdb_lost", 3)
	if !strings.Contains(lost.Message, h.RunDir()+"/db.sock") || lost.Level != "warning" {
		s.t.Errorf("event %+v", lost)
	}
	const attempts = 3 * time.Second // to connect, which make no events
	s.observe(attempts, "one event for one loss of the database",
		func() bool { return len(s.events("ovsdb_lost")) == 3 })
	if sw, _ := s.bridgeOf(br); sw.FailMode != "secure" {
		s.t.Errorf("while the database is away for a moment: %+v", sw)
	}
	h.StartOVSDB()
	s.waitEvents("ovsdb_connected", 4)
	s.eventually(patience, "as many goroutines as before", func() bool { return s.threads() <= threads+3 })
}

// threads is how many goroutines the controller has.
func (s *site) threads() float64 { return s.metric("go_goroutines") }

// TestBridgesThatCannotConnect: what keeps a bridge from its controller, as far as the database knows.
func TestBridgesThatCannotConnect(t *testing.T) {
	t.Parallel()
	s, h := newOVSDBSite(t)
	old := h.AddBridge("br0", lab.BridgeOptions{
		DatapathID: 77, Protocols: []string{"OpenFlow10"},
		Controllers: []string{s.ControllerTarget()},
	})
	event := s.waitEvents("bridge_protocols", 1)
	if event.Level != "warning" || !strings.Contains(event.Message, old.DatapathID()) {
		t.Errorf("event %+v", event)
	}
	s.shell(h, s.commandIn(event.Message))
	s.waitEvents("bridge_protocols_fixed", 1)
	s.waitConnected(old)

	twin := h.AddBridge("br1", lab.BridgeOptions{DatapathID: 77})
	event = s.waitEvents("datapath_id_shared", 1)
	if !strings.Contains(event.Message, "br0") || !strings.Contains(event.Message, "br1") {
		t.Errorf("event %+v", event)
	}
	s.shell(h, s.commandIn(event.Message))
	s.waitEvents("datapath_id_shared_fixed", 1)
	id := func(br *lab.Bridge) string {
		return strings.Trim(h.Vsctl("get", "bridge", br.Name, "datapath_id"), `"`)
	}
	if ids := []string{id(old), id(twin)}; ids[0] == ids[1] || !slices.Contains(ids, old.DatapathID()) {
		t.Errorf("the bridges have the datapath ids %v", ids)
	}
}

// TestDemoFailMode: the demo's bridges are secure, its config reads their databases, and nothing is warned of.
func TestDemoFailMode(t *testing.T) {
	t.Parallel()
	l := lab.Start(t)
	d, err := lab.BuildDemo(l)
	if err != nil {
		t.Fatal(err)
	}
	config, err := os.ReadFile(d.ConfigPath())
	if err != nil {
		t.Fatal(err)
	}
	s := &site{Lab: l, t: t, ctl: l.StartController(program, string(config))}
	for _, host := range []string{"host1", "host2"} {
		br := l.Host(host).Bridge("br0")
		s.waitConnected(br)
		s.eventually(patience, host+" known to be secure", func() bool {
			sw, _ := s.bridgeOf(br)
			return sw.FailMode == "secure" && sw.Bridge == "br0"
		})
	}
	for _, kind := range []string{"fail_mode", "bridge_protocols", "datapath_id_shared", "ovsdb_lost"} {
		if list := s.events(kind); len(list) > 0 {
			t.Errorf("events %+v", list)
		}
	}
}
