package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// subject is a controller that is measured.
type subject struct {
	name    string
	command func(port int) (args []string, err error)
	need    byte // bits of a host that has been answered, see fakeSwitch
	rules   bool // ready means that a rule sends frames to the controller
	most    int  // switches that it can serve, 0 any number
	fabric  bool // it finds links
	hint    string
}

// subjects returns what can be measured here.
func subjects(o *options, dir string) []subject {
	self, _ := os.Executable()
	return []subject{
		{
			name: "eosin", need: gotSource | gotDestination, rules: true, fabric: true,
			command: func(port int) ([]string, error) {
				file := filepath.Join(dir, "eosin.yaml")
				text := fmt.Sprintf("openflow: {listen: [\"tcp:127.0.0.1:%d\"]}\nhttp: {listen: \"127.0.0.1:%d\"}\n",
					port, port+1)
				limits := []any{0, 0, 0, 0, 0} // none
				if o.limits {
					limits = []any{60_000, 60_000, 10_000_000, 1000, 1000}
				}
				text += fmt.Sprintf("limits: {hosts_per_port: %d, hosts_per_switch: %d, packet_ins_per_second: %d, "+
					"moves: %d, probes_per_second: %d}\n", limits...)
				return []string{o.eosin, "serve", "-c", file}, os.WriteFile(file, []byte(text), 0o600)
			},
		},
		{
			name: "testcontroller", need: gotSource, rules: true, most: 16,
			hint: " (Debian: apt-get install openvswitch-testcontroller; it starts a service of its own, " +
				"which is not needed)",
			command: func(port int) ([]string, error) {
				return []string{
					o.testcontroller, "-O", "OpenFlow13", "--log-file=/dev/null",
					"--unixctl=" + filepath.Join(dir, "tc.ctl"), fmt.Sprintf("ptcp:%d:127.0.0.1", port),
				}, nil
			},
		},
		{
			name: "ofnet", need: gotSource, rules: true, hint: " (build it in test/load/ancestor)",
			command: func(port int) ([]string, error) {
				return []string{o.ancestor, fmt.Sprintf("127.0.0.1:%d", port)}, nil
			},
		},
		{
			name: "stub", need: gotSource | gotDestination,
			command: func(port int) ([]string, error) {
				return []string{self, "-serve-stub", fmt.Sprintf("127.0.0.1:%d", port)}, nil
			},
		},
	}
}

// process is a running subject.
type process struct {
	subject
	address string
	cmd     *exec.Cmd
	exited  chan error
	log     string
}

// launch starts a subject on the controller's core and waits until it listens.
func (s subject) launch(o *options, dir string) (*process, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	args, err := s.command(port)
	if err != nil {
		return nil, err
	}
	p := &process{
		subject: s, address: fmt.Sprintf("127.0.0.1:%d", port), exited: make(chan error, 1),
		log: filepath.Join(dir, s.name+".log"),
	}
	log, err := os.Create(p.log)
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }()
	p.cmd = exec.Command("taskset", append([]string{"-c", strconv.Itoa(o.core)}, args...)...)
	p.cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	p.cmd.Stdout, p.cmd.Stderr = log, log
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { p.exited <- p.cmd.Wait() }() // ends with the process, which stop ends
	if err := awaitListener(port, p.exited); err != nil {
		p.stop()
		return nil, p.fault(err)
	}
	return p, nil
}

// awaitListener waits until somebody listens on a port of loopback, unless the process ends.
func awaitListener(port int, exited chan error) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for limit := time.After(10 * time.Second); !listens(port); {
		select {
		case err := <-exited:
			exited <- err
			return fmt.Errorf("it ended: %w", err)
		case <-limit:
			return errors.New("it does not listen")
		case <-tick.C:
		}
	}
	return nil
}

// fault adds to an error what the subject's log complained of first, or else the end of it.
func (p *process) fault(err error) error {
	b, _ := os.ReadFile(p.log)
	said := string(b[max(0, len(b)-1000):])
	for line := range strings.Lines(string(b)) {
		if strings.Contains(line, "warn") || strings.Contains(line, "error") || strings.Contains(line, "panic") {
			said = line
			break
		}
	}
	return fmt.Errorf("%s: %w\n%s", p.name, err, said)
}

// stop ends the process.
func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.exited:
	case <-time.After(3 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.exited
	}
}

// freePort returns a port of loopback that nobody listens on, with its successor.
func freePort() (int, error) {
	for range 100 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return 0, err
		}
		port := l.Addr().(*net.TCPAddr).Port
		next, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port+1))
		_ = l.Close()
		if err == nil {
			_ = next.Close()
			return port, nil
		}
	}
	return 0, errors.New("no free ports")
}

// listens looks for a listener in the kernel's table: a connection to try it would be one more switch to the subject.
func listens(port int) bool {
	for _, file := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		b, _ := os.ReadFile(file)
		for line := range strings.Lines(string(b)) {
			f := strings.Fields(line)
			if len(f) > 3 && f[3] == "0A" && strings.HasSuffix(f[1], fmt.Sprintf(":%04X", port)) {
				return true
			}
		}
	}
	return false
}

// memory returns the process's peak and present resident memory in bytes. taskset has become the subject by exec.
func (p *process) memory() (peak, now float64) {
	if p.cmd == nil {
		return 0, 0 // it runs in this process
	}
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) < 2 {
			continue
		}
		kib, _ := strconv.ParseFloat(f[1], 64)
		switch f[0] {
		case "VmHWM:":
			peak = kib * 1024
		case "VmRSS:":
			now = kib * 1024
		}
	}
	return peak, now
}

// cpu returns how much processor time the process has used. On a machine that others use as well it tells what wall
// time hides.
func (p *process) cpu() time.Duration {
	if p.cmd == nil {
		return 0 // it runs in this process
	}
	var total time.Duration
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", p.cmd.Process.Pid))
	for _, file := range tasks {
		b, _ := os.ReadFile(file)
		if f := strings.Fields(string(b)); len(f) > 0 {
			ns, _ := strconv.ParseInt(f[0], 10, 64)
			total += time.Duration(ns)
		}
	}
	return total
}
