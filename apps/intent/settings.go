package intent

import "time"

// Settings are the sections `learning` and `limits` of the config, which apps obey. A limit of 0 is none.
type Settings struct {
	HostTimeout    time.Duration // of a silent host; whole seconds from 1 to 65535, as idle_timeout counts them
	HostsPerPort   int           // MACs that one port may teach
	HostsPerSwitch int
	PacketIns      int // a second
	Moves          int // between edge ports that one MAC may make in 10 s before it is frozen for 60 s
	Probes         int // a second
}
