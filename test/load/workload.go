package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/eosin-sdn/eosin/openflow"
)

// Measures, in the order in which they are printed.
const (
	flashCrowd   = "flash crowd"
	knownHosts   = "known hosts"
	moves        = "moves"
	latencyP50   = "latency p50"
	latencyP99   = "latency p99"
	storm        = "storm"
	stormMemory  = "storm memory"
	fabricAll    = "fabric"
	memoryOfHost = "memory per host"
	ofCore       = " / core"
)

// measure says how a figure is to be read.
type measure struct {
	name, unit string
	scale      float64 // of the figure in base units to the unit
	less       bool    // less is better
	what       string
}

var measures = []measure{
	{flashCrowd, "hosts/s", 1, false, "new hosts that were given their rules"},
	{knownHosts, "packet-ins/s", 1, false, "packet-ins of hosts that need nothing"},
	{moves, "moves/s", 1, false, "hosts that were given the rules of another port"},
	{flashCrowd + ofCore, "per CPU s", 1, false, "the same for each second of processor time that the controller used"},
	{knownHosts + ofCore, "per CPU s", 1, false, "the same for each second of processor time that the controller used"},
	{moves + ofCore, "per CPU s", 1, false, "the same for each second of processor time that the controller used"},
	{latencyP50, "µs", 1e6, true, "a new host until its last rule, one at a time"},
	{latencyP99, "µs", 1e6, true, "the same"},
	{storm, "s", 1, true, "all switches connect at once, until each has its rules and has answered a host"},
	{stormMemory, "MiB", 1.0 / (1 << 20), true, "resident at most in the storm"},
	{fabricAll, "ms", 1e3, true, "a host learned here until it is known on every switch of the line"},
	{memoryOfHost, "B", 1, true, "growth of resident memory for each host of the flash crowd"},
}

// crowd runs the flash crowd, the known hosts and the moves on one set of switches.
func crowd(p *process, o *options) (map[string]float64, error) {
	fl, err := join(p, o.switches, false)
	if err != nil {
		return nil, err
	}
	defer fl.close()
	if err := fl.settle(); err != nil {
		return nil, err
	}
	figures := map[string]float64{}
	hosts := float64(o.switches * o.hosts)
	_, before := p.memory()
	timed := func(name string, workload func() (int, time.Duration, error)) error {
		cpu := p.cpu()
		n, took, err := workload()
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		figures[name] = float64(n) / took.Seconds()
		if used := p.cpu() - cpu; used > 0 {
			figures[name+ofCore] = float64(n) / used.Seconds()
		}
		return nil
	}
	if err := timed(flashCrowd, func() (int, time.Duration, error) { return fl.all(hostPort, o) }); err != nil {
		return nil, err
	}
	_, after := p.memory()
	figures[memoryOfHost] = (after - before) / hosts
	if err := timed(knownHosts, func() (int, time.Duration, error) { return fl.known(o) }); err != nil {
		return nil, err
	}
	return figures, timed(moves, func() (int, time.Duration, error) { return fl.all(movedPort, o) })
}

// all has every host send one frame at a port, and returns how many hosts that are and how long it took to give all of
// them their rules. Where a controller has dropped frames, the hosts send again, as guests do.
func (fl *fleet) all(port openflow.PortNo, o *options) (n int, took time.Duration, err error) {
	load := make([][]byte, len(fl.switches))
	for i, f := range fl.switches {
		f.expect(o.hosts, fl.p.need, nil)
		load[i] = f.packetIns(port, 0, o.hosts)
	}
	begin := time.Now()
	err = fl.each(func(f *fakeSwitch) error {
		if err := f.write(load[f.number]); err != nil {
			return err
		}
		return fl.finish(f, load[f.number], o.hosts)
	})
	return len(fl.switches) * o.hosts, time.Since(begin), err
}

// finish waits until all hosts of a switch are complete. load is their packet-ins.
func (fl *fleet) finish(f *fakeSwitch, load []byte, hosts int) error {
	size := len(load) / hosts
	const stalled = 200 * time.Millisecond
	last, limit := f.done.Load(), time.Now().Add(patience)
	tick := time.NewTicker(stalled)
	defer tick.Stop()
	for f.done.Load() < int64(hosts) {
		select {
		case <-f.progress:
		case err := <-f.ended:
			f.ended <- err
			return fmt.Errorf("the session ended: %w", err)
		case now := <-tick.C:
			if now.After(limit) {
				return fmt.Errorf("%w: %d of %d hosts", errPatience, f.done.Load(), hosts)
			}
			if n := f.done.Load(); n > last {
				last = n
				continue
			}
			var again []byte
			for _, h := range f.missing() {
				again = append(again, load[h*size:(h+1)*size]...)
			}
			if err := f.write(again); err != nil {
				return err
			}
		}
	}
	return nil
}

// known has the hosts send again and again, and returns how many packet-ins that were and how long they took. Not more
// than two rounds of a switch are under way at a time.
func (fl *fleet) known(o *options) (n int, took time.Duration, err error) {
	rounds := make([]int, len(fl.switches))
	load := make([][]byte, len(fl.switches))
	for i, f := range fl.switches {
		load[i] = openflow.AppendEchoRequest(f.packetIns(hostPort, 0, o.hosts), 8, nil)
	}
	begin := time.Now()
	err = fl.each(func(f *fakeSwitch) error {
		before := f.echoes()
		for sent := int64(0); time.Since(begin) < o.duration; {
			if err := f.write(load[f.number]); err != nil {
				return err
			}
			sent++
			rounds[f.number]++
			if err := fl.await(f, func() bool { return f.echoes()-before >= sent-1 }); err != nil {
				return err
			}
		}
		return fl.await(f, func() bool { return f.echoes()-before >= int64(rounds[f.number]) })
	})
	took = time.Since(begin)
	for _, r := range rounds {
		n += r * o.hosts
	}
	return n, took, err
}

// latency has one new host at a time and measures until it has its rules.
func latency(p *process, o *options) (map[string]float64, error) {
	fl, err := join(p, 1, false)
	if err != nil {
		return nil, err
	}
	defer fl.close()
	if err := fl.settle(); err != nil {
		return nil, err
	}
	f := fl.switches[0]
	load := f.packetIns(hostPort, 0, o.samples)
	size := len(load) / o.samples
	took := make([]time.Duration, 0, o.samples)
	var sent time.Time
	send := func(host int) {
		sent = time.Now()
		_ = f.write(load[host*size : (host+1)*size]) // the reader finds out that the connection has ended
	}
	f.expect(o.samples, p.need, func(host int) {
		took = append(took, time.Since(sent))
		if host+1 < o.samples {
			send(host + 1)
		}
	})
	f.mu.Lock()
	send(0)
	f.mu.Unlock()
	if err := fl.await(f, func() bool { return f.done.Load() == int64(o.samples) }); err != nil {
		return nil, fmt.Errorf("latency: %d of %d: %w", f.done.Load(), o.samples, err)
	}
	took = took[len(took)/10:] // the first warm up
	slices.Sort(took)
	return map[string]float64{
		latencyP50: quantile(took, 0.5).Seconds(),
		latencyP99: quantile(took, 0.99).Seconds(),
	}, nil
}

// connectStorm has many switches connect at once. A switch is ready when it has its rules, its bundle is committed, and
// its first host has its rules.
func connectStorm(p *process, o *options) (map[string]float64, error) {
	if p.most > 0 && o.storm > p.most {
		return map[string]float64{}, nil
	}
	begin := time.Now()
	fl, err := join(p, o.storm, false)
	if err != nil {
		return nil, fmt.Errorf("storm: %w", err)
	}
	defer fl.close()
	err = fl.each(func(f *fakeSwitch) error {
		f.expect(1, p.need, nil)
		load := f.packetIns(hostPort, 0, 1)
		if err := f.write(append(f.serverPacketIn(), load...)); err != nil {
			return err
		}
		return fl.finish(f, load, 1)
	})
	if err != nil {
		return nil, fmt.Errorf("storm: %w", err)
	}
	took := time.Since(begin).Seconds()
	pace(2 * time.Second) // deferred work counts too
	peak, _ := p.memory()
	return map[string]float64{storm: took, stormMemory: peak}, nil
}

// fabric has switches joined in a line, and hosts that come up one after another: each is to be known on all.
func fabric(p *process, o *options) (map[string]float64, error) {
	if !p.fabric {
		return map[string]float64{}, nil
	}
	fl, err := join(p, o.fabric, true)
	if err != nil {
		return nil, fmt.Errorf("fabric: %w", err)
	}
	defer fl.close()
	const warm, samples = 5, 45
	var took []float64
	for i := range warm + samples {
		f := fl.switches[i*7%len(fl.switches)]
		host := i
		f.expect(warm+samples, p.need, nil)
		const wait = 200 * time.Millisecond
		for limit, known := time.Now().Add(patience), false; !known; {
			fl.remote.expect(len(fl.switches) - 1)
			begin := time.Now()
			if err := f.write(f.packetIns(hostPort, host, 1)); err != nil {
				return nil, err
			}
			select {
			case <-fl.remote.reached:
				if known = true; i >= warm {
					took = append(took, time.Since(begin).Seconds())
				}
			case <-time.After(wait):
				if i > 0 || time.Now().After(limit) {
					return nil, fmt.Errorf("fabric: host %d is known on %d of %d switches: %w", host,
						fl.remote.n.Load()+1, len(fl.switches), errPatience)
				}
				// Not all links are known yet: the same host moves back and forth until it is seen everywhere.
				pace(wait)
				host = (host + 1) % (warm + samples)
			}
		}
		pace(10 * time.Millisecond)
	}
	return map[string]float64{fabricAll: median(took)}, nil
}
