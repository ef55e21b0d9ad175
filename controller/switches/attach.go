package switches

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/eosin-sdn/eosin/apps/event"
	"github.com/eosin-sdn/eosin/controller/datapath"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/ofconn"
)

// attach gives a connection to its switch. While the incumbent answers, a second connection with its datapath id is
// refused; else it supersedes the incumbent. One from the same address gets less time: most likely the switch has
// connected anew, yet it may be another bridge of the host, with the datapath id of the same NIC.
func (ss *Sessions) attach(ctx context.Context, id openflow.DatapathID, conn *ofconn.Conn, peer string) (
	*Switch, error,
) {
	s := ss.registry.getOrAdd(id, &ss.deps)
	incumbent, err := s.claim()
	if err != nil {
		return nil, err
	}
	if incumbent != nil {
		defer s.unclaim()
		within := aliveWithin
		if sameHost(incumbent.conn.RemoteAddr(), conn.RemoteAddr()) {
			within = aliveWithinSameHost
		}
		if s.alive(ctx, within) {
			return nil, fmt.Errorf("datapath id %s belongs to the switch connected from %s, which is alive; "+
				"give this bridge another one: `ovs-vsctl set bridge BRIDGE other-config:datapath-id=…`",
				id, incumbent.peer)
		}
		if ctx.Err() != nil {
			return nil, ErrStopping
		}
		incumbent.conn.Close(errSuperseded)
		select {
		case <-ctx.Done():
			return nil, ErrStopping
		case <-incumbent.ended:
		}
	}

	s.mu.Lock()
	defer s.unlock()
	if s.removed {
		return nil, fmt.Errorf("datapath id %s came back while it was being removed; its next attempt is taken", id)
	}
	if s.session != nil {
		return nil, fmt.Errorf("datapath id %s connected twice at the same time", id)
	}
	now := time.Now()
	s.session = &session{conn: conn, peer: peer, ended: make(chan struct{})}
	s.machine.Attach(now)
	s.finish(now)
	s.events = append(s.events, event.Event{
		Type: event.SwitchConnected, Switch: s.machine.Name(),
		Message: fmt.Sprintf("switch %s (datapath id %s) connected from %s", s.machine.Name(), s.id, peer),
	})
	return s, nil
}

// claim returns the session that holds the switch, which must prove that it is alive; nil if there is none. One
// connection at a time may claim it.
func (s *Switch) claim() (*session, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.session != nil && s.claimed {
		return nil, fmt.Errorf("datapath id %s: another connection claims it at this moment", s.id)
	}
	s.claimed = s.session != nil
	return s.session, nil
}

func (s *Switch) unclaim() {
	s.mu.Lock()
	s.claimed = false
	s.mu.Unlock()
}

// How long an incumbent has to answer when another connection claims its datapath id, from elsewhere or from its own
// address.
const (
	aliveWithin         = 2 * time.Second
	aliveWithinSameHost = 500 * time.Millisecond
)

// alive reports whether the switch answers.
func (s *Switch) alive(ctx context.Context, within time.Duration) bool {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	if s.await(ctx, (*datapath.Machine).Barrier) != nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.session != nil
}

// sameHost reports whether two connections come from one IP address. Unix sockets have none.
func sameHost(a, b net.Addr) bool {
	x, ok := a.(*net.TCPAddr)
	y, ok2 := b.(*net.TCPAddr)
	return ok && ok2 && x.IP.Equal(y.IP)
}
