package ovsdb

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/eosin-sdn/eosin/openflow"
)

// Server is a database server with its bridges.
type Server struct {
	Address string   // as in the config
	Vsctl   []string // ovs-vsctl with the options that reach the server
	Bridges []Bridge
}

// Local tells which bridges belong to this controller.
type Local struct {
	// Switches are the names of the known switches by datapath id.
	Switches map[openflow.DatapathID]string
	// Target reports whether a controller target is this controller. It is asked about bridges that have never
	// connected.
	Target func(target string) bool
}

// Kind is the kind of a finding.
type Kind string

// The kinds of findings.
const (
	KindFailMode  Kind = "fail_mode"
	KindProtocols Kind = "bridge_protocols"
	KindShared    Kind = "datapath_id_shared"
)

// Finding is a misconfiguration of a bridge of this controller, for the operator to fix.
type Finding struct {
	Kind    Kind
	Subject string // row id of the bridge, or the shared datapath id; with Kind it identifies the finding
	Switch  string // name of the switch; "" if it has never connected and is not in the config
	Text    string // the fault, its effect, and the command that fixes it in backquotes
	Fixed   string // the text when it is resolved
}

// SwitchMode is the fail mode of a switch.
type SwitchMode struct {
	Bridge  string // name of the bridge
	Secure  bool   // of several bridges with one datapath id: all of them
	Warning string // text of the finding; "" if secure
}

// FailMode returns the mode as a word; an unset one is standalone.
func (m SwitchMode) FailMode() string {
	if m.Secure {
		return "secure"
	}
	return "standalone"
}

// Report is the result of [Check].
type Report struct {
	Modes    map[openflow.DatapathID]SwitchMode // of the switches found in a database
	Findings []Finding                          // by kind, server and bridge
	subjects map[string]bool                    // of all findings that are possible
}

// serverBridge is a bridge with its server, and the name of its switch if that is known.
type serverBridge struct {
	*Bridge
	server *Server
	name   string
	known  bool
}

// Check looks for misconfigured bridges:
//
//  1. a bridge whose fail mode is not secure becomes a plain learning switch when the controller is away;
//  2. a bridge that does not offer OpenFlow 1.3 never connects;
//  3. of several bridges with one datapath id only one can be controlled.
//
// A bridge that several servers list (one server at several addresses) counts once.
func Check(servers []Server, local Local) Report {
	r := Report{Modes: map[openflow.DatapathID]SwitchMode{}, subjects: map[string]bool{}}
	var bridges []serverBridge
	for i := range servers {
		for j := range servers[i].Bridges {
			b := serverBridge{Bridge: &servers[i].Bridges[j], server: &servers[i]}
			if r.subjects[b.UUID] {
				continue
			}
			r.subjects[b.UUID] = true
			if name, known := local.Switches[b.DatapathID]; known && b.DatapathID != 0 {
				b.name, b.known = name, true
				r.subjects[b.DatapathID.String()] = true
			}
			bridges = append(bridges, b)
		}
	}
	r.checkFailModes(bridges)
	r.checkProtocols(bridges, local)
	r.checkDatapathIDs(bridges)
	return r
}

func (r *Report) checkFailModes(bridges []serverBridge) {
	for _, b := range bridges {
		if !b.known {
			continue
		}
		mode, seen := r.Modes[b.DatapathID]
		if !seen {
			mode = SwitchMode{Bridge: b.Name, Secure: true}
		}
		if !b.Secure() {
			f := b.failMode()
			r.Findings = append(r.Findings, f)
			if mode.Secure {
				mode = SwitchMode{Bridge: b.Name, Warning: f.Text}
			}
		}
		r.Modes[b.DatapathID] = mode
	}
}

func (r *Report) checkProtocols(bridges []serverBridge, local Local) {
	for _, b := range bridges {
		if len(b.Protocols) == 0 || slices.Contains(b.Protocols, "OpenFlow13") || b.DatapathID == 0 {
			continue // without a datapath id, ovs-vswitchd has not created it yet
		}
		if b.known || slices.ContainsFunc(b.Controllers, local.Target) {
			r.Findings = append(r.Findings, b.protocols())
		}
	}
}

func (r *Report) checkDatapathIDs(bridges []serverBridge) {
	sharing := map[openflow.DatapathID][]serverBridge{}
	for _, b := range bridges {
		if b.known {
			sharing[b.DatapathID] = append(sharing[b.DatapathID], b)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(sharing)) {
		if list := sharing[id]; len(list) > 1 {
			r.Findings = append(r.Findings, shared(id, list))
		}
	}
}

// where describes a bridge and its switch.
func (b serverBridge) where() string {
	text := fmt.Sprintf("bridge %s at %s", printable(b.Name), b.server.Address)
	if b.name != "" && b.name != b.DatapathID.String() {
		return fmt.Sprintf("%s (switch %s, datapath id %s)", text, b.name, b.DatapathID)
	}
	return fmt.Sprintf("%s (datapath id %s)", text, b.DatapathID)
}

func (b serverBridge) failMode() Finding {
	is := "no fail_mode, which means standalone"
	if b.FailMode != "" {
		is = "fail_mode " + printable(b.FailMode)
	}
	change := []string{"set-fail-mode", b.Name, "secure"}
	if !plain(b.Name) {
		change = []string{"set", "bridge", b.UUID, "fail_mode=secure"}
	}
	return Finding{
		Kind: KindFailMode, Subject: b.UUID, Switch: b.name,
		Text: fmt.Sprintf("%s has %s: when the controller is away it becomes a plain learning switch, "+
			"and VLANs leak into each other; run `%s`", b.where(), is, b.command(change...)),
		Fixed: fmt.Sprintf("%s has fail_mode secure now: when the controller is away it goes on forwarding by its "+
			"flows alone",
			b.where()),
	}
}

func (b serverBridge) protocols() Finding {
	return Finding{
		Kind: KindProtocols, Subject: b.UUID, Switch: b.name,
		Text: fmt.Sprintf("%s offers %s and not OpenFlow13: it cannot be controlled; run `%s`", b.where(),
			printable(strings.Join(b.Protocols, ", ")), b.command("add", "bridge", b.record(), "protocols",
				"OpenFlow13")),
		Fixed: fmt.Sprintf("%s offers OpenFlow13 now", b.where()),
	}
}

// maxNamed is how many bridges with one datapath id are named.
const maxNamed = 4

// shared is the finding of a datapath id that several bridges have. It suggests a datapath id for the last of them from
// its row id, which is random.
func shared(id openflow.DatapathID, list []serverBridge) Finding {
	var places []string
	for i, b := range list {
		if i == maxNamed {
			places = append(places, fmt.Sprintf("%d more", len(list)-i))
			break
		}
		places = append(places, printable(b.Name)+" at "+b.server.Address)
	}
	last := list[len(list)-1]
	other := strings.ToLower(strings.ReplaceAll(last.UUID, "-", "")[:16])
	return Finding{
		Kind: KindShared, Subject: id.String(), Switch: list[0].name,
		Text: fmt.Sprintf("bridges %s have the same datapath id %s: only one of them can be controlled; "+
			"give one another, as by `%s`", strings.Join(places, " and "), id,
			last.command("set", "bridge", last.record(), "other-config:datapath-id="+other)),
		Fixed: fmt.Sprintf("datapath id %s is that of one bridge again", id),
	}
}

// record is the bridge's row in the syntax of ovs-vsctl.
func (b serverBridge) record() string {
	if !plain(b.Name) {
		return b.UUID
	}
	return b.Name
}

// command returns a shell command that runs ovs-vsctl with these arguments.
func (b serverBridge) command(args ...string) string {
	words := slices.Concat(b.server.Vsctl, args)
	for i, w := range words {
		words[i] = quote(w)
	}
	return strings.Join(words, " ")
}
