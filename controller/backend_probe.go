package controller

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/eosin-sdn/eosin/apps/probe"
	"github.com/eosin-sdn/eosin/config"
	"github.com/eosin-sdn/eosin/controller/api"
	"github.com/eosin-sdn/eosin/controller/prober"
)

// Probes returns the continuous probes.
func (b *backend) Probes(context.Context) ([]api.Probe, error) {
	out := []api.Probe{}
	for _, p := range b.c.prober.Probes() {
		out = append(out, api.Probe{
			Name: p.Name, Kind: p.Kind, Of: p.Of, Type: p.Type, IntervalSeconds: p.Interval.Seconds(), TimeoutSeconds: p.Timeout.Seconds(),
			Expect: api.Verdict(p.Expect), Pairs: p.Pairs, OK: p.OK, Failing: p.Failing, Pending: p.Pending,
		})
	}
	return out, nil
}

// Mesh returns the newest verdict of every pair that is probed continuously.
func (b *backend) Mesh(context.Context) ([]api.MeshEntry, error) {
	out := []api.MeshEntry{}
	for _, m := range b.c.prober.Mesh() {
		e := api.MeshEntry{
			Probe: m.Probe, Source: m.Source, Destination: m.Destination, Network: m.Network, Type: m.Type, Expect: api.Verdict(m.Expect),
			OK: m.OK, Verdict: api.Verdict(m.Verdict), LossRatio: m.LossRatio, Loss: loss(m.Loss),
		}
		if m.RTT > 0 {
			s := m.RTT.Seconds()
			e.RTTSeconds = &s
		}
		if !m.Last.IsZero() {
			last := m.Last
			e.Last = &last
		}
		out = append(out, e)
	}
	return out, nil
}

func loss(l *prober.Loss) *api.Loss {
	if l == nil {
		return nil
	}
	out := &api.Loss{Stage: string(l.Stage), Reason: l.Reason, Evidence: slices.Clone(l.Evidence)}
	if out.Evidence == nil {
		out.Evidence = []string{}
	}
	if l.Where != nil {
		out.Where = &api.Place{Switch: l.Where.Switch, Port: l.Where.Port}
	}
	return out
}

// Probe runs one probe.
func (b *backend) Probe(ctx context.Context, req api.ProbeRequest, report func(api.ProbeUpdate)) (api.ProbeResult, error) {
	var onUpdate func(prober.Update)
	if report != nil {
		onUpdate = func(u prober.Update) { report(update(u)) }
	}
	r, err := b.c.prober.Probe(ctx, prober.Request{
		Source: req.Source, Destination: req.Destination, Type: req.Type, Count: req.Count, Interval: time.Duration(req.Interval),
		Timeout: time.Duration(req.Timeout), Color: uint16(req.Color), Size: req.Size,
	}, onUpdate)
	if err != nil {
		return api.ProbeResult{}, problem(err, req)
	}
	return result(r), nil
}

func update(u prober.Update) api.ProbeUpdate {
	out := api.ProbeUpdate{Seq: u.Seq}
	switch u.Kind {
	case prober.Started:
		out.Event = api.UpdateStarted
		out.Color, out.Size = int(u.Result.Color), u.Result.Size
		out.SourceEnd, out.DestinationEnd = end(u.Result.SourceEnd), end(u.Result.DestinationEnd)
	case prober.Replied:
		out.Event, out.RTTSeconds = api.UpdateReply, u.RTT.Seconds()
	case prober.Late:
		out.Event, out.RTTSeconds = api.UpdateLate, u.RTT.Seconds()
	case prober.Lost:
		out.Event = api.UpdateLost
	}
	return out
}

func end(e prober.End) *api.ProbeEnd {
	return &api.ProbeEnd{Name: e.Name, MAC: e.MAC, IP: e.IP, Network: e.Network, Switch: e.Switch, Port: e.Port}
}

func result(r prober.Result) api.ProbeResult {
	out := api.ProbeResult{
		Source: r.Source, Destination: r.Destination, Type: r.Type, Color: int(r.Color), Sent: r.Sent, Received: r.Received,
		Verdict: api.Verdict(r.Verdict), Replies: []api.Reply{}, Loss: loss(r.Loss), SourceEnd: end(r.SourceEnd), DestinationEnd: end(r.DestinationEnd),
	}
	for _, p := range r.Replies {
		out.Replies = append(out.Replies, api.Reply{Seq: p.Seq, RTTSeconds: p.RTT.Seconds()})
	}
	if r.RTT != nil {
		out.RTTSeconds = &api.RTT{Min: r.RTT.Min.Seconds(), Avg: r.RTT.Avg.Seconds(), Max: r.RTT.Max.Seconds()}
	}
	if r.Control > 0 {
		s := r.Control.Seconds()
		out.ControlSeconds = &s
	}
	return out
}

// problem translates what kept a probe from running.
func problem(err error, req api.ProbeRequest) error {
	var unknown *prober.UnknownError
	var ambiguous *prober.AmbiguousError
	var invalid *prober.InvalidError
	var cannot *prober.CannotRunError
	var color *probe.ColorError
	var at *prober.EndError
	what := "host"
	if errors.As(err, &at) {
		what = at.End
	}
	switch {
	case errors.As(err, &unknown):
		return api.UnknownName(what, unknown.Ref, unknown.Candidates...)
	case errors.As(err, &ambiguous):
		return api.AmbiguousName(what, ambiguous.Ref, ambiguous.Candidates...)
	case errors.As(err, &invalid):
		return api.Invalid("body."+invalid.Field, "%s", invalid.Text)
	case errors.As(err, &cannot):
		return api.CannotRun(string(cannot.Stage), cannot.Reason, cannot.Evidence...)
	case errors.As(err, &color):
		return api.ColorBusy(req.Color, int(color.Wait/time.Second))
	case errors.Is(err, errOffline):
		return api.CannotRun(string(prober.SourceDown), err.Error())
	}
	return err
}

// probeSpecs translates the continuous probes of a config.
func probeSpecs(cfg *config.Config) []prober.Spec {
	specs := make([]prober.Spec, 0, len(cfg.Probes))
	for _, p := range cfg.Probes {
		s := prober.Spec{
			Name: p.Name, Mesh: p.Mesh, From: p.From, To: p.To, Type: p.Type.String(), Interval: p.Interval, Timeout: p.Timeout,
			ExpectUnreachable: p.Expect == config.Unreachable, Size: p.Size, Count: p.Count,
		}
		for _, pair := range p.Pairs {
			s.Pairs = append(s.Pairs, prober.Pair{Source: pair.Source, Destination: pair.Destination})
		}
		specs = append(specs, s)
	}
	return specs
}
