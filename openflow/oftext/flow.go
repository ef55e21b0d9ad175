package oftext

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/eosin-sdn/eosin/openflow"
)

// Instructions writes instructions as ovs-ofctl writes the actions of a flow;
// none is "drop".
func Instructions(b []byte) string {
	return cmp.Or(list(b, instruction), "drop") // also for apply_actions with none
}

func instruction(i []byte) string {
	switch typ := be.Uint16(i); {
	case typ == openflow.InstructionGotoTable:
		return fmt.Sprintf("goto_table:%d", i[4])
	case typ == openflow.InstructionWriteMetadata && len(i) >= 24:
		s := fmt.Sprintf("write_metadata:%#x", be.Uint64(i[8:]))
		if mask := be.Uint64(i[16:]); mask != ^uint64(0) {
			s += fmt.Sprintf("/%#x", mask)
		}
		return s
	case typ == openflow.InstructionWriteActions:
		return "write_actions(" + Actions(i[8:]) + ")"
	case typ == openflow.InstructionApplyActions:
		return list(i[8:], action)
	case typ == openflow.InstructionClearActions:
		return "clear_actions"
	case typ == openflow.InstructionMeter:
		return fmt.Sprintf("meter:%d", be.Uint32(i[4:]))
	}
	return fmt.Sprintf("unknown(%x)", i)
}

// Flow writes one flow without its counters and duration, as NormalizeFlows
// writes it too.
func Flow(f *openflow.FlowStats) string {
	var s strings.Builder
	fmt.Fprintf(&s, "cookie=%#x, table=%d, ", f.Cookie, f.TableID)
	if f.IdleTimeout != 0 {
		fmt.Fprintf(&s, "idle_timeout=%d, ", f.IdleTimeout)
	}
	if f.HardTimeout != 0 {
		fmt.Fprintf(&s, "hard_timeout=%d, ", f.HardTimeout)
	}
	for _, flag := range []struct {
		bit  uint16
		name string
	}{
		{openflow.FlagSendFlowRem, "send_flow_rem"},
		{openflow.FlagResetCounts, "reset_counts"},
		{openflow.FlagNoPktCounts, "no_packet_counts"},
		{openflow.FlagNoBytCounts, "no_byte_counts"},
	} {
		if f.Flags&flag.bit != 0 {
			s.WriteString(flag.name + " ")
		}
	}
	fmt.Fprintf(&s, "priority=%d", f.Priority)
	if m := Match(f.Match); m != "" {
		s.WriteString("," + m)
	}
	s.WriteString(" actions=" + Instructions(f.Instructions))
	return s.String()
}

// Group writes one group as ovs-ofctl dump-groups does.
func Group(g *openflow.GroupDesc) string {
	typ := fmt.Sprint(g.Type)
	if types := [...]string{"all", "select", "indirect", "ff"}; int(g.Type) < len(types) {
		typ = types[g.Type]
	}
	s := fmt.Sprintf("group_id=%d,type=%s", g.ID, typ)
	for b := g.Buckets; len(b) > 0; {
		k, rest, err := openflow.DecodeBucket(b)
		if err != nil {
			return s + fmt.Sprintf(",malformed(%x)", b)
		}
		s += ",bucket="
		if g.Type == openflow.GroupTypeSelect {
			s += fmt.Sprintf("weight:%d,", k.Weight)
		}
		if k.WatchPort != openflow.PortAny && g.Type == openflow.GroupTypeFF {
			s += fmt.Sprintf("watch_port:%v,", k.WatchPort)
		}
		s += "actions=" + Actions(k.Actions)
		b = rest
	}
	return s
}

var (
	counters = regexp.MustCompile(`(duration|n_packets|n_bytes|idle_age|hard_age)=[^ ,]*, ?`)
	table    = regexp.MustCompile(`table=(\d+), `)
	priority = regexp.MustCompile(`priority=(\d+)`)
	cookie   = regexp.MustCompile(`cookie=0x[0-9a-f]+, `)
)

// NormalizeFlows brings what ovs-ofctl -O OpenFlow13 --no-names dump-flows
// prints, with or without --no-stats, into the form of Flow, one a line,
// ordered by table, descending priority and text.
func NormalizeFlows(dump string) string {
	var lines []string
	for line := range strings.Lines(dump) {
		line = strings.TrimSpace(line)
		if !strings.Contains(line, "actions=") {
			continue // the header of the reply
		}
		line = counters.ReplaceAllString(line, "")
		if !strings.HasPrefix(line, "cookie=") {
			line = "cookie=0x0, " + line
		}
		if !table.MatchString(line) {
			line = cookie.ReplaceAllString(line, "${0}table=0, ")
		}
		lines = append(lines, line)
	}
	return SortFlows(lines)
}

// SortFlows orders lines that Flow made by table, descending priority and
// text, and joins them, each with its line end.
func SortFlows(lines []string) string {
	num := func(re *regexp.Regexp, s string) int {
		m := re.FindStringSubmatch(s)
		if m == nil {
			return -1
		}
		n, _ := strconv.Atoi(m[1]) // digits only
		return n
	}
	slices.SortFunc(lines, func(a, b string) int {
		return cmp.Or(
			cmp.Compare(num(table, a), num(table, b)),
			cmp.Compare(num(priority, b), num(priority, a)),
			strings.Compare(a, b),
		)
	})
	return joinLines(lines)
}

func joinLines(lines []string) string { return strings.Join(append(lines, ""), "\n") }

// NormalizeGroups brings what ovs-ofctl -O OpenFlow13 --no-names dump-groups
// prints into the form of Group, one a line, ordered by text.
func NormalizeGroups(dump string) string {
	var lines []string
	for line := range strings.Lines(dump) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "group_id=") {
			lines = append(lines, line)
		}
	}
	slices.Sort(lines)
	return joinLines(lines)
}
