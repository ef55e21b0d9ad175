package apps

import (
	"net/netip"
	"time"

	"github.com/eosin-sdn/eosin/apps/event"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/flow"
	"github.com/eosin-sdn/eosin/openflow/packet"
	"github.com/eosin-sdn/eosin/topology"
)

// App is one feature, serving one switch. All methods are called with the switch's lock held and must return at once.
type App interface {
	// SwitchConnected says that a session is up. Flows stated before are still desired: the machine compares them with
	// the switch by itself.
	SwitchConnected(now time.Time, out *Output)
	// SwitchDisconnected says that the session is gone. The app keeps what it knows.
	SwitchDisconnected(now time.Time)
	// PacketRcvd brings a frame that a rule of the app sent to the controller.
	PacketRcvd(now time.Time, p *Packet, out *Output)
	// MultipartReply brings one dumped flow of the app, in the first session after the controller's start and before the
	// app has stated anything, to rebuild its knowledge from. f and m are valid during the call.
	MultipartReply(now time.Time, f *openflow.FlowStats, m *flow.Match, out *Output)
	// FlowRemoved says that the switch removed one of the app's flows by itself.
	FlowRemoved(now time.Time, f *openflow.FlowRemoved, m *flow.Match, out *Output)
	// Refresh says that ports, settings or the graph have changed: the app states all its flows that depend on them.
	Refresh(now time.Time, out *Output)
	// Tick is called when the time asked for with Output.WakeAt has come, or earlier.
	Tick(now time.Time, out *Output)
}

// Packet is a packet-in with its frame parsed as far as Ethernet and one VLAN tag.
type Packet struct {
	In    *openflow.PacketIn
	Frame packet.Frame
	Port  *Port // the in port
	VLAN  uint16
	Owner flow.Owner
}

// FactKind tells facts apart.
type FactKind uint8

const (
	HostSeen   FactKind = 1 + iota // a host was seen first, or at another port, at an edge port of this switch
	HostGone                       // the switch has forgotten a host of an edge port
	HostIP                         // a host uses an address
	HelloSent                      // a discovery frame was sent on a port that is a link
	HelloSeen                      // a discovery frame of ours came in
	Answered                       // the switch has answered what was asked after its discovery frames
	ProbeReply                     // a colored reply was swallowed
	Told                           // an event for the operator
)

// Fact is something that an app has found out and that matters beyond its switch.
type Fact struct {
	Kind FactKind
	Port openflow.PortNo
	VLAN uint16
	MAC  packet.MAC
	At   time.Time

	Addr netip.Addr // HostIP

	Peer    topology.PortRef // HelloSeen: the port that sent it
	Seq     uint64           // HelloSent, HelloSeen
	Latency time.Duration    // HelloSeen: from sending to here; Answered: from the question at At to the answer
	Tunnel  bool             // HelloSeen: it came through a tunnel

	Reply any          // ProbeReply: a *probe.Trapped
	Event *event.Event // Told
}

// Output is what one step of a switch's machine brings about.
type Output struct {
	Layout *Layout     // which table is whose
	Store  *flow.Store // the desired flows
	Wire   []byte      // messages to be written, in order
	Facts  []Fact
	Xid    uint32
	wake   time.Time

	// Unconfirmed are the bytes of frames sent that the switch has not been seen to have taken.
	Unconfirmed int
}

// Put states that a rule should exist. A rule in a table of another app is a bug of the app and panics.
func (o *Output) Put(r *flow.Rule) {
	owner, ours := flow.OwnerOf(r.Cookie)
	if !ours || !o.Layout.Owns(r.Table, owner) {
		panic("apps: rule in a foreign table: " + flow.Describe(r.Table, r.Priority, r.Match.Bytes()))
	}
	o.Store.Put(r)
}

// unlimited stands for no limit in a meter, which has no such value.
const unlimited = 10_000_000

// PutMeter states that a meter should exist that lets so many packets a second pass, 0 for all. It returns what rules
// name: the meter, or 0 while the switch refuses it.
func (o *Output) PutMeter(owner flow.Owner, id uint32, packets int) uint32 {
	rate := uint32(unlimited)
	if packets > 0 {
		rate = uint32(packets)
	}
	if !o.Store.PutMeter(owner, flow.Meter{ID: id, Rate: rate, Burst: rate}) {
		return 0
	}
	return id
}

// PacketOut sends a frame. inPort is openflow.PortController for a frame that comes from nowhere.
func (o *Output) PacketOut(inPort openflow.PortNo, actions flow.Actions, frame []byte) {
	o.Xid++
	before := len(o.Wire)
	o.Wire = openflow.AppendPacketOut(o.Wire, o.Xid, inPort, actions, frame)
	o.Unconfirmed += len(o.Wire) - before
}

// WakeAt asks for a Tick at t or earlier.
func (o *Output) WakeAt(t time.Time) {
	if o.wake.IsZero() || t.Before(o.wake) {
		o.wake = t
	}
}

// TakeWake returns the earliest time asked for since the last call, or the zero time.
func (o *Output) TakeWake() time.Time {
	t := o.wake
	o.wake = time.Time{}
	return t
}

// Emit tells the operator of an event.
func (o *Output) Emit(now time.Time, e event.Event) {
	o.Facts = append(o.Facts, Fact{Kind: Told, At: now, Event: &e})
}
