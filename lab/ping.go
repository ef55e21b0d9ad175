package lab

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// PingOption changes one thing of a ping: the count of requests (default 3), the interval between them (50 ms), the
// timeout for replies after the last (1 s), the type-of-service byte or traffic class (0), the size of the payload in
// bytes (56; fragmentation is forbidden) and the identifier (random).
type PingOption func(*pinger)

func Count(n int) PingOption              { return func(p *pinger) { p.count = n } }
func Interval(d time.Duration) PingOption { return func(p *pinger) { p.interval = d } }
func Timeout(d time.Duration) PingOption  { return func(p *pinger) { p.timeout = d } }
func TOS(tos int) PingOption              { return func(p *pinger) { p.tos = tos } }
func Size(n int) PingOption               { return func(p *pinger) { p.size = n } }
func Identifier(id uint16) PingOption     { return func(p *pinger) { p.id = id } }

// PingResult is what came back.
type PingResult struct {
	Sent       int
	Received   int // requests that were answered
	Duplicates int // further replies to them
	Errors     int // requests that could not be sent or were reported undeliverable

	RTTs   map[int]time.Duration // by sequence number from 1, first reply
	Lost   []time.Time           // when the requests were sent that nobody answered, in order
	Output string                // one line per event, for people
	Err    error                 // the ping could not run at all
}

// AllReceived reports that every request was answered exactly once.
func (r PingResult) AllReceived() bool {
	return r.Err == nil && r.Sent > 0 && r.Received == r.Sent && r.Duplicates == 0
}

// NoneReceived reports that requests were sent and none was answered.
func (r PingResult) NoneReceived() bool { return r.Err == nil && r.Sent > 0 && r.Received == 0 }

func (r PingResult) String() string {
	if r.Err != nil {
		return r.Err.Error()
	}
	return fmt.Sprintf("%d of %d answered, %d duplicates, %d errors", r.Received, r.Sent, r.Duplicates, r.Errors)
}

// Ping sends echo requests and returns when all are answered or the time after the last one is over. It is not the ping
// program, because that waits for the last replies no longer than two round trips: less than a busy machine can need.
func (n *Namespace) Ping(dst string, opts ...PingOption) PingResult {
	return n.ping(context.Background(), dst, opts)
}

// A RunningPing was started in the background.
type RunningPing struct {
	cancel   context.CancelFunc
	done     chan PingResult
	answered *atomic.Int64
}

// Answered is how many requests have been answered so far.
func (r *RunningPing) Answered() int { return int(r.answered.Load()) }

// StartPing starts a ping in the background. The caller must call Stop or Wait.
func (n *Namespace) StartPing(dst string, opts ...PingOption) *RunningPing {
	ctx, cancel := context.WithCancel(context.Background())
	r := &RunningPing{cancel, make(chan PingResult, 1), &atomic.Int64{}}
	opts = append(slices.Clone(opts), func(p *pinger) { p.answered = r.answered })
	// Owned by r; ends with the ping, at the latest when Stop cancels it.
	go func() { r.done <- n.ping(ctx, dst, opts) }()
	return r
}

// Stop sends no more requests, waits for the replies under way and returns the result.
func (r *RunningPing) Stop() PingResult {
	r.cancel()
	return <-r.done
}

// Wait until the ping has sent its count and returns the result.
func (r *RunningPing) Wait() PingResult {
	defer r.cancel()
	return <-r.done
}

func (n *Namespace) ping(ctx context.Context, dst string, opts []PingOption) PingResult {
	p := pinger{
		count: 3, interval: 50 * time.Millisecond, timeout: time.Second, size: 56, id: uint16(1 + rand.IntN(0x7fff)),
		answered: &atomic.Int64{}, sentAt: map[uint16]time.Time{}, result: PingResult{RTTs: map[int]time.Duration{}},
	}
	for _, set := range opts {
		set(&p)
	}
	var err error
	if p.dst, err = netip.ParseAddr(dst); err == nil {
		err = n.Do(p.open)
	}
	if err != nil {
		return PingResult{Err: fmt.Errorf("%s: ping %s: %w", n.Name, dst, err)}
	}
	defer unix.Close(p.fd)
	p.run(ctx)
	p.result.Lost = p.lost()
	p.result.Output = p.log.String()
	return p.result
}

// WaitReach pings until there is a reply and reports whether there was one in time.
func (n *Namespace) WaitReach(dst string, timeout time.Duration) bool {
	return n.lab.Eventually(timeout, func() bool {
		return n.Ping(dst, Count(1), Timeout(200*time.Millisecond)).Received > 0
	})
}
