package lab

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// Destroy removes everything of the named lab: processes that are verifiably its own, all processes in its namespaces,
// the namespaces with their links, its link in the root namespace and its run directory. A lab that does not exist is
// no error.
func Destroy(name string) error {
	if !labName.MatchString(name) {
		return fmt.Errorf("lab name %q: want 1 to 40 of a-z and 0-9", name)
	}
	unlock, err := lock()
	if err != nil {
		return err
	}
	defer unlock()
	return destroyLocked(name)
}

// InUse returns the process that has the named lab and lives, or 0. A lab that was made to stay is in use by nobody.
func InUse(name string) int {
	unlock, err := lock()
	if err != nil {
		return 0
	}
	defer unlock()
	if s, err := loadState(name); err == nil && s.Owner.PID != os.Getpid() && s.Owner.alive() {
		return s.Owner.PID
	}
	return 0
}

// Sweep destroys the labs whose owner has died. It returns the names of those it removed.
func Sweep() ([]string, error) {
	unlock, err := lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	entries, err := os.ReadDir(runRoot)
	if err != nil {
		return nil, err
	}
	var swept []string
	var errs []error
	for _, e := range entries {
		if !e.IsDir() || !labName.MatchString(e.Name()) {
			continue
		}
		s, err := loadState(e.Name())
		if err == nil && (s.Owner.PID == 0 || s.Owner.alive()) {
			continue
		}
		swept = append(swept, e.Name())
		errs = append(errs, destroyLocked(e.Name()))
	}
	return swept, errors.Join(errs...)
}

// destroyLocked is Destroy for a caller who holds the lock.
func destroyLocked(name string) error {
	var errs []error
	namespaces, err := namespacesOf(name)
	errs = append(errs, err)
	var links []string
	var doomed []processRecord
	if s, err := loadState(name); err == nil {
		doomed, links = s.Processes, s.Links
	}
	doomed = append(doomed, inhabitants(namespaces)...)
	errs = append(errs, killAll(doomed, 5*time.Second))
	for _, link := range links {
		errs = append(errs, deleteLink(link))
	}
	for _, ns := range namespaces {
		if err := deleteNamespace(ns); err != nil {
			errs = append(errs, fmt.Errorf("delete namespace %s: %w", ns, err))
		}
	}
	errs = append(errs, os.RemoveAll(filepath.Join(runRoot, name)))
	return errors.Join(errs...)
}

// namespaceDir is where the ip tool and others keep the names of namespaces.
const namespaceDir = "/run/netns/"

// deleteNamespace deletes a namespace, or what is left of one whose making was interrupted: a name for nothing.
func deleteNamespace(name string) error {
	err := netns.DeleteNamed(name)
	if errors.Is(err, unix.EINVAL) { // not mounted
		return os.Remove(namespaceDir + name)
	}
	return err
}

// namespacesOf lists the namespaces with the lab's prefix. Since a lab's name has no hyphen, they are no other lab's.
func namespacesOf(name string) ([]string, error) {
	entries, err := os.ReadDir(namespaceDir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	var names []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), prefix(name)) {
			names = append(names, e.Name())
		}
	}
	return names, err
}

// inhabitants lists the processes whose network namespace is one of those named, except this one.
func inhabitants(namespaces []string) []processRecord {
	inodes := map[string]bool{}
	for _, ns := range namespaces {
		var st unix.Stat_t
		if unix.Stat(namespaceDir+ns, &st) == nil {
			inodes[fmt.Sprintf("net:[%d]", st.Ino)] = true
		}
	}
	if len(inodes) == 0 {
		return nil
	}
	var found []processRecord
	for _, pid := range allPIDs() {
		ns, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", pid))
		if err == nil && inodes[ns] && pid != os.Getpid() {
			found = append(found, recordOf(pid, "inhabitant"))
		}
	}
	return found
}

func deleteLink(name string) error {
	link, err := netlink.LinkByName(name)
	if err != nil {
		var absent netlink.LinkNotFoundError
		if errors.As(err, &absent) {
			return nil
		}
		return err
	}
	return netlink.LinkDel(link)
}
