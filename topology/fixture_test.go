package topology

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/packet"
)

var t0 = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)

// world is the physical network that the facts describe.
type world struct {
	off   map[openflow.DatapathID]bool // by switch: disconnected
	ports map[PortRef]PortInfo
	media []medium
}

// medium carries what one of its ports sends to all others.
type medium struct {
	kind  Kind
	ports []PortRef
}

func newWorld() *world {
	return &world{off: map[openflow.DatapathID]bool{}, ports: map[PortRef]PortInfo{}}
}

func (w *world) join(kind Kind, mesh bool, vlans VLANs, ports ...PortRef) {
	for _, p := range ports {
		if _, known := w.off[p.Switch]; !known {
			w.off[p.Switch] = false
		}
		w.ports[p] = PortInfo{Up: true, Mesh: mesh, VLANs: vlans}
	}
	w.media = append(w.media, medium{kind, ports})
}

func parseRef(t *testing.T, text string) PortRef {
	t.Helper()
	dpid, port, ok := strings.Cut(text, ":")
	d, err1 := strconv.ParseUint(dpid, 10, 64)
	p, err2 := strconv.ParseUint(port, 10, 32)
	if !ok || err1 != nil || err2 != nil {
		t.Fatalf("port %q: want SWITCH:PORT", text)
	}
	return PortRef{openflow.DatapathID(d), openflow.PortNo(p)}
}

// parseWorld reads lines: "wire|gre|mesh A:1 B:1 [C:1...]" with an optional "vlans=10,11" at the end, "off N", "switch
// N".
func parseWorld(t *testing.T, text string) *world {
	t.Helper()
	w := newWorld()
	for _, line := range strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == ';' }) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		switch words[0] {
		case "off", "switch":
			n, err := strconv.ParseUint(words[1], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			w.off[openflow.DatapathID(n)] = words[0] == "off"
			continue
		case "wire", "gre", "mesh":
		default:
			t.Fatalf("line %q", line)
		}
		vlans, kind := allVLANs(), Wire
		if words[0] != "wire" {
			kind = Tunnel
		}
		var ports []PortRef
		for _, word := range words[1:] {
			if list, ok := strings.CutPrefix(word, "vlans="); ok {
				vlans = parseVLANs(t, list)
				continue
			}
			ports = append(ports, parseRef(t, word))
		}
		w.join(kind, words[0] == "mesh", vlans, ports...)
	}
	return w
}

func parseVLANs(t *testing.T, list string) VLANs {
	t.Helper()
	var ids []uint16
	for _, id := range strings.Split(list, ",") {
		n, err := strconv.ParseUint(id, 10, 16)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, uint16(n))
	}
	return NewVLANs(ids...)
}

// facts are the calls that describe the world to a graph.
func (w *world) facts() []func(*Graph) {
	var facts []func(*Graph)
	for dpid, off := range w.off {
		facts = append(facts, func(g *Graph) { g.SetSwitch(dpid, !off) })
	}
	for ref, info := range w.ports {
		facts = append(facts, func(g *Graph) { g.SetPort(ref, info) })
	}
	for _, m := range w.media {
		for _, src := range m.ports {
			for _, dst := range m.ports {
				if src != dst {
					facts = append(facts, func(g *Graph) { g.LinkSeen(src, dst, m.kind, 1, t0) })
				}
			}
		}
	}
	return facts
}

func (w *world) graph() *Graph {
	g := NewGraph()
	for _, fact := range w.facts() {
		fact(g)
	}
	return g
}

func (w *world) shuffled(r *rand.Rand) *Graph {
	facts := w.facts()
	r.Shuffle(len(facts), func(i, j int) { facts[i], facts[j] = facts[j], facts[i] })
	g := NewGraph()
	for _, fact := range facts {
		fact(g)
	}
	return g
}

func (w *world) switches() []openflow.DatapathID {
	var list []openflow.DatapathID
	for dpid := range w.off {
		list = append(list, dpid)
	}
	slices.Sort(list)
	return list
}

// mediaPorts are the ports of a switch that lead somewhere.
func (w *world) mediaPorts(dpid openflow.DatapathID) []PortRef {
	var list []PortRef
	for _, m := range w.media {
		for _, p := range m.ports {
			if p.Switch == dpid {
				list = append(list, p)
			}
		}
	}
	return list
}

// peers are the ports that hear what a port sends in a VLAN.
func (w *world) peers(ref PortRef, vlan uint16) []PortRef {
	var list []PortRef
	for _, m := range w.media {
		if !slices.Contains(m.ports, ref) || !w.ports[ref].VLANs.has(vlan) {
			continue
		}
		for _, p := range m.ports {
			if p != ref && w.ports[p].VLANs.has(vlan) {
				list = append(list, p)
			}
		}
	}
	return list
}

// reach is the set of switches that frames of a VLAN can get to at all.
func (w *world) reach(from openflow.DatapathID, vlan uint16) map[openflow.DatapathID]bool {
	seen := map[openflow.DatapathID]bool{from: true}
	for queue := []openflow.DatapathID{from}; len(queue) > 0; queue = queue[1:] {
		for _, p := range w.mediaPorts(queue[0]) {
			for _, peer := range w.peers(p, vlan) {
				if !seen[peer.Switch] {
					seen[peer.Switch] = true
					queue = append(queue, peer.Switch)
				}
			}
		}
	}
	return seen
}

// flood simulates a broadcast from an edge port and counts the copies that each switch takes. What a switch that is
// wild does with its flood ports is not as the snapshot says: it floods to all of them, but keeps split horizon, and
// does not talk to itself.
func (w *world) flood(t *testing.T, s *Snapshot, from openflow.DatapathID, vlan uint16,
	wild bool,
) map[openflow.DatapathID]int {
	t.Helper()
	taken := map[openflow.DatapathID]int{from: 1}
	type frame struct {
		sw openflow.DatapathID
		in PortRef
	}
	usable := func(p PortRef) bool { return wild && w.off[p.Switch] || !s.Blocked(vlan, p) }
	queue := []frame{{sw: from}}
	for steps := 0; len(queue) > 0; steps++ {
		if steps > 5000 {
			t.Fatalf("flood from %d in VLAN %d goes round for ever", from, vlan)
		}
		f := queue[0]
		queue = queue[1:]
		for _, out := range w.mediaPorts(f.sw) {
			split := f.in != (PortRef{}) && w.ports[f.in].Mesh && w.ports[out].Mesh
			if out == f.in || split || !usable(out) {
				continue
			}
			for _, peer := range w.peers(out, vlan) {
				if usable(peer) && !(wild && peer.Switch == f.sw) {
					taken[peer.Switch]++
					queue = append(queue, frame{peer.Switch, peer})
				}
			}
		}
	}
	return taken
}

// checkFloods demands that a flood from every switch is taken exactly once by every switch that can be reached.
func (w *world) checkFloods(t *testing.T, s *Snapshot, vlan uint16) {
	t.Helper()
	for _, from := range w.switches() {
		taken := w.flood(t, s, from, vlan, false)
		for to := range w.reach(from, vlan) {
			if taken[to] != 1 {
				t.Errorf("VLAN %d: flood from %d: switch %d takes %d copies", vlan, from, to, taken[to])
			}
		}
	}
}

// forwarding lists the links that floods use, as "1:1-2:1".
func forwarding(s *Snapshot) []string {
	list := []string{}
	for _, l := range s.Links() {
		if l.Forwarding {
			list = append(list, fmt.Sprintf("%d:%d-%d:%d", l.A.Switch, l.A.Port, l.B.Switch, l.B.Port))
		}
	}
	return list
}

// dump is everything that a snapshot says, as text.
func (w *world) dump(s *Snapshot, vlans ...uint16) string {
	var b strings.Builder
	fmt.Fprintln(&b, s.Links(), s.connected)
	for _, a := range s.Switches() {
		fmt.Fprintln(&b, a, s.Members(a), s.Standalone(a))
		for _, p := range w.mediaPorts(a) {
			fmt.Fprintln(&b, p, s.Transit(p), peers(s, p))
			for _, v := range vlans {
				fmt.Fprintln(&b, v, s.Blocked(v, p))
			}
		}
		for _, c := range s.Switches() {
			for _, v := range vlans {
				port, ok := s.Next(v, a, c)
				fmt.Fprintln(&b, c, v, port, ok)
			}
		}
	}
	return b.String()
}

// peers are the ports that a transit port exchanges frames with, ascending.
func peers(s *Snapshot, ref PortRef) []PortRef {
	if i, ok := s.transitAt[ref]; ok {
		return s.transit[i].peers
	}
	return nil
}

func (v VLANs) has(id uint16) bool { return v.raw().has(id) }

// linkDown takes down the link between two ports.
func linkDown(g *Graph, a, b PortRef) {
	if l := g.links[NewLinkRef(a, b)]; l != nil {
		g.linkDown(l)
	}
}

// locate returns where the component of a switch has a host.
func (h *Hosts) locate(from openflow.DatapathID, vlan uint16, mac packet.MAC) (PortRef, bool) {
	r := h.records[NewHostKey(vlan, mac)]
	if r == nil {
		return PortRef{}, false
	}
	s, known := r.location(h.net.Members(from))
	return s.PortRef, known
}

// all returns the location of every host in every component that knows it, sorted.
func (h *Hosts) all() (list []PortRef) {
	for _, r := range h.records {
		for _, l := range locations(nil, r, h.net) {
			list = append(list, l.at.PortRef)
		}
	}
	slices.SortFunc(list, PortRef.Compare)
	return list
}

// allVLANs returns the set of every id.
func allVLANs() VLANs {
	b := new(vlanBits)
	for i := range b {
		b[i] = ^uint64(0)
	}
	return VLANs{b}
}
