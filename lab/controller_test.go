package lab

import (
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMain lets the test binary play the eosin binary, for the tests of what the lab does with that.
func TestMain(m *testing.M) {
	if os.Getenv("LAB_TEST_EOSIN") != "" {
		os.Exit(playEosin(os.Args[1:]))
	}
	os.Exit(m.Run())
}

func playEosin(args []string) int {
	if args[0] != "serve" {
		fmt.Println("asked", os.Getenv("EOSIN_SERVER"), args)
		fmt.Fprintln(os.Stderr, "no such thing")
		return 3
	}
	flags := flag.NewFlagSet("serve", flag.ExitOnError)
	listen := flags.String("http-listen", "", "")
	flags.String("openflow-listen", "", "")
	config := flags.String("c", "", "")
	_ = flags.Parse(args[1:])
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGTERM)
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/api/v1/switches", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `[{"connected":true},{"connected":false},{"connected":true}]`)
	})
	go func() { fmt.Fprintln(os.Stderr, http.ListenAndServe(*listen, mux)) }()
	for s := range signals {
		text, _ := os.ReadFile(*config)
		fmt.Fprintf(os.Stderr, "%v %s\n", s, text)
		if s == syscall.SIGTERM {
			return 0
		}
	}
	return 1
}

func TestController(t *testing.T) {
	t.Parallel()
	l := Start(t)
	binary := l.File("eosin", "#!/bin/sh\nLAB_TEST_EOSIN=1 exec "+os.Args[0]+` "$@"`+"\n")
	if err := os.Chmod(binary, 0o755); err != nil {
		t.Fatal(err)
	}
	c := l.StartController(binary, "first")
	c.WaitSwitches(2)
	if err := l.Try(func() { c.Reload("second") }); err != nil {
		t.Error(err)
	}
	if !l.Eventually(3*time.Second, func() bool { return strings.Contains(c.Log(), "hangup second") }) {
		t.Errorf("no reload:\n%s", c.Log())
	}
	if _, err := c.Get("/absent"); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("absent path: %v", err)
	}
	if r := c.Eosin("get", "hosts"); r.Exit != 3 || r.Stdout != "asked "+c.URL+" [get hosts]\n" ||
		r.Stderr != "no such thing\n" {
		t.Errorf("%q", r)
	}
	c.Kill()
	if c.Running() {
		t.Error("runs after Kill")
	}
	c.Start()
	if !c.Stop(5*time.Second) || c.ExitCode() != 0 || !strings.Contains(c.Log(), "terminated second") {
		t.Errorf("Stop: exit code %d\n%s", c.ExitCode(), c.Log())
	}
	if dump := l.Dump(); !strings.Contains(dump, "terminated second") {
		t.Errorf("the dump has no controller log:\n%s", dump)
	}
	broken := l.File("broken", "#!/bin/sh\necho cannot listen >&2\nexit 1\n")
	if err := os.Chmod(broken, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := l.Try(func() { l.StartController(broken, "") }); err == nil ||
		!strings.Contains(err.Error(), "cannot listen") {
		t.Errorf("a controller that ends at once: %v", err)
	}
}

// A recorder is a test whose fate is looked at.
type recorder struct {
	log     []string
	failed  bool
	skipped bool
	cleanup []func()
}

var errEnded = errors.New("the recorded test ended here")

func (r *recorder) Helper()                   {}
func (r *recorder) Name() string              { return "TestRecorded" }
func (r *recorder) Logf(f string, a ...any)   { r.log = append(r.log, fmt.Sprintf(f, a...)) }
func (r *recorder) Fatalf(f string, a ...any) { r.Logf(f, a...); r.failed = true; panic(errEnded) }
func (r *recorder) Skipf(f string, a ...any)  { r.Logf(f, a...); r.skipped = true; panic(errEnded) }
func (r *recorder) Failed() bool              { return r.failed }
func (r *recorder) Cleanup(f func())          { r.cleanup = append(r.cleanup, f) }

// run plays a test function to its end, cleanups included, and returns what it logged.
func (r *recorder) run(test func(TB)) string {
	func() {
		defer func() {
			if e := recover(); e != nil && e != errEnded {
				panic(e)
			}
		}()
		test(r)
	}()
	for _, f := range r.cleanup {
		f()
	}
	return strings.Join(r.log, "\n")
}

// TestFailedTestSaysWhy: a failing step ends the test with its place, the lab's state is in the output, and the lab is
// gone.
func TestFailedTestSaysWhy(t *testing.T) {
	r := &recorder{}
	var l *Lab
	log := r.run(func(t TB) {
		l = Start(t)
		l.AddHost("host1").AddBridge("br0", BridgeOptions{}).AddFlow("actions=nonsense")
	})
	for _, want := range []string{
		"controller_test.go:", "nonsense", "host1: ovs-vswitchd up", "host1 br0 ports",
		"ovs-vswitchd log",
	} {
		if !strings.Contains(log, want) {
			t.Errorf("the output lacks %q:\n%s", want, log)
		}
	}
	if left := leftovers(t, l.Name); !r.failed || len(left) > 0 {
		t.Errorf("failed=%v, left behind: %q", r.failed, left)
	}
	t.Setenv("EOSIN_LAB_KEEP", "1")
	kept := &recorder{}
	log = kept.run(func(t TB) {
		l = Start(t)
		t.Fatalf("on purpose")
	})
	if !strings.Contains(log, "is kept") || len(leftovers(t, l.Name)) == 0 {
		t.Errorf("the lab was not kept:\n%s", log)
	}
	if err := l.Destroy(); err != nil {
		t.Error(err)
	}
}

// TestUnavailable: where no lab can be made, tests fail and say what is missing; they are skipped only on request and
// never in CI.
func TestUnavailable(t *testing.T) {
	t.Setenv("PATH", "/absent")
	for _, c := range []struct {
		lab, ci       string
		skipped, fail bool
	}{{"", "", false, true}, {"skip", "", true, false}, {"skip", "true", false, true}} {
		t.Setenv("EOSIN_LAB", c.lab)
		t.Setenv("CI", c.ci)
		r := &recorder{}
		log := r.run(func(t TB) { Start(t) })
		if r.skipped != c.skipped || r.failed != c.fail || !strings.Contains(log, "TestRecorded") ||
			!strings.Contains(log, "iputils-ping") {
			t.Errorf("EOSIN_LAB=%q CI=%q: skipped=%v failed=%v: %s", c.lab, c.ci, r.skipped, r.failed, log)
		}
	}
}
