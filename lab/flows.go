package lab

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Flow as ovs-ofctl dumps it.
type Flow struct {
	Table    int
	Priority int
	Cookie   uint64
	Age      time.Duration // since it was added or last modified
	Packets  uint64
	Bytes    uint64
	Match    string // "in_port=1,dl_vlan=10"; empty matches everything
	Actions  string
	Text     string // the flow without age, idle time and counters
}

var (
	volatileFields = regexp.MustCompile(`\b(duration|n_packets|n_bytes|idle_age|hard_age)=[^, ]+, ?`)
	spaces         = regexp.MustCompile(` +`)
)

// DumpFlowsRaw is the output of ovs-ofctl dump-flows.
func (b *Bridge) DumpFlowsRaw() string { return b.Host.Ofctl("--no-names", "dump-flows", b.Name) }

// DumpFlows is the flow table without ages and counters, sorted: equal for equal tables.
func (b *Bridge) DumpFlows() []string {
	var lines []string
	for _, f := range b.Flows() {
		lines = append(lines, f.Text)
	}
	return lines
}

// Flows is the flow table sorted by table, descending priority and text.
func (b *Bridge) Flows() []Flow { return parseFlows(b.DumpFlowsRaw()) }

// DumpGroups is the group table, sorted.
func (b *Bridge) DumpGroups() []string {
	return sortedLines(b.Host.Ofctl("dump-groups", b.Name), "group_id=")
}

// DumpMeters is the meter table, sorted.
func (b *Bridge) DumpMeters() []string {
	// Each meter has its bands on lines of their own.
	text := b.Host.Ofctl("dump-meters", b.Name)
	return sortedLines(strings.ReplaceAll(text, "\ntype=", " type="), "meter=")
}

func sortedLines(text, having string) []string {
	var lines []string
	for line := range strings.Lines(text) {
		if strings.Contains(line, having) {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	slices.Sort(lines)
	return lines
}

func parseFlows(text string) []Flow {
	var flows []Flow
	for line := range strings.Lines(text) {
		if strings.Contains(line, "cookie=") {
			flows = append(flows, parseFlow(strings.TrimSpace(line)))
		}
	}
	slices.SortFunc(flows, func(a, b Flow) int {
		return cmp.Or(a.Table-b.Table, b.Priority-a.Priority, strings.Compare(a.Text, b.Text))
	})
	return flows
}

// parseFlow reads "cookie=0x1, duration=1.5s, table=0, n_packets=0, n_bytes=0, priority=10,in_port=1 actions=output:2".
func parseFlow(line string) Flow {
	f := Flow{Priority: 32768, Text: spaces.ReplaceAllString(volatileFields.ReplaceAllString(line, ""), " ")}
	head, actions, _ := strings.Cut(line, " actions=")
	f.Actions = actions
	var match []string
	// Flags are followed by a space: "send_flow_rem priority=10,in_port=1".
	for field := range strings.FieldsFuncSeq(head, func(r rune) bool { return r == ',' || r == ' ' }) {
		key, value, _ := strings.Cut(field, "=")
		switch key {
		case "cookie":
			f.Cookie, _ = strconv.ParseUint(value, 0, 64)
		case "duration":
			f.Age, _ = time.ParseDuration(value)
		case "table":
			f.Table, _ = strconv.Atoi(value)
		case "n_packets":
			f.Packets, _ = strconv.ParseUint(value, 10, 64)
		case "n_bytes":
			f.Bytes, _ = strconv.ParseUint(value, 10, 64)
		case "priority":
			f.Priority, _ = strconv.Atoi(value)
		case "idle_timeout", "hard_timeout", "idle_age", "hard_age", "importance", "send_flow_rem", "reset_counts", "":
		default:
			match = append(match, field)
		}
	}
	f.Match = strings.Join(match, ",")
	return f
}
