package probe

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/eosin-sdn/eosin/openflow/flow"
	"github.com/eosin-sdn/eosin/openflow/packet"
)

// Kind is a kind of probe. All that differs from kind to kind is in its value: a new one is a file with its value, and
// an entry in kinds.
type Kind struct {
	Name     string // as config, API and command line write it
	Protocol string // in words, for people
	// HasPort: the type is written NAME:PORT.
	HasPort bool
	// IPv6: both ends have IPv6 addresses. Otherwise they have IPv4 addresses, and ARP resolves unknown MAC addresses.
	IPv6 bool
	// LinkLayer: requests come from a colored MAC address instead of the source's, without a sender's IP address, and
	// may be broadcast. Replies show nothing but that MAC address: they are known by it without conntrack, and carry no
	// signature. All other kinds send in the source's name, and their replies carry a signed payload.
	LinkLayer bool

	etherType uint16
	// appendRequest appends the frame of one request. It is nil in a kind that cannot run yet, and so are the next two.
	appendRequest func(b []byte, f *Frame, key *Key) []byte
	// matchReply narrows a match to the replies that the trap is to catch.
	matchReply func(m flow.Match, t *Trap) flow.Match
	// readReply reads a frame of etherType: NotReply leaves it to other kinds.
	readReply func(f packet.Frame, r *Reply, key *Key) Reason
}

// kinds are the kinds of probes, in the order in which texts list them. The names tcp and udp are reserved: they are
// refused until they have their functions.
var kinds = []*Kind{
	&icmp, &icmp6, &arp, {Name: "tcp", Protocol: "TCP", HasPort: true}, {Name: "udp", Protocol: "UDP", HasPort: true},
}

// The types that need no parameter.
var (
	ICMP  = Type{Kind: &icmp}
	ICMP6 = Type{Kind: &icmp6}
	ARP   = Type{Kind: &arp}
)

// Type is a kind with its parameter. Types can be compared; the zero value is none.
type Type struct {
	*Kind
	Port uint16 // 0 unless HasPort
}

// String returns the type as ParseType reads it.
func (t Type) String() string {
	switch {
	case t.Kind == nil:
		return ""
	case t.HasPort:
		return fmt.Sprintf("%s:%d", t.Name, t.Port)
	}
	return t.Name
}

// MarshalText writes the type as ParseType reads it.
func (t Type) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText is ParseType, but for the empty text, which is no type.
func (t *Type) UnmarshalText(text []byte) (err error) {
	if *t = (Type{}); len(text) > 0 {
		*t, err = ParseType(string(text))
	}
	return err
}

// ParseType reads the type of a probe. The error says which types can be run.
func ParseType(s string) (Type, error) { return parseType(kinds, s) }

func parseType(kinds []*Kind, s string) (Type, error) {
	name, port, hasPort := strings.Cut(s, ":")
	i := slices.IndexFunc(kinds, func(k *Kind) bool { return k.Name == name && (k.HasPort || !hasPort) })
	switch {
	case i < 0:
		return Type{}, fmt.Errorf("%q is not a type of probe; use %s", s, TypeNames())
	case !kinds[i].HasPort:
		return Type{Kind: kinds[i]}, nil
	}
	n, err := strconv.ParseUint(port, 10, 16)
	switch {
	case err != nil || n == 0:
		return Type{}, fmt.Errorf("%q needs a port from 1 to 65535, e.g. %s:80", s, name)
	case kinds[i].appendRequest == nil:
		return Type{}, fmt.Errorf("%q is a type of probe that cannot be run yet; use %s", s, TypeNames())
	}
	return Type{Kind: kinds[i], Port: uint16(n)}, nil
}

// TypeNames lists the types that can be run, for messages and help.
func TypeNames() string {
	var names []string
	for _, k := range kinds {
		switch {
		case k.appendRequest == nil:
		case k.HasPort:
			names = append(names, k.Name+":PORT")
		default:
			names = append(names, k.Name)
		}
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " or " + names[last]
}

// OtherFamily returns the first type that probes addresses of the other family.
func (k *Kind) OtherFamily() Type {
	i := slices.IndexFunc(kinds, func(o *Kind) bool { return o.IPv6 != k.IPv6 })
	return Type{Kind: kinds[i]}
}
