package flow

import "fmt"

// Describe names a rule in logs: its table, its priority and what of its match tells it from its neighbours.
func Describe(table uint8, priority uint16, oxm []byte) string {
	s := fmt.Sprintf("table=%d priority=%d", table, priority)
	m, err := Canonical(oxm)
	if err != nil {
		return s
	}
	if p, ok := m.GetInPort(); ok {
		s += fmt.Sprintf(" in_port=%d", p)
	}
	if v, ok := m.GetVLAN(); ok {
		s += fmt.Sprintf(" dl_vlan=%d", v)
	}
	if a, ok := m.GetEthSrc(); ok {
		s += " dl_src=" + a.String()
	}
	if a, ok := m.GetEthDst(); ok {
		s += " dl_dst=" + a.String()
	}
	return s
}
