package lab

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"
)

// A Process runs in the background until it is stopped or the lab is destroyed.
type Process struct {
	What    string // for messages: "host1: ovs-vswitchd"
	LogPath string // its standard output and error

	lab    *Lab
	cmd    *exec.Cmd
	record processRecord
	done   chan struct{} // closed when it has ended
}

// Spawn starts a program in the namespace and records it for Destroy. Its output is appended to a log in the run
// directory. It gets a session of its own, so that Ctrl-C on the terminal reaches only the lab's owner, who then stops
// things in order.
func (n *Namespace) Spawn(what string, args ...string) *Process {
	p := &Process{What: what, lab: n.lab, LogPath: n.lab.path(what) + ".log", done: make(chan struct{})}
	log, err := os.OpenFile(p.LogPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	n.lab.check(err, "%s: log", what)
	defer log.Close()
	p.cmd = exec.Command(args[0], args[1:]...)
	p.cmd.Env = append(os.Environ(), n.env...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	n.lab.check(n.Do(p.cmd.Start), "%s: start %s", what, args[0])
	p.record = recordOf(p.cmd.Process.Pid, what)
	n.lab.check(n.lab.state.update(func() {
		n.lab.state.Processes = append(n.lab.state.Processes, p.record)
	}), "%s: record", what)
	// Owned by p; ends when the program ends.
	go func() {
		_ = p.cmd.Wait() // ExitCode has the result
		close(p.done)
	}()
	return p
}

// PID of the process.
func (p *Process) PID() int { return p.record.PID }

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Running reports whether it has not ended.
func (p *Process) Running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// Signal sends a signal; to a process that has ended it does nothing.
func (p *Process) Signal(sig os.Signal) {
	if p.Running() {
		_ = p.cmd.Process.Signal(sig)
	}
}

// Stop asks the process to end (SIGTERM) and kills it after the timeout. It reports whether it ended by itself.
func (p *Process) Stop(timeout time.Duration) bool {
	p.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
		p.forget()
		return true
	case <-time.After(timeout):
		p.Kill()
		return false
	}
}

// Kill ends the process at once (SIGKILL) and returns when it is gone.
func (p *Process) Kill() {
	p.Signal(syscall.SIGKILL)
	<-p.done
	p.forget()
}

// ExitCode after the end; -1 while it runs or after a signal.
func (p *Process) ExitCode() int {
	if p.Running() {
		return -1
	}
	return p.cmd.ProcessState.ExitCode()
}

// Log is what the process has written so far.
func (p *Process) Log() string {
	text, err := os.ReadFile(p.LogPath)
	if err != nil {
		return fmt.Sprintf("(no log: %v)", err)
	}
	return string(text)
}

// awaitLog waits until the program's log says that it is ready.
func (p *Process) awaitLog(text string) {
	ready := func() bool { return strings.Contains(p.Log(), text) }
	if !p.lab.Eventually(5*time.Second, func() bool { return !p.Running() || ready() }) || !p.Running() {
		p.lab.fatal("%s: %s", p.What, p.Log())
	}
}

func (p *Process) forget() {
	p.lab.check(p.lab.state.update(func() {
		p.lab.state.Processes = slices.DeleteFunc(p.lab.state.Processes,
			func(r processRecord) bool { return r == p.record })
	}), "%s: forget", p.What)
}
