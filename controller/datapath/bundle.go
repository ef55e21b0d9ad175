package datapath

import (
	"encoding/binary"
	"time"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/openflow"
)

// bundleAtomicOrdered: all messages are applied, in order, or none.
const bundleAtomicOrdered = openflow.BundleAtomic | openflow.BundleOrdered

type bundleState uint8

const (
	bundleNone       bundleState = iota
	bundleOpen                   // messages are added
	bundleCommitting             // the commit is not answered; nothing can be added any more
)

// bundle is the bundle that changes go out in: all of them or none are applied.
type bundle struct {
	state    bundleState
	id       uint32    // of this bundle, or of the last
	deadline time.Time // of the reply to the commit; zero before
}

func (b *bundle) open(out *apps.Output) {
	b.state = bundleOpen
	b.id++
	b.control(openflow.BundleOpenRequest, out)
}

// add appends a message as one of the bundle.
func (b *bundle) add(wire, msg []byte) []byte {
	return openflow.AppendBundleAdd(wire, binary.BigEndian.Uint32(msg[4:]), b.id, bundleAtomicOrdered, msg)
}

// commit is sent once the switch has answered for every message: Open vSwitch would commit the rest of a bundle of
// which it has rejected a part.
func (b *bundle) commit(now time.Time, out *apps.Output) {
	b.state, b.deadline = bundleCommitting, now.Add(replyWithin)
	b.control(openflow.BundleCommitRequest, out)
}

func (b *bundle) discard(out *apps.Output) {
	b.close()
	b.control(openflow.BundleDiscardRequest, out)
}

// close forgets the bundle.
func (b *bundle) close() { b.state, b.deadline = bundleNone, time.Time{} }

// committed reports whether a reply is the one to the commit. Those to open and discard say nothing.
func (b *bundle) committed(c *openflow.BundleControl) bool {
	return b.state == bundleCommitting && c.Type == openflow.BundleCommitReply && c.ID == b.id
}

func (b *bundle) control(typ uint16, out *apps.Output) {
	out.Wire = openflow.AppendBundleControl(out.Wire, nextXid(out), b.id, typ, bundleAtomicOrdered)
}
