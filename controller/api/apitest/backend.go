// Package apitest provides a backend that is made of plain values, for tests of the API and of its clients.
package apitest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/eosin-sdn/eosin/apps/probe/probespec"
	"github.com/eosin-sdn/eosin/controller/api"
)

// Backend answers from its fields. They are set before it is used and not changed after.
type Backend struct {
	*api.EventLog
	NotReady    string // reason; empty: ready
	SwitchList  []api.Switch
	PortList    []api.Port
	HostList    []api.Host
	LinkList    []api.Link
	NetworkList []api.Network
	TunnelList  []api.Tunnel
	FlowList    []api.Flow
	ProbeList   []probespec.Status
	MeshList    []probespec.MeshEntry
	Err         error                      // if set, every list fails with it
	RTT         time.Duration              // of the first reply; each further one takes 10 µs more
	Silent      map[string]*probespec.Loss // hosts that answer nothing, and what is said of it
	Drops       map[string]int             // hosts that do not answer every n-th probe
	Down        map[string]*api.Problem    // sources that cannot probe
	OnProbe     func(ctx context.Context)  // called when a probe begins
	mu          sync.Mutex
	colors      map[int]bool
	asked       []probespec.Request
}

// Requests returns the probe requests that came in, in order.
func (b *Backend) Requests() []probespec.Request {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.asked)
}

// Ready implements api.Backend.
func (b *Backend) Ready(context.Context) (bool, string) { return b.NotReady == "", b.NotReady }

// Switches implements api.Backend.
func (b *Backend) Switches(context.Context) ([]api.Switch, error) { return b.SwitchList, b.Err }

// Ports implements api.Backend.
func (b *Backend) Ports(context.Context) ([]api.Port, error) { return b.PortList, b.Err }

// Hosts implements api.Backend.
func (b *Backend) Hosts(context.Context) ([]api.Host, error) { return b.HostList, b.Err }

// Links implements api.Backend.
func (b *Backend) Links(context.Context) ([]api.Link, error) { return b.LinkList, b.Err }

// Networks implements api.Backend.
func (b *Backend) Networks(context.Context) ([]api.Network, error) { return b.NetworkList, b.Err }

// Tunnels implements api.Backend.
func (b *Backend) Tunnels(context.Context) ([]api.Tunnel, error) { return b.TunnelList, b.Err }

// Probes implements api.Backend.
func (b *Backend) Probes(context.Context) ([]probespec.Status, error) { return b.ProbeList, b.Err }

// Mesh implements api.Backend.
func (b *Backend) Mesh(context.Context) ([]probespec.MeshEntry, error) { return b.MeshList, b.Err }

// Flows implements api.Backend.
func (b *Backend) Flows(_ context.Context, filter api.FlowFilter) ([]api.Flow, error) {
	var found []api.Flow
	for _, f := range b.FlowList {
		if (filter.Switch == "" || f.Switch == filter.Switch) && (filter.Table < 0 || int(f.Table) == filter.Table) {
			found = append(found, f)
		}
	}
	return found, b.Err
}

// Probe implements api.Backend: it waits as long as a real probe would, and answers according to Silent and Drops.
func (b *Backend) Probe(ctx context.Context, request probespec.Request,
	report func(probespec.Update),
) (probespec.Result, error) {
	if report == nil {
		report = func(probespec.Update) {}
	}
	source, err := b.end("source", request.Source)
	if err != nil {
		return probespec.Result{}, err
	}
	destination, err := b.end("destination", request.Destination)
	if err != nil {
		return probespec.Result{}, err
	}
	if problem := b.Down[source.Name]; problem != nil {
		return probespec.Result{}, problem
	}
	color, err := b.take(request)
	if err != nil {
		return probespec.Result{}, err
	}
	defer b.release(color)
	if b.OnProbe != nil {
		b.OnProbe(ctx)
	}
	report(probespec.Update{
		Event: probespec.UpdateStarted, Color: color, Size: request.Size, SourceEnd: source,
		DestinationEnd: destination,
	})
	result := probespec.NewResult(&request)
	result.Color, result.SourceEnd, result.DestinationEnd = color, source, destination
	loss, silent := b.Silent[destination.Name]
	every := b.Drops[destination.Name]
	for seq := 1; seq <= request.Count; seq++ {
		if seq > 1 && !sleep(ctx, time.Duration(request.Interval)) {
			return result, ctx.Err()
		}
		if silent || every > 0 && seq%every == 0 {
			if !sleep(ctx, time.Duration(request.Timeout)) {
				return result, ctx.Err()
			}
			result.Sent++
			result.Loss = loss
			if loss == nil {
				result.Loss = &probespec.Loss{
					Stage:  "no_reply",
					Reason: fmt.Sprintf("no reply within %v", request.Timeout),
				}
			}
			report(probespec.Update{Event: probespec.UpdateLost, Seq: seq})
			continue
		}
		reply := probespec.Reply{Seq: seq, RTT: probespec.Seconds(b.RTT + time.Duration(seq-1)*10*time.Microsecond)}
		result.Sent++
		result.Replies = append(result.Replies, reply)
		report(probespec.Update{Event: probespec.UpdateReply, Seq: seq, RTT: reply.RTT})
	}
	result.Summarize()
	return result, nil
}

// end resolves an end of a probe by the host's name, IP or MAC, or SWITCH:PORT.
func (b *Backend) end(what, name string) (*probespec.End, error) {
	var candidates []string
	for _, h := range b.HostList {
		candidates = append(candidates, h.Name)
		if name == h.Name || name == h.MAC || name == h.Switch+":"+h.Port || slices.Contains(h.IPs, name) {
			end := &probespec.End{Name: h.Name, MAC: h.MAC, Network: h.Network, Switch: h.Switch, Port: h.Port}
			if len(h.IPs) > 0 {
				end.IP = h.IPs[0]
			}
			return end, nil
		}
	}
	return nil, api.UnknownName(what, name, candidates...)
}

// take reserves a color.
func (b *Backend) take(request probespec.Request) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked = append(b.asked, request)
	if b.colors == nil {
		b.colors = map[int]bool{}
	}
	color := request.Color
	if color == 0 {
		for color = 61441; b.colors[color]; color++ {
		}
	}
	if b.colors[color] {
		return 0, api.ColorBusy(color, 30)
	}
	b.colors[color] = true
	return color, nil
}

// release gives a color back.
func (b *Backend) release(color int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.colors, color)
}

// sleep waits and tells whether the context lasted.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
