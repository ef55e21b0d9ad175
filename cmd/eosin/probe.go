package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/eosin-sdn/eosin/apps/probe"
	"github.com/eosin-sdn/eosin/apps/probe/probespec"
	"github.com/eosin-sdn/eosin/config/spelling"
	"github.com/eosin-sdn/eosin/controller/api"
)

// probeSlack is what a probe may take beyond its own longest time: resolving its ends, and finding where it was lost.
const probeSlack = time.Minute

// probeCommand runs a probe.
func (a *app) probeCommand() *cobra.Command {
	request := probespec.Request{}.WithDefaults()
	cmd := &cobra.Command{
		Use:   "probe SOURCE DESTINATION",
		Short: "Probe whether one host reaches another, without its help",
		Long: `Probe whether one host reaches another: the controller sends colored packets as if
SOURCE had sent them and catches the replies, so neither guest has to do anything.

SOURCE is a host's name, an IP, a MAC, or SWITCH:PORT. DESTINATION is the same, or any IP.

Exit status: 0 every probe was answered; 1 some were lost; 2 wrong usage; 3 the probe
could not be run.`,
		Example: `  eosin probe vm1 vm2
  eosin probe 10.0.3.1 10.0.3.2 -c 100 -i 0.1 -W 500ms
  eosin probe host1:vif1 vm2 --type arp
  eosin probe vm1 vm2 --size 1400 -o json`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 2 {
				return fmt.Errorf("probe takes a source and a destination, %s given", count(len(args), "argument"))
			}
			return nil
		},
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 1 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return a.complete(cmd, kindNamed("hosts"))
		},
	}
	form := addOutput(cmd)
	flags := cmd.Flags()
	flags.TextVarP(&request.Type, "type", "t", request.Type, "`type` of probe: "+probe.TypeNames())
	flags.IntVarP(&request.Count, "count", "c", request.Count,
		fmt.Sprintf("number of probes, at most %d", probespec.MaxCount))
	flags.TextVarP(&request.Interval, "interval", "i", request.Interval,
		fmt.Sprintf("`duration` between two probes, at least %v", probespec.MinInterval))
	flags.TextVarP(&request.Timeout, "timeout", "W", request.Timeout,
		fmt.Sprintf("`duration` to wait for each reply, at most %v", probespec.MaxTimeout))
	flags.IntVar(&request.Color, "color", 0,
		fmt.Sprintf("ICMP identifier to use, 1 to %d (default a free one)", probespec.MaxColor))
	flags.IntVarP(&request.Size, "size", "s", request.Size,
		fmt.Sprintf("payload in bytes, at most %d", probespec.MaxSize))
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		request.Source, request.Destination = args[0], args[1]
		// The rest is the API's to check; but a zero would not be sent, and stand for the default there.
		for _, name := range []string{"count", "interval", "timeout", "color", "size"} {
			if value := flags.Lookup(name).Value.String(); flags.Changed(name) && (value == "0" || value == "0s") {
				return usageErrorf("--%s must be above 0; leave it out for the default", name)
			}
		}
		return a.probe(cmd.Context(), request, *form)
	}
	return cmd
}

// probe runs a probe and writes its course and its summary.
func (a *app) probe(ctx context.Context, request probespec.Request, form output) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, request.Longest()+probeSlack)
	defer cancel()
	began := a.now()
	response, err := c.open(limited, http.MethodPost, "/api/v1/probes", "application/x-ndjson, application/json;q=0.5",
		request, nil)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	show := &probeView{app: a, request: request, quiet: form == outputJSON, result: probespec.NewResult(&request)}
	ended := show.read(response)
	if !show.done {
		show.result.Summarize()
	}
	failure := show.failure(ctx, c, ended)
	if failure != nil && show.result.Sent == 0 {
		return failure
	}
	if form == outputJSON {
		body, err := json.Marshal(show.result)
		if err != nil {
			return err
		}
		if err := writeIndented(a.stdout, body); err != nil {
			return err
		}
	} else {
		show.summary(a.now().Sub(began))
	}
	switch {
	case failure != nil:
		return failure
	case show.result.Verdict != probespec.Reachable:
		return &exitError{status: exitFailed}
	}
	return nil
}

// probeView follows a probe: it writes what comes and keeps the result so far, which stands when the end never comes.
type probeView struct {
	app     *app
	request probespec.Request
	quiet   bool
	result  probespec.Result
	problem *api.Problem
	done    bool
}

// failure says why there is no result, or returns nil: also when the user ended a probe of which something is known.
func (v *probeView) failure(ctx context.Context, c *client, ended error) error {
	switch {
	case v.done:
		return nil
	case v.problem != nil:
		return problemError(v.problem)
	case ctx.Err() == nil:
		return failf("the answer of %s ended early: %w", c.base, ended)
	case v.result.Sent == 0:
		return failf("interrupted before the first probe was decided")
	}
	return nil
}

// read takes the answer to its end, whichever of its two forms the server chose.
func (v *probeView) read(response *http.Response) error {
	if mediaType(response) == "application/json" {
		var result probespec.Result
		if err := json.NewDecoder(io.LimitReader(response.Body, maxResponse)).Decode(&result); err != nil {
			return err
		}
		v.started(result.Color, result.SourceEnd, result.DestinationEnd)
		v.result.DestinationEnd = result.DestinationEnd
		for _, r := range result.Replies {
			v.reply(r)
		}
		v.result, v.done = result, true
		return nil
	}
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, maxResponse) // the last line holds all replies
	for lines.Scan() {
		var u api.ProbeUpdate
		if err := json.Unmarshal(lines.Bytes(), &u); err != nil {
			return fmt.Errorf("a line is not JSON: %w", err)
		}
		v.update(u)
		if v.done || v.problem != nil {
			return nil
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	return io.ErrUnexpectedEOF
}

// update takes one piece of news. Unknown ones, of a newer server, are passed over.
func (v *probeView) update(u api.ProbeUpdate) {
	switch u.Event {
	case probespec.UpdateStarted:
		v.started(u.Color, u.SourceEnd, u.DestinationEnd)
	case probespec.UpdateReply:
		v.reply(probespec.Reply{Seq: u.Seq, RTT: u.RTT})
	case probespec.UpdateLost:
		v.result.Sent++
		v.line("no reply: seq=%d within %v", u.Seq, v.request.Timeout)
	case probespec.UpdateLate:
		v.line("late reply from %s: seq=%d time=%s", v.peer(), u.Seq, millis(u.RTT.Seconds()))
	case probespec.UpdateResult:
		if u.Result != nil {
			v.result, v.done = *u.Result, true
		}
	case probespec.UpdateProblem:
		v.problem = u.Problem
	}
}

// started takes the head of a probe.
func (v *probeView) started(color int, source, destination *probespec.End) {
	v.result.Color, v.result.SourceEnd, v.result.DestinationEnd = color, source, destination
	v.line("PROBE %s to %s: %s, color %d", endText(v.request.Source, source),
		endText(v.request.Destination, destination), v.request.Type, color)
}

// reply takes an answer.
func (v *probeView) reply(r probespec.Reply) {
	v.result.Sent++
	v.result.Replies = append(v.result.Replies, r)
	v.line("reply from %s: seq=%d time=%s", v.peer(), r.Seq, millis(r.RTT.Seconds()))
}

// line writes one line, unless only the result is wanted.
func (v *probeView) line(format string, args ...any) {
	if !v.quiet {
		fmt.Fprintln(v.app.stdout, spelling.Printable(fmt.Sprintf(format, args...)))
	}
}

// peer names who answers.
func (v *probeView) peer() string {
	if end := v.result.DestinationEnd; end != nil && end.IP != "" && end.Name != "" && end.Name != end.IP {
		return fmt.Sprintf("%s (%s)", end.Name, end.IP)
	}
	return v.request.Destination
}

// endText names an end of a probe with its address and place.
func endText(asked string, end *probespec.End) string {
	if end == nil {
		return asked
	}
	var known []string
	name := cmp.Or(end.Name, asked)
	if end.IP != "" && end.IP != name {
		known = append(known, end.IP)
	}
	if end.Switch != "" {
		known = append(known, "at "+api.Place{Switch: end.Switch, Port: end.Port}.String())
	}
	if len(known) == 0 {
		return name
	}
	return fmt.Sprintf("%s (%s)", name, strings.Join(known, " "))
}

// summary writes the statistics, where and on what evidence probes were lost, and the verdict as the last line.
func (v *probeView) summary(took time.Duration) {
	r := v.result
	v.line("")
	v.line("--- %s to %s: probe statistics ---", v.request.Source, v.request.Destination)
	loss := 0.0
	if r.Sent > 0 {
		loss = float64(r.Sent-r.Received) / float64(r.Sent)
	}
	v.line("%d sent, %d received, %s loss, time %d ms", r.Sent, r.Received, percent(loss), took.Milliseconds())
	if rtt := r.RTT; rtt != nil {
		v.line("rtt min/avg/max = %s/%s/%s ms", number(rtt.Min.Seconds()), number(rtt.Avg.Seconds()),
			number(rtt.Max.Seconds()))
	}
	if r.Loss != nil {
		v.line("lost: %s", lossText(r.Loss))
		for _, line := range r.Loss.Evidence {
			v.line("  evidence: %s", line)
		}
	}
	v.line("verdict: %s", r.Verdict)
}
