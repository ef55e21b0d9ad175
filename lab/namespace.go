package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
)

// commandTimeout bounds every foreground command, so that a hanging tool fails one step and not the whole run.
const commandTimeout = 30 * time.Second

// A Namespace is a network namespace of the lab, visible to "ip netns".
type Namespace struct {
	Name string // as "ip netns" lists it

	lab *Lab
	fd  netns.NsHandle // -1: the root namespace
	nl  *netlink.Handle
	env []string // added to the environment of commands
}

// addNamespace makes the namespace eosin-<lab>-<member>. IPv6 is off in it unless ipv6 is set: its automatic packets
// (router solicitations, multicast reports) would teach switches addresses before a test begins.
func (l *Lab) addNamespace(member string, ipv6 bool) *Namespace {
	n := &Namespace{Name: prefix(l.Name) + member, lab: l}
	l.check(l.state.update(func() { l.state.Namespaces = append(l.state.Namespaces, n.Name) }), "record namespace %s",
		n.Name)
	// The ip tool, and not a mount of our own: it also shares /run/netns between mount namespaces as other users of it
	// expect.
	out, err := exec.Command("ip", "netns", "add", n.Name).CombinedOutput()
	if err != nil {
		l.fatal("add namespace %s: %w: %s", n.Name, err, out)
	}
	n.fd, err = netns.GetFromName(n.Name)
	l.check(err, "open namespace %s", n.Name)
	n.nl, err = netlink.NewHandleAt(n.fd)
	l.check(err, "netlink in namespace %s", n.Name)
	l.check(n.Do(func() error { return quiet(ipv6) }), "settings of namespace %s", n.Name)
	n.SetLink("lo", true)
	return n
}

// quiet sets what must hold before the first link exists.
func quiet(ipv6 bool) error {
	// Duplicate address detection would keep an address unusable for a second.
	settings := map[string]string{"default/accept_dad": "0", "all/accept_dad": "0", "default/router_solicitations": "0"}
	if !ipv6 {
		settings = map[string]string{"default/disable_ipv6": "1", "all/disable_ipv6": "1"}
	}
	for key, value := range settings {
		err := os.WriteFile("/proc/sys/net/ipv6/conf/"+key, []byte(value), 0)
		// A kernel without IPv6 has nothing to switch off.
		if err != nil && (ipv6 || !errors.Is(err, os.ErrNotExist)) {
			return err
		}
	}
	return nil
}

// Do calls f on a thread that is in the namespace. Programs that f starts, and sockets that it opens, stay in it.
func (n *Namespace) Do(f func() error) error {
	if n.fd < 0 {
		return f()
	}
	runtime.LockOSThread()
	before, err := netns.Get()
	if err != nil {
		runtime.UnlockOSThread()
		return err
	}
	defer before.Close()
	if err := netns.Set(n.fd); err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("enter namespace %s: %w", n.Name, err)
	}
	defer func() {
		// A thread that cannot come back stays locked and ends with its goroutine.
		if netns.Set(before) == nil {
			runtime.UnlockOSThread()
		}
	}()
	return f()
}

// Exec runs a command in the namespace and returns its output, standard error included.
// A command that fails or takes longer than 30 s is an error that quotes the output.
func (n *Namespace) Exec(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), commandTimeout)
	defer cancel()
	return n.exec(ctx, args...)
}

func (n *Namespace) exec(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Env = append(os.Environ(), n.env...)
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	// A child that the command leaves behind must not keep Wait waiting for the pipe.
	cmd.WaitDelay = time.Second
	err := n.Do(cmd.Start)
	if err == nil {
		err = cmd.Wait()
	}
	if err != nil {
		return out.String(), fmt.Errorf("%s: %s: %w: %s", n.Name, strings.Join(args, " "), err,
			strings.TrimSpace(out.String()))
	}
	return out.String(), nil
}

// Run is Exec for a command that must succeed.
func (n *Namespace) Run(args ...string) string {
	out, err := n.Exec(args...)
	if err != nil {
		n.lab.fatal("%w", err)
	}
	return out
}

// Sysctl sets a key such as "net.ipv4.ip_forward".
func (n *Namespace) Sysctl(key, value string) {
	path := filepath.Join("/proc/sys", strings.ReplaceAll(key, ".", "/"))
	n.lab.check(n.Do(func() error { return os.WriteFile(path, []byte(value), 0) }), "%s: set %s", n.Name, key)
}

// close lets go of what keeps the namespace alive in the kernel.
func (n *Namespace) close() {
	if n == nil || n.fd < 0 {
		return
	}
	n.nl.Close()
	n.fd.Close()
}

// closeNamespaces lets go of all of them; the lab is unusable afterwards.
func (l *Lab) closeNamespaces() {
	l.fabric.close()
	for _, h := range l.hosts {
		h.close()
	}
	for _, v := range l.vms {
		v.close()
	}
}
