package lab

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
)

// TB is what Start needs of *testing.T; the package does not import testing, since the eosin command links it.
type TB interface {
	Helper()
	Name() string
	Logf(format string, args ...any)
	Fatalf(format string, args ...any)
	Skipf(format string, args ...any)
	Failed() bool
	Cleanup(func())
}

var sweepOnce sync.Once

// Start makes a lab for one test. It has a name of its own, so that tests run side by side; it ends with the test, and
// a failed test's output gets [Lab.Dump]. The first call also removes the labs that earlier, killed runs left behind.
// Where no lab can be made the test fails; with EOSIN_LAB=skip, which CI ignores, it is skipped.
func Start(t TB, options ...Options) *Lab {
	t.Helper()
	if err := Available(); err != nil {
		if os.Getenv("EOSIN_LAB") == "skip" && os.Getenv("CI") == "" {
			t.Skipf("SKIPPED, NOT TESTED: %s on real Open vSwitch: %v", t.Name(), err)
		}
		t.Fatalf("%s needs real Open vSwitch: %v (EOSIN_LAB=skip leaves such tests out)", t.Name(), err)
	}
	sweepOnce.Do(func() { sweep(t) })
	o := Options{}
	if len(options) > 0 {
		o = options[0]
	}
	if o.Progress == nil {
		o.Progress = logWriter{t}
	}
	o.Fatal = func(err error) {
		t.Helper()
		t.Fatalf("lab: %s: %v", scriptLine(), err)
	}
	l, err := New(NameFor(t), o)
	if err != nil {
		t.Fatalf("lab: %v", err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s", l.Dump())
			if os.Getenv("EOSIN_LAB_KEEP") != "" {
				t.Logf("lab %s is kept: ip netns exec %sHOST ovs-vsctl --db=unix:%s/HOST/db.sock show", l.Name,
					prefix(l.Name), l.dir)
				return
			}
		}
		if err := l.Destroy(); err != nil {
			t.Logf("lab %s: %v", l.Name, err)
		}
	})
	return l
}

func sweep(t TB) {
	t.Helper()
	swept, err := Sweep()
	if len(swept) > 0 || err != nil {
		t.Logf("labs of dead runs removed: %v %v", swept, err)
	}
}

// scriptLine is the place in the test that called into this package.
func scriptLine() string {
	callers := make([]uintptr, 30)
	frames := runtime.CallersFrames(callers[:runtime.Callers(2, callers)])
	for {
		frame, more := frames.Next()
		if !strings.Contains(frame.Function, "eosin/lab.") || strings.HasSuffix(frame.File, "_test.go") {
			return fmt.Sprintf("%s:%d", filepath.Base(frame.File), frame.Line)
		}
		if !more {
			return "unknown line"
		}
	}
}

// NameFor is a name for a lab of a test that no test of another process has: the test's letters and digits, shortened,
// a hash of the whole, and the process.
func NameFor(t TB) string {
	test := t.Name()
	short := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, strings.ToLower(strings.TrimPrefix(test, "Test")))
	return fmt.Sprintf("%.16s%04xp%d", short, hash32(test)&0xffff, os.Getpid())
}

// logWriter sends progress to the test's log, one line at a time.
type logWriter struct{ t TB }

func (w logWriter) Write(p []byte) (int, error) {
	w.t.Helper()
	w.t.Logf("%s", strings.TrimSuffix(string(p), "\n"))
	return len(p), nil
}
