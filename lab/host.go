package lab

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// A Host is a namespace with its own ovsdb-server and ovs-vswitchd. Commands run in it (Exec, Run) find them by
// OVS_RUNDIR.
type Host struct {
	*Namespace
	Name string

	index    int // from 1
	dir      string
	ovsdb    *Process
	vswitchd *Process
	bridges  []*Bridge
	phy      *Bridge // holds the underlay address; nil before the first tunnel

	afterVswitchd []func() // what has to be done again after ovs-vswitchd came back
}

// schema as Debian's package installs it.
const schema = "/usr/share/openvswitch/vswitch.ovsschema"

// AddHost makes a host with running, empty Open vSwitch.
func (l *Lab) AddHost(name string) *Host {
	since := time.Now()
	l.claimName(name)
	h := &Host{
		Namespace: l.addNamespace(name, false), Name: name, index: len(l.hosts) + 1,
		dir: filepath.Join(l.dir, name),
	}
	l.hosts = append(l.hosts, h)
	l.check(os.MkdirAll(h.dir, 0o755), "%s", name)
	h.env = []string{"OVS_RUNDIR=" + h.dir, "OVS_LOGDIR=" + h.dir, "OVS_DBDIR=" + h.dir, "OVS_SYSCONFDIR=" + h.dir}
	h.joinManagement()
	l.check(os.Symlink(l.ControllerSocket(), filepath.Join(h.dir, "of.sock")), "%s: controller socket", name)
	h.Run("ovsdb-tool", "create", h.dir+"/conf.db", schema)
	h.StartOVSDB()
	h.Vsctl("--no-wait", "init", "--", "set", "Open_vSwitch", ".", "external-ids:system-id="+name,
		"external-ids:hostname="+name)
	h.StartVswitchd()
	l.progress(since, "%s: ready", name)
	return h
}

// Bridge by name; nil if there is none.
func (h *Host) Bridge(name string) *Bridge {
	for _, b := range h.bridges {
		if b.Name == name {
			return b
		}
	}
	return nil
}

// Bridges in the order they were added, without the underlay's.
func (h *Host) Bridges() []*Bridge {
	return slices.DeleteFunc(slices.Clone(h.bridges), func(b *Bridge) bool { return b == h.phy })
}

// ControllerUnixTarget is a target that works with the management network down. It is a link in the host's own run
// directory, because OVS connects to no unix socket elsewhere.
func (h *Host) ControllerUnixTarget() string { return "unix:" + filepath.Join(h.dir, "of.sock") }

// RunDir is OVS_RUNDIR of the host's daemons: db.sock, BRIDGE.mgmt, logs.
func (h *Host) RunDir() string { return h.dir }

// StartOVSDB starts ovsdb-server and waits until it answers and a running ovs-vswitchd is connected to it again.
// Without that connection ovs-vswitchd serves neither OpenFlow nor the userspace datapath; it tries again after up to 8
// s.
func (h *Host) StartOVSDB() {
	since := time.Now()
	h.ovsdb = h.Spawn(h.Name+": ovsdb-server", "ovsdb-server", h.dir+"/conf.db", "--remote=punix:"+h.dir+"/db.sock",
		"--pidfile="+h.dir+"/ovsdb-server.pid", "--unixctl="+h.dir+"/ovsdb-server.ctl", "--no-chdir", "-vconsole:info")
	h.await(h.ovsdb, h.dir+"/ovsdb-server.ctl", "ovsdb-server.ctl")
	if h.vswitchd != nil && h.vswitchd.Running() {
		h.catchUp()
	}
	h.lab.progress(since, "%s: ovsdb-server up", h.Name)
}

// StartVswitchd starts ovs-vswitchd and waits until it has applied the configuration.
func (h *Host) StartVswitchd() {
	since := time.Now()
	h.vswitchd = h.Spawn(h.Name+": ovs-vswitchd", "ovs-vswitchd", "unix:"+h.dir+"/db.sock",
		"--pidfile="+h.dir+"/ovs-vswitchd.pid", "--unixctl="+h.dir+"/ovs-vswitchd.ctl", "--no-chdir", "-vconsole:info")
	h.await(h.vswitchd, h.dir+"/ovs-vswitchd.ctl", "ovs-vswitchd.ctl")
	h.catchUp()
	for _, again := range h.afterVswitchd {
		again()
	}
	h.lab.progress(since, "%s: ovs-vswitchd up", h.Name)
}

// catchUp makes a change of no consequence: ovs-vsctl then waits until ovs-vswitchd has applied the whole
// configuration.
func (h *Host) catchUp() {
	h.Vsctl("set", "Open_vSwitch", ".", fmt.Sprintf("external-ids:lab-started=%d", time.Now().UnixNano()))
}

// await waits until a daemon answers on its control socket. A socket file left by a killed predecessor does not count.
func (h *Host) await(p *Process, socket, what string) {
	answers := func() bool {
		conn, err := net.DialTimeout("unix", socket, time.Second)
		if err != nil {
			return false
		}
		conn.Close()
		return true
	}
	if !Eventually(10*time.Second, func() bool { return answers() || !p.Running() }) || !answers() {
		h.lab.fatal("%s does not answer on %s:\n%s", p.What, what, tail(p.Log(), 20))
	}
}

// StopVswitchd ends ovs-vswitchd as the system's service does: forwarding ends, and internal ports that were
// moved into a guest are lost until StartVswitchd moves new ones there.
func (h *Host) StopVswitchd() {
	h.Appctl("exit")
	<-h.vswitchd.Done()
	h.vswitchd.forget()
}

// KillVswitchd is a crash (SIGKILL).
func (h *Host) KillVswitchd() { h.vswitchd.Kill() }

// RestartVswitchd is a stop and a start.
func (h *Host) RestartVswitchd() {
	h.StopVswitchd()
	h.StartVswitchd()
}

// StopOVSDB ends ovsdb-server (SIGTERM).
func (h *Host) StopOVSDB() { h.ovsdb.Stop(5 * time.Second) }

// KillOVSDB is a crash (SIGKILL).
func (h *Host) KillOVSDB() { h.ovsdb.Kill() }

// RestartOVSDB is a stop and a start.
func (h *Host) RestartOVSDB() {
	h.StopOVSDB()
	h.StartOVSDB()
}

// Vswitchd is the running (or last) ovs-vswitchd.
func (h *Host) Vswitchd() *Process { return h.vswitchd }

// Vsctl runs ovs-vsctl, which must succeed, and returns its output without the final newline.
func (h *Host) Vsctl(args ...string) string {
	return strings.TrimSuffix(h.Run(append([]string{"ovs-vsctl", "--timeout=25"}, args...)...), "\n")
}

// Appctl runs a command of ovs-vswitchd ("fdb/show", "br0"), which must succeed.
func (h *Host) Appctl(args ...string) string {
	return h.Run(append([]string{"ovs-appctl", "-t", h.dir + "/ovs-vswitchd.ctl"}, args...)...)
}

// Ofctl runs ovs-ofctl with OpenFlow 1.3, which must succeed.
func (h *Host) Ofctl(args ...string) string {
	return h.Run(append([]string{"ovs-ofctl", "-O", "OpenFlow13"}, args...)...)
}
