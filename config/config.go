// Package config reads and checks the YAML file, and resolves the mode of a port. Only Load touches the file system.
// Every error has file and line. A Config is immutable once returned; a reload makes a new one.
package config

import (
	"reflect"
	"time"

	"github.com/eosin-sdn/eosin/apps/intent"
	"github.com/eosin-sdn/eosin/apps/probe/probespec"
)

// Config is the whole configuration with every default filled in and every reference resolved.
type Config struct {
	File     string // the name given to Load or Parse, empty for Default
	OpenFlow OpenFlow
	HTTP     HTTP
	OVSDB    OVSDB
	Networks Networks // sorted by VLAN, the implicit one included
	Defaults Defaults
	Switches Switches // sorted by datapath id
	Settings intent.Settings
	Hosts    Hosts            // sorted by name
	Probes   []probespec.Spec // in the order of the file
	Audit    Audit
	Probing  Probing

	Warnings Errors      // what does not keep the file from being used, in the order of lines
	Files    []NamedFile // the files that the file names, as read; they have not been opened
}

// NamedFile is a file that the config names.
type NamedFile struct {
	Key  string // where: "http.tls.cert"
	Path string // relative names are resolved
	Line int
}

// OpenFlow is the section `openflow`.
type OpenFlow struct {
	Listen  []Endpoint // where switches connect to
	Connect []Endpoint // bridges that listen themselves
	Role    Role       // what the controller asks to be; an extension of the contract
	TLS     TLS        // of every ssl endpoint
}

// Role is a role at a switch (OpenFlow 1.3, section 6.3.6).
type Role string

// Roles.
const (
	RoleMaster Role = "master" // the only controller that writes; the last one to claim a switch wins
	RoleEqual  Role = "equal"  // other controllers may write, too
)

// TLS names the PEM files of one side. Relative names have been resolved against the folder of the config file. With a
// CA, peers must show a certificate that comes from it.
type TLS struct {
	Cert, Key, CA string
}

// IsZero reports that no TLS was configured.
func (t TLS) IsZero() bool { return t == TLS{} }

// HTTP is the section `http`: API, metrics and web page.
type HTTP struct {
	Listen    string // host:port
	TokenFile string // holds the bearer token; empty for none
	TLS       TLS    // zero for plain HTTP
	Insecure  bool   // may listen beyond loopback without token and client certificates
}

// OVSDB is the section `ovsdb`: the databases to read.
type OVSDB struct {
	Connect []Endpoint // empty: DefaultOVSDBSocket where it exists
}

// DefaultOVSDBSocket is the database to use, where it exists, when the file names none.
const DefaultOVSDBSocket = "/var/run/openvswitch/db.sock"

// Defaults is the section `defaults`: ports that nothing names.
type Defaults struct {
	Network string // empty when Closed
	Closed  bool   // they carry nothing (`network: none`)
}

// Audit is the section `audit`, an extension of the contract.
type Audit struct {
	Interval time.Duration // between two comparisons of a switch's flows with the desired ones
}

// Probing is the section `probing`, an extension of the contract.
type Probing struct {
	Trap intent.Trap
}

// Equal compares two configs without their file names, warnings and positions.
func (c *Config) Equal(other *Config) bool {
	a, b := *c, *other
	a.File, b.File = "", ""
	a.Warnings, b.Warnings = nil, nil
	a.Files, b.Files = nil, nil
	return reflect.DeepEqual(a, b)
}

// Default is the config without a file: OpenFlow on tcp:0.0.0.0:6653, HTTP on 127.0.0.1:9653, and one implicit network,
// VLAN 1, to which every port belongs untagged.
func Default() *Config {
	return &Config{
		OpenFlow: OpenFlow{Listen: []Endpoint{{Kind: TCP, Address: "0.0.0.0:6653"}}, Role: RoleMaster},
		HTTP:     HTTP{Listen: "127.0.0.1:9653"},
		Networks: Networks{{Name: implicitName, VLAN: implicitVLAN, Implicit: true}},
		Defaults: Defaults{Network: implicitName},
		Settings: intent.Settings{
			HostTimeout:    300 * time.Second,
			HostsPerPort:   1024,
			HostsPerSwitch: 8192,
			PacketIns:      20000,
			Moves:          5,
			Probes:         1000,
		},
		Audit:   Audit{Interval: 30 * time.Second},
		Probing: Probing{Trap: intent.TrapAuto},
	}
}
