package oftest

import (
	"errors"
	"fmt"

	"github.com/eosin-sdn/eosin/openflow"
)

const (
	// maxHops is how many wires one frame may cross before it is taken for a
	// storm.
	maxHops = 32
	// maxCopies is how many frames one frame may become.
	maxCopies = 20_000
)

// ErrStorm means that a frame goes round in the wired switches, or multiplies
// without end.
var ErrStorm = errors.New("forwarding loop")

// end is one end of a wire.
type end struct {
	sw   *Switch
	port openflow.PortNo
}

// Wire joins two ports, which have to exist: what leaves by one comes in by
// the other, with its tunnel id if both are tunnel ports.
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

// Unwire takes the wire off a port, at both ends. It does nothing if there is
// none.
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

// Delivery is a frame that left the wired switches.
type Delivery struct {
	Switch *Switch
	Out
}

// Inject puts a frame through the pipeline as if it had come in by port, and
// returns what leaves this switch. Wires carry it on; Storms says if it went
// round.
func (s *Switch) Inject(port openflow.PortNo, frame []byte) []Out {
	return s.InjectTunnel(port, 0, frame)
}

// InjectTunnel is Inject for a frame with a tunnel id.
func (s *Switch) InjectTunnel(port openflow.PortNo, tunnelID uint64, frame []byte) []Out {
	outs := s.step(func() { s.receive(port, tunnelID, frame) })
	_, _ = s.carry(outs) // counted as a storm
	return outs
}

// Send is Inject that returns what leaves all the wired switches together, by
// ports that have no wire, and ErrStorm if a frame goes round.
func (s *Switch) Send(port openflow.PortNo, frame []byte) ([]Delivery, error) {
	return s.carry(s.step(func() { s.receive(port, 0, frame) }))
}

// Storms returns how often a frame that started here went round.
func (s *Switch) Storms() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.storms
}

// step does f under the lock and returns the frames that it sent. What goes
// to the controllers is written.
func (s *Switch) step(f func()) []Out {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
	s.flush()
	outs := s.outs
	s.outs = nil
	return outs
}

// carry takes frames along the wires until they leave by a port without one.
// It holds no more than one switch's lock at a time.
func (s *Switch) carry(outs []Out) (left []Delivery, err error) {
	type hop struct {
		sw  *Switch
		out Out
		n   int
	}
	var queue []hop
	add := func(sw *Switch, outs []Out, n int) {
		for _, o := range outs {
			queue = append(queue, hop{sw, o, n})
		}
	}
	add(s, outs, 0)
	for i := 0; i < len(queue); i++ {
		h := queue[i]
		queue[i] = hop{}
		to, onOutput := h.sw.leaves(h.out.Port)
		if to.sw == nil {
			left = append(left, Delivery{Switch: h.sw, Out: h.out})
			if onOutput != nil {
				onOutput(h.out)
			}
			continue
		}
		if h.n >= maxHops || len(queue) > maxCopies {
			err = fmt.Errorf("%w: %d wires, %d copies, at switch %v port %v", ErrStorm, h.n, len(queue),
				h.sw.o.DatapathID, h.out.Port)
			continue
		}
		add(to.sw, to.sw.step(func() { to.sw.receive(to.port, h.out.TunnelID, h.out.Frame) }), h.n+1)
	}
	if err != nil {
		s.mu.Lock()
		s.storms++
		s.mu.Unlock()
	}
	return left, err
}

// leaves returns the other end of a port's wire, and who sees what leaves.
func (s *Switch) leaves(no openflow.PortNo) (end, func(Out)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.ports[no]; p != nil {
		return p.wire, s.onOutput
	}
	return end{}, nil
}
