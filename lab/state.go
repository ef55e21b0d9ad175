package lab

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"sync"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// runRoot holds one directory per lab. It is short because it is a prefix of unix socket paths (108 bytes at most).
var runRoot = chooseRunRoot()

// chooseRunRoot is /run/eosin-lab, or /dev/shm/eosin-lab where only that is in memory, as in many containers: on a busy disk
// every change of a bridge waits for ovsdb-server's fsync, and the datapath for its log.
func chooseRunRoot() string {
	for _, dir := range []string{"/run", "/dev/shm"} {
		var fs unix.Statfs_t
		if unix.Statfs(dir, &fs) == nil && fs.Type == unix.TMPFS_MAGIC {
			return dir + "/eosin-lab"
		}
	}
	return "/run/eosin-lab"
}

// state is what another process needs to remove a lab. It is written before a namespace or link is made, and
// as soon as a process runs.
type state struct {
	Lab        string          `json:"lab"`
	Owner      processRecord   `json:"owner"` // PID 0: detached
	Subnet     int             `json:"subnet"`
	Namespaces []string        `json:"namespaces"`
	Links      []string        `json:"links"` // in the root namespace
	Processes  []processRecord `json:"processes"`

	path string
	mu   sync.Mutex
}

// update changes the state and writes it, whole or not at all.
func (s *state) update(change func()) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
	text, err := json.MarshalIndent(s, "", " ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(s.path+".new", text, 0o600); err != nil {
		return err
	}
	return os.Rename(s.path+".new", s.path)
}

// loadState reads a lab's state. A directory without one belongs to a run that died before it made anything.
func loadState(name string) (*state, error) {
	path := filepath.Join(runRoot, name, "state.json")
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	s := &state{path: path}
	if err := json.Unmarshal(text, s); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

// lock keeps other processes from claiming or sweeping labs until unlock is called.
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

// claim removes a dead lab of this name, then takes the name and a management network.
func (l *Lab) claim() error {
	unlock, err := lock()
	if err != nil {
		return err
	}
	defer unlock()
	if old, err := loadState(l.Name); err == nil && old.Owner.alive() && old.Owner.PID != os.Getpid() {
		return fmt.Errorf("lab %s is in use by process %d", l.Name, old.Owner.PID)
	}
	if err := destroyLocked(l.Name); err != nil {
		return fmt.Errorf("remove what is left of lab %s: %w", l.Name, err)
	}
	l.subnet, err = freeSubnet(l.Name)
	if err != nil {
		return err
	}
	l.state = &state{Lab: l.Name, Subnet: l.subnet, path: filepath.Join(l.dir, "state.json")}
	if !l.opts.Detached {
		l.state.Owner = recordOf(os.Getpid(), "owner")
	}
	if err := os.MkdirAll(l.dir, 0o755); err != nil {
		return err
	}
	return l.state.update(func() {})
}

// freeSubnet finds an N so that 100.64.N.0/24 overlaps with no other lab and no address or route of the machine.
func freeSubnet(name string) (int, error) {
	taken := map[int]bool{}
	entries, err := os.ReadDir(runRoot)
	if err != nil {
		return 0, err
	}
	for _, e := range entries {
		if s, err := loadState(e.Name()); err == nil {
			taken[s.Subnet] = true
		}
	}
	routes, err := netlink.RouteList(nil, netlink.FAMILY_V4)
	if err != nil {
		return 0, fmt.Errorf("list routes: %w", err)
	}
	start := int(hash32(name) % 256)
	for i := range 256 {
		n := (start + i) % 256
		if !taken[n] && !routed(routes, n) {
			return n, nil
		}
	}
	return 0, errors.New("no free network in 100.64.0.0/16 for the management of another lab")
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

// rootLink names the lab's only interface in the root namespace (15 bytes at most).
func rootLink(lab string) string { return fmt.Sprintf("eosin-%08x", hash32(lab)) }

// prefix begins the name of each of the lab's namespaces.
func prefix(lab string) string { return "eosin-" + lab + "-" }

func hash32(s string) uint32 {
	h := fnv.New32a()
	h.Write([]byte(s))
	return h.Sum32()
}
