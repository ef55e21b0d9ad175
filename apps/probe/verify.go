package probe

import (
	"net/netip"
	"time"

	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/packet"
)

// Reason says why a frame is no answer to a probe.
type Reason uint8

// The reasons, in the order in which they are checked. Those up to Altered are found in the frame alone, the others by
// comparing it with what the probe expects.
const (
	Genuine    Reason = iota
	Malformed         // a length or a header is wrong
	NotReply          // not a reply of any type
	NotOurs           // a reply without our payload
	BadVersion        // a payload of another version of ours
	Forged            // the keyed hash is wrong
	Truncated         // the payload is not as long as it was sent
	Altered           // padding or sequence number were changed

	UnknownProbe  // no probe of that id, or of that color and address, is running
	WrongType     // the reply of another type
	WrongColor    // not the Identifier or the MAC that was sent
	WrongSwitch   // it came in at another switch
	WrongVLAN     // it came in another network
	WrongAddress  // not from the address that was probed, or not to the one that asked
	WrongPort     // it came in at a port where the destination is not
	WrongSequence // that request was never sent
	numReasons
)

var reasonNames = [numReasons]string{
	"genuine", "malformed", "not_reply", "not_ours", "bad_version", "forged", "truncated", "altered", "unknown_probe",
	"wrong_type", "wrong_colour", "wrong_switch", "wrong_vlan", "wrong_address", "wrong_port", "wrong_sequence",
}

// String returns the reason in snake case, as metrics label it.
func (r Reason) String() string { return reasonNames[r] }

// Reasons returns all reasons for not being an answer.
func Reasons() []Reason {
	all := make([]Reason, 0, numReasons-1)
	for r := Malformed; r < numReasons; r++ {
		all = append(all, r)
	}
	return all
}

// Reply is what a reply says. In types of the link layer ID, Start, Size and Dst are not set, and Seq has 8 bits.
type Reply struct {
	Type           Type
	EthSrc, EthDst packet.MAC
	Tagged         bool
	VLAN           uint16 // of the tag
	Src, Dst       netip.Addr
	Color          uint16
	ID             uint32
	Seq            uint32
	Start          time.Time
	Size           int // payload in bytes

	echoSeq uint16
}

// Verify reads a frame that a trap brought. Unless it returns Genuine, nothing in the reply can be relied on. A reply
// of the link layer has no place for a hash: it is genuine when it goes to a colored MAC address.
func Verify(frame []byte, key *Key) (r Reply, reason Reason) {
	f, ok := packet.Parse(frame)
	if !ok {
		return r, Malformed
	}
	r.EthSrc, r.EthDst, r.Tagged, r.VLAN = f.Src(), f.Dst(), f.Tagged(), f.VID()
	for _, k := range kinds {
		if k.readReply == nil || k.etherType != f.EtherType() {
			continue
		}
		if reason = k.readReply(f, &r, key); reason != NotReply {
			r.Type = Type{Kind: k}
			return r, reason
		}
	}
	return r, NotReply
}

// Expectation is what the replies of a probe must be like.
type Expectation struct {
	Trap
	Color  uint16
	Switch openflow.DatapathID // the source's
	// Port is the destination's; 0 if it is at no port of the source's switch, as far as is known.
	Port openflow.PortNo
	// NotPort is the source's own port: no switch sends a frame back where it came from, so what answers there is not
	// the destination. 0 if it does not matter.
	NotPort openflow.PortNo
}

// Check compares a genuine reply, which came in at a port of a switch in a VLAN, with the expectation.
func (x *Expectation) Check(sw openflow.DatapathID, port openflow.PortNo, vlan uint16, r *Reply) Reason {
	switch {
	case r.Type != x.Type:
		return WrongType
	case r.Color != x.Color:
		return WrongColor
	case sw != x.Switch:
		return WrongSwitch
	case vlan != x.VLAN:
		return WrongVLAN
	case r.Src != x.Src:
		return WrongAddress
	case !x.Type.LinkLayer && (r.Dst != x.Dst || r.EthDst != x.EthDst):
		return WrongAddress
	case x.NotPort != 0 && port == x.NotPort, x.Port != 0 && port != x.Port:
		return WrongPort
	}
	return Genuine
}
