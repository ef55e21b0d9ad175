package hostile

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/eosin-sdn/eosin/lab"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/oftest"
	"github.com/eosin-sdn/eosin/openflow/packet"
)

// What must hold after each case (and, for memory, all the time).
const (
	joinWithin  = 3 * time.Second
	echoWithin  = time.Second
	atOnce      = time.Second // to hang up
	memoryLimit = 256 << 20
	// logLimit is how much one way to misbehave may make the program log.
	logLimit = 4 << 20
	// A binary that was built with the race detector takes five to ten times the memory, and more time.
	memoryUnderRace = 8
	timeUnderRace   = 4
)

// suite is the program under attack, and a good switch that is connected all the time.
type suite struct {
	t        *testing.T
	openflow string // where it listens
	http     string
	pid      int
	log      *logBuffer
	limit    int64 // of its memory
	good     *oftest.Switch
	learned  chan packet.MAC // hosts that the good switch got rules for
	nextID   openflow.DatapathID
	rounds   time.Duration // how long a random case lasts
	seed     int64
	stalled  []*stall
	secure   *secure

	joinWithin, echoWithin, atOnce time.Duration
}

// logBuffer keeps what the program writes: all of the beginning and the newest of the rest.
type logBuffer struct {
	mu   sync.Mutex
	text []byte
	n    int64
}

func (l *logBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.n += int64(len(b))
	l.text = append(l.text, b...)
	if len(l.text) > 4<<20 {
		l.text = append(l.text[:0], l.text[2<<20:]...)
	}
	return len(b), nil
}

// since returns what was written after a mark, and the new mark.
func (l *logBuffer) since(mark int64) (string, int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.text[max(0, int64(len(l.text))-(l.n-mark)):]), l.n
}

// waitFor waits a moment for a text after a mark, and returns what there is instead if it does not come.
func (l *logBuffer) waitFor(mark int64, want string) string {
	var text string
	if lab.Eventually(5*time.Second, func() bool { text, _ = l.since(mark); return strings.Contains(text, want) }) {
		return ""
	}
	return "nothing of it in:\n" + text
}

func environment(t *testing.T, name string, parse func(string) error) {
	t.Helper()
	if v := os.Getenv(name); v != "" {
		if err := parse(v); err != nil {
			t.Fatalf("%s=%s: %v", name, v, err)
		}
	}
}

// built is the program under test: the one that a variable of the environment names, or one built from the sources.
func built(t *testing.T, variable string, flags ...string) string {
	t.Helper()
	if path := os.Getenv(variable); path != "" {
		return path
	}
	path := filepath.Join(t.TempDir(), "eosin")
	args := append(append([]string{"build"}, flags...), "-o", path, "github.com/eosin-sdn/eosin/cmd/eosin")
	if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return path
}

// isRace reports whether a binary was built with the race detector.
func isRace(t *testing.T, path string) bool {
	t.Helper()
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

// start runs a binary of the program.
func start(t *testing.T, bin string) *suite {
	t.Helper()
	address := lab.Loopback(t)
	s := &suite{
		t: t, openflow: address + ":6653", http: address + ":9653", log: &logBuffer{}, limit: memoryLimit,
		nextID: 0x1000,
		rounds: 3 * time.Second, seed: 1, learned: make(chan packet.MAC, 1024),
		joinWithin: joinWithin, echoWithin: echoWithin, atOnce: atOnce,
	}
	environment(t, "HOSTILE_FOR", func(v string) (err error) { s.rounds, err = time.ParseDuration(v); return err })
	environment(t, "HOSTILE_SEED", func(v string) (err error) { s.seed, err = strconv.ParseInt(v, 10, 64); return err })

	if isRace(t, bin) {
		s.limit *= memoryUnderRace
		for _, d := range []*time.Duration{&s.joinWithin, &s.echoWithin, &s.atOnce} {
			*d *= timeUnderRace
		}
	}
	s.secure = newSecure(t, address+":6654")
	config := filepath.Join(t.TempDir(), "eosin.yaml")
	if err := os.WriteFile(config, []byte(s.secure.config()), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(bin, "serve", "-c", config, "--openflow-listen", "tcp:"+s.openflow,
		"--openflow-listen", "ssl:"+s.secure.addr, "--http-listen", s.http)
	cmd.Stderr = s.log
	cmd.Env = append(os.Environ(), "GORACE=halt_on_error=0")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.pid = cmd.Process.Pid
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }() // ends with the program
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("the program ended with %v", err)
			}
		case <-time.After(10 * time.Second):
			t.Error("the program did not end on SIGTERM")
			_ = cmd.Process.Kill()
			<-ended
		}
		text, _ := s.log.since(0)
		for _, bad := range []string{"DATA RACE", "panic:", "fatal error:"} {
			if at := strings.Index(text, bad); at >= 0 {
				t.Errorf("the log has a %s\n%s", bad, text[at:min(len(text), at+4000)])
			}
		}
		if t.Failed() {
			t.Logf("log:\n%s", text[max(0, len(text)-8000):])
		}
	})
	if !lab.Eventually(10*time.Second, func() bool { return s.healthy() == nil }) {
		t.Fatalf("it does not answer: %v", s.healthy())
	}
	s.connectGood()
	return s
}

// connectGood connects the switch that is to notice nothing.
func (s *suite) connectGood() {
	s.t.Helper()
	s.good = oftest.New(
		oftest.Options{DatapathID: 0x600d, FilterFlowMod: func(m *openflow.FlowMod) bool {
			if m.IdleTimeout > 0 { // only rules of hosts have one
				select {
				case s.learned <- packet.MACFromUint64(m.Cookie & (1<<48 - 1)):
				default:
				}
			}
			return true
		}},
		oftest.Port{No: 1, Name: "vif1", MAC: [6]byte{2, 1, 0, 0, 0, 1}},
		oftest.Port{No: 2, Name: "vif2", MAC: [6]byte{2, 1, 0, 0, 0, 2}},
	)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { // ends with ctx
		defer close(done)
		_ = s.good.Connect(ctx, "tcp", s.openflow, 100*time.Millisecond)
	}()
	s.t.Cleanup(func() { cancel(); <-done })
	if !lab.Eventually(s.joinWithin, func() bool { return s.good.FlowCount() > 0 }) {
		s.t.Fatal("the good switch got no flows")
	}
}

// get asks the API. Health has to be known at once; metrics of many switches may take their time.
func (s *suite) get(path string) (string, error) {
	client := http.Client{Timeout: 20 * time.Second}
	if path == "/healthz" {
		client.Timeout = s.echoWithin
	}
	res, err := client.Get("http://" + s.http + path)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", path, res.Status)
	}
	return string(b), err
}

// metric returns the value of one series.
func (s *suite) metric(t *testing.T, series string) float64 { t.Helper(); return s.sum(t, series+" ") }

// sum adds the values of all series that begin with a text.
func (s *suite) sum(t *testing.T, series string) (sum float64) {
	t.Helper()
	body, err := s.get("/metrics")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(body) {
		if strings.HasPrefix(line, series) {
			v, err := strconv.ParseFloat(strings.TrimSpace(line[strings.LastIndexByte(line, ' '):]), 64)
			if err != nil {
				t.Fatalf("metric %q: %v", line, err)
			}
			sum += v
		}
	}
	return sum
}

func (s *suite) healthy() error {
	_, err := s.get("/healthz")
	return err
}

// memory returns a figure of /proc/PID/status in bytes.
func (s *suite) memory(field string) int64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.pid))
	if err != nil {
		return 0
	}
	for line := range bytes.Lines(b) {
		if rest, ok := bytes.CutPrefix(line, []byte(field+":")); ok {
			kib, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(string(rest)), " kB"), 10, 64)
			return kib << 10
		}
	}
	return 0
}

// check looks whether the program is well.
func (s *suite) check(t *testing.T) {
	t.Helper()
	if err := s.healthy(); err != nil {
		t.Fatalf("health: %v", err)
	}
	began := time.Now()
	p := s.dial(t)
	defer p.close()
	if err := p.join(s.id(), s.joinWithin); err != nil {
		t.Errorf("a good switch did not join within %s: %v", s.joinWithin, err)
	} else {
		joined := time.Since(began)
		if took, err := p.ping(s.echoWithin); err != nil {
			t.Errorf("the echo of a good switch was not answered: %v", err)
		} else if testing.Verbose() {
			t.Logf("joined in %s, echo in %s, %d MiB", joined.Round(time.Microsecond), took.Round(time.Microsecond),
				s.memory("VmRSS")>>20)
		}
	}
	s.learns(t)
	if m := s.memory("VmRSS"); m == 0 || m > s.limit {
		t.Errorf("%d MiB of memory, at most %d are allowed", m>>20, s.limit>>20)
	}
}

// during checks again and again that the program is well while a flood lasts.
func (s *suite) during(t *testing.T, flood time.Duration) {
	t.Helper()
	const times = 4
	check := time.NewTicker(flood / times)
	defer check.Stop()
	for range times {
		<-check.C
		s.check(t)
	}
}

// learns has a new host appear at the good switch and waits for its rules.
func (s *suite) learns(t *testing.T) {
	t.Helper()
	s.nextID++
	mac := packet.MACFromUint64(0x5254_0d00_0000 | uint64(s.nextID))
	began := time.Now()
	s.good.Inject(1, append(packet.AppendEthernet(nil, packet.MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, mac, 0x88b5),
		make([]byte, 46)...))
	for {
		select {
		case got := <-s.learned:
			if got == mac {
				return
			}
		case <-time.After(s.echoWithin - time.Since(began)):
			t.Errorf("a host of the good switch was not learned within %s (%d sessions)", s.echoWithin,
				s.good.Sessions())
			return
		}
	}
}

// id returns a datapath id that was not used yet.
func (s *suite) id() openflow.DatapathID {
	s.nextID++
	return s.nextID
}

// TestHostile runs every case against the program as it is.
func TestHostile(t *testing.T) { hostile(t, built(t, "EOSIN_BIN")) }

// TestHostileRace runs them against the program built with the race detector, which writes what it finds into the log.
func TestHostileRace(t *testing.T) {
	bin := built(t, "EOSIN_RACE_BIN", "-race")
	if !isRace(t, bin) {
		t.Fatalf("%s was not built with -race", bin)
	}
	hostile(t, bin)
}

func hostile(t *testing.T, bin string) {
	s := start(t, bin)
	for _, c := range []struct {
		name string
		run  func(t *testing.T, s *suite)
	}{
		{"Stalls", stalls}, // first: some take half a minute to end, which is checked last
		{"Garbage", garbage},
		{"HTTP", otherProtocols},
		{"BadLengths", badLengths},
		{"SlowLoris", slowLoris},
		{"HalfOpen", halfOpen},
		{"WrongVersions", wrongVersions},
		{"WrongOrder", wrongOrder},
		{"DuplicateDatapathIDs", duplicates},
		{"Truncated", truncated},
		{"OXMBombs", oxmBombs},
		{"MultipartWithoutEnd", multipartWithoutEnd},
		{"DumpBomb", dumpBomb},
		{"Unsolicited", unsolicited},
		{"EchoFlood", echoFlood},
		{"DeafSwitch", deafSwitch},
		{"ErrorFlood", errorFlood},
		{"PortFlood", portFlood},
		{"FlowRemovedFlood", flowRemovedFlood},
		{"PacketInFlood", packetInFlood},
		{"MACFlood", macFlood},
		{"AddressFlood", addressFlood},
		{"ForgedHellos", forgedHellos},
		{"Churn", churn},
		{"ChurnOfSwitches", churnOfSwitches},
		{"SilentFlood", silentFlood},
		{"TLSHandshakes", tlsHandshakes},
		{"Mutations", mutations},
		{"StallsEnd", stallsEnd},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, before := s.log.since(0)
			c.run(t, s)
			s.check(t)
			if _, after := s.log.since(0); after-before > logLimit {
				t.Errorf("%d KiB of log, at most %d are allowed", (after-before)>>10, logLimit>>10)
			} else if testing.Verbose() {
				t.Logf("%d KiB of log", (after-before)>>10)
			}
		})
	}
	if peak := s.memory("VmHWM"); peak > s.limit {
		t.Errorf("%d MiB of memory at the worst moment, at most %d are allowed", peak>>20, s.limit>>20)
	} else {
		_, written := s.log.since(0)
		t.Logf("%d MiB of memory at the worst moment, %d bytes of log", peak>>20, written)
	}
	const connections = `eosin_switch_connections_total{datapath_id="000000000000600d",switch="000000000000600d"}`
	if n := s.metric(t, connections); n != 1 {
		t.Errorf("the good switch has lost its session: %v connections", n)
	}
}
