// Command soak runs the built controller for a long time on real Open vSwitch hosts and many fake switches, while a
// seeded schedule of disturbances hits them, and checks that memory and goroutines stay flat and nothing is lost
// without a reason.
//
// It is a program and not a test, since it is watched while it runs, takes as long as its flags say, and has to clean
// up when it is interrupted, which go test does not let a test do. Its own test runs the same code for some seconds.
//
// # A run
//
// A run is a number of cycles. In each, some disturbances follow each other, while fake switches churn, HTTP clients
// come and go, and probes are run from the command line. Then all that churns stops, and when the controller says that
// every switch, host, link and probed pair is what it was, the state is calm: the figures are sampled, "eosin get" is
// checked, and the tables of all switches are compared with those of the last calm state that had the guests at the
// same places.
//
// # What explains a loss
//
// Guests ping each other all the time. A lost ping is explained by a disturbance that was on the pair's own path when
// it was sent, or had ended not longer ago than it may take to heal (windows.go). Restarts, kills and freezes of the
// controller, cuts between it and a host, and reloads explain the loss of no ping. Whatever is not explained is a
// violation, and the exit status is 1.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/eosin-sdn/eosin/lab"
)

func main() {
	o := options{every: 10 * time.Second, cycle: 30 * time.Second, calm: 8 * time.Second}
	flag.StringVar(&o.binary, "eosin", "bin/eosin", "the built controller")
	flag.DurationVar(&o.total, "for", 10*time.Minute, "how long")
	flag.Uint64Var(&o.seed, "seed", 0, "of the schedule; 0: a new one")
	flag.IntVar(&o.switches, "switches", 200, "fake switches")
	flag.IntVar(&o.visitors, "visitors", 8, "clients of the HTTP API")
	flag.StringVar(&o.lab, "lab", "soak", "name of the lab, of which there is one at a time")
	verbose := flag.Bool("v", false, "print the schedule and what the lab does")
	const only = "disturbances to draw, as the report names them, separated by commas (to look into one); default all"
	flag.Func("only", only, func(list string) error {
		for name := range strings.SplitSeq(list, ",") {
			if _, known := restarts[kind(name)]; !known && !slices.ContainsFunc(natures,
				func(n nature) bool { return n.kind == kind(name) }) {
				return fmt.Errorf("there is no %q", name)
			}
			o.only = append(o.only, kind(name))
		}
		return nil
	})
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	ok, err := soakLab(ctx, o, *verbose)
	if err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
	}
	switch {
	case err != nil || !ok:
		os.Exit(1)
	case ctx.Err() != nil:
		os.Exit(130) // as a shell says it of what Ctrl-C has ended
	}
}

// soakLab makes a lab, soaks, and removes the lab whatever happens.
func soakLab(ctx context.Context, o options, verbose bool) (ok bool, err error) {
	if o.binary, err = filepath.Abs(o.binary); err != nil {
		return false, err
	}
	if _, err := os.Stat(o.binary); err != nil {
		return false, fmt.Errorf("the controller is not there (make build): %w", err)
	}
	o.evidence = filepath.Join(os.TempDir(), "eosin-"+o.lab+"-evidence.txt")
	if err := os.Remove(o.evidence); err != nil && !errors.Is(err, os.ErrNotExist) {
		return false, err
	}
	if o.seed == 0 {
		o.seed = uint64(time.Now().UnixNano())
	}
	if _, err := lab.Sweep(); err != nil {
		return false, err
	}
	var progress io.Writer = io.Discard
	if verbose {
		progress = os.Stdout
	}
	l, err := lab.New(o.lab, lab.Options{Progress: progress})
	if err != nil {
		return false, err
	}
	defer func() {
		if !ok || err != nil {
			if kept, saved := saveLog(l); saved == nil {
				fmt.Println("the controller's log is", kept)
			}
		}
		err = errors.Join(err, l.Destroy())
	}()
	led, err := run(ctx, l, o, os.Stdout)
	return len(led.violations) == 0, err
}

// saveLog keeps the controller's log of a run that failed: the lab takes its files with it.
func saveLog(l *lab.Lab) (path string, err error) {
	logs, err := filepath.Glob(filepath.Join(l.Dir(), "eosin*.log"))
	if err != nil || len(logs) == 0 {
		return "", errors.Join(err, os.ErrNotExist)
	}
	text, err := os.ReadFile(logs[0])
	if err != nil {
		return "", err
	}
	path = filepath.Join(os.TempDir(), "eosin-"+l.Name+".log")
	return path, os.WriteFile(path, text, 0o600)
}
