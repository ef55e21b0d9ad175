package topology

import (
	"cmp"
	"fmt"

	"github.com/eosin-sdn/eosin/openflow"
)

// PortRef names one port of one switch.
type PortRef struct {
	Switch openflow.DatapathID
	Port   openflow.PortNo
}

// Compare orders by datapath id, then by port number.
func (r PortRef) Compare(o PortRef) int {
	if c := cmp.Compare(r.Switch, o.Switch); c != 0 {
		return c
	}
	return cmp.Compare(r.Port, o.Port)
}

// String is the datapath id in 16 hex digits, a colon, and the port number.
func (r PortRef) String() string {
	return fmt.Sprintf("%016x:%d", uint64(r.Switch), uint32(r.Port))
}

// LinkRef names a link by its two ends, the lower one first.
type LinkRef struct{ A, B PortRef }

// NewLinkRef names the link between two ports given in either order.
func NewLinkRef(a, b PortRef) LinkRef {
	if b.Compare(a) < 0 {
		a, b = b, a
	}
	return LinkRef{A: a, B: b}
}

// Compare orders by A, then by B.
func (l LinkRef) Compare(o LinkRef) int {
	if c := l.A.Compare(o.A); c != 0 {
		return c
	}
	return l.B.Compare(o.B)
}

// Kind is the kind of a link.
type Kind uint8

// The kinds, in the order in which floods prefer them.
const (
	Wire   Kind = iota // a cable, a veth pair or a patch port
	Tunnel             // VXLAN, GRE or Geneve
)

func (k Kind) String() string {
	if k == Tunnel {
		return "tunnel"
	}
	return "wire"
}
