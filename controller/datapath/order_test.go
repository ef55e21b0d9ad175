package datapath

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/eosin-sdn/eosin/openflow"
)

// disorder is a switch that answers late, twice, out of order or not at all, and sends what nobody asked for.
type disorder struct {
	*peer
	rand *rand.Rand
	open [][]byte // messages of the machine that are not answered
}

// flush ends a step and checks that the machine will be woken in time for what its phase waits for.
func (d *disorder) flush() {
	d.t.Helper()
	d.m.Flush(d.now)
	for wire := d.m.TakeWire(); len(wire) > 0; {
		n := int(binary.BigEndian.Uint16(wire[2:]))
		d.open = append(d.open, append([]byte(nil), wire[:n]...))
		wire = wire[n:]
	}
	d.m.TakeFacts()
	if d.m.Phase() == Offline {
		return
	}
	var due time.Time
	at := func(t time.Time) {
		if !t.IsZero() && (due.IsZero() || t.Before(due)) {
			due = t
		}
	}
	for _, l := range d.m.deadlines() {
		at(l.at)
	}
	switch d.m.Phase() {
	case Standby: // lasts as long as the switch is heard
		at(d.m.live.deadline(false))
	case Adopting:
		at(d.m.adoption.until)
	case Ready:
		at(d.m.audit.nextAt)
	}
	wake := d.m.Out.TakeWake()
	d.m.Out.WakeAt(wake)
	if due.IsZero() || due.After(d.now.Add(replyWithin)) || wake.IsZero() || wake.After(due) {
		d.t.Fatalf("phase %s: due after %s, woken after %s", d.m.Phase(), due.Sub(d.now), wake.Sub(d.now))
	}
}

// answer has the switch answer one open message, and now and then keep it to answer it again.
func (d *disorder) answerOne(i int) {
	msg := d.open[i]
	if d.rand.IntN(20) > 0 {
		d.open = append(d.open[:i], d.open[i+1:]...)
	}
	for _, r := range d.answer(msg) {
		d.receive(r)
	}
}

// unasked returns a message that the switch should not send, or not now.
func (d *disorder) unasked() []byte {
	about := flowMod()
	if len(d.open) > 0 {
		about = d.open[d.rand.IntN(len(d.open))]
	}
	xid := binary.BigEndian.Uint32(about[4:])
	no := openflow.PortNo(d.rand.IntN(4) + 1)
	switch d.rand.IntN(10) {
	case 0:
		return openflow.AppendError(nil, xid, uint16(d.rand.IntN(14)), uint16(d.rand.IntN(12)),
			about[:min(len(about), 64)])
	case 1:
		return openflow.AppendRoleReply(nil, xid, uint32(d.rand.IntN(4)), d.rand.Uint64())
	case 2:
		return openflow.AppendBarrierReply(nil, xid)
	case 3:
		return openflow.AppendBundleControl(nil, xid, d.m.bundle.id, uint16(d.rand.IntN(8)), 0)
	case 4:
		return portStatus(openflow.PortReason(d.rand.IntN(3)), port(no))
	case 5:
		return packetIn(learnCookie, no, macA)
	case 6:
		return openflow.AppendMultipartReply(nil, xid, openflow.MultipartFlow, d.rand.IntN(2) == 0, nil)
	case 7:
		return openflow.AppendMultipartReply(nil, xid, openflow.MultipartPortDesc, false, nil)
	case 8:
		if d.rand.IntN(10) == 0 {
			return slaveStatus()
		}
	}
	return openflow.AppendEchoReply(nil, xid, nil)
}

// tick lets time pass until the machine wants to be woken, and has the switch heard.
func (d *disorder) tick(most time.Duration) {
	if wake := d.m.Out.TakeWake(); wake.After(d.now) {
		d.now = d.now.Add(min(wake.Sub(d.now), most))
	}
	d.receive(openflow.AppendEchoReply(nil, d.m.live.xid, nil))
	if err := d.m.Tick(d.now); err != nil && d.err == nil {
		d.err = err
	}
	d.flush()
}

// TestAnyOrder: whatever a switch sends and leaves out, no phase is without a deadline. A switch that goes on to answer
// only echo requests is given up in the time that its phases allow; one that answers everything becomes ready.
func TestAnyOrder(t *testing.T) {
	t.Parallel()
	reached := map[Phase]int{}
	for seed := range uint64(200) {
		d := &disorder{peer: newPeer(t), rand: rand.New(rand.NewPCG(seed, 1))}
		if seed%2 == 0 {
			earlierRun(d.peer)
		}
		in := inNetwork()
		in.Claim = seed%3 == 0
		d.m.Configure(in)
		d.session = d.peer.open()
		d.m.Attach(d.now)
		d.flush()
		illegal := d.rand.IntN(30)
		for range d.rand.IntN(300) {
			switch n := d.rand.IntN(100); {
			case n < illegal:
				d.receive(d.unasked())
			case n < 20:
				d.tick(time.Second)
			case n < 25 && len(d.flows) > 0:
				d.flows = d.flows[1:] // drift
			case len(d.open) > 0:
				d.answerOne(d.rand.IntN(min(len(d.open), 3)))
			default:
				d.tick(time.Minute)
			}
			if d.flush(); d.err != nil {
				break
			}
			reached[d.m.Phase()]++
		}
		silent, from, phase := seed%4 < 2, d.now, d.m.Phase()
		for d.err == nil && d.m.Phase() != Standby && d.now.Before(from.Add(2*time.Minute)) {
			for !silent && d.err == nil && len(d.open) > 0 {
				d.answerOne(0)
				d.flush()
			}
			if !silent && d.m.Phase() == Ready {
				break
			}
			d.tick(time.Minute)
		}
		if d.err == nil && d.m.Phase() != Standby && (silent || d.m.Phase() != Ready) {
			t.Fatalf("seed %d: silent %v, phase %s, two minutes ago %s", seed, silent, d.m.Phase(), phase)
		}
	}
	for p := Describing; p < numPhases; p++ {
		if reached[p] < 20 {
			t.Errorf("phase %s was reached in %d steps only", p, reached[p])
		}
	}
}
