package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/eosin-sdn/eosin/apps/probe/probespec"
	"github.com/eosin-sdn/eosin/config"
	"github.com/eosin-sdn/eosin/controller/api"
	"github.com/eosin-sdn/eosin/lab"
)

// labCommand is the demo lab.
func (a *app) labCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "lab",
		Short: "The demo lab: two hosts, a VXLAN tunnel, five VMs in two VLANs",
		Long: `The demo lab is real Open vSwitch: two hosts in network namespaces joined by a VXLAN
tunnel, five VMs in two VLANs, one of them silent to ping. It needs root, and removes
whatever it made.`,
		Example: `  eosin lab run          # lab, controller and probes, until Ctrl-C
  eosin lab run --once   # ends after the table
  eosin lab up           # the lab alone, to be used with: eosin serve -c FILE
  eosin lab down`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	// There is one demo lab; tests of several suites at once need one each.
	name := cmd.PersistentFlags().String("name", lab.DemoName, "name of the lab")
	if err := cmd.PersistentFlags().MarkHidden("name"); err != nil {
		panic(err) // the flag is defined above
	}
	cmd.AddCommand(a.labRunCommand(name), a.labUpCommand(name), a.labDownCommand(name))
	return cmd
}

func (a *app) labUpCommand(name *string) *cobra.Command {
	return &cobra.Command{
		Use:     "up",
		Short:   "Create the lab and leave it",
		Example: "  eosin lab up   # prints the command that starts the controller on it",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			l, err := lab.New(*name, lab.Options{Progress: a.stdout, Detached: true})
			if err != nil {
				return failf("%w", err)
			}
			d, err := lab.BuildDemo(l)
			if err != nil {
				return failf("%w", errors.Join(err, l.Destroy()))
			}
			fmt.Fprintln(a.stdout)
			printTopology(a.stdout, d)
			fmt.Fprintf(a.stdout, "\nThe lab is up and waits for its controller:\n  eosin serve -c %s\n"+
				"Guests are found when they send something, as these do:\n  %s\nRemove it with:\n  %s\n",
				d.ConfigPath(), speak(d), labDownLine(*name))
			return nil
		},
	}
}

// speak is a command that makes every guest of the demo send something.
func speak(d *lab.Demo) string {
	var lines []string
	for _, g := range d.Guests {
		lines = append(lines, fmt.Sprintf("ip netns exec %s ping -c 1 -W 1 10.0.3.254",
			d.Lab.VM(g.Name).Namespace.Name))
	}
	return strings.Join(lines, "\n  ")
}

// labDownLine is the command that removes the lab of a name.
func labDownLine(name string) string {
	if name == lab.DemoName {
		return "eosin lab down"
	}
	return "eosin lab down --name " + name
}

func (a *app) labDownCommand(name *string) *cobra.Command {
	return &cobra.Command{
		Use:     "down",
		Short:   "Remove the lab",
		Example: "  eosin lab down",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if pid := lab.InUse(*name); pid != 0 {
				return failf("the lab is in use by process %d (eosin lab run?): end that first", pid)
			}
			if err := lab.Destroy(*name); err != nil {
				return failf("%w", err)
			}
			fmt.Fprintln(a.stdout, "The lab is gone.")
			return nil
		},
	}
}

func (a *app) labRunCommand(name *string) *cobra.Command {
	var once bool
	var httpListen string
	cmd := &cobra.Command{
		Use:     "run",
		Short:   "Create the lab, control it, and show who reaches whom",
		Example: "  eosin lab run\n  eosin lab run --once",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.labRun(cmd.Context(), *name, once, httpListen)
		},
	}
	cmd.Flags().BoolVar(&once, "once", false, "end after the table: 0 when every verdict is as it should be, else 1")
	cmd.Flags().StringVar(&httpListen, "http-listen", "", "where the controller serves HTTP, instead of 127.0.0.1:9653")
	return cmd
}

// labRun builds the lab, runs the controller on it and shows the verdicts. Whatever happens, the lab is removed.
func (a *app) labRun(ctx context.Context, name string, once bool, httpListen string) (err error) {
	l, err := lab.New(name, lab.Options{Progress: a.stdout})
	if err != nil {
		return failf("%w", err)
	}
	defer func() {
		if gone := l.Destroy(); gone != nil {
			err = errors.Join(err, failf("%w", gone))
			return
		}
		fmt.Fprintln(a.stdout, "The lab is gone.")
	}()
	d, err := lab.BuildDemo(l)
	if err != nil {
		return failf("%w", err)
	}
	cfg, err := config.Parse(d.ConfigPath(), []byte(d.Config))
	if err == nil && httpListen != "" {
		cfg, err = cfg.WithHTTPListen(httpListen)
	}
	if err != nil {
		return failf("%w", err)
	}
	logPath := filepath.Join(l.Dir(), "eosin.log")
	logFile, err := os.Create(logPath)
	if err != nil {
		return failf("%w", err)
	}
	defer logFile.Close()
	log, err := newLogger(logFile, "text", "info")
	if err != nil {
		return failf("%w", err)
	}

	ctx, stop := context.WithCancel(ctx)
	defer stop()
	served := make(chan error, 1)
	reload := func() (*config.Config, error) { return cfg, nil }
	go func() { served <- serve(ctx, cfg, reload, log) }() // ends with ctx; waited for below
	defer func() {
		stop()
		<-served
	}()

	fmt.Fprintln(a.stdout)
	printTopology(a.stdout, d)
	a.server = "http://" + cfg.HTTP.Listen
	fmt.Fprintf(a.stdout, "\nAPI %s/api/v1/   metrics %s/metrics   log %s\n\n", a.server, a.server, logPath)
	show := &labTable{out: a.stdout, demo: d, seen: map[string]string{}}
	return a.labShow(ctx, show, served, once)
}

// labConverge is how long the table may take.
const labConverge = 60 * time.Second

// labShow prints verdicts as they come, the table when all are there, and then whatever changes.
func (a *app) labShow(ctx context.Context, show *labTable, served chan error, once bool) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	began := time.Now()
	announced, done := false, false
	for {
		select {
		case <-ctx.Done():
			if once {
				return &exitError{status: exitFailed, err: errors.New("interrupted before the table was complete")}
			}
			return nil
		case err := <-served:
			served <- err
			return failf("the controller ended: %w", err)
		case <-time.After(250 * time.Millisecond):
		}
		late := time.Since(began) > labConverge
		if announced = announced || a.labAnnounce(ctx, c, show); !announced && !late {
			continue
		}
		var mesh []probespec.MeshEntry
		if err := getJSON(ctx, c, "/api/v1/mesh", &mesh); err != nil {
			if once && late {
				return failf("%w", err)
			}
			continue // the server has not opened yet, or is closing
		}
		show.update(mesh)
		if done {
			continue
		}
		wrong, complete := show.verdicts(mesh)
		if (complete && len(wrong) == 0) || late {
			done = true
			show.print(mesh)
			if once && len(wrong) == 0 && complete {
				return nil
			}
			if once || late {
				for _, w := range wrong {
					fmt.Fprintln(a.stdout, "not as it should be: "+w)
				}
			}
			if once {
				return &exitError{status: exitFailed, err: fmt.Errorf("not every verdict is as it should be after %s",
					labConverge)}
			}
			fmt.Fprintf(a.stdout,
				"\nTry, from another terminal:\n  bin/eosin probe vm1 vm3 -c 5\n  bin/eosin get mesh\n"+
					"  ip netns list | grep eosin-%s\n"+
					"Ctrl-C ends and removes everything.\n\n", show.demo.Lab.Name)
		}
	}
}

// labAnnounce waits for both switches to be ready, then lets the guests speak as they do when they boot.
func (a *app) labAnnounce(ctx context.Context, c *client, show *labTable) bool {
	var links []api.Link
	if err := getJSON(ctx, c, "/api/v1/links", &links); err != nil {
		return false
	}
	if !slices.ContainsFunc(links, func(l api.Link) bool { return l.Up }) {
		return false
	}
	for _, l := range links {
		fmt.Fprintf(a.stdout, "%s %s <-> %s is up\n", l.Kind, l.A, l.B)
	}
	return show.demo.Announce() == nil
}

// printTopology draws the lab.
func printTopology(w io.Writer, d *lab.Demo) {
	const width, gap = 34, "            "
	var hosts []string
	boxes := map[string][]string{}
	rows := 0
	for _, g := range d.Guests {
		if boxes[g.Host] == nil {
			hosts = append(hosts, g.Host)
			boxes[g.Host] = []string{g.Host + "  br0 (Open vSwitch)", ""}
		}
		silent := ""
		if g.Silent {
			silent = "  silent"
		}
		boxes[g.Host] = append(boxes[g.Host], fmt.Sprintf("%-4s %-9s %-4s%s", g.Name, g.IP, g.Network, silent))
		rows = max(rows, len(boxes[g.Host]))
	}
	edge := "+" + strings.Repeat("-", width+2) + "+"
	edges := strings.Join(slices.Repeat([]string{edge}, len(hosts)), gap)
	fmt.Fprintln(w, edges)
	for r := range rows {
		var line []string
		for _, h := range hosts {
			text := append(boxes[h], make([]string, rows)...)[r]
			line = append(line, fmt.Sprintf("| %-*s |", width, text))
		}
		between := gap
		if r == 1 {
			between = "---VXLAN----"
		}
		fmt.Fprintln(w, strings.Join(line, between))
	}
	fmt.Fprintln(w, edges)
	fmt.Fprintln(w, "networks: blue = VLAN 10, VNI 5010; red = VLAN 11, VNI 5011; both use 10.0.3.0/24")
}

// labTable shows the mesh of the demo.
type labTable struct {
	out  io.Writer
	demo *lab.Demo
	seen map[string]string // the last verdict of each pair
}

// update prints the pairs whose verdict is new.
func (t *labTable) update(mesh []probespec.MeshEntry) {
	for i := range mesh {
		m := &mesh[i]
		text := string(m.Verdict)
		if m.Loss != nil && m.Expect == probespec.Reachable {
			text += string(m.Loss.Stage)
		}
		key := m.Probe + " " + m.Source + " " + m.Destination
		if m.Last == nil || m.Verdict == probespec.Unknown || t.seen[key] == text {
			continue
		}
		t.seen[key] = text
		_, how := describeEntry(m)
		fmt.Fprintf(t.out, "  %-14s %s -> %s  %s\n", m.Probe, m.Source, m.Destination, how)
	}
}

// describeEntry says how a pair does: a word for the table, and words for a line.
func describeEntry(m *probespec.MeshEntry) (word, text string) {
	verdict := string(m.Verdict)
	switch {
	case m.Last == nil:
		return "?", "not probed yet"
	case m.Expect == probespec.Unreachable && m.Verdict == probespec.Reachable:
		return "LEAK", "REACHABLE, which it must not be"
	case m.Expect == probespec.Unreachable && m.OK:
		return "isolated", "isolated, as it should be"
	case m.Verdict == probespec.Reachable && m.RTT != nil:
		return millis(m.RTT.Seconds()), "reachable, " + millis(m.RTT.Seconds())
	case m.Loss != nil:
		return string(m.Loss.Stage), verdict + ": " + m.Loss.Reason
	}
	return verdict, verdict
}

// verdicts returns what is not as the demo should be, and whether every pair has a verdict.
func (t *labTable) verdicts(mesh []probespec.MeshEntry) (wrong []string, complete bool) {
	pairs := 0
	for i := range mesh {
		m := &mesh[i]
		if m.Last == nil || m.Verdict == probespec.Unknown {
			continue // a guest has not said anything yet
		}
		if m.Expect == probespec.Reachable && m.Loss != nil && m.Loss.Stage == "no_reply" {
			continue // it is being looked into
		}
		pairs++
		want := t.demo.Reachable(m.Source, m.Destination)
		if got := m.Verdict == probespec.Reachable; got != want {
			_, how := describeEntry(m)
			wrong = append(wrong, fmt.Sprintf("%s -> %s: %s", m.Source, m.Destination, how))
		}
	}
	return wrong, pairs == len(mesh) && pairs == len(t.demo.Guests)*(len(t.demo.Guests)-1)
}

// print draws the table: a row for each source, a column for each destination.
func (t *labTable) print(mesh []probespec.MeshEntry) {
	by := map[[2]string]*probespec.MeshEntry{}
	for i := range mesh {
		by[[2]string{mesh[i].Source, mesh[i].Destination}] = &mesh[i]
	}
	header := []string{"FROM \\ TO"}
	for _, g := range t.demo.Guests {
		header = append(header, g.Name+" "+g.Network)
	}
	var rows [][]string
	var notes []string
	for _, from := range t.demo.Guests {
		row := []string{from.Name + " " + from.Network}
		for _, to := range t.demo.Guests {
			m := by[[2]string{from.Name, to.Name}]
			word := "?"
			switch {
			case from == to:
				word = "."
			case m != nil:
				word, _ = describeEntry(m)
			}
			row = append(row, word)
			if m != nil && m.Loss != nil && m.Expect == probespec.Reachable {
				note := fmt.Sprintf("%s -> %s: %s [%s]", from.Name, to.Name, m.Loss.Reason, m.Loss.Stage)
				if len(m.Loss.Evidence) > 0 {
					note += "\n    evidence: " + strings.Join(m.Loss.Evidence, "; ")
				}
				notes = append(notes, note)
			}
		}
		rows = append(rows, row)
	}
	fmt.Fprintln(t.out)
	_ = writeTable(t.out, header, rows)
	fmt.Fprintln(t.out)
	for _, n := range notes {
		fmt.Fprintln(t.out, n)
	}
}

// getJSON reads a list of the API.
func getJSON(ctx context.Context, c *client, path string, v any) error {
	b, err := c.get(ctx, path)
	if err != nil {
		return err
	}
	return json.Unmarshal(b, v)
}
