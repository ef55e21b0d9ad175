package lab

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Everything of the machine that labs of this and of other processes share is claimed here, under one lock: a name,
// which names the run directory and the namespaces, and a number that no other claim has, from which follow
//
//	100.64.N.0/24   the management network
//	127.100.N.0/24  loopback addresses for what listens in the root namespace
//	eosin-mgmtN     the link in the root namespace
//
// A claim is a directory below the run root. It ends when it is released or, once its owner has died, with the next
// Sweep. Ports, the underlay's addresses and datapath ids are a lab's own: they are used in its namespaces, at its
// addresses or by its controller only.
const claims = 256

// Addresses and the link that follow from a claim's number.
func managementIP(number, host int) string { return fmt.Sprintf("100.64.%d.%d", number, host) }
func loopbackIP(number, host int) string   { return fmt.Sprintf("127.100.%d.%d", number, host) }
func rootLink(number int) string           { return fmt.Sprintf("%s%d", rootLinkPrefix, number) }

const rootLinkPrefix = "eosin-mgmt"

// lock keeps other processes from claiming and sweeping until unlock is called.
func lock() (unlock func(), err error) {
	if err := os.MkdirAll(runRoot, 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(runRoot, ".lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		f.Close()
		return nil, err
	}
	return func() { f.Close() }, nil
}

// claim removes a dead lab of this name, then takes the name and a number. A detached claim has no owner to die.
func claim(name string, detached bool) (*state, error) {
	unlock, err := lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	if old, err := loadState(name); err == nil && old.Owner.alive() && old.Owner.PID != os.Getpid() {
		return nil, fmt.Errorf("lab %s is in use by process %d", name, old.Owner.PID)
	}
	if err := destroyLocked(name); err != nil {
		return nil, fmt.Errorf("remove what is left of lab %s: %w", name, err)
	}
	number, err := freeNumber(name)
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(runRoot, name)
	s := &state{Lab: name, Number: number, path: filepath.Join(dir, "state.json")}
	if !detached {
		s.Owner = recordOf(os.Getpid(), "owner")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	return s, s.update(func() {})
}

// freeNumber finds a number that no other claim has and whose management network overlaps with no route of the machine.
func freeNumber(name string) (int, error) {
	taken, err := claimed()
	if err != nil {
		return 0, err
	}
	routes, err := netlink.RouteList(nil, netlink.FAMILY_V4)
	if err != nil {
		return 0, fmt.Errorf("list routes: %w", err)
	}
	start := int(hash32(name) % claims)
	for i := range claims {
		n := (start + i) % claims
		if !taken[n] && !routed(routes, n) {
			return n, nil
		}
	}
	return 0, fmt.Errorf("all %d networks of 100.64.0.0/16 are in use by labs or routes: no room for another lab",
		claims)
}

// claimed is the numbers of all claims.
func claimed() (map[int]bool, error) {
	taken := map[int]bool{}
	entries, err := os.ReadDir(runRoot)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if s, err := loadState(e.Name()); err == nil {
			taken[s.Number] = true
		}
	}
	return taken, nil
}

// routed reports whether a route more specific than a default route overlaps with 100.64.n.0/24.
func routed(routes []netlink.Route, n int) bool {
	for _, r := range routes {
		if r.Dst == nil {
			continue
		}
		ones, _ := r.Dst.Mask.Size()
		ip := r.Dst.IP.To4()
		if ones == 0 || ip == nil {
			continue
		}
		ours := []byte{100, 64, byte(n), 0}
		if r.Dst.Contains(ours) || (ip[0] == 100 && ip[1] == 64 && ip[2] == byte(n)) {
			return true
		}
	}
	return false
}

var loopbacks atomic.Int64

// Loopback claims a loopback address for a test that runs a program without a lab. No other test of the machine listens
// there, so that any port may be used; one from the ephemeral range could belong to somebody's outgoing connection.
func Loopback(t TB) string {
	t.Helper()
	sweepOnce.Do(func() { sweep(t) })
	s, err := claim(fmt.Sprintf("%slo%d", NameFor(t), loopbacks.Add(1)), false)
	if err != nil {
		t.Fatalf("loopback address: %v", err)
	}
	t.Cleanup(func() {
		if err := Destroy(s.Lab); err != nil {
			t.Logf("loopback address: %v", err)
		}
	})
	return loopbackIP(s.Number, 1)
}

// Leftovers lists what there is of the named lab on this machine: its namespaces, its directory, processes that run in
// there, and links in the root namespace that no lab claims.
func Leftovers(name string) (found []string, err error) {
	unlock, err := lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	var errs []error
	namespaces, err := namespacesOf(name)
	errs = append(errs, err)
	for _, ns := range namespaces {
		found = append(found, "namespace "+ns)
	}
	own := -1
	if s, err := loadState(name); err == nil {
		own = s.Number
	}
	taken, err := claimed()
	errs = append(errs, err)
	links, err := netlink.LinkList()
	errs = append(errs, err)
	for _, link := range links {
		var n int
		if name := link.Attrs().Name; strings.HasPrefix(name, rootLinkPrefix) {
			if _, err := fmt.Sscanf(name, rootLinkPrefix+"%d", &n); err != nil || n == own || !taken[n] {
				found = append(found, "link "+name)
			}
		}
	}
	dir := filepath.Join(runRoot, name)
	if _, err := os.Stat(dir); err == nil {
		found = append(found, dir)
	}
	for _, pid := range allPIDs() {
		cmdline, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if strings.Contains(string(cmdline), dir+"/") {
			found = append(found, "process "+strings.ReplaceAll(string(cmdline), "\x00", " "))
		}
	}
	return found, errors.Join(errs...)
}
