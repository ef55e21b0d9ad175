// Package config reads and checks Eosin's YAML file and answers what a port of a switch should be.
//
// The package is pure: Load reads one file, everything else works on bytes and values. Every error names file and line.
// A Config is immutable once it has been handed out; a reload makes a new one, and the two are compared with Equal.
package config

import (
	"net/netip"
	"reflect"
	"time"

	"github.com/eosin-sdn/eosin/intent"
)

// Config is the whole configuration with every default filled in and every reference resolved.
type Config struct {
	// File is the name given to Load or Parse, empty for Default.
	File string
	// OpenFlow says where switches are met.
	OpenFlow OpenFlow
	// HTTP is the address of API, metrics and web page.
	HTTP HTTP
	// OVSDB lists the databases to read; empty means DefaultOVSDBSocket where it exists.
	OVSDB OVSDB
	// Networks are all L2 networks, sorted by VLAN, the implicit one included.
	Networks Networks
	// Defaults apply to ports that nothing names.
	Defaults Defaults
	// Switches are the configured switches, sorted by datapath id.
	Switches Switches
	// Learning is how long hosts are remembered.
	Learning Learning
	// Limits protect controller and switches from floods.
	Limits Limits
	// Hosts are the named hosts, sorted by name.
	Hosts Hosts
	// Probes are the continuous probes in the order of the file.
	Probes []Probe
	// Audit tunes how often flows are compared with what they should be.
	Audit Audit
	// Probing tunes how probes work.
	Probing Probing
	// Warnings are findings that do not keep the file from being used, in the order of lines.
	Warnings Errors
	// Files are the files that the file names, in the order in which it was read. They have not been looked at.
	Files []NamedFile
}

// NamedFile is a file that the config names.
type NamedFile struct {
	// Key is where: "http.tls.cert".
	Key string
	// Path is its name, with a relative one resolved.
	Path string
	// Line is the line that names it.
	Line int
}

// OpenFlow is the section `openflow`.
type OpenFlow struct {
	// Listen are the endpoints to accept switches on.
	Listen []Endpoint
	// Connect are bridges that listen themselves.
	Connect []Endpoint
	// Role is what the controller asks to be at its switches. An extension of the contract.
	Role Role
	// TLS is used by every ssl endpoint of the file; the zero value means none was given.
	TLS TLS
}

// Role is a role at a switch (OpenFlow 1.3, section 6.3.6).
type Role string

// The roles.
const (
	RoleMaster Role = "master" // the one controller that writes; who claims a switch later takes it over
	RoleEqual  Role = "equal"  // whatever the switch gives: another controller may write, too
)

// TLS names the PEM files of one side. Relative names in the file have been resolved against the folder of the file. Mutual TLS
// has a CA, from which the certificates of peers must come.
type TLS struct {
	Cert, Key, CA string
}

// IsZero reports that no TLS was configured.
func (t TLS) IsZero() bool { return t == TLS{} }

// HTTP is the section `http`.
type HTTP struct {
	// Listen is host:port.
	Listen string
	// TokenFile holds the bearer token; empty for none. A relative name has been resolved against the folder of the file.
	TokenFile string
	// TLS serves HTTPS. With a CA each client must show a certificate that comes from it; the zero value is plain HTTP.
	TLS TLS
	// Insecure allows listening beyond loopback without a token and without client certificates.
	Insecure bool
}

// OVSDB is the section `ovsdb`.
type OVSDB struct {
	Connect []Endpoint
}

// DefaultOVSDBSocket is the database to use, where it exists, when the file names none.
const DefaultOVSDBSocket = "/var/run/openvswitch/db.sock"

// Defaults is the section `defaults`.
type Defaults struct {
	// Network is the network of ports that nothing names. Empty when Closed.
	Network string
	// Closed says that ports that nothing names carry nothing (`network: none`).
	Closed bool
}

// Learning is the section `learning`.
type Learning struct {
	// Timeout is how long a silent host is remembered; whole seconds from 1 to 65535, as idle_timeout counts them.
	Timeout time.Duration
}

// Limits is the section `limits`. Zero is unlimited in every field.
type Limits struct {
	// HostsPerPort is how many MACs one port may teach.
	HostsPerPort int
	// HostsPerSwitch is how many MACs one switch may teach.
	HostsPerSwitch int
	// PacketInsPerSecond is per switch.
	PacketInsPerSecond int
	// Moves is how many edge-port moves one MAC may make in 10 s before it is frozen for 60 s.
	Moves int
	// ProbesPerSecond is per switch.
	ProbesPerSecond int
}

// Audit is the section `audit`, an extension of the contract.
type Audit struct {
	// Interval is the time between two comparisons of a switch's flows with what they should be.
	Interval time.Duration
}

// Probing is the section `probing`, an extension of the contract.
type Probing struct {
	// Trap says how replies are told from the guest's own traffic.
	Trap intent.Trap
}

// Equal reports that a and b ask for the same. Name of the file, warnings and where files are named are not compared.
func (c *Config) Equal(other *Config) bool {
	a, b := *c, *other
	a.File, b.File = "", ""
	a.Warnings, b.Warnings = nil, nil
	a.Files, b.Files = nil, nil
	return reflect.DeepEqual(a, b)
}

// Default returns what is used with no file at all: OpenFlow on tcp:0.0.0.0:6653, HTTP on 127.0.0.1:9653, and one
// implicit network that every port belongs to, untagged, as VLAN 1.
func Default() *Config {
	return &Config{
		OpenFlow: OpenFlow{Listen: []Endpoint{{Kind: TCP, Address: "0.0.0.0:6653"}}, Role: RoleMaster},
		HTTP:     HTTP{Listen: "127.0.0.1:9653"},
		Networks: Networks{{Name: implicitName, VLAN: implicitVLAN, Implicit: true}},
		Defaults: Defaults{Network: implicitName},
		Learning: Learning{Timeout: 300 * time.Second},
		Limits: Limits{
			HostsPerPort:       1024,
			HostsPerSwitch:     8192,
			PacketInsPerSecond: 20000,
			Moves:              5,
			ProbesPerSecond:    1000,
		},
		Audit:   Audit{Interval: 30 * time.Second},
		Probing: Probing{Trap: intent.TrapAuto},
	}
}

// Network is one L2 network. Values can be compared with ==.
type Network struct {
	Name string
	// VLAN is 1 to 4094.
	VLAN uint16
	// VNI is 1 to 16777215, or 0 for a network that tunnels do not carry.
	VNI uint32
	// Subnet is invalid when not given.
	Subnet netip.Prefix
	// Gateway is invalid when not given, else inside Subnet.
	Gateway netip.Addr
	// Implicit marks VLAN 1 as made by defaults and not by the file; `trunk: all` carries it only where it is alone.
	Implicit bool
}
