package probe

// tcp and udp are names that config, API and command line reserve. They are refused until they have their functions.
var (
	tcp = Kind{Name: "tcp", Protocol: "TCP", HasPort: true}
	udp = Kind{Name: "udp", Protocol: "UDP", HasPort: true}
)
