package ovsdb

import (
	"fmt"
	"net/netip"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/eosin-sdn/eosin/openflow"
)

const (
	id1 = "11d9bdea-dc9a-492e-b10e-a56b42627f2b"
	id2 = "1ecb5fc3-457f-4db7-88cd-9a619a9242f7"
)

func local(bridges ...Bridge) Server {
	return Server{Address: "unix:/var/run/openvswitch/db.sock", Vsctl: []string{"ovs-vsctl"}, Bridges: bridges}
}

func remote(bridges ...Bridge) Server {
	vsctl := []string{"ovs-vsctl", "--db=tcp:192.0.2.7:6640"}
	return Server{Address: "tcp:192.0.2.7:6640", Vsctl: vsctl, Bridges: bridges}
}

// command is what stands between backquotes.
func command(text string) string {
	parts := strings.Split(text, "`")
	if len(parts) != 3 {
		return "no command, or several: " + text
	}
	return parts[1]
}

func TestCheck(t *testing.T) {
	t.Parallel()
	br := func(mode string, more ...func(*Bridge)) Bridge {
		b := Bridge{UUID: id1, Name: "br0", DatapathID: 1, FailMode: mode}
		for _, m := range more {
			m(&b)
		}
		return b
	}
	named := func(name string) func(*Bridge) { return func(b *Bridge) { b.Name = name } }
	protocols := func(p ...string) func(*Bridge) { return func(b *Bridge) { b.Protocols = p } }
	datapath := func(id openflow.DatapathID) func(*Bridge) { return func(b *Bridge) { b.DatapathID = id } }
	row := func(id string) func(*Bridge) { return func(b *Bridge) { b.UUID = id } }
	target := func(s string) func(*Bridge) { return func(b *Bridge) { b.Controllers = []string{s} } }

	for _, c := range []struct {
		name     string
		servers  []Server
		mode     string   // of datapath id 1; "" for not known
		findings []string // kind and command
		says     string   // in the first finding
	}{
		{name: "nothing known"},
		{name: "secure", servers: []Server{local(br("secure"))}, mode: "secure"},
		{
			name: "standalone", servers: []Server{local(br("standalone"))}, mode: "standalone",
			findings: []string{"fail_mode ovs-vsctl set-fail-mode br0 secure"},
			says: "bridge br0 at unix:/var/run/openvswitch/db.sock (switch host1, datapath id 0000000000000001) " +
				"has fail_mode standalone: when the controller is away it becomes a plain learning switch, " +
				"and VLANs leak into each other; run `",
		},
		{
			name: "not set", servers: []Server{remote(br(""))}, mode: "standalone",
			findings: []string{"fail_mode ovs-vsctl --db=tcp:192.0.2.7:6640 set-fail-mode br0 secure"},
			says:     "has no fail_mode, which means standalone",
		},
		{
			name: "a mode from the future", servers: []Server{local(br("half\nsecure"))}, mode: "standalone",
			findings: []string{"fail_mode ovs-vsctl set-fail-mode br0 secure"}, says: `fail_mode "half\nsecure"`,
		},
		{name: "not ours", servers: []Server{local(br("", datapath(77)))}},
		{name: "no datapath id yet", servers: []Server{local(br("", datapath(0)))}},
		{
			name: "a name that needs quotes", servers: []Server{local(br("", named("it's $HOME")))}, mode: "standalone",
			findings: []string{`fail_mode ovs-vsctl set-fail-mode 'it'\''s $HOME' secure`},
		},
		{
			name:    "a name like an option",
			servers: []Server{local(br("", named("--db=tcp:192.0.2.66:6640")))}, mode: "standalone",
			findings: []string{"fail_mode ovs-vsctl set bridge " + id1 + " fail_mode=secure"},
		},
		{
			name:    "a name of several lines",
			servers: []Server{local(br("", named("br0\n`reboot`")))}, mode: "standalone",
			findings: []string{"fail_mode ovs-vsctl set bridge " + id1 + " fail_mode=secure"},
			says:     `bridge "br0\n\x60reboot\x60" at`,
		},
		{
			name: "one server at two addresses", servers: []Server{local(br("")), remote(br(""))}, mode: "standalone",
			findings: []string{"fail_mode ovs-vsctl set-fail-mode br0 secure"},
		},
		{name: "the default protocols", servers: []Server{local(br("secure", protocols()))}, mode: "secure"},
		{
			name:    "OpenFlow 1.3 among others",
			servers: []Server{local(br("secure", protocols("OpenFlow10", "OpenFlow13")))}, mode: "secure",
		},
		{
			name:    "without OpenFlow 1.3",
			servers: []Server{local(br("secure", protocols("OpenFlow10", "OpenFlow14")))}, mode: "secure",
			findings: []string{"bridge_protocols ovs-vsctl add bridge br0 protocols OpenFlow13"},
			says:     "offers OpenFlow10, OpenFlow14 and not OpenFlow13",
		},
		{
			name:     "without OpenFlow 1.3, never connected",
			servers:  []Server{local(br("", datapath(77), protocols("OpenFlow10"), target("tcp:192.0.2.1:6653")))},
			findings: []string{"bridge_protocols ovs-vsctl add bridge br0 protocols OpenFlow13"},
			says:     "(datapath id 000000000000004d)",
		},
		{
			name:    "without OpenFlow 1.3, not made yet",
			servers: []Server{local(br("", datapath(0), protocols("OpenFlow10"), target("tcp:192.0.2.1:6653")))},
		},
		{
			name:    "without OpenFlow 1.3, of another controller",
			servers: []Server{local(br("", datapath(77), protocols("OpenFlow10"), target("tcp:192.0.2.2:6653")))},
		},
		{
			name:    "two bridges with one datapath id",
			servers: []Server{local(br("secure")), remote(br("secure", named("br1"), row(id2)))}, mode: "secure",
			findings: []string{
				"datapath_id_shared ovs-vsctl --db=tcp:192.0.2.7:6640 set bridge br1 " +
					"other-config:datapath-id=1ecb5fc3457f4db7",
			},
			says: "bridges br0 at unix:/var/run/openvswitch/db.sock and br1 at tcp:192.0.2.7:6640 have the same " +
				"datapath id 0000000000000001",
		},
		{
			name:    "two of which one is not secure",
			servers: []Server{local(br("secure"), br("", named("br1"), row(id2)))}, mode: "standalone",
			findings: []string{
				"fail_mode ovs-vsctl set-fail-mode br1 secure",
				"datapath_id_shared ovs-vsctl set bridge br1 other-config:datapath-id=1ecb5fc3457f4db7",
			},
		},
		{name: "two of others", servers: []Server{local(br("", datapath(77)), br("", datapath(77), row(id2)))}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := Check(c.servers, Local{
				Switches: map[openflow.DatapathID]string{0: "zero", 1: "host1"},
				Target:   func(s string) bool { return s == "tcp:192.0.2.1:6653" },
			})
			mode := ""
			if m, known := r.Modes[1]; known {
				mode = m.FailMode()
				if (m.Warning == "") != m.Secure {
					t.Errorf("secure %v with the warning %q", m.Secure, m.Warning)
				}
			}
			if mode != c.mode || len(r.Modes) > 1 {
				t.Errorf("modes %+v, want %q", r.Modes, c.mode)
			}
			var got []string
			for _, f := range r.Findings {
				got = append(got, string(f.Kind)+" "+command(f.Text))
				if strings.ContainsFunc(f.Text, func(r rune) bool { return r < ' ' }) || f.Fixed == "" {
					t.Errorf("texts %q and %q", f.Text, f.Fixed)
				}
			}
			if !slices.Equal(got, c.findings) {
				t.Errorf("findings\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(c.findings, "\n"))
			}
			if len(r.Findings) > 0 && !strings.Contains(r.Findings[0].Text, c.says) {
				t.Errorf("it says %q, want %q", r.Findings[0].Text, c.says)
			}
		})
	}
}

// TestSharedByMany: a database full of bridges with one datapath id makes no endless line.
func TestSharedByMany(t *testing.T) {
	t.Parallel()
	var all []Bridge
	for i := range 1000 {
		id := strings.Replace(id1, "11d9bdea", fmt.Sprintf("%08d", i), 1)
		all = append(all, Bridge{UUID: id, Name: strings.Repeat("b", maxText), DatapathID: 1, FailMode: "secure"})
	}
	r := Check([]Server{local(all...)},
		Local{Switches: map[openflow.DatapathID]string{1: "host1"}, Target: func(string) bool { return false }})
	if len(r.Findings) != 1 || !strings.Contains(r.Findings[0].Text, " and 996 more have") ||
		len(r.Findings[0].Text) > 8*maxText {
		t.Errorf("%d findings, the first %.100q", len(r.Findings), r.Findings[0].Text)
	}
}

// TestFindingTracker: each finding is told once, and when it has gone.
func TestFindingTracker(t *testing.T) {
	t.Parallel()
	known := Local{
		Switches: map[openflow.DatapathID]string{1: "host1", 2: "host2"}, Target: func(string) bool { return false },
	}
	report := func(bridges ...Bridge) Report { return Check([]Server{local(bridges...)}, known) }
	b := func(id string, dp openflow.DatapathID, mode string) Bridge {
		return Bridge{UUID: id, Name: "br0", DatapathID: dp, FailMode: mode}
	}
	bad, good := b(id1, 1, "standalone"), b(id1, 1, "secure")
	left := 100
	allow := func() bool { left--; return left >= 0 }
	var tracker FindingTracker
	for i, step := range []struct {
		report Report
		left   int
		want   string
	}{
		{report(good), 9, ""},
		{report(bad), 9, "fail_mode host1"},
		{report(bad), 9, ""},
		{report(b(id1, 1, "")), 9, ""}, // not set is the same
		{report(good), 9, "fail_mode_fixed host1"},
		{report(good), 9, ""},
		{report(bad), 9, "fail_mode host1"},
		{report(), 9, ""},                                   // removed, or not known any more
		{report(bad), 9, "fail_mode host1"},                 // and there again
		{report(b(id2, 1, "")), 9, "fail_mode host1"},       // another bridge in its place
		{report(b(id2, 1, ""), b(id1, 2, "")), 0, ""},       // the limit is reached
		{report(b(id2, 1, "secure"), b(id1, 2, "")), 0, ""}, // still
		{report(b(id2, 1, "secure"), b(id1, 2, "")), 1, "fail_mode host2"},
		{report(b(id2, 1, "secure"), b(id1, 2, "")), 9, "fail_mode_fixed host1"},
	} {
		left = step.left
		var got []string
		for _, n := range tracker.Next(step.report, allow) {
			got = append(got, n.Type.String()+" "+n.Switch)
			if strings.Contains(n.Message, "run `") == strings.HasSuffix(n.Type.String(), "_fixed") {
				t.Errorf("step %d: %+v", i, n)
			}
		}
		if strings.Join(got, ", ") != step.want {
			t.Errorf("step %d: notices %q, want %q", i, got, step.want)
		}
	}
}

// TestQuote has a shell read what was quoted.
func TestQuote(t *testing.T) {
	t.Parallel()
	for _, word := range []string{
		"", "br0", "a b", "it's", `"$HOME"`, "*", "~", "a;b", "-x", "[::1]", `back\slash`,
		"ü", "#", "!1", "{a,b}", "x=y", "'",
	} {
		out, err := exec.Command("sh", "-c", "printf %s "+quote(word)).Output()
		if err != nil || string(out) != word {
			t.Errorf("%q is quoted as %s, which a shell reads as %q (%v)", word, quote(word), out, err)
		}
	}
}

func TestMatchesTarget(t *testing.T) {
	t.Parallel()
	listen := []string{"tcp:0.0.0.0:6653", "ssl:192.0.2.1:6654", "unix:/run/of.sock", "tcp:[2001:db8::1]:6633"}
	own := []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("127.0.0.1")}
	for target, want := range map[string]bool{
		"tcp:192.0.2.1:6653":       true,
		"tcp:192.0.2.1":            true, // 6653 is the default
		"tcp:127.0.0.1:6653":       true,
		"tcp:192.0.2.2:6653":       false,
		"tcp:192.0.2.1:6654":       false,
		"ssl:192.0.2.1:6654":       true,
		"ssl:127.0.0.1:6654":       false,
		"unix:/run/of.sock":        true,
		"unix:/run/other.sock":     false,
		"tcp:[2001:db8::1]:6633":   true,
		"tcp:[2001:db8::1]":        false,
		"tcp:[::ffff:192.0.2.1]":   true,
		"ptcp:6653":                false,
		"punix:/run/of.sock":       false,
		"tcp:":                     false,
		"tcp:host.example:6653":    false,
		"":                         false,
		"tcp:[192.0.2.1:6653":      false,
		"tcp:192.0.2.1:6653:extra": false,
	} {
		if got := MatchesTarget(target, listen, own); got != want {
			t.Errorf("%q matches: %v", target, got)
		}
	}
}
