package lab

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// BridgeOptions of a bridge. The zero value is a bridge in secure fail mode, with the next free datapath id and without
// controller.
type BridgeOptions struct {
	DatapathID  uint64   // 0: 1, 2, 3 ... in the order of creation
	FailMode    string   // "secure" (default), "standalone", or "unset" as ovs-vsctl add-br leaves it
	Protocols   []string // "OpenFlow13", ...; empty: OVS's default, which offers 1.0 to 1.5
	Controllers []string // targets; see Lab.ControllerTarget and Host.ControllerUnixTarget
	MAC         string   // of the LOCAL port; empty: OVS chooses
}

// A Bridge of a host's Open vSwitch.
type Bridge struct {
	Host *Host
	Name string

	opts BridgeOptions
}

// AddBridge makes a bridge of the userspace datapath.
func (h *Host) AddBridge(name string, o BridgeOptions) *Bridge {
	since := time.Now()
	if o.DatapathID == 0 {
		h.lab.dpids++
		o.DatapathID = h.lab.dpids
	}
	if o.FailMode == "" {
		o.FailMode = "secure"
	}
	b := &Bridge{Host: h, Name: name, opts: o}
	args := []string{
		"add-br", name, "--", "set", "Bridge", name, "datapath_type=netdev",
		"other_config:datapath-id=" + b.DatapathID(),
	}
	if o.FailMode != "unset" {
		args = append(args, "fail_mode="+o.FailMode)
	}
	if len(o.Protocols) > 0 {
		args = append(args, "protocols="+strings.Join(o.Protocols, ","))
	}
	if o.MAC != "" {
		args = append(args, `other_config:hwaddr="`+o.MAC+`"`)
	}
	h.Vsctl(append(args, b.controllerArgs(o.Controllers)...)...)
	h.bridges = append(h.bridges, b)
	h.lab.progress(since, "%s: bridge %s, datapath %s", h.Name, name, b.DatapathID())
	return b
}

// controllerArgs continues an ovs-vsctl transaction with controller records that reconnect after 1 s at most. They are
// out of band: in band, OVS adds hidden flows.
func (b *Bridge) controllerArgs(targets []string) []string {
	if len(targets) == 0 {
		return nil
	}
	var args, ids []string
	for i, target := range targets {
		id := fmt.Sprintf("@c%d", i)
		ids = append(ids, id)
		args = append(args, "--", "--id="+id, "create", "Controller", fmt.Sprintf("target=%q", target),
			"max_backoff=1000", "connection_mode=out-of-band", "inactivity_probe=5000")
	}
	return append(args, "--", "set", "Bridge", b.Name, "controller=["+strings.Join(ids, ",")+"]")
}

// DatapathID as ovs-vsctl and the API print it: 16 hex digits.
func (b *Bridge) DatapathID() string { return fmt.Sprintf("%016x", b.opts.DatapathID) }

// SetController replaces the bridge's controllers.
func (b *Bridge) SetController(targets ...string) {
	b.Host.Vsctl(append([]string{"del-controller", b.Name}, b.controllerArgs(targets)...)...)
}

// DelController removes the bridge's controllers; OVS then clears the flow tables.
func (b *Bridge) DelController() { b.Host.Vsctl("del-controller", b.Name) }

// Connected reports whether one of the bridge's controllers is connected, as OVSDB says; that is true
// of up to 5 s ago, so a test rather asks the controller.
func (b *Bridge) Connected() bool {
	records := strings.Trim(b.Host.Vsctl("get", "Bridge", b.Name, "controller"), "[]")
	for record := range strings.SplitSeq(records, ", ") {
		if record != "" && b.Host.Vsctl("get", "Controller", record, "is_connected") == "true" {
			return true
		}
	}
	return false
}

// Delete removes the bridge and its ports.
func (b *Bridge) Delete() {
	b.Host.Vsctl("del-br", b.Name)
	b.Host.bridges = slices.DeleteFunc(b.Host.bridges, func(other *Bridge) bool { return other == b })
}

// AddPort puts an existing interface of the host into the bridge; settings are columns of its Interface record
// ("type=internal", "ofport_request=7", "options:key=flow").
func (b *Bridge) AddPort(name string, settings ...string) {
	args := []string{"add-port", b.Name, name}
	if len(settings) > 0 {
		args = append(append(args, "--", "set", "Interface", name), settings...)
	}
	b.Host.Vsctl(args...)
}

// AddInternalPort adds a port whose device appears in the host's namespace, up.
func (b *Bridge) AddInternalPort(name string, settings ...string) {
	b.AddPort(name, append([]string{"type=internal"}, settings...)...)
	b.Host.SetLink(name, true)
}

// DelPort removes a port from the bridge.
func (b *Bridge) DelPort(name string) { b.Host.Vsctl("del-port", b.Name, name) }

// PortNumber is the OpenFlow number of a port.
func (b *Bridge) PortNumber(port string) int {
	out := b.Host.Vsctl("get", "Interface", port, "ofport")
	n, err := strconv.Atoi(out)
	if err != nil || n < 0 {
		b.Host.lab.fatal("%s: port %s has number %q", b.Host.Name, port, out)
	}
	return n
}

// AddFlow adds a flow in ovs-ofctl's syntax.
func (b *Bridge) AddFlow(flow string) { b.Host.Ofctl("add-flow", b.Name, flow) }

// DelFlows deletes all flows, or those that match.
func (b *Bridge) DelFlows(match ...string) {
	b.Host.Ofctl(append([]string{"del-flows", b.Name}, match...)...)
}

// String is "host1:br0".
func (b *Bridge) String() string { return b.Host.Name + ":" + b.Name }
