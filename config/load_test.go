package config

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/eosin-sdn/eosin/apps/intent"
	"github.com/eosin-sdn/eosin/apps/probe"
	"github.com/eosin-sdn/eosin/apps/probe/probespec"
	"github.com/eosin-sdn/eosin/openflow/packet"
)

func mustParse(t *testing.T, text string) *Config {
	t.Helper()
	c, err := Parse("eosin.yaml", []byte(text))
	if err != nil {
		t.Fatalf("%q:\n%v", text, err)
	}
	return c
}

// TestExample reads the file that the documentation shows.
func TestExample(t *testing.T) {
	got, err := Load("testdata/example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	want := &Config{
		File: "testdata/example.yaml",
		OpenFlow: OpenFlow{
			Role:    RoleMaster,
			Listen:  []Endpoint{{TCP, "0.0.0.0:6653"}, {SSL, "0.0.0.0:6654"}, {Unix, "/run/eosin/of.sock"}},
			Connect: []Endpoint{{TCP, "192.0.2.7:6653"}, {Unix, "/var/run/openvswitch/br0.mgmt"}},
			TLS:     TLS{"testdata/ctl-cert.pem", "testdata/ctl-privkey.pem", "testdata/cacert.pem"},
		},
		HTTP:  HTTP{Listen: "127.0.0.1:9653", TokenFile: "/etc/eosin/token"},
		OVSDB: OVSDB{Connect: []Endpoint{{Unix, "/var/run/openvswitch/db.sock"}, {TCP, "192.0.2.7:6640"}}},
		Networks: Networks{
			{
				Name: "blue", VLAN: 10, VNI: 5010,
				Subnet: netip.MustParsePrefix("10.0.3.0/24"), Gateway: netip.MustParseAddr("10.0.3.254"),
			},
			{Name: "red", VLAN: 11, VNI: 5011},
		},
		Defaults: Defaults{Network: "blue"},
		Switches: Switches{{Name: "host1", DatapathID: 1, Ports: map[string]Port{
			"vif1": {Name: "vif1", Mode: intent.Access, Access: "blue"},
			"s0":   {Name: "s0", Mode: intent.Trunk, Trunk: []string{"blue", "red"}, Native: "blue"},
			"up0":  {Name: "up0", Mode: intent.Trunk, TrunkAll: true},
			"vx0":  {Name: "vx0", Mode: intent.Tunnel},
			"gre1": {Name: "gre1", Mode: intent.Trunk, Trunk: []string{"blue", "red"}},
		}}},
		Settings: intent.Settings{
			HostTimeout: 300 * time.Second, HostsPerPort: 1024, HostsPerSwitch: 8192, PacketIns: 20000, Moves: 5,
			Probes: 1000,
		},
		Hosts: Hosts{{
			Name: "vm1", MAC: packet.MAC{0x52, 0x54, 0, 0, 0, 1},
			IPs: []netip.Addr{netip.MustParseAddr("10.0.3.1")}, Network: "blue",
		}},
		Probes: []probespec.Spec{
			{
				Name: "blue-mesh", Mesh: "blue", Type: probe.ICMP,
				Interval: 5 * time.Second, Timeout: time.Second, Expect: probespec.Reachable, Count: 1, Size: 56,
			},
			{
				Name: "isolation", From: "blue", To: "red", Type: probe.ICMP,
				Interval: 5 * time.Second, Timeout: time.Second, Expect: probespec.Unreachable, Count: 1, Size: 56,
			},
			{
				Name: "db", Pairs: []probespec.Pair{
					{Source: "vm1", Destination: "vm2"},
					{Source: "vm1", Destination: "10.0.3.9"},
				}, Type: probe.ICMP,
				Interval: time.Second, Timeout: time.Second, Expect: probespec.Reachable, Count: 1, Size: 56,
			},
		},
		Audit:   Audit{Interval: 30 * time.Second},
		Probing: Probing{Trap: intent.TrapAuto},
		Warnings: Errors{{
			"testdata/example.yaml", 44,
			`probes[2].pairs[0][1]: no host of this file is named "vm2"; did you mean "vm1"? those that exist are vm1`,
		}},
		Files: []NamedFile{
			{"openflow.tls.cert", "testdata/ctl-cert.pem", 4},
			{"openflow.tls.key", "testdata/ctl-privkey.pem", 4},
			{"openflow.tls.ca", "testdata/cacert.pem", 4},
			{"http.token_file", "/etc/eosin/token", 7},
		},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
}

// TestExtensions reads what goes beyond the example.
func TestExtensions(t *testing.T) {
	c := mustParse(t, `
networks:
  blue: &net {vlan: 10, subnet: "2001:db8::/64"}
  red: {<<: *net, vlan: 11}
switches:
  10: {datapath_id: 0x00000000000000aB, ports: {3: {closed: true}, vx0: {tunnel: true}}}
hosts:
  vm1: {mac: 52-54-00-00-00-0A, network: red, ips: ["2001:db8::1", 192.0.2.1]}
probes:
  - {name: web, pairs: [[vm1, "10:3"]], type: arp, size: 65000, count: 3, expect: unreachable, timeout: 9s, interval: 100ms}
limits: {moves: 0, hosts_per_port: 2}
learning: {timeout: 2m}
probing: {trap: dscp}
`)
	if n, _ := c.Networks.ByName("red"); n.VLAN != 11 || n.Subnet.String() != "2001:db8::/64" {
		t.Errorf("merged network is %+v", n)
	}
	sw, ok := c.Switches.ByDatapathID(0xab)
	if !ok || sw.Name != "10" || sw.Ports["3"].Mode != intent.Closed {
		t.Errorf("switch is %+v", sw)
	}
	h, ok := c.Hosts.ByName("vm1")
	if !ok || h.Network != "red" || len(h.IPs) != 2 || h.MAC.String() != "52:54:00:00:00:0a" {
		t.Errorf("host is %+v", h)
	}
	want := probespec.Spec{
		Name: "web", Pairs: []probespec.Pair{{
			Source:      "vm1",
			Destination: "10:3",
		}}, Type: probe.ARP, Size: 65000, Count: 3,
		Expect: probespec.Unreachable, Timeout: 9 * time.Second, Interval: 100 * time.Millisecond,
	}
	if !reflect.DeepEqual(c.Probes, []probespec.Spec{want}) {
		t.Errorf("probes are %+v", c.Probes)
	}
	settings := intent.Settings{
		HostTimeout: 2 * time.Minute, HostsPerPort: 2, HostsPerSwitch: 8192, PacketIns: 20000, Probes: 1000,
	}
	if c.Settings != settings || c.Probing.Trap != intent.TrapDSCP {
		t.Errorf("settings %+v, probing %+v", c.Settings, c.Probing)
	}
	if len(c.Warnings) != 1 || !strings.Contains(c.Warnings[0].Message, "no network has a vni") {
		t.Errorf("warnings are %v", c.Warnings)
	}
}

func TestEmptyFilesAreDefault(t *testing.T) {
	for _, text := range []string{
		"", "\n", "# nothing\n", "---\n", "null\n", "{}\n", "---\nnetworks: {}\n...\n", "openflow:\n", "\xef\xbb\xbf",
		"networks:\nhosts: ~\nprobes: []\n", "%YAML 1.2\n---\nhttp: {}\n", "http: {}\n---\n", "openflow: {listen: }\n",
	} {
		if c := mustParse(t, text); !c.Equal(Default()) {
			t.Errorf("%q gives %+v", text, c)
		}
	}
}

// TestBrokenText has one line for each way to be no YAML at all, and for values that no golden file can hold.
func TestBrokenText(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"http: {}\n\tnetworks: {}\n", "f:2: a tab in the indentation is not YAML; use spaces"},
		{"networks:\n\t- 1\n", "f:2: a tab in the indentation is not YAML; use spaces"},
		{
			"a: [1\nb: 2\n",
			"f:2: not YAML: did not find expected ',' or ']' (in the flow sequence that begins on line 1)",
		},
		{"a: 1\n\nb: 'x\nc: 2\n", "f:3: not YAML: the quoted scalar that begins here does not end"},
		{"a: 1\r\nb: [\r\nc: 2\r\n", "f:2: not YAML: the flow sequence that begins here does not end"},
		{"http:\r\n  lsten: x\r\n", `f:2: http: unknown key "lsten"; did you mean "listen"?`},
		{"\xef\xbb\xbfhttp: {}\nhttp: {}\n", `f:2: key "http" is written twice, first on line 1; remove one`},
		{
			"http: {}\na: @x\n",
			"f:2: not YAML: found character that cannot start any token; quote the value if it is text",
		},
		{"a:\n  \"\\q\"\n", "f:2: not YAML: found unknown escape character"},
		{"http: {}\n---\nhttp: {}\n", "f:3: a second YAML document begins here; remove the line with ---"},
		{"http: {}\nnonsense\n", `f:2: not YAML: the key "nonsense" needs a colon after it`},
		{"http:\n  listen: \"x", "f:2: not YAML: the quoted scalar that begins here does not end"},
		{"http:\n  listen: 'x", "f:2: not YAML: the quoted scalar that begins here does not end"},
		{"http: [1", "f:1: not YAML: the flow sequence that begins here does not end"},
		{
			" openflow:\n  listen: []\nhttp: {}\n",
			"f:3: not YAML: did not find expected <document start>; check the indentation above: all keys of the " +
				"first level begin in the same column",
		},
		{"just text\n", `f:1: is the text "just text"; write a mapping with keys and values`},
		{"- 1\n", "f:1: is a list; write a mapping with keys and values"},
		{"? [a]: b\n", "f:1: a key must be a word"},
		{"]", `f:1: not YAML: this line has a "]" that nothing opens; remove it`},
		{"http: !!map {}\n", `f:1: tag "!!map" is not used here; remove it, and quote the value if it is text`},
		{"http: {}\n\n\xc3(", "f:3: byte 0xc3 is not UTF-8; save the file as UTF-8 text"},
		{"\x7fELF\x01\n", "f:1: control character 0x7f is not allowed in YAML; is this a text file?"},
		{"http: {}\n\x00", "f:2: control character 0x00 is not allowed in YAML; is this a text file?"},
		{strings.Repeat("x\n", 4<<20), "f:2097153: the file is larger than 4 MiB; is it a config?"},
		{"a: " + strings.Repeat("[", 1<<20), "f:1: values are nested more than 16 deep; nothing here needs that"},
		{strings.Repeat("- ", 1<<20), "f:1: values are nested more than 16 deep; nothing here needs that"},
		{strings.Repeat("a: ", 20), "f:1: not YAML: mapping values are not allowed in this context; check the " +
			"indentation of this line and the next, and that a space follows each colon"},
		{"a:\n  b: 1\n   c: 2\n", "f:3: not YAML: mapping values are not allowed in this context; check the " +
			"indentation of this line and the next, and that a space follows each colon"},
		{
			"http:\n    listen: a\n  tls: b\n",
			"f:3: not YAML: did not find expected key; check the indentation of this " +
				"line and the next, and that a space follows each colon (in the block mapping that begins on line 1)",
		},
		{
			"networks:\n  blue: {vlan:10}\n",
			`f:2: networks.blue: unknown key "vlan:10"; a space must follow the colon: vlan: 10`,
		},
		{strings.Repeat("[", 17) + strings.Repeat("]", 17), "f:1: values are nested more than 16 deep; nothing here " +
			"needs that"},
		{"a: 1\nb: \u2028\n", "f:2: control character 0x2028 is not allowed in YAML; is this a text file?"},
		{"a: [\n" + strings.Repeat("1,\n", 60000) + "]", "f:50001: the file has more than 100000 lines and commas; " +
			"write fewer"},
		{strings.Repeat("k", 1<<20) + ": 1", `f:1: unknown key "` + strings.Repeat("k",
			64) + `…"; use openflow, http, ovsdb, networks, defaults, switches, learning, limits, hosts, probes, probing, audit`},
	} {
		c, err := Parse("f", []byte(test.text))
		var errs Errors
		if !errors.As(err, &errs) || c != nil {
			t.Errorf("%.40q: got config %v, error %v", test.text, c, err)
			continue
		}
		if got := errs.Error(); got != test.want {
			t.Errorf("%.40q:\ngot  %s\nwant %s", test.text, got, test.want)
		}
	}
}

// TestPlainScalars: names and addresses with colons, and words that YAML 1.1 took for something else, are text.
func TestPlainScalars(t *testing.T) {
	for list, want := range map[string][]string{
		"[tcp:0.0.0.0:6653]": {"tcp:0.0.0.0:6653"},
		"[tcp:0.0.0.0:6653, unix:/run/x , 'ssl:[::1]:6654']": {"tcp:0.0.0.0:6653", "unix:/run/x", "ssl:[::1]:6654"},
		"[fd00::1,fd00::2]":               {"fd00::1", "fd00::2"},
		"[host1:vif1, 52:54:00:00:00:01]": {"host1:vif1", "52:54:00:00:00:01"},
		"[\n  a:b,\n  1:2 ]":              {"a:b", "1:2"},
		"[é:w, true:1, null:2, 1.5:3]":    {"é:w", "true:1", "null:2", "1.5:3"},
		"[no, on, Yes, 0x10, 0777, 1_000, 12e3, 2001-01-01, =]": {
			"no", "on", "Yes", "0x10", "0777", "1_000", "12e3",
			"2001-01-01", "=",
		},
	} {
		for _, context := range []string{
			"{openflow: {listen: %s}}", "openflow:\n  listen: %s\n",
			"openflow: {listen: %s}\n",
		} {
			r := &reader{file: "f"}
			root, ok := r.parse(fmt.Appendf(nil, context, list))
			if !ok {
				t.Errorf("%s: %v", list, r.errors)
				continue
			}
			var got []string
			items, _ := r.list(r.object(r.object(root, "openflow")["openflow"], "listen")["listen"])
			for _, item := range items {
				s, _ := r.text(item)
				got = append(got, s)
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%s: got %q, want %q; %v", list, got, want, r.errors)
			}
		}
	}
}

// TestManyErrors keeps the first ones and counts the rest.
func TestManyErrors(t *testing.T) {
	_, err := Parse("f", []byte("probes: [\n"+strings.Repeat("1,\n", maxFindings+5)+"]\n"))
	var errs Errors
	if !errors.As(err, &errs) || len(errs) != maxFindings+1 || errs[maxFindings].Message != "and 5 errors more" {
		t.Fatalf("got %d errors", len(errs))
	}
}

func TestLoad(t *testing.T) {
	if _, err := Load(filepath.Join(t.TempDir(), "absent.yaml")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an absent file gives %v", err)
	}
	if _, err := Load(t.TempDir()); err == nil {
		t.Error("a folder is no error")
	}
	file := filepath.Join(t.TempDir(), "eosin.yaml")
	if err := os.WriteFile(file, []byte("http:\n  token_file: token\n  listen: 0.0.0.0:80\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(filepath.Dir(file), "token"); c.HTTP.TokenFile != want {
		t.Errorf("token file is %s, want %s", c.HTTP.TokenFile, want)
	}
}

func TestHTTPBeyondLoopback(t *testing.T) {
	for text, ok := range map[string]bool{
		"127.0.0.1:9653": true, "[::1]:9653": true, "localhost:0": true, "127.3.2.1:1": true,
		"0.0.0.0:9653": false, ":9653": false, "[::]:9653": false, "192.0.2.1:9653": false, "eosin.example:9653": false,
	} {
		for addition, allowed := range map[string]bool{
			"": ok, ", insecure: true": true, ", insecure: false": ok, ", token_file: t": true,
			", tls: {cert: c, key: k, ca: a}": true, ", tls: {cert: c, key: k}": ok,
			", token_file: t, tls: {cert: c, key: k}": true,
		} {
			_, err := Parse("f", []byte("http: {listen: \""+text+"\""+addition+"}\n"))
			if (err == nil) != allowed {
				t.Errorf("listen %s%s: %v", text, addition, err)
			}
		}
		changed, err := Default().WithHTTPListen(text)
		if (err == nil) != ok {
			t.Errorf("flag %s: %v", text, err)
		}
		if ok && changed.HTTP.Listen != text {
			t.Errorf("flag %s gives %s", text, changed.HTTP.Listen)
		}
	}
}

// A token that crosses the network in the clear is warned of; who says insecure knows.
func TestTokenInTheClear(t *testing.T) {
	const says = "the token crosses the network"
	for text, warned := range map[string]bool{
		"listen: 0.0.0.0:1, token_file: t":                                    true,
		"listen: 0.0.0.0:1, token_file: t, insecure: true":                    false,
		"listen: 0.0.0.0:1, token_file: t, tls: {cert: c, key: k}":            false,
		"listen: 127.0.0.1:1, token_file: t":                                  false,
		"listen: 0.0.0.0:1, tls: {cert: c, key: k, ca: a}":                    false,
		"listen: 0.0.0.0:1, token_file: t, tls: {cert: c, key: k, ca: a}":     false,
		"listen: 0.0.0.0:1, insecure: true":                                   false,
		"listen: '[::]:1', token_file: t, insecure: false":                    true,
		"listen: 0.0.0.0:1, token_file: t, tls: {cert: c, key: k, ca: }":      false,
		"listen: 127.0.0.1:1, tls: {cert: c, key: k}, token_file: /etc/token": false,
	} {
		c := mustParse(t, "learning: {timeout: 1s}\nhttp: {"+text+"}\n")
		if got := strings.Contains(c.Warnings.Error(),
			"eosin.yaml:2: http.listen: ") && strings.Contains(c.Warnings.Error(), says); got != warned {
			t.Errorf("%s: %v", text, c.Warnings)
		}
		// A flag that changes where it listens changes the warning, and no other.
		home, err := c.WithHTTPListen("127.0.0.1:2")
		if err != nil || strings.Contains(home.Warnings.Error(), says) {
			t.Errorf("%s, listening at home: %v, %v", text, home.Warnings, err)
		}
		away, err := c.WithHTTPListen("192.0.2.1:2")
		insecure := c.HTTP.TokenFile != "" && c.HTTP.TLS.IsZero() && !c.HTTP.Insecure
		if allowed := c.HTTP.TokenFile != "" || c.HTTP.TLS.CA != "" || c.HTTP.Insecure; allowed != (err == nil) {
			t.Errorf("%s, listening away: %v", text, err)
		}
		if err == nil && strings.Contains(away.Warnings.Error(), `--http-listen "192.0.2.1:2": `+says) != insecure {
			t.Errorf("%s, listening away: %v", text, away.Warnings)
		}
		if err == nil && len(away.Warnings) > 1 {
			t.Errorf("%s, listening away: %v", text, away.Warnings)
		}
	}
}

// The files that are named, each with its line and as it is found from where the program runs.
func TestNamedFiles(t *testing.T) {
	c, err := Parse("/etc/eosin/eosin.yaml", []byte(`http:
  tls:
    cert: web.pem
    key: /keys/web.pem
  token_file: token
openflow:
  listen: ["ssl:0.0.0.0:6654"]
  tls: {cert: a.pem, key: b.pem,
        ca: c.pem}
`))
	if err != nil {
		t.Fatal(err)
	}
	want := []NamedFile{
		{"openflow.tls.cert", "/etc/eosin/a.pem", 8},
		{"openflow.tls.key", "/etc/eosin/b.pem", 8},
		{"openflow.tls.ca", "/etc/eosin/c.pem", 9},
		{"http.token_file", "/etc/eosin/token", 5},
		{"http.tls.cert", "/etc/eosin/web.pem", 3},
		{"http.tls.key", "/keys/web.pem", 4},
	}
	if !reflect.DeepEqual(c.Files, want) {
		t.Errorf("got %+v", c.Files)
	}
	if c.HTTP.TLS != (TLS{Cert: "/etc/eosin/web.pem", Key: "/keys/web.pem"}) {
		t.Errorf("HTTP.TLS is %+v", c.HTTP.TLS)
	}
}

func TestWithOpenFlowListen(t *testing.T) {
	before := Default()
	c, err := before.WithOpenFlowListen("tcp:127.0.0.1:0", "unix:/tmp/x")
	if err != nil || !reflect.DeepEqual(c.OpenFlow.Listen, []Endpoint{{TCP, "127.0.0.1:0"}, {Unix, "/tmp/x"}}) {
		t.Errorf("got %v, %v", c, err)
	}
	if !before.Equal(Default()) {
		t.Error("the original changed")
	}
	for _, bad := range []string{
		"ssl:127.0.0.1:6653", "6653", "tcp:127.0.0.1:65536", "tcp:127.0.0.1:-1",
		"unix:" + strings.Repeat("x", 108),
	} {
		if _, err := before.WithOpenFlowListen(bad); err == nil {
			t.Errorf("%s is accepted", bad)
		}
	}
}

func TestErrorPrinting(t *testing.T) {
	errs := Errors{{"a.yaml", 3, "first"}, {"a.yaml", 0, "second"}, {"", 0, "third"}}
	if got, want := errs.Error(), "a.yaml:3: first\na.yaml: second\nthird"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	var one Error
	if !errors.As(error(errs), &one) || one.Line != 3 {
		t.Errorf("errors.As finds %+v", one)
	}
}
