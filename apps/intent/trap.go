package intent

// Trap is how probe replies are told from other traffic. The zero value is TrapAuto.
type Trap uint8

// Ways to trap replies.
const (
	TrapAuto      Trap = iota // by conntrack mark; by DSCP where the switch has no conntrack
	TrapConntrack             // by conntrack mark only
	TrapDSCP                  // by DSCP only; what is not a reply is sent on
)

var trapNames = [...]string{"auto", "conntrack", "dscp"}

// String returns the name that the config file uses.
func (t Trap) String() string { return trapNames[t] }

// ParseTrap reads a name of the config file.
func ParseTrap(s string) (Trap, bool) {
	for i, name := range trapNames {
		if name == s {
			return Trap(i), true
		}
	}
	return 0, false
}
