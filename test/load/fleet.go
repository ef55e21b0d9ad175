package main

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/eosin-sdn/eosin/openflow"
)

// patience bounds every wait of a workload.
const patience = 60 * time.Second

var errPatience = errors.New("not done in time")

// fleet is a number of switches that are connected to one subject.
type fleet struct {
	p        *process
	switches []*fakeSwitch
	remote   counter // rules given for hosts of other switches
}

// counter tells when it has reached a number.
type counter struct {
	n, want atomic.Int64
	reached chan struct{} // capacity 1
}

// expect starts over.
func (c *counter) expect(want int) {
	c.n.Store(0)
	c.want.Store(int64(want))
	select {
	case <-c.reached: // of before
	default:
	}
}

func (c *counter) add() {
	if c.n.Add(1) == c.want.Load() {
		select {
		case c.reached <- struct{}{}:
		default:
		}
	}
}

// backoff is how long Open vSwitch waits before it reconnects after a failed connection.
const backoff = time.Second

// join connects switches, joined in a line if wired, and waits until all are ready.
func join(p *process, n int, wired bool) (*fleet, error) {
	fl := &fleet{p: p, remote: counter{reached: make(chan struct{}, 1)}}
	for i := range n {
		f := newSwitch(i, &fl.remote)
		if wired && i > 0 {
			a := fl.switches[i-1]
			a.wires[downlink] = wireEnd{f, uplink}
			f.wires[uplink] = wireEnd{a, downlink}
		}
		fl.switches = append(fl.switches, f)
	}
	err := fl.each(func(f *fakeSwitch) error {
		for limit := time.Now().Add(patience); ; pace(backoff) {
			err := f.connect(p.address)
			if err == nil {
				err = fl.await(f, func() bool { return f.ready(p.subject) })
			}
			if err == nil {
				return nil
			}
			f.close()
			if time.Now().After(limit) {
				return fmt.Errorf("switch %d is not ready: %w", f.number, err)
			}
		}
	})
	if err != nil {
		fl.close()
		return nil, err
	}
	return fl, nil
}

func (fl *fleet) close() {
	for _, f := range fl.switches {
		f.close()
	}
}

// await waits until a switch has come to a state.
func (fl *fleet) await(f *fakeSwitch, state func() bool) error {
	limit := time.NewTimer(patience)
	defer limit.Stop()
	for !state() {
		select {
		case <-f.progress:
		case err := <-f.ended:
			f.ended <- err
			return fmt.Errorf("the session ended: %w", err)
		case <-limit.C:
			return errPatience
		}
	}
	return nil
}

// ready reports whether the switch has been given what it needs to serve.
func (f *fakeSwitch) ready(s subject) bool {
	if f.Received(openflow.TypeFeaturesRequest) == 0 {
		return false
	}
	_, explicit := f.template(hostPort)
	return explicit || !s.rules
}

// pace lets time pass for what the controller does by its own timers, and for what a switch would wait.
func pace(d time.Duration) { <-time.After(d) }

// settle makes the server of every switch known, and waits until the controller has handled all that was sent.
func (fl *fleet) settle() error {
	pace(700 * time.Millisecond) // ports begin to flood, discovery slows down
	return fl.each(func(f *fakeSwitch) error { return fl.deliver(f, f.serverPacketIn()) })
}

// deliver sends messages and waits until the controller has read them, which the reply to a trailing echo shows.
func (fl *fleet) deliver(f *fakeSwitch, msgs []byte) error {
	before := f.echoes()
	if err := f.write(openflow.AppendEchoRequest(msgs, 7, nil)); err != nil {
		return err
	}
	return fl.await(f, func() bool { return f.echoes() > before })
}

// echoes returns how many echo replies have come in.
func (f *fakeSwitch) echoes() int64 { return int64(f.Received(openflow.TypeEchoReply)) }

// each runs a step for all switches at once.
func (fl *fleet) each(step func(*fakeSwitch) error) error {
	var g errgroup.Group
	for _, f := range fl.switches {
		g.Go(func() error { return step(f) })
	}
	return g.Wait() // the first error: the others are likely the same
}

// median returns the value in the middle.
func median(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}

// quantile returns the value that a share q of the sorted values does not exceed.
func quantile(sorted []time.Duration, q float64) time.Duration {
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}
