package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/eosin-sdn/eosin/lab"
)

// stopWithin is how soon the program ends when it is asked to.
const stopWithin = 5 * time.Second

// TestServe: how the controller starts, logs, reloads and ends.
func TestServe(t *testing.T) {
	t.Parallel()
	s := newSite(t, conf(bridgeConf(1, "vif1: {access: blue}", "vif2: {access: blue}")))
	br := s.bridge("host1")
	vm1, vm2 := s.vm(br, "vm1"), s.vm(br, "vm2")
	s.met(vm1, vm2)
	s.reach(vm1, vm2)

	s.refusesToStart()
	s.brokenReload()

	// It ends in time although somebody listens to its events and a probe runs.
	events, err := http.Get(s.ctl.URL + "/api/v1/events")
	if err != nil {
		t.Fatal(err)
	}
	defer events.Body.Close()
	running := make(chan lab.CommandResult)
	go func() { running <- s.ctl.Eosin("probe", vm1.IP(), vm2.IP(), "-c", "100", "-i", "100ms") }()
	s.eventually(patience, "the probe runs", func() bool { return s.metric("eosin_probe_colours_in_use") > 0 })
	if !s.ctl.Stop(stopWithin) || s.ctl.ExitCode() != 0 {
		t.Errorf("after SIGTERM: exit %d", s.ctl.ExitCode())
	}
	if r := <-running; r.Exit != 3 {
		t.Errorf("a probe whose controller has ended: %v", r)
	}
	s.pings(vm1, vm2)

	logged := s.StartController(program, "", "--log-format", "json", "--log-level", "debug")
	logged.WaitSwitches(1)
	logged.Signal(syscall.SIGINT)
	select {
	case <-logged.Done():
	case <-time.After(stopWithin):
		t.Error("it did not end after SIGINT")
	}
	if logged.ExitCode() != 0 {
		t.Errorf("after SIGINT: exit %d", logged.ExitCode())
	}
	lines := strings.Split(strings.TrimSpace(logged.Log()), "\n")
	var parsed int
	for _, line := range lines {
		var entry struct{ Time, Level, Msg string }
		if !strings.HasPrefix(line, "{") {
			continue // of the controllers before, which wrote text into the same file
		}
		if err := json.Unmarshal([]byte(line), &entry); err != nil || entry.Time == "" || entry.Level == "" ||
			entry.Msg == "" {
			t.Errorf("log line %q: %v", line, err)
		}
		parsed++
	}
	if last := lines[len(lines)-1]; parsed < 3 || !strings.HasPrefix(last, "{") {
		t.Errorf("%d lines of JSON, the last line is %q", parsed, last)
	}
}

// refusesToStart starts controllers that cannot run beside the one that does.
func (s *site) refusesToStart() {
	s.t.Helper()
	free := []string{"--http-listen", "127.0.0.1:0", "--openflow-listen", "tcp:127.0.0.1:0"}
	broken := s.File("broken.yaml", "networks:\n  blue: {vlan: 10}\n  red: {vlan: 4095}\n")
	for _, c := range []struct {
		args []string
		says []string
	}{
		{
			[]string{"--http-listen", s.HTTPListen(), free[2], free[3]},
			[]string{s.HTTPListen(), "address already in use"},
		},
		{
			[]string{free[0], free[1], "--openflow-listen", s.ControllerTarget()},
			[]string{strings.TrimPrefix(s.ControllerTarget(), "tcp:"), "address already in use"},
		},
		{append([]string{"-c", broken}, free...), []string{broken + ":3: ", "4095", "4094"}},
		{append([]string{"-c", "/nowhere/eosin.yaml"}, free...), []string{"/nowhere/eosin.yaml", "no such file"}},
		{[]string{"--http-listen", "0.0.0.0:0", free[2], free[3]}, []string{"token"}},
		{append([]string{"--log-format", "xml"}, free...), []string{"json", "xml"}},
	} {
		r := s.ctl.Eosin(append([]string{"serve"}, c.args...)...)
		if r.Exit <= 0 {
			s.t.Errorf("eosin serve %v: %v", c.args, r)
		}
		for _, text := range c.says {
			if !strings.Contains(r.Stderr, text) {
				s.t.Errorf("eosin serve %v does not say %q: %v", c.args, text, r)
			}
		}
	}
}

// brokenReload reloads a config with errors, then the right one again.
func (s *site) brokenReload() {
	s.t.Helper()
	right, err := os.ReadFile(s.ctl.ConfigPath())
	if err != nil {
		s.t.Fatal(err)
	}
	before := s.steady(s.Host("host1").Bridge("br0"))
	s.ctl.Reload(strings.Replace(string(right), "vni: 5011", "vni: many", 1))
	s.eventually(patience, "the failed reload counted",
		func() bool { return s.metric("eosin_config_last_reload_successful") == 0 })
	s.waitLog(patience, s.ctl.ConfigPath()+":3: ", "vni")
	s.same("a refused reload", before, s.steady(s.Host("host1").Bridge("br0")))
	s.ctl.Reload(string(right))
	s.eventually(patience, "the good reload counted",
		func() bool { return s.metric("eosin_config_last_reload_successful") == 1 })
	s.same("a reload of the same config", before, s.steady(s.Host("host1").Bridge("br0")))
}

// TestCheck: "eosin check" accepts a right file and names every error of a wrong one by file and line.
func TestCheck(t *testing.T) {
	t.Parallel()
	check := func(text string) (exit int, stdout, stderr, path string) {
		path = filepath.Join(t.TempDir(), "eosin.yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		var out, errs strings.Builder
		cmd := exec.Command(program, "check", path)
		cmd.Stdout, cmd.Stderr = &out, &errs
		_ = cmd.Run() // its exit status is looked at
		return cmd.ProcessState.ExitCode(), out.String(), errs.String(), path
	}
	exit, stdout, stderr, path := check(conf(bridgeConf(1, "vif1: {access: blue}")) + named(2))
	if exit != 0 || !strings.HasPrefix(stdout, path+": ok (2 networks, 1 switch, 2 hosts, 0 probes)") || stderr != "" {
		t.Errorf("a right file: exit %d\n%s%s", exit, stdout, stderr)
	}
	wrong := map[int][]string{ // line: its text, and what is said of it
		1:  {"colours: many", "colours"},
		2:  {"networks:", ""},
		3:  {"  blue: {vlan: 10, subnet: 10.0.3.0/24}", ""},
		4:  {"  red: {vlan: 10}", "10"},
		5:  {"  green: {vlan: 0}", "4094"},
		6:  {"  white: {vlan: 12, vni: 16777216}", "16777215"},
		7:  {"switches:", ""},
		8:  {"  sw1: {datapath_id: \"0000000000000001\", ports: {a: {access: black}}}", "black"},
		9:  {"  sw2: {datapath_id: \"0000000000000002\", ports: {a: {access: blue, tunnel: true}}}", "tunnel"},
		10: {"hosts:", ""},
		11: {"  vm1: {mac: \"52:54:00:00:00\"}", "52:54:00:00:00"},
		12: {"  vm2: {mac: \"52:54:00:00:00:02\", ip: 10.0.9.1, network: blue}", "10.0.3.0/24"},
	}
	var text strings.Builder
	for line := 1; line <= len(wrong); line++ {
		text.WriteString(wrong[line][0] + "\n")
	}
	exit, stdout, stderr, path = check(text.String())
	if exit != 1 || stdout != "" {
		t.Errorf("a wrong file: exit %d: %s", exit, stdout)
	}
	for line, w := range wrong {
		found := false
		for said := range strings.Lines(stderr) {
			found = found || strings.HasPrefix(said, fmt.Sprintf("%s:%d: ", path, line)) && strings.Contains(said, w[1])
		}
		if found != (w[1] != "") {
			t.Errorf("line %d %q: want an error with %q: %s", line, w[0], w[1], stderr)
		}
	}
}

// A demoRun is a running "eosin lab run".
type demoRun struct {
	cmd  *exec.Cmd
	done chan struct{}
	mu   sync.Mutex
	text bytes.Buffer
}

// Write takes what the program says.
func (d *demoRun) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.text.Write(p)
}

func (d *demoRun) said() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.text.String()
}

// runDemo starts "eosin lab run" with a process group of its own, as a shell does.
func runDemo(t *testing.T, name string, args ...string) *demoRun {
	t.Helper()
	args = append([]string{"lab", "run", "--name", name, "--http-listen", lab.Loopback(t) + ":9653"}, args...)
	d := &demoRun{cmd: exec.Command(program, args...), done: make(chan struct{})}
	d.cmd.Stdout, d.cmd.Stderr = d, d
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { // ends with the program
		_ = d.cmd.Wait() // its exit status is looked at
		close(d.done)
	}()
	t.Cleanup(func() {
		_ = syscall.Kill(-d.cmd.Process.Pid, syscall.SIGKILL) // where it runs still
		if err := lab.Destroy(name); err != nil {
			t.Error(err)
		}
	})
	return d
}

// waitSaid waits until the program has said something.
func (d *demoRun) waitSaid(t *testing.T, text string) {
	t.Helper()
	ended := func() bool {
		select {
		case <-d.done:
			return true
		default:
			return false
		}
	}
	lab.Eventually(90*time.Second, func() bool { return ended() || strings.Contains(d.said(), text) })
	if !strings.Contains(d.said(), text) {
		t.Fatalf("it does not say %q (ended: %v):\n%s", text, ended(), d.said())
	}
}

// waitEnd waits until the program has ended and returns its exit status.
func (d *demoRun) waitEnd(t *testing.T, timeout time.Duration) int {
	t.Helper()
	select {
	case <-d.done:
	case <-time.After(timeout):
		t.Fatalf("it did not end within %v:\n%s", timeout, d.said())
	}
	return d.cmd.ProcessState.ExitCode()
}

// leftovers lists what there is of a lab on this machine.
func leftovers(t *testing.T, name string) []string {
	t.Helper()
	found, err := lab.Leftovers(name)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// TestLabRunOnce: what "make run ONCE=1" runs shows the topology, the table with its reasons, and ends well.
func TestLabRunOnce(t *testing.T) {
	t.Parallel()
	name := lab.NameFor(t)
	d := runDemo(t, name, "--once")
	if exit := d.waitEnd(t, 2*time.Minute); exit != 0 {
		t.Fatalf("exit %d:\n%s", exit, d.said())
	}
	said := d.said()
	for _, text := range []string{
		"host1", "---VXLAN---", "vm5  10.0.3.5  red", "/metrics", "FROM \\ TO",
		"vm2 answers ARP but not ICMP", "evidence: ",
	} {
		if !strings.Contains(said, text) {
			t.Errorf("it does not say %q:\n%s", text, said)
		}
	}
	_, table, _ := strings.Cut(said, "FROM \\ TO")
	rows := strings.Split(table, "\n")
	for i, cells := range [][]string{
		{"vm1 blue", ".", "guest_silent", " ms", "isolated", "isolated"},
		{"vm2 blue", " ms", ".", " ms", "isolated", "isolated"},
		{"vm3 blue", " ms", "guest_silent", ".", "isolated", "isolated"},
		{"vm4 red", "isolated", "isolated", "isolated", ".", " ms"},
		{"vm5 red", "isolated", "isolated", "isolated", " ms", "."},
	} {
		rest := rows[i+1]
		for _, cell := range cells {
			_, after, found := strings.Cut(rest, cell)
			if !found {
				t.Errorf("row %q: want %q", rows[i+1], cells)
			}
			rest = after
		}
	}
	if left := leftovers(t, name); len(left) > 0 {
		t.Errorf("it left %q", left)
	}
}

// TestLabRunInterrupted: Ctrl-C, which reaches the whole process group, removes everything, whatever was going on.
func TestLabRunInterrupted(t *testing.T) {
	t.Parallel()
	for _, when := range []string{"host2: ready", "vm3: on host2", "FROM \\ TO"} {
		t.Run(when, func(t *testing.T) {
			t.Parallel()
			name := lab.NameFor(t)
			d := runDemo(t, name)
			d.waitSaid(t, when)
			if err := syscall.Kill(-d.cmd.Process.Pid, syscall.SIGINT); err != nil {
				t.Fatal(err)
			}
			exit := d.waitEnd(t, 20*time.Second)
			if when == "FROM \\ TO" && exit != 0 {
				t.Errorf("exit %d:\n%s", exit, d.said())
			}
			if left := leftovers(t, name); len(left) > 0 {
				t.Errorf("it left %q\n%s", left, d.said())
			}
		})
	}
}

// TestLabRunKilled: what a killed run left is removed by "eosin lab down" and by the next run.
func TestLabRunKilled(t *testing.T) {
	t.Parallel()
	for _, next := range []string{"down", "run"} {
		t.Run(next, func(t *testing.T) {
			t.Parallel()
			name := lab.NameFor(t)
			d := runDemo(t, name)
			d.waitSaid(t, "vm2: on host1")
			if err := d.cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			d.waitEnd(t, 5*time.Second)
			if left := leftovers(t, name); len(left) < 5 {
				t.Fatalf("a killed run left only %q: this proves nothing", left)
			}
			if next == "run" {
				again := runDemo(t, name, "--once")
				if exit := again.waitEnd(t, 2*time.Minute); exit != 0 {
					t.Errorf("the next run: exit %d:\n%s", exit, again.said())
				}
			} else if out, err := exec.Command(program, "lab", "down", "--name", name).CombinedOutput(); err != nil {
				t.Errorf("eosin lab down: %v: %s", err, out)
			}
			if left := leftovers(t, name); len(left) > 0 {
				t.Errorf("after the next %s there is still %q", next, left)
			}
		})
	}
}
