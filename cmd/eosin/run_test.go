package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/eosin-sdn/eosin/apps/probe/probespec"
	"github.com/eosin-sdn/eosin/config/spelling"
	"github.com/eosin-sdn/eosin/controller/api"
	"github.com/eosin-sdn/eosin/controller/api/apitest"
	"github.com/eosin-sdn/eosin/lab"
)

var update = flag.Bool("update", false, "write the golden files")

// outcome is how a command ended.
type outcome struct {
	status         int
	stdout, stderr string
}

// eosin runs a command line against a server.
func eosin(t *testing.T, server string, args ...string) outcome {
	t.Helper()
	return eosinWith(t.Context(), map[string]string{"EOSIN_SERVER": server}, args...)
}

// eosinWith runs a command line in an environment.
func eosinWith(ctx context.Context, env map[string]string, args ...string) outcome {
	var stdout, stderr bytes.Buffer
	a := newApp(func(name string) string { return env[name] }, &stdout, &stderr)
	// What is printed of times is the same on every day and in every place.
	a.now = func() time.Time { return apitest.Began.Add(200 * time.Second) }
	a.zone = time.UTC
	status := a.run(ctx, args, strings.NewReader(""))
	return outcome{status, stdout.String(), stderr.String()}
}

// labServer returns the URL of a server that shows the lab.
func labServer(t *testing.T, change ...func(*api.Options)) string {
	t.Helper()
	options := api.Options{Backend: apitest.Lab()}
	for _, c := range change {
		c(&options)
	}
	server := httptest.NewServer(api.New(options))
	t.Cleanup(server.Close)
	return server.URL
}

// golden compares with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("differs from %s (-update writes it):\n%s", path, got)
	}
}

func TestGetTables(t *testing.T) {
	url := labServer(t)
	for _, k := range kinds {
		got := eosin(t, url, "get", k.name)
		if got.status != exitOK || got.stderr != "" {
			t.Errorf("%s: %+v", k.name, got)
		}
		golden(t, "get_"+k.name+".txt", got.stdout)
		for line := range strings.Lines(got.stdout) {
			if len(line) > 141 {
				t.Errorf("%s: a line of %d columns: %s", k.name, len(line), line)
			}
		}
		if strings.Contains(got.stdout, "\x1b") {
			t.Errorf("%s: control codes although it is no terminal", k.name)
		}
		for _, alias := range k.aliases {
			if again := eosin(t, url, "get", alias); again.stdout != got.stdout {
				t.Errorf("%s is not %s: %+v", alias, k.name, again)
			}
		}
		js := eosin(t, url, "get", k.name, "-o", "json")
		var list []any
		if err := json.Unmarshal([]byte(js.stdout), &list); err != nil || len(list) == 0 || js.status != exitOK {
			t.Errorf("%s: %v %+v", k.name, err, js)
		}
	}
}

func TestGetOneAndSome(t *testing.T) {
	url := labServer(t)
	for _, c := range []struct {
		args   string
		status int
		stdout string // a part; "" means nothing is printed
		stderr string
	}{
		{"get hosts vm2", 0, "10.0.3.2,fd00::2", ""},
		{"get hosts 10.0.3.1 -o json", 0, `"name": "vm1"`, ""},
		{"get ports host1:vx0", 0, "blue,red", ""},
		{"get ports --switch host2", 0, "host2   vif2", ""},
		{"get ports --switch host2 --network blue -o json", 0, `"name": "vif2"`, ""},
		{"get hosts --network none", 0, "", "no hosts"},
		{"get hosts --network none -o json", 0, "[]", ""},
		{"get flows host1", 0, "5 flood", ""},
		{"get flows host2", 0, "", "no flows"},
		{"get flows --table 5", 0, "group:10", ""},
		{"get links host1:vx0--host2:vx0", 0, "0.200 ms", ""},
		{"get mesh blue-mesh", 0, "guest_silent at host2:vif3", ""},
		{"get switches", 0, "host2: warning: fail_mode is standalone: ovs-vsctl set-fail-mode host2 secure", ""},
		{"get hosts vm9", 3, "", `unknown host "vm9"; candidates: vm1`},
		{"get ports vx0", 3, "", "ambiguous; candidates: host1:vx0, host2:vx0"},
		{"get flows --table x", 2, "", "table must be a whole number"},
		{"get hosts vm1 --switch host1", 2, "", "give either a name, or flags"},
		{"get hosts vm1 vm2", 2, "", "accepts at most 1 arg"},
		{"get hosts --every 0 -w", 2, "", "--every must be above 0"},
		{"get networks --switch host1", 2, "", "unknown flag: --switch"},
		{"get hosts -o yaml", 2, "", "must be table or json"},
		{"get", 2, "", "get what? One of switches, ports"},
		{"get hosst", 2, "", "did you mean hosts?"},
		{"get quux", 2, "", `there is no kind "quux"`},
	} {
		got := eosin(t, url, strings.Fields(c.args)...)
		if got.status != c.status || !strings.Contains(got.stdout, c.stdout) || !strings.Contains(got.stderr,
			c.stderr) ||
			c.stdout == "" && got.stdout != "" || c.stderr == "" && got.stderr != "" {
			t.Errorf("%s: %+v", c.args, got)
		}
	}
}

func TestProbeOutput(t *testing.T) {
	url := labServer(t)
	for name, c := range map[string]struct {
		args   string
		status int
	}{
		"reachable":   {"probe vm1 vm2 -c 3 -i 0.001", 0},
		"partial":     {"probe vm1 vm4 -c 3 -i 1ms -W 1ms", 1},
		"unreachable": {"probe vm1 vm3 -c 2 -i 1ms -W 0.001 --color 77", 1},
		"by_address":  {"probe host1:vif1 10.0.3.2 -c 1 --type arp --size 1400", 0},
	} {
		got := eosin(t, url, strings.Fields(c.args)...)
		if got.status != c.status || got.stderr != "" {
			t.Errorf("%s: %+v", name, got)
		}
		golden(t, "probe_"+name+".txt", got.stdout)
		js := eosin(t, url, strings.Fields(c.args+" -o json")...)
		var result probespec.Result
		if err := json.Unmarshal([]byte(js.stdout), &result); err != nil || js.status != c.status {
			t.Errorf("%s: %v %+v", name, err, js)
		}
		if (result.Received == result.Sent) != (c.status == 0) || result.Verdict == "" || result.Color == 0 {
			t.Errorf("%s: %+v", name, result)
		}
	}
}

func TestProbeExits(t *testing.T) {
	url := labServer(t)
	for _, c := range []struct {
		args, stderr string
		status       int
	}{
		{"probe", "takes a source and a destination, 0 arguments given", 2},
		{"probe vm1", "1 argument given", 2},
		{"probe vm1 vm2 vm3", "3 arguments given", 2},
		{"probe vm1 vm2 -c 0", "--count must be above 0", 2},
		{"probe vm1 vm2 -c -1", "count must be from 1 to 100000, is -1", 2},
		{"probe vm1 vm2 -c 1000000 -i 1h", "count must be from 1 to 100000, is 1000000", 2},
		{"probe vm1 vm2 -c many", `invalid argument "many"`, 2},
		{"probe vm1 vm2 -i 0", "--interval must be above 0", 2},
		{"probe vm1 vm2 -i 1us", "interval must be from 1ms to 24h0m0s, is 1µs", 2},
		{"probe vm1 vm2 --size 65001", "size must be from 1 to 65000 bytes, is 65001", 2},
		{"probe vm1 vm2 -i soon", "is not a duration", 2},
		{"probe vm1 vm2 -W 2m", "timeout must be from 1ms to 1m0s, is 2m0s", 2},
		{"probe vm1 vm2 --color 0", "--color must be above 0", 2},
		{"probe vm1 vm2 --color 70000", "color must be from 1 to 65535, is 70000", 2},
		{"probe vm1 vm2 --size 0", "--size must be above 0", 2},
		{"probe vm1 vm2 --type telnet", `"telnet" is not a type of probe; use icmp, icmp6 or arp`, 2},
		{
			"probe vm1 vm2 --type tcp:80", `"tcp:80" is a type of probe that cannot be run yet; use icmp, icmp6 or arp`,
			2,
		},
		{"probe vm1 vm2 --tipe icmp", "did you mean --type?", 2},
		{"probe vm1 vm2 --server ftp://x", "the server must be a URL", 2},
		{"probe vm1 vm2 --server http://[::1", "the server must be a URL", 2},
		{"probe vm9 vm2", `unknown source "vm9"; candidates: vm1, vm2, vm3, vm4, vm5`, 3},
		{"probe vm1 vm9", `unknown destination "vm9"; candidates: vm1`, 3},
		{
			"probe vm5 vm1",
			"the source vm5 is down: its port host2:vif5 is down (source_down)\n  host2:vif5 is down since", 3,
		},
		{"probe vm1 vm2 --token-file /does/not/exist", "cannot read the token", 3},
	} {
		got := eosin(t, url, strings.Fields(c.args)...)
		if got.status != c.status || !strings.Contains(got.stderr, c.stderr) || got.stdout != "" {
			t.Errorf("%s: %+v", c.args, got)
		}
		if hint := strings.Contains(got.stderr, "See 'eosin probe --help'."); hint != (c.status == 2) {
			t.Errorf("%s: the hint is there: %v\n%s", c.args, hint, got.stderr)
		}
	}
}

func TestServerThatIsNoController(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := "http://" + listener.Addr().String()
	listener.Close()
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Query().Get("switch") {
		case "html":
			w.Header().Set("Content-Type", "text/html")
		case "json":
			w.Header().Set("Content-Type", "application/json")
			w.Write([]byte("<")) //nolint:errcheck // of a test's server
		case "shape":
			w.Header().Set("Content-Type", "application/json")
			w.Write([]byte(`[{"name":7}]`)) //nolint:errcheck // of a test's server
		default:
			http.Error(w, "no", http.StatusTeapot)
		}
	}))
	t.Cleanup(other.Close)
	for _, c := range []struct{ server, args, stderr string }{
		{closed, "probe vm1 vm2", "no answer from the controller at " + closed},
		{closed, "get hosts", "connection refused\nIs 'eosin serve' running there?"},
		{closed, "events", "no answer"},
		{closed, "events --follow", "no answer"},
		{other.URL, "probe vm1 vm2", "is not an Eosin controller: status 418"},
		{other.URL, "get hosts", "is not an Eosin controller"},
		{other.URL, "events -f", "is not an Eosin controller"},
		{other.URL, "get hosts --switch html", "is not an Eosin controller: text/html"},
		{other.URL, "get hosts --switch json", "is not an Eosin controller"},
		{other.URL, "get hosts --switch shape", "cannot be read"},
	} {
		got := eosin(t, c.server, strings.Fields(c.args)...)
		if got.status != exitCannot || !strings.Contains(got.stderr, c.stderr) || got.stdout != "" {
			t.Errorf("%s: %+v", c.args, got)
		}
	}
}

func TestToken(t *testing.T) {
	url := labServer(t, func(o *api.Options) { o.Token = "secret" })
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got := eosin(t, url, "get", "hosts")
	if got.status != exitCannot || !strings.Contains(got.stderr, "--token-file or in EOSIN_TOKEN") {
		t.Errorf("%+v", got)
	}
	if got := eosin(t, url, "get", "hosts", "--token-file", file); got.status != exitOK {
		t.Errorf("%+v", got)
	}
	env := map[string]string{"EOSIN_SERVER": strings.TrimPrefix(url, "http://"), "EOSIN_TOKEN": "secret"}
	if got := eosinWith(t.Context(), env, "get", "hosts"); got.status != exitOK {
		t.Errorf("%+v", got)
	}
	if got := eosinWith(t.Context(), env, "get", "hosts", "--server", "127.0.0.1:1"); got.status != exitCannot {
		t.Errorf("the flag does not have precedence: %+v", got)
	}
}

// growing collects output and tells when a text has come.
type growing struct {
	mu    sync.Mutex
	text  strings.Builder
	wrote chan struct{} // receives after a write
}

func newGrowing() *growing { return &growing{wrote: make(chan struct{}, 1)} }

func (g *growing) Write(b []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case g.wrote <- struct{}{}:
	default:
	}
	return g.text.Write(b)
}

func (g *growing) String() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.text.String()
}

// wait waits for a text.
func (g *growing) wait(t *testing.T, text string) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	for !strings.Contains(g.String(), text) {
		select {
		case <-g.wrote:
		case <-deadline:
			t.Fatalf("%q does not come: %s", text, g)
		}
	}
}

// tee copies what a handler writes.
type tee struct {
	http.ResponseWriter
	to io.Writer
}

func (w tee) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w tee) Write(b []byte) (int, error) {
	n, err := w.ResponseWriter.Write(b)
	_, _ = w.to.Write(b[:n])
	return n, err
}

// interrupted runs a command line, waits for a text in its output, interrupts it and returns how it ended.
func interrupted(t *testing.T, server, text string, args ...string) outcome {
	t.Helper()
	stdout := newGrowing()
	return interruptedAt(t, server, stdout, stdout, text, args...)
}

// interruptedAt waits for the text in something else than the output.
func interruptedAt(t *testing.T, server string, stdout, watched *growing, text string, args ...string) outcome {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stderr := newGrowing()
	env := map[string]string{"EOSIN_SERVER": server}
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, args, func(name string) string { return env[name] }, strings.NewReader(""), stdout, stderr)
	}()
	watched.wait(t, text)
	cancel()
	select {
	case status := <-ended:
		return outcome{status, stdout.String(), stderr.String()}
	case <-time.After(5 * time.Second):
		t.Fatal("it does not end")
		return outcome{}
	}
}

func TestInterruptedProbeHasItsSummary(t *testing.T) {
	url := labServer(t)
	got := interrupted(t, url, "seq=2", "probe", "vm1", "vm2", "-c", "1000", "-i", "50ms")
	if got.status != exitOK || got.stderr != "" || !strings.Contains(got.stdout,
		" received, 0% loss") || !strings.HasSuffix(got.stdout, "verdict: reachable\n") {
		t.Errorf("%+v", got)
	}
	got = interrupted(t, url, "no reply: seq=1", "probe", "vm1", "vm3", "-c", "1000", "-i", "50ms", "-W", "1ms")
	if got.status != exitFailed || !strings.HasSuffix(got.stdout, "verdict: unreachable\n") {
		t.Errorf("%+v", got)
	}
	got = interrupted(t, url, "PROBE vm1", "probe", "vm1", "vm3", "-W", "20s")
	if got.status != exitCannot || !strings.Contains(got.stderr, "interrupted before the first probe was decided") {
		t.Errorf("%+v", got)
	}
	// In JSON nothing is printed before the end: the server has answered 20 probes, of which the client has seen some.
	answers, handler := newGrowing(), api.New(api.Options{Backend: apitest.Lab()})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler.ServeHTTP(tee{w, answers}, r)
	}))
	t.Cleanup(server.Close)
	got = interruptedAt(t, server.URL, newGrowing(), answers, `"seq":20,`, "probe", "vm1", "vm2", "-c", "1000", "-i",
		"20ms", "-o", "json")
	var result probespec.Result
	if err := json.Unmarshal([]byte(got.stdout), &result); err != nil || got.status != exitOK || result.Sent == 0 ||
		result.Verdict != probespec.Reachable {
		t.Errorf("%v %+v", err, got)
	}
}

func TestProbeWhoseServerDies(t *testing.T) {
	for name, end := range map[string]string{
		"cut off": "", "not JSON": "oops\n",
		"problem": `{"event":"problem","problem":{"status":503,"code":"unavailable",` +
			`"detail":"the controller is shutting down"}}` + "\n",
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/x-ndjson")
			_, _ = w.Write([]byte(`{"event":"started","color":1}` + "\n" +
				`{"event":"reply","seq":1,"rtt_seconds":0.001}` + "\n" + `{"event":"news"}` + "\n" +
				`{"event":"late","seq":0,"rtt_seconds":1.5}` + "\n" + end))
		}))
		got := eosin(t, server.URL, "probe", "vm1", "vm2")
		server.Close()
		if got.status != exitCannot || got.stderr == "" || !strings.Contains(got.stdout,
			"1 sent, 1 received") || !strings.Contains(got.stdout, "late reply from vm2: seq=0 time=1500 ms") {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// TestProbeCutShort: a probe that could not be sent to its end has not succeeded, though all that was sent was answered.
func TestProbeCutShort(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"sent":2,"received":2,"verdict":"partial","loss":{"stage":"source_down",` +
			`"reason":"switch host1 stopped taking requests after 2 of 5","evidence":[]}}`))
	}))
	t.Cleanup(server.Close)
	for _, form := range []string{"table", "json"} {
		if got := eosin(t, server.URL, "probe", "vm1", "vm2", "-o", form); got.status != exitFailed {
			t.Errorf("%s: %+v", form, got)
		}
	}
}

func TestProbeOfServerThatDoesNotStream(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"source":"vm1","destination":"vm2","type":"icmp","color":5,"sent":2,"received":1,` +
			`"verdict":"partial","rtt_seconds":{"min":0.0123,"avg":0.0123,"max":0.0123},` +
			`"replies":[{"seq":2,"rtt_seconds":0.0123}],"loss":null}`))
	}))
	t.Cleanup(server.Close)
	got := eosin(t, server.URL, "probe", "vm1", "vm2")
	golden(t, "probe_plain.txt", got.stdout)
	if got.status != exitFailed {
		t.Errorf("%+v", got)
	}
}

func TestEvents(t *testing.T) {
	url := labServer(t)
	got := eosin(t, url, "events")
	golden(t, "events.txt", got.stdout)
	if got.status != exitOK || got.stderr != "" {
		t.Errorf("%+v", got)
	}
	if got := eosin(t, url, "events", "-o", "json"); got.status != exitOK || !strings.Contains(got.stdout,
		`"type": "fail_mode"`) {
		t.Errorf("%+v", got)
	}
	if got := eosin(t, url, "events", "now"); got.status != exitUsage {
		t.Errorf("%+v", got)
	}
	got = interrupted(t, url, "host2", "events", "--follow")
	if got.status != exitOK || got.stderr != "" || strings.Count(got.stdout, "\n") != 2 {
		t.Errorf("%+v", got)
	}
	got = interrupted(t, url, "fail_mode", "events", "-f", "-o", "json")
	if got.status != exitOK || got.stderr != "" {
		t.Errorf("%+v", got)
	}
	for line := range strings.Lines(got.stdout) {
		if !json.Valid([]byte(line)) {
			t.Errorf("not JSON: %s", line)
		}
	}
}

func TestEventsGoOnAfterABreak(t *testing.T) {
	b := apitest.Lab()
	handler := api.New(api.Options{Backend: b})
	var first sync.Once
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		broken := false
		first.Do(func() { broken = true })
		if broken { // ends after the first event of the two
			e := b.Events(0)[0]
			text, _ := json.Marshal(e)
			w.Header().Set("Content-Type", "text/event-stream")
			_, _ = w.Write([]byte("id: " + jsonNumber(e.ID) + "\ndata: " + string(text) + "\n\n"))
			return
		}
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	got := interrupted(t, server.URL, "host2", "events", "--follow")
	if got.status != exitOK || strings.Count(got.stdout, "\n") != 2 || !strings.Contains(got.stderr, "trying again") {
		t.Errorf("%+v", got)
	}
}

// jsonNumber writes a number.
func jsonNumber(n uint64) string {
	text, _ := json.Marshal(n)
	return string(text)
}

func TestWatch(t *testing.T) {
	got := interrupted(t, labServer(t), "\n\nNAME", "get", "networks", "--watch", "--every", "20ms")
	if got.status != exitOK || got.stderr != "" || strings.Contains(got.stdout, "\x1b") {
		t.Errorf("%+v", got)
	}
	if got := eosin(t, "127.0.0.1:1", "get", "networks", "-w"); got.status != exitCannot {
		t.Errorf("%+v", got)
	}
}

func TestCheck(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good := write("good.yaml", "networks:\n  blue: {vlan: 10, vni: 5010}\n  red: {vlan: 11, vni: 5011}\nhosts:\n  "+
		"vm1: {mac: \"52:54:00:00:00:01\"}\n")
	got := eosin(t, "", "check", good)
	if got.status != exitOK || got.stdout != good+": ok (2 networks, 0 switches, 1 host, 0 probes)\n" {
		t.Errorf("%+v", got)
	}
	bad := write("bad.yaml", "networks:\n  blue: {vlan: 9999}\ncolour: red\n")
	got = eosin(t, "", "check", bad)
	if got.status != exitFailed || got.stdout != "" || !strings.Contains(got.stderr,
		bad+":2: ") || !strings.Contains(got.stderr, bad+":3: ") || strings.Contains(got.stderr, "--help") {
		t.Errorf("%+v", got)
	}
	if got = eosin(t, "", "check", filepath.Join(dir,
		"none.yaml")); got.status != exitFailed || !strings.Contains(got.stderr, "none.yaml") {
		t.Errorf("%+v", got)
	}
	for _, args := range [][]string{{"check"}, {"check", good, bad}} {
		if got = eosin(t, "", args...); got.status != exitUsage {
			t.Errorf("%+v", got)
		}
	}
}

func TestCommandLine(t *testing.T) {
	for _, c := range []struct {
		args, stdout, stderr string
		status               int
	}{
		{"", "Available Commands:", "", 0},
		{"--help", "Available Commands:", "", 0},
		{"help probe", "eosin probe SOURCE DESTINATION", "", 0},
		{"help get hosts", "eosin get hosts [NAME]", "", 0},
		{"help quux", "", `there is no command "quux"`, 2},
		{"porbe vm1 vm2", "", "Did you mean this?\n\tprobe", 2},
		{"quux", "", `unknown command "quux"`, 2},
		{"--servr x", "", "did you mean --server?", 2},
		{"-x", "", "unknown shorthand flag: 'x'", 2},
		{"version", "eosin ", "", 0},
		{"version now", "", "unknown command", 2},
		{"completion", "", "completion takes one shell: bash, zsh or fish", 2},
		{"completion tcsh", "", "completion knows bash, zsh and fish", 2},
		{"completion bash", "# bash completion V2 for eosin", "", 0},
		{"completion zsh", "#compdef eosin", "", 0},
		{"completion fish", "# fish completion for eosin", "", 0},
	} {
		got := eosin(t, "127.0.0.1:1", strings.Fields(c.args)...)
		if got.status != c.status || !strings.Contains(got.stdout, c.stdout) || !strings.Contains(got.stderr,
			c.stderr) ||
			c.stdout == "" && got.stdout != "" || c.stderr == "" && got.stderr != "" {
			t.Errorf("%q: %+v", c.args, got)
		}
	}
}

func TestEveryCommandHasExamples(t *testing.T) {
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		if cmd.Short == "" || cmd.Example == "" {
			t.Errorf("%s has no short description or no examples", cmd.CommandPath())
		}
		help := eosin(t, "", append(strings.Fields(cmd.CommandPath())[1:], "--help")...)
		if help.status != exitOK || !strings.Contains(help.stdout, "Examples:") {
			t.Errorf("%s --help: %+v", cmd.CommandPath(), help)
		}
		for line := range strings.Lines(help.stdout) {
			if len(line) > 161 {
				t.Errorf("%s --help: a line of %d columns: %s", cmd.CommandPath(), len(line), line)
			}
		}
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	walk(newRoot(newApp(func(string) string { return "" }, nil, nil)))
}

func TestCompletion(t *testing.T) {
	url := labServer(t)
	for args, want := range map[string]string{
		"__complete probe |":            "vm1\nvm2\nvm3\nvm4\nvm5\n:4\n",
		"__complete probe vm1 |":        "vm1\nvm2\nvm3\nvm4\nvm5\n:4\n",
		"__complete probe vm1 vm2 |":    ":4\n",
		"__complete get flows |":        "host1\n:4\n",
		"__complete get ports |":        "host1:vif1\nhost1:vx0\nhost2:vif2\nhost2:vx0\n:4\n",
		"__complete get hosts vm1 |":    ":4\n",
		"__complete get hosts vm1 -o |": "table\njson\n:4\n",
	} {
		fields := strings.Fields(args)
		fields[len(fields)-1] = "" // the word that is being typed
		if got := eosin(t, url, fields...); got.stdout != want || got.status != exitOK {
			t.Errorf("%s: %+v", args, got)
		}
	}
	if got := eosin(t, "127.0.0.1:1", "__complete", "probe", ""); got.stdout != ":4\n" || got.status != exitOK {
		t.Errorf("without a controller: %+v", got)
	}
}

func TestVersion(t *testing.T) {
	if got := eosin(t, "", "version"); !strings.HasPrefix(got.stdout, "eosin devel (go") { // a test has no version
		t.Errorf("%+v", got)
	}
	defer func(v string) { version = v }(version)
	version = "v9"
	if got := eosin(t, "", "version"); !strings.HasPrefix(got.stdout, "eosin v9 (go") {
		t.Errorf("%+v", got)
	}
}

func TestWords(t *testing.T) {
	for seconds, want := range map[float64]string{
		0.000412: "0.412 ms", 0.0000005: "0.001 ms", 0.0123: "12.3 ms",
		1.2034: "1203 ms",
	} {
		if got := millis(seconds); got != want {
			t.Errorf("%v: %s, want %s", seconds, got, want)
		}
	}
	for d, want := range map[time.Duration]string{
		-1: "0s", 59 * time.Second: "59s", 200 * time.Second: "3m20s",
		7500 * time.Second: "2h5m", 97 * time.Hour: "4d1h",
	} {
		if got := formatAge(d); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
	for ratio, want := range map[float64]string{0: "0%", 1: "100%", 1.0 / 3: "33.3%", 0.5: "50%"} {
		if got := percent(ratio); got != want {
			t.Errorf("%v: %s, want %s", ratio, got, want)
		}
	}
	if got := joinNames([]string{"a", "b", "c", "d", "e"}); got != "a,b,c,+2" {
		t.Error(got)
	}
	if got := spelling.Printable("vm\x1b[31m1\n\u202e ü"); got != "vm?[31m1?? ü" {
		t.Errorf("%q", got)
	}
}

func TestLabDownLine(t *testing.T) {
	for name, want := range map[string]string{lab.DemoName: "eosin lab down", "x": "eosin lab down --name x"} {
		if got := labDownLine(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}
