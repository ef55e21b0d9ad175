// Package intent holds what the config wants of a switch, in the terms that the config, the machine and the apps share.
package intent

import "slices"

// Mode is how a port takes part in networks. The zero value is Closed.
type Mode uint8

// Modes of a port.
const (
	Closed Mode = iota // drops everything
	Access             // untagged frames belong to one network
	Trunk              // 802.1Q tags name the network; perhaps a native one
	Tunnel             // the tunnel key (VNI) names the network
)

// String returns the mode as the config file and the API spell it.
func (m Mode) String() string { return [...]string{"closed", "access", "trunk", "tunnel"}[m] }

// Source is what decided the mode of a port.
type Source string

// Sources in the order of precedence.
const (
	SourceFile    Source = "file"
	SourceOVSDB   Source = "ovsdb"
	SourceDefault Source = "default"
)

// Port is the mode of a port, resolved to VLANs.
type Port struct {
	Mode Mode
	// VLANs are those that the port carries, ascending: one for Access, none for Closed, those with a VNI for Tunnel. A
	// VLAN from OVSDB may belong to no configured network.
	VLANs        []uint16
	All          bool   // a trunk of every network
	Native       uint16 // the VLAN of untagged frames: of an access port always, of a trunk if not 0
	NativeTagged bool   // the native VLAN is sent with its tag (OVSDB's native-tagged)
	Source       Source
	Reason       string // why a port is Closed whose mode is impossible
}

// Equal reports whether two ports are the same in every field.
func (p Port) Equal(other Port) bool {
	return p.Mode == other.Mode && p.All == other.All && p.Native == other.Native &&
		p.NativeTagged == other.NativeTagged &&
		p.Source == other.Source && p.Reason == other.Reason && slices.Equal(p.VLANs, other.VLANs)
}
