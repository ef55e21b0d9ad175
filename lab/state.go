package lab

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"
)

// runRoot holds one directory per lab. It is short because it is a prefix of unix socket paths (108 bytes at most).
var runRoot = chooseRunRoot()

// chooseRunRoot is /run/eosin-lab, or /dev/shm/eosin-lab where only that is in memory, as in many containers: on disk,
// every change of a bridge would wait for ovsdb-server's fsync.
func chooseRunRoot() string {
	if uid := os.Geteuid(); uid != 0 { // it can make no lab, but it can claim a loopback address
		return filepath.Join(os.TempDir(), fmt.Sprintf("eosin-lab-%d", uid))
	}
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
	Owner      processRecord   `json:"owner"`  // PID 0: detached
	Number     int             `json:"number"` // of the claim, see claim.go
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

// loadState reads a lab's state. A directory without one was left by a run that died before it made anything.
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

// prefix begins the name of each of the lab's namespaces.
func prefix(lab string) string { return "eosin-" + lab + "-" }

func hash32(s string) uint32 {
	h := fnv.New32a()
	h.Write([]byte(s))
	return h.Sum32()
}
