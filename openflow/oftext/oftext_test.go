package oftext

import (
	"bytes"
	"encoding/hex"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/eosin-sdn/eosin/openflow"
)

func readHex(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	b, err := hex.DecodeString(string(bytes.ReplaceAll(text, []byte("\n"), nil)))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func readText(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func compare(t *testing.T, got, want string) {
	t.Helper()
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range max(len(g), len(w)) {
		var a, b string
		if i < len(g) {
			a = g[i]
		}
		if i < len(w) {
			b = w[i]
		}
		if a != b {
			t.Errorf("line %d:\n got %s\nwant %s", i+1, a, b)
		}
	}
}

// The files under testdata are one and the same state of an Open vSwitch
// 3.1.0 bridge: as ovs-ofctl -O OpenFlow13 --no-names prints it, and the bodies
// of its multipart replies.
func TestFlowsAsOVSPrintsThem(t *testing.T) {
	var lines []string
	for b := readHex(t, "testdata/flows.hex"); len(b) > 0; {
		f, rest, err := openflow.DecodeFlowStats(b)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, Flow(&f))
		b = rest
	}
	if len(lines) < 30 {
		t.Fatalf("%d flows", len(lines))
	}
	compare(t, SortFlows(lines), NormalizeFlows(readText(t, "testdata/flows.txt")))
}

func TestGroupsAsOVSPrintsThem(t *testing.T) {
	var lines []string
	for b := readHex(t, "testdata/groups.hex"); len(b) > 0; {
		g, rest, err := openflow.DecodeGroupDesc(b)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, Group(&g))
		b = rest
	}
	slices.Sort(lines)
	compare(t, strings.Join(lines, "\n")+"\n", NormalizeGroups(readText(t, "testdata/groups.txt")))
}

func TestNormalizeFlows(t *testing.T) {
	const with = `OFPST_FLOW reply (OF1.3) (xid=0x2):
 cookie=0x7, duration=1.5s, table=1, n_packets=3, n_bytes=4, idle_timeout=9, send_flow_rem priority=2,arp actions=drop
 cookie=0x0, duration=1.5s, table=0, n_packets=0, n_bytes=0, idle_age=1, priority=1 actions=output:1
`
	const without = ` priority=1 actions=output:1
 cookie=0x7, table=1, idle_timeout=9, send_flow_rem priority=2,arp actions=drop
`
	const want = `cookie=0x0, table=0, priority=1 actions=output:1
cookie=0x7, table=1, idle_timeout=9, send_flow_rem priority=2,arp actions=drop
`
	compare(t, NormalizeFlows(with), want)
	compare(t, NormalizeFlows(without), want)
}

// TestMalformedIsNotLost cuts every flow of the golden state at every byte.
func TestMalformedIsNotLost(t *testing.T) {
	f, _, err := openflow.DecodeFlowStats(readHex(t, "testdata/flows.hex"))
	if err != nil {
		t.Fatal(err)
	}
	for b := readHex(t, "testdata/flows.hex"); len(b) > 0; {
		f, b, err = openflow.DecodeFlowStats(b)
		if err != nil {
			t.Fatal(err)
		}
		for i := range f.Instructions {
			if Instructions(f.Instructions[:i]) == Instructions(f.Instructions) {
				t.Errorf("%x cut at %d reads the same", f.Instructions, i)
			}
		}
		for i := range f.Match {
			if Match(f.Match[:i]) == Match(f.Match) {
				t.Errorf("%x cut at %d reads the same", f.Match, i)
			}
		}
	}
	if got := Match([]byte{0x80, 0, 0x7e, 2, 1, 2}); got != "oxm_0x8000:63=0x0102" {
		t.Errorf("unknown field: %s", got)
	}
	if got := Actions([]byte{0, 99, 0, 8, 1, 2, 3, 4}); got != "unknown(0063000801020304)" {
		t.Errorf("unknown action: %s", got)
	}
}
