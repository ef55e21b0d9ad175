package oftext

import (
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/eosin-sdn/eosin/openflow/oxm"
	"github.com/eosin-sdn/eosin/openflow/packet"
)

// format writes value, and its mask unless that is nil, in the field's style.
func format(s oxm.Style, value, mask []byte) string {
	one := func(b []byte) string {
		switch s {
		case oxm.MAC:
			return packet.MAC(b).String()
		case oxm.IP:
			if a, ok := netip.AddrFromSlice(b); ok {
				return a.String()
			}
		case oxm.Decimal, oxm.DSCP:
			return fmt.Sprint(oxm.Number(b))
		case oxm.Port:
			return portName(uint32(oxm.Number(b)))
		}
		return fmt.Sprintf("%#x", oxm.Number(b))
	}
	switch {
	case s == oxm.ConnState:
		return formatCTState(uint32(oxm.Number(value)), mask)
	case mask == nil:
		return one(value)
	case s == oxm.IP:
		if n, bits := net.IPMask(mask).Size(); bits != 0 { // the mask of a prefix
			return fmt.Sprintf("%s/%d", one(value), n)
		}
	case s == oxm.Decimal:
		s = oxm.Hex
	}
	return one(value) + "/" + one(mask)
}

var ctStates = [...]string{"new", "est", "rel", "rpl", "inv", "trk", "snat", "dnat"}

func formatCTState(v uint32, mask []byte) string {
	m := ^uint32(0)
	if mask != nil {
		m = uint32(oxm.Number(mask))
	}
	var s strings.Builder
	for i, name := range ctStates {
		switch {
		case m>>i&1 == 0:
		case v>>i&1 == 1:
			s.WriteString("+" + name)
		default:
			s.WriteString("-" + name)
		}
	}
	return s.String()
}
