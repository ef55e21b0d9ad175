package api

import (
	"fmt"
	"time"

	"github.com/eosin-sdn/eosin/apps/probe/probespec"
)

// Switch is one bridge, connected or only known by configuration or from before.
type Switch struct {
	Name            string     `json:"name" doc:"Name from the configuration, else the bridge's own name" example:"host1"`
	DatapathID      string     `json:"datapath_id" pattern:"^[0-9a-f]{16}$" doc:"16 hex digits, as ovs-vsctl prints it" example:"0000000000000001"`
	Connected       bool       `json:"connected" doc:"Whether it has a session that completed the handshake"`
	Address         string     `json:"address" doc:"Where the switch connects from; empty when not connected" example:"tcp:192.0.2.7:48210"`
	Role            string     `json:"role" doc:"Role of this controller at the switch: equal, master or slave" example:"master"`
	ConnectedSince  *time.Time `json:"connected_since" doc:"When the session began; null when not connected"`
	Description     string     `json:"description" doc:"What the switch says of itself" example:"Nicira, Inc. Open vSwitch 3.1.0"`
	Software        string     `json:"software" doc:"Software version" example:"3.1.0"`
	Serial          string     `json:"serial,omitempty" doc:"Serial number, where it has one"`
	Ports           int        `json:"ports" doc:"Number of ports"`
	Flows           int        `json:"flows" doc:"Number of our flows that the switch confirmed"`
	Error           string     `json:"error,omitempty" doc:"The last error the switch reported and that is not healed yet"`
	Bridge          string     `json:"bridge" doc:"Name of the bridge in its OVSDB; empty where no OVSDB tells" example:"br0"`
	FailMode        string     `json:"fail_mode" enum:",secure,standalone" doc:"What OVSDB says the bridge does when the controller is away: secure, it goes on by its flows alone; standalone (also where it is not set), it becomes a plain switch. Empty where no OVSDB tells" example:"secure"`
	TLS             *SwitchTLS `json:"tls" doc:"How the session is secured; null when it is not, or when not connected"`
	FailModeWarning string     `json:"fail_mode_warning,omitempty" doc:"Set where the bridge would forward without isolation if the controller went away, with the command that changes it"`
}

// SwitchTLS is the TLS of a session, and the certificate that the switch shows.
type SwitchTLS struct {
	Version     string    `json:"version" example:"TLS 1.3"`
	Certificate string    `json:"certificate" doc:"Common name of the switch's certificate, to which switches.S.certificate can bind a datapath id" example:"host1"`
	Serial      string    `json:"serial" doc:"Serial number of the certificate in hex digits, as openssl prints it" example:"1A2B"`
	Expires     time.Time `json:"expires" doc:"When the certificate ends"`
}

// Place is a port of a switch.
type Place = probespec.Place

// Counters are a port's own counters since it was made, as OpenFlow port statistics give them.
type Counters struct {
	RxPackets uint64 `json:"rx_packets"`
	TxPackets uint64 `json:"tx_packets"`
	RxBytes   uint64 `json:"rx_bytes"`
	TxBytes   uint64 `json:"tx_bytes"`
	RxDropped uint64 `json:"rx_dropped"`
	TxDropped uint64 `json:"tx_dropped"`
	RxErrors  uint64 `json:"rx_errors"`
	TxErrors  uint64 `json:"tx_errors"`
}

// Port is a port of a switch, with the networks it carries.
type Port struct {
	Switch     string    `json:"switch" example:"host1"`
	Name       string    `json:"name" example:"vif1"`
	Number     uint32    `json:"number" doc:"OpenFlow port number" example:"1"`
	Up         bool      `json:"up" doc:"Link up and not administratively down"`
	Observable bool      `json:"observable" doc:"False where Open vSwitch cannot see the link state, e.g. an internal port moved into a namespace"`
	Mode       string    `json:"mode" enum:"access,trunk,tunnel,closed" example:"access"`
	Source     string    `json:"source" doc:"Where the mode comes from: file, ovsdb, default" example:"file"`
	Networks   []string  `json:"networks" nullable:"false" doc:"Networks the port carries" example:"[\"blue\"]"`
	Native     string    `json:"native" doc:"Network of untagged frames on a trunk; empty when there is none"`
	Transit    bool      `json:"transit" doc:"Whether it is an end of a link between switches; every other port is an edge"`
	MAC        string    `json:"mac" example:"52:54:00:00:00:01"`
	Counters   *Counters `json:"counters" doc:"Null until the first statistics arrived"`
}

// Host is a machine behind an edge port.
type Host struct {
	Name       string     `json:"name" doc:"Name from the configuration, else its address" example:"vm1"`
	MAC        string     `json:"mac" example:"52:54:00:00:00:01"`
	IPs        []string   `json:"ips" nullable:"false" example:"[\"10.0.3.1\"]"`
	Network    string     `json:"network" example:"blue"`
	VLAN       uint16     `json:"vlan" example:"10"`
	Switch     string     `json:"switch" doc:"Empty while its place is unknown" example:"host1"`
	Port       string     `json:"port" doc:"Empty while its place is unknown" example:"vif1"`
	Configured bool       `json:"configured" doc:"Whether the configuration names it; else it was learned"`
	Frozen     bool       `json:"frozen,omitempty" doc:"Whether it moved too often and stays put for a while"`
	LastSeen   *time.Time `json:"last_seen" doc:"Null when it was never seen"`
}

// Link is a connection between two ports of switches.
type Link struct {
	Name           string   `json:"name" doc:"a--b, each SWITCH:PORT" example:"host1:vx0--host2:vx0"`
	A              Place    `json:"a"`
	B              Place    `json:"b"`
	Up             bool     `json:"up"`
	State          string   `json:"state" enum:"up,down,unverified" doc:"unverified: seen from one end only, or not seen recently"`
	Forwarding     bool     `json:"forwarding" doc:"Whether floods use it: false for those a spanning tree leaves out"`
	Kind           string   `json:"kind" enum:"wire,tunnel" example:"tunnel"`
	LatencySeconds *float64 `json:"latency_seconds" doc:"One way latency as discovery frames measure it; null when not measured" example:"0.0002"`
}

// LinkName returns the name of the link between two places.
func LinkName(a, b Place) string { return fmt.Sprintf("%s--%s", a, b) }

// Network is one layer 2 network.
type Network struct {
	Name    string `json:"name" example:"blue"`
	VLAN    uint16 `json:"vlan" example:"10"`
	VNI     uint32 `json:"vni" doc:"0 when the network has none" example:"5010"`
	Subnet  string `json:"subnet" doc:"Empty when not configured" example:"10.0.3.0/24"`
	Gateway string `json:"gateway" doc:"Empty when not configured" example:"10.0.3.254"`
	Hosts   int    `json:"hosts" doc:"Number of known hosts"`
	Ports   int    `json:"ports" doc:"Number of edge ports that carry it"`
}

// Tunnel is a tunnel port.
type Tunnel struct {
	Name     string    `json:"name" doc:"SWITCH:PORT" example:"host1:vx0"`
	Switch   string    `json:"switch" example:"host1"`
	Port     string    `json:"port" example:"vx0"`
	Number   uint32    `json:"number" doc:"OpenFlow port number" example:"3"`
	Type     string    `json:"type" doc:"vxlan, gre, geneve; empty when not known" example:"vxlan"`
	Local    string    `json:"local" doc:"Local address of the underlay, where known" example:"192.0.2.1"`
	Remote   string    `json:"remote" doc:"Remote address of the underlay, where known" example:"192.0.2.2"`
	Key      string    `json:"key" doc:"flow, a fixed key, or empty" example:"flow"`
	Mode     string    `json:"mode" enum:"tunnel,trunk,access,closed" doc:"tunnel: carries networks by VNI; trunk: by 802.1Q tag" example:"tunnel"`
	Networks []string  `json:"networks" nullable:"false" example:"[\"blue\"]"`
	Up       bool      `json:"up" doc:"Whether its port is up and, where a switch of ours was once heard through it, whether it still is"`
	Peer     *Place    `json:"peer,omitempty" doc:"Other end, once discovered"`
	Counters *Counters `json:"counters" doc:"Null until the first statistics arrived"`
}

// Flow is a rule that a switch should have. Counters are not read: ask the switch for them (ovs-ofctl dump-flows).
type Flow struct {
	Switch    string `json:"switch" example:"host1"`
	Table     uint8  `json:"table" example:"4"`
	TableName string `json:"table_name" doc:"Name of the table's duty; empty for foreign flows" example:"forward"`
	Priority  uint16 `json:"priority" example:"100"`
	Cookie    string `json:"cookie" doc:"Hexadecimal with 0x" example:"0xe051000200000001"`
	Owner     string `json:"owner" doc:"App that owns it; empty for foreign flows" example:"l2"`
	Match     string `json:"match" doc:"As ovs-ofctl writes it" example:"dl_vlan=10,dl_dst=52:54:00:00:00:01"`
	Actions   string `json:"actions" doc:"As ovs-ofctl writes it" example:"pop_vlan,output:1"`
}
