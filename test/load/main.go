// Command load puts controllers under load with fake switches and compares them: eosin, Debian's ovs-testcontroller, a
// learning switch on contiv's ofnet (the ancestor), and a stub that answers without thinking. All run in one sitting,
// each on one core, with the switches on another; figures are medians of several runs.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

type options struct {
	eosin, testcontroller, ancestor string
	against, only, output           string
	switches, hosts, storm, fabric  int
	samples, runs, core, generator  int
	duration                        time.Duration
	limits                          bool
}

func main() {
	var o options
	stub := flag.String("serve-stub", "", "be the stub and listen on `ADDRESS` (for the harness's own use)")
	flag.StringVar(&o.eosin, "eosin", "bin/eosin", "the built controller")
	flag.StringVar(&o.testcontroller, "testcontroller", "ovs-testcontroller", "Open vSwitch's controller")
	flag.StringVar(&o.ancestor, "ancestor", "bin/ancestor", "the built ancestor (test/load/ancestor)")
	flag.StringVar(&o.against, "subjects", "eosin,testcontroller,ofnet,stub", "what to measure")
	flag.StringVar(&o.only, "workloads", "crowd,latency,storm,fabric", "with what")
	flag.StringVar(&o.output, "o", "table", "table or json")
	flag.IntVar(&o.switches, "switches", 16, "switches of the crowd")
	flag.IntVar(&o.hosts, "hosts", 8000, "hosts of each")
	flag.IntVar(&o.storm, "storm", 1000, "switches of the storm")
	flag.IntVar(&o.fabric, "fabric", 100, "switches of the fabric")
	flag.IntVar(&o.samples, "samples", 20000, "round trips of the latency")
	flag.IntVar(&o.runs, "runs", 3, "runs of which the median is taken")
	flag.IntVar(&o.core, "core", 0, "core of the controllers")
	flag.IntVar(&o.generator, "generator", 1, "core of the switches")
	flag.DurationVar(&o.duration, "time", time.Second, "how long known hosts send")
	flag.BoolVar(&o.limits, "limits", false, "switch eosin's limits on, too high to be reached: what they cost")
	flag.Parse()
	if *stub != "" {
		l, err := net.Listen("tcp", *stub)
		fail(err)
		fail(serveStub(l))
		return
	}
	fail(o.pin())
	fail(run(&o, os.Stdout))
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

// pin starts this program again on its own core: threads that the runtime has begun cannot be moved otherwise.
func (o *options) pin() error {
	const mark = "EOSIN_LOAD_PINNED"
	if os.Getenv(mark) != "" {
		return nil
	}
	if runtime.NumCPU() < 2 {
		return errors.New("this needs two cores: one for the controller, one for the switches")
	}
	taskset, err := exec.LookPath("taskset")
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	args := append([]string{"taskset", "-c", strconv.Itoa(o.generator), self}, os.Args[1:]...)
	return syscall.Exec(taskset, args, append(os.Environ(), mark+"=1", "GOMAXPROCS=1", "GOGC=400"))
}

// workloads, in the order in which they are run. Each starts its subject afresh.
var workloads = []struct {
	name string
	run  func(*process, *options) (map[string]float64, error)
}{{"crowd", crowd}, {"latency", latency}, {"storm", connectStorm}, {"fabric", fabric}}

// report is what -o json prints.
type report struct {
	Machine  string                          `json:"machine"`
	Command  string                          `json:"command"`
	Runs     int                             `json:"runs"`
	Measures []figureOf                      `json:"measures"`
	Raw      map[string]map[string][]float64 `json:"raw"` // by subject and measure, in base units
}

type figureOf struct {
	Name    string             `json:"name"`
	Unit    string             `json:"unit"`
	Meaning string             `json:"meaning"`
	Median  map[string]float64 `json:"median"` // by subject, in the unit

	less bool // less is better
}

func run(o *options, w io.Writer) error {
	dir, err := os.MkdirTemp("", "eosin-load-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	var measured []subject
	for _, s := range subjects(o, dir) {
		if !listed(o.against, s.name) {
			continue
		}
		args, err := s.command(0)
		if err != nil {
			return err
		}
		if _, err := exec.LookPath(args[0]); err != nil {
			if s.name == "eosin" {
				return err
			}
			fmt.Fprintf(os.Stderr, "load: %s is left out: %v%s\n", s.name, err, s.hint)
			continue
		}
		measured = append(measured, s)
	}
	raw := map[string]map[string][]float64{}
	for range o.runs {
		for _, s := range measured {
			if raw[s.name] == nil {
				raw[s.name] = map[string][]float64{}
			}
			for _, l := range workloads {
				if !listed(o.only, l.name) {
					continue
				}
				figures, err := once(s, o, dir, l.run)
				if err != nil {
					return err
				}
				for k, v := range figures {
					raw[s.name][k] = append(raw[s.name][k], v)
				}
			}
		}
	}
	r := report{Machine: machine(), Command: "load " + strings.Join(os.Args[1:], " "), Runs: o.runs, Raw: raw}
	for _, m := range measures {
		f := figureOf{m.name, m.unit, m.what, map[string]float64{}, m.less}
		for _, s := range measured {
			if v := raw[s.name][m.name]; len(v) > 0 {
				f.Median[s.name] = median(v) * m.scale
			}
		}
		if len(f.Median) > 0 {
			r.Measures = append(r.Measures, f)
		}
	}
	if o.output == "json" {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(r)
	}
	return r.table(w, measured)
}

func listed(list, name string) bool { return slices.Contains(strings.Split(list, ","), name) }

// once runs a workload on a subject that is started for it and ended after it.
func once(s subject, o *options, dir string,
	workload func(*process, *options) (map[string]float64, error),
) (map[string]float64, error) {
	p, err := s.launch(o, dir)
	if err != nil {
		return nil, err
	}
	defer p.stop()
	figures, err := workload(p, o)
	if err != nil {
		err = p.fault(err)
	}
	return figures, err
}

// machine describes where this runs.
func machine() string {
	model, cores := runtime.GOARCH, 0
	if b, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(b)) {
			if k, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(k) == "model name" {
				model = strings.TrimSpace(v)
				cores++
			}
		}
	}
	kernel, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	return fmt.Sprintf("%s, %d cores, Linux %s, %s", model, cores, strings.TrimSpace(string(kernel)), runtime.Version())
}
