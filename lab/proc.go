package lab

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// A processRecord identifies a process beyond the reuse of its number.
type processRecord struct {
	PID   int    `json:"pid"`
	Start uint64 `json:"start"` // clock ticks since boot, field 22 of /proc/PID/stat
	Boot  string `json:"boot"`  // identifies the boot that Start refers to
	What  string `json:"what"`
}

// recordOf describes a running process.
func recordOf(pid int, what string) processRecord {
	start, _ := startTime(pid)
	return processRecord{PID: pid, Start: start, Boot: bootID(), What: what}
}

// alive reports whether exactly this process, not a later one with its number, still runs. A zombie does not run.
func (r processRecord) alive() bool {
	if r.PID <= 0 || r.Boot != bootID() {
		return false
	}
	start, running := startTime(r.PID)
	return running && start == r.Start
}

// kill ends the process if it is still the recorded one. FindProcess holds a pidfd where the kernel has them, so that
// the number cannot be given to another process between the check and the signal.
func (r processRecord) kill() error {
	p, err := os.FindProcess(r.PID)
	if err != nil {
		return err
	}
	defer p.Release()
	if !r.alive() {
		return nil
	}
	if err := p.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("kill %s (process %d): %w", r.What, r.PID, err)
	}
	return nil
}

// killAll ends the processes and waits until they are gone.
func killAll(records []processRecord, timeout time.Duration) error {
	var errs []error
	for _, r := range records {
		errs = append(errs, r.kill())
	}
	deadline := time.Now().Add(timeout)
	for _, r := range records {
		if !Eventually(time.Until(deadline), func() bool { return !r.alive() }) {
			errs = append(errs, fmt.Errorf("%s (process %d) is still there %v after SIGKILL", r.What, r.PID, timeout))
		}
	}
	return errors.Join(errs...)
}

// startTime of a process, and whether it runs at all.
func startTime(pid int) (uint64, bool) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, false
	}
	// The command's name, in parentheses, may itself hold spaces and parentheses.
	_, rest, ok := bytes.Cut(stat[max(bytes.LastIndexByte(stat, ')'), 0):], []byte(") "))
	fields := strings.Fields(string(rest))
	if !ok || len(fields) < 20 {
		return 0, false
	}
	start, err := strconv.ParseUint(fields[19], 10, 64)
	return start, err == nil && fields[0] != "Z" && fields[0] != "X"
}

func bootID() string {
	id, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(id))
}

func allPIDs() []int {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var pids []int
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}
