package probe

import (
	"strings"
	"testing"

	"github.com/eosin-sdn/eosin/openflow/packet"
)

func TestParseType(t *testing.T) {
	for text, want := range map[string]Type{"icmp": ICMP, "icmp6": ICMP6, "arp": ARP} {
		if got, err := ParseType(text); err != nil || got != want || got.String() != text {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for text, says := range map[string]string{
		"":          `"" is not a type of probe; use icmp, icmp6 or arp`,
		"ICMP":      `"ICMP" is not a type of probe; use icmp, icmp6 or arp`,
		"icmp:1":    `"icmp:1" is not a type of probe; use icmp, icmp6 or arp`,
		"tcp:80":    `"tcp:80" is a type of probe that cannot be run yet; use icmp, icmp6 or arp`,
		"udp:53":    `"udp:53" is a type of probe that cannot be run yet; use icmp, icmp6 or arp`,
		"udp":       `"udp" needs a port from 1 to 65535, e.g. udp:80`,
		"udp:x":     `"udp:x" needs a port from 1 to 65535, e.g. udp:80`,
		"tcp":       `"tcp" needs a port from 1 to 65535, e.g. tcp:80`,
		"tcp:0":     `"tcp:0" needs a port from 1 to 65535, e.g. tcp:80`,
		"tcp:99999": `"tcp:99999" needs a port from 1 to 65535, e.g. tcp:80`,
		"sctp:443":  `"sctp:443" is not a type of probe; use icmp, icmp6 or arp`,
	} {
		if got, err := ParseType(text); err == nil || err.Error() != says || got != (Type{}) {
			t.Errorf("%q: %v, %v; want %s", text, got, err, says)
		}
	}
}

// TestTypeWithPort: a kind that has a port and can run is one more entry in the list.
func TestTypeWithPort(t *testing.T) {
	runnable := Kind{Name: "tcp", HasPort: true, appendRequest: appendEcho}
	with := []*Kind{&icmp, &runnable}
	got, err := parseType(with, "tcp:443")
	if err != nil || got != (Type{&runnable, 443}) || got.String() != "tcp:443" {
		t.Errorf("%v, %v", got, err)
	}
	for _, text := range []string{"tcp", "tcp:", "tcp:0", "tcp:65536", "tcp:x", "tcp:1:2"} {
		if got, err := parseType(with, text); err == nil ||
			!strings.Contains(err.Error(), "needs a port from 1 to 65535, e.g. tcp:80") {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
}

func TestTypeText(t *testing.T) {
	var typ Type
	if err := typ.UnmarshalText([]byte("arp")); err != nil || typ != ARP {
		t.Errorf("%v, %v", typ, err)
	}
	if text, err := typ.MarshalText(); err != nil || string(text) != "arp" {
		t.Errorf("%s, %v", text, err)
	}
	if typ.OtherFamily() != ICMP6 || ICMP6.OtherFamily() != ICMP || (Type{}).String() != "" {
		t.Error("the other family")
	}
}

// TestKindsAreWhole: a kind has all of its functions or none, and what it sends is never taken for a reply.
func TestKindsAreWhole(t *testing.T) {
	for _, k := range kinds {
		runs := k.appendRequest != nil
		if k.Name == "" || k.Protocol == "" || runs != (k.matchReply != nil) || runs != (k.readReply != nil) ||
			runs != (k.etherType != 0) {
			t.Errorf("%+v", k)
		}
		if !runs {
			continue
		}
		f := echo(ipA, ipB)
		if k.IPv6 {
			f = echo(ip6A, ip6B)
		}
		f.Type = Type{Kind: k}
		frame, ok := packet.Parse(f.Append(nil, &testKey))
		if !ok || frame.EtherType() != k.etherType {
			t.Fatalf("%s: %x", k.Name, frame.Bytes())
		}
		if _, reason := Verify(frame.Bytes(), &testKey); reason != NotReply {
			t.Errorf("%s: a request is %v", k.Name, reason)
		}
	}
}
