package ovsdb

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/eosin-sdn/eosin/openflow"
)

// Server is a database server and what it has told.
type Server struct {
	Address string   // as the config writes it
	Vsctl   []string // the command that reaches it: ovs-vsctl, with the options that it needs
	Bridges []Bridge
}

// Ours says which bridges concern this controller.
type Ours struct {
	// Switches are the names of the switches that the controller knows, by datapath id.
	Switches map[openflow.DatapathID]string
	// Target reports that a controller's target leads to this one. It is asked about bridges that have never connected.
	Target func(target string) bool
}

// Kind is a kind of finding, and the type of its event.
type Kind string

// Kinds of findings.
const (
	KindFailMode  Kind = "fail_mode"
	KindProtocols Kind = "bridge_protocols"
	KindShared    Kind = "datapath_id_shared"
)

// Finding is something wrong with a bridge of ours that the operator should change.
type Finding struct {
	Kind    Kind
	Subject string // the row of the bridge, or the datapath id that several have: with Kind it names the finding
	Switch  string // name of the switch; "" where it has never connected and the config does not name it
	Text    string // what is wrong, what will come of it, and between backquotes the command that changes it
	Fixed   string // what is to be said when it has gone
}

// SwitchMode is what is known of a switch.
type SwitchMode struct {
	Bridge  string // its name in the database
	Secure  bool   // of several bridges with one datapath id: all are
	Warning string // the text of the finding, "" where it is secure
}

// FailMode is the mode in one word: an unset one is standalone.
func (m SwitchMode) FailMode() string {
	if m.Secure {
		return "secure"
	}
	return "standalone"
}

// Report is what the databases say of our switches.
type Report struct {
	Modes    map[openflow.DatapathID]SwitchMode // of the switches that a database knows
	Findings []Finding                          // in the order of kinds, servers and bridges
	subjects map[string]bool                    // what findings can be about
}

// placed is a bridge and where it is.
type placed struct {
	*Bridge
	server *Server
}

// Judge looks at all that the servers have told:
//
//  1. a bridge of ours that is not in fail mode secure turns into a plain switch when the controller is away;
//  2. a bridge of ours that does not offer OpenFlow 1.3 never connects;
//  3. of bridges with one datapath id only one can be controlled.
//
// A bridge that several servers show, which is one server at several addresses, counts once.
func Judge(servers []Server, ours Ours) Report {
	r := Report{Modes: map[openflow.DatapathID]SwitchMode{}, subjects: map[string]bool{}}
	name := func(b placed) (string, bool) {
		n, known := ours.Switches[b.DatapathID]
		return n, known && b.DatapathID != 0
	}
	var bridges []placed
	same := map[openflow.DatapathID][]placed{}
	for i := range servers {
		for j := range servers[i].Bridges {
			b := placed{&servers[i].Bridges[j], &servers[i]}
			if r.subjects[b.UUID] {
				continue
			}
			r.subjects[b.UUID] = true
			bridges = append(bridges, b)
			if _, known := name(b); known {
				r.subjects[b.DatapathID.String()] = true
				same[b.DatapathID] = append(same[b.DatapathID], b)
			}
		}
	}
	for _, b := range bridges { // 1
		name, known := name(b)
		if !known {
			continue
		}
		mode, seen := r.Modes[b.DatapathID]
		if !seen {
			mode = SwitchMode{Bridge: b.Name, Secure: true}
		}
		if !b.Secure() {
			f := b.failMode(name)
			r.Findings = append(r.Findings, f)
			if mode.Secure {
				mode = SwitchMode{Bridge: b.Name, Warning: f.Text}
			}
		}
		r.Modes[b.DatapathID] = mode
	}
	for _, b := range bridges { // 2
		name, known := name(b)
		if len(b.Protocols) == 0 || slices.Contains(b.Protocols, "OpenFlow13") || b.DatapathID == 0 {
			continue // without a datapath id, Open vSwitch has not made it yet
		}
		if known || slices.ContainsFunc(b.Controllers, ours.Target) {
			r.Findings = append(r.Findings, b.protocols(name))
		}
	}
	for id, list := range same { // 3
		if len(list) > 1 {
			r.Findings = append(r.Findings, shared(id, list, ours.Switches[id]))
		}
	}
	slices.SortStableFunc(r.Findings, func(a, b Finding) int {
		if a.Kind == KindShared && b.Kind == KindShared { // these come from a map
			return cmp.Compare(a.Subject, b.Subject)
		}
		return 0
	})
	return r
}

// where names a bridge and its switch.
func (b placed) where(name string) string {
	text := fmt.Sprintf("bridge %s at %s", printable(b.Name), b.server.Address)
	if name != "" && name != b.DatapathID.String() {
		return fmt.Sprintf("%s (switch %s, datapath id %s)", text, name, b.DatapathID)
	}
	return fmt.Sprintf("%s (datapath id %s)", text, b.DatapathID)
}

func (b placed) failMode(name string) Finding {
	is := "no fail_mode, which means standalone"
	if b.FailMode != "" {
		is = "fail_mode " + printable(b.FailMode)
	}
	change := []string{"set-fail-mode", b.Name, "secure"}
	if !plain(b.Name) {
		change = []string{"set", "bridge", b.UUID, "fail_mode=secure"}
	}
	return Finding{
		Kind: KindFailMode, Subject: b.UUID, Switch: name,
		Text: fmt.Sprintf("%s has %s: when the controller is away it becomes a plain learning switch, and VLANs leak into each other; run `%s`",
			b.where(name), is, b.command(change...)),
		Fixed: fmt.Sprintf("%s has fail_mode secure now: when the controller is away it goes on forwarding by its flows alone", b.where(name)),
	}
}

func (b placed) protocols(name string) Finding {
	return Finding{
		Kind: KindProtocols, Subject: b.UUID, Switch: name,
		Text: fmt.Sprintf("%s offers %s and not OpenFlow13: it cannot be controlled; run `%s`",
			b.where(name), printable(strings.Join(b.Protocols, ", ")), b.command("add", "bridge", b.record(), "protocols", "OpenFlow13")),
		Fixed: fmt.Sprintf("%s offers OpenFlow13 now", b.where(name)),
	}
}

// namedAtMost is how many bridges with one datapath id are named.
const namedAtMost = 4

// shared is the finding of a datapath id that several bridges have. What the last of them should get instead is taken from the id of
// its row, which is random.
func shared(id openflow.DatapathID, list []placed, name string) Finding {
	var places []string
	for i, b := range list {
		if i == namedAtMost {
			places = append(places, fmt.Sprintf("%d more", len(list)-i))
			break
		}
		places = append(places, printable(b.Name)+" at "+b.server.Address)
	}
	last := list[len(list)-1]
	other := strings.ToLower(strings.ReplaceAll(last.UUID, "-", "")[:16])
	return Finding{
		Kind: KindShared, Subject: id.String(), Switch: name,
		Text: fmt.Sprintf("bridges %s have the same datapath id %s: only one of them can be controlled; give one another, as by `%s`",
			strings.Join(places, " and "), id, last.command("set", "bridge", last.record(), "other-config:datapath-id="+other)),
		Fixed: fmt.Sprintf("datapath id %s is that of one bridge again", id),
	}
}

// record is what names the bridge's row in commands.
func (b placed) record() string {
	if !plain(b.Name) {
		return b.UUID
	}
	return b.Name
}

// command is a line for a shell on a host that reaches the server.
func (b placed) command(args ...string) string {
	words := slices.Concat(b.server.Vsctl, args)
	for i, w := range words {
		words[i] = quote(w)
	}
	return strings.Join(words, " ")
}
