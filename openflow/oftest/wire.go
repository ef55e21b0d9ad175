package oftest

import (
	"fmt"

	"github.com/eosin-sdn/eosin/openflow"
)

const (
	// maxHops is how many wires one frame may cross, and maxCopies how many frames it may become, before it is taken
	// for a forwarding loop.
	maxHops   = 32
	maxCopies = 20_000
)

// end is one end of a wire.
type end struct {
	sw   *Switch
	port openflow.PortNo
}

// Wire joins two ports, which have to exist: what leaves by one comes in by the other, with its tunnel id if both are
// tunnel ports.
func Wire(a *Switch, aPort openflow.PortNo, b *Switch, bPort openflow.PortNo) error {
	Unwire(a, aPort)
	Unwire(b, bPort)
	if err := a.plug(aPort, end{b, bPort}); err != nil {
		return err
	}
	if err := b.plug(bPort, end{a, aPort}); err != nil {
		Unwire(a, aPort)
		return err
	}
	return nil
}

func (s *Switch) plug(no openflow.PortNo, to end) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.ports[no]
	if p == nil {
		return fmt.Errorf("switch %v has no port %v", s.o.DatapathID, no)
	}
	p.wire = to
	return nil
}

// Unwire takes the wire off a port, at both ends. It does nothing if there is none.
func Unwire(a *Switch, aPort openflow.PortNo) {
	if to := a.unplug(aPort); to.sw != nil {
		to.sw.unplug(to.port)
	}
}

func (s *Switch) unplug(no openflow.PortNo) end {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.ports[no]
	if p == nil {
		return end{}
	}
	to := p.wire
	p.wire = end{}
	return to
}

// Inject puts a frame through the pipeline as if it had come in by port, and returns what leaves this switch. Wires
// carry it on; Storms says if it went round.
func (s *Switch) Inject(port openflow.PortNo, frame []byte) []Out {
	return s.InjectTunnel(port, 0, frame)
}

// InjectTunnel is Inject for a frame with a tunnel id.
func (s *Switch) InjectTunnel(port openflow.PortNo, tunnelID uint64, frame []byte) []Out {
	outs := s.step(func() { s.receive(port, tunnelID, frame) })
	s.carry(outs)
	return outs
}

// Storms returns how often a frame that was sent from here looped, or multiplied without end.
func (s *Switch) Storms() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.storms
}

// step does f under the lock and returns the frames that it sent. What goes to the controllers is written.
func (s *Switch) step(f func()) []Out {
	s.lock()
	defer s.mu.Unlock()
	f()
	s.flush()
	outs := s.outs
	s.outs = nil
	return outs
}

// carry takes frames along the wires until they leave by a port without one. A frame that does not come to an end is
// dropped and counted as a storm. It holds no more than one switch's lock at a time.
func (s *Switch) carry(outs []Out) {
	type hop struct {
		sw    *Switch
		out   Out
		wires int
	}
	var queue []hop
	add := func(sw *Switch, outs []Out, wires int) {
		for _, o := range outs {
			queue = append(queue, hop{sw, o, wires})
		}
	}
	add(s, outs, 0)
	storm := false
	for i := 0; i < len(queue); i++ {
		h := queue[i]
		queue[i] = hop{}
		to, onOutput := h.sw.leaves(h.out.Port)
		switch {
		case to.sw == nil:
			if onOutput != nil {
				onOutput(h.out)
			}
		case h.wires >= maxHops || len(queue) > maxCopies:
			storm = true
		default:
			add(to.sw, to.sw.step(func() { to.sw.receive(to.port, h.out.TunnelID, h.out.Frame) }), h.wires+1)
		}
	}
	if storm {
		s.mu.Lock()
		s.storms++
		s.mu.Unlock()
	}
}

// leaves returns the other end of a port's wire, and who sees what leaves without one.
func (s *Switch) leaves(no openflow.PortNo) (end, func(Out)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.ports[no]; p != nil {
		return p.wire, s.onOutput
	}
	return end{}, nil
}
