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

// Source says what decided the mode of a port.
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
	// VLANs are those that the port carries, ascending: one for Access, none for Closed, those with a VNI for Tunnel. A VLAN
	// that OVSDB names may belong to no configured network.
	VLANs []uint16
	// All says that a trunk carries every network, also one that only another port's OVSDB tag brings to life.
	All bool
	// Native is the VLAN of untagged frames: of an access port always, of a trunk if not 0.
	Native uint16
	// NativeTagged says that the native VLAN leaves the port with its tag (OVSDB's native-tagged).
	NativeTagged bool
	// Source says what decided.
	Source Source
	// Reason says why a port is Closed when what was asked for cannot be done; else empty.
	Reason string
}

// Equal reports whether two ports are the same in every field.
func (p Port) Equal(other Port) bool {
	return p.Mode == other.Mode && p.All == other.All && p.Native == other.Native && p.NativeTagged == other.NativeTagged &&
		p.Source == other.Source && p.Reason == other.Reason && slices.Equal(p.VLANs, other.VLANs)
}
