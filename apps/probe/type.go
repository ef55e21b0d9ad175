package probe

// Type is what a probe sends.
type Type uint8

// The types of probes.
const (
	ICMP  Type = iota // ICMP echo over IPv4
	ICMP6             // ICMPv6 echo
	ARP               // ARP request without a sender address
)

// String returns the type as the config and the API write it.
func (t Type) String() string { return [...]string{"icmp", "icmp6", "arp"}[t] }

// ParseType reads icmp, icmp6 or arp.
func ParseType(s string) (t Type, ok bool) {
	for t := ICMP; t <= ARP; t++ {
		if s == t.String() {
			return t, true
		}
	}
	return 0, false
}
