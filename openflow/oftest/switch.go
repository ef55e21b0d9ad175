package oftest

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/eosin-sdn/eosin/openflow"
)

// Options say what a switch is. A zero field has its default.
type Options struct {
	DatapathID openflow.DatapathID
	// Tables is the number of flow tables. Default: 254.
	Tables int
	// Now is the clock of timeouts and of connection tracking. Default: time.Now; the time of the last Step for a
	// switch that is only stepped.
	Now func() time.Time
	// Desc answers a description request.
	Desc openflow.SwitchDesc
	// FilterFlowMod, if set, is called with every flow-mod, those of a bundle when it is committed. One for which it
	// returns false is confirmed but not kept: a switch that only counts flows is small and fast enough to be one of
	// thousands. The switch's lock is held: it must neither call the switch nor keep what it is given.
	FilterFlowMod func(*openflow.FlowMod) bool
}

// Port is one port of a switch.
type Port struct {
	No     openflow.PortNo
	Name   string
	MAC    [6]byte
	Down   bool // neither sends nor receives
	NoRecv bool // drops what it receives, as set by port-mod on a real switch
	Tunnel bool // carries the tunnel id (key=flow)
}

// desc returns the port as a switch describes it.
func (p *Port) desc() openflow.PortDesc {
	d := openflow.PortDesc{No: p.No, HWAddr: p.MAC, Name: p.Name, State: openflow.PortStateLive}
	if p.Down {
		d.State = openflow.PortStateLinkDown
	}
	if p.NoRecv {
		d.Config = openflow.PortConfigNoRecv
	}
	return d
}

// portState is a port with what goes through it.
type portState struct {
	Port
	stats openflow.PortStats
	wire  end // the other end of its wire, if any
}

func newPort(p Port) *portState { return &portState{Port: p, stats: openflow.PortStats{No: p.No}} }

// Switch is an OpenFlow 1.3 switch in memory. Its methods may be called at the same time.
type Switch struct {
	o Options

	mu       sync.Mutex
	ports    map[openflow.PortNo]*portState
	tables   []*flowTable // nil where nothing was ever put
	groups   map[uint32]*group
	meters   map[uint32]*meter
	conns    map[connKey]*connEntry
	sessions map[*Session]struct{}
	config   openflow.SwitchConfig
	gen      uint64 // generation id of the last master or slave
	genSet   bool
	faults   Faults
	changed  chan struct{} // closed and replaced when faults change
	clock    int64         // nanoseconds
	mod      openflow.FlowMod
	events   []event  // asynchronous messages of the current bundle
	outs     []Out    // frames that the current step sends
	entries  int      // entries into tables and groups of the current packet
	undo     []func() // reverts the current bundle
	bundling bool
	received [32]uint64
	storms   uint64
	onOutput func(Out)
	closed   bool
}

// New returns a switch with these ports. It starts no goroutine.
func New(o Options, ports ...Port) *Switch {
	o.Tables = cmp.Or(o.Tables, 254)
	s := &Switch{
		o:        o,
		conns:    make(map[connKey]*connEntry),
		ports:    make(map[openflow.PortNo]*portState, len(ports)),
		groups:   make(map[uint32]*group),
		meters:   make(map[uint32]*meter),
		sessions: make(map[*Session]struct{}, 1),
		config:   openflow.SwitchConfig{MissSendLen: 128},
		changed:  make(chan struct{}),
	}
	for _, p := range ports {
		s.ports[p.No] = newPort(p)
	}
	return s
}

// DatapathID returns the switch's datapath id.
func (s *Switch) DatapathID() openflow.DatapathID { return s.o.DatapathID }

// SetPort adds a port or changes the one with its number, and tells the controllers.
func (s *Switch) SetPort(p Port) {
	s.mu.Lock()
	defer s.mu.Unlock()
	reason := openflow.PortAdd
	if old := s.ports[p.No]; old != nil {
		reason = openflow.PortModify
		old.Port = p
	} else {
		s.ports[p.No] = newPort(p)
	}
	s.portStatus(reason, p.desc())
	s.flush()
}

// DeletePort removes a port, its wire included, and tells the controllers. It does nothing if there is none.
func (s *Switch) DeletePort(no openflow.PortNo) {
	Unwire(s, no)
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.ports[no]
	if p == nil {
		return
	}
	delete(s.ports, no)
	s.portStatus(openflow.PortDelete, p.desc())
	s.flush()
}

// portNumbers returns the numbers of the ports in order; mu is held.
func (s *Switch) portNumbers() []openflow.PortNo {
	return slices.Sorted(maps.Keys(s.ports))
}

// Received returns how many messages of a type have come in on all sessions.
func (s *Switch) Received(t openflow.Type) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if int(t) >= len(s.received) {
		return 0
	}
	return s.received[t]
}

// OnOutput has f called with every frame that leaves by a port without a wire, packet-outs included. No lock is held; f
// may inject frames.
func (s *Switch) OnOutput(f func(Out)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.onOutput = f
}

// Sessions returns how many controllers are connected.
func (s *Switch) Sessions() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.sessions)
}

// Close ends all sessions; those that are begun later end at once.
func (s *Switch) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.dropSessions()
}

// Disconnect ends all sessions. The tables stay as they are.
func (s *Switch) Disconnect() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dropSessions()
}

// dropSessions ends all sessions; mu is held.
func (s *Switch) dropSessions() {
	for c := range s.sessions {
		if c.conn != nil {
			c.conn.Close(errDisconnect)
			continue
		}
		c.err = cmp.Or(c.err, errDisconnect)
		delete(s.sessions, c)
	}
}

// lock takes the lock and reads the clock.
func (s *Switch) lock() {
	s.mu.Lock()
	if s.o.Now != nil {
		s.clock = s.o.Now().UnixNano()
	}
}

// Restart empties flows, groups, meters and connection tracking and ends all sessions, as a restart of ovs-vswitchd
// does.
func (s *Switch) Restart() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tables = nil
	clear(s.groups)
	clear(s.meters)
	clear(s.conns)
	s.config = openflow.SwitchConfig{MissSendLen: 128}
	s.gen, s.genSet = 0, false
	s.dropSessions()
}
