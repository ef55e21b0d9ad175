package oftest

import (
	"encoding/binary"
	"slices"
	"strings"

	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/oxm"
)

var be = binary.BigEndian

// refusal is why a request is refused: an OpenFlow error.
type refusal struct{ typ, code uint16 }

func badMatch(code uint16) *refusal { return &refusal{openflow.ErrorTypeBadMatch, code} }

// canonical checks OXM TLVs as OVS does and returns them in one form, so that equal matches are equal strings: sorted
// by field, without masks of all ones or of none.
func canonical(match []byte) (string, *refusal) {
	if openflow.ValidateMatch(match) != nil {
		return "", badMatch(openflow.BadMatchBadLen)
	}
	var tlvs []oxm.TLV
	for len(match) > 0 {
		t, rest, _ := oxm.Cut(match) // validated above
		match = rest
		info := t.Field.Info()
		if info == nil || info.Size != len(t.Value) { // OVS looks a field up by its length, too
			return "", badMatch(openflow.BadMatchBadField)
		}
		for i := range t.Mask {
			if t.Value[i]&^t.Mask[i] != 0 {
				return "", badMatch(openflow.BadMatchBadWildcards)
			}
		}
		if !t.Canonical() {
			continue // matches all
		}
		if t.Mask != nil && !info.Maskable() {
			return "", badMatch(openflow.BadMatchBadMask)
		}
		if t.Field == oxm.VLANVID && be.Uint16(t.Value)&0xe000 != 0 {
			return "", badMatch(openflow.BadMatchBadValue)
		}
		tlvs = append(tlvs, t)
	}
	slices.SortFunc(tlvs, func(a, b oxm.TLV) int { return int(a.Field) - int(b.Field) })
	var b []byte
	for i, t := range tlvs {
		if i > 0 && tlvs[i-1].Field == t.Field {
			return "", badMatch(openflow.BadMatchDupField)
		}
		b = t.Append(b)
	}
	for _, t := range tlvs {
		if !t.Field.Info().Needs.MetBy(b) {
			return "", badMatch(openflow.BadMatchBadPrereq)
		}
	}
	return string(b), nil
}

// covers reports whether every frame that inner matches is matched by outer
// too; both are canonical.
func covers(outer, inner []byte) bool {
	for t, rest, ok := oxm.Cut(outer); ok; t, rest, ok = oxm.Cut(rest) {
		u, has := oxm.Find(inner, t.Field)
		if !has {
			return false
		}
		for i := range t.Value {
			m := maskByte(t, i)
			if m&^maskByte(u, i) != 0 || (t.Value[i]^u.Value[i])&m != 0 {
				return false
			}
		}
	}
	return true
}

// overlaps reports whether a frame could match both; both are canonical.
func overlaps(a, b []byte) bool {
	for t, rest, ok := oxm.Cut(a); ok; t, rest, ok = oxm.Cut(rest) {
		u, has := oxm.Find(b, t.Field)
		if !has {
			continue
		}
		for i := range t.Value {
			if (t.Value[i]^u.Value[i])&maskByte(t, i)&maskByte(u, i) != 0 {
				return false
			}
		}
	}
	return true
}

func maskByte(t oxm.TLV, i int) byte {
	if t.Mask == nil {
		return 0xff
	}
	return t.Mask[i]
}

// matches reports whether the packet has what the canonical match asks for.
func (p *packetState) matches(match string) bool {
	for b := []byte(match); len(b) > 0; {
		t, rest, _ := oxm.Cut(b)
		if !t.Matches(&p.Packet) {
			return false
		}
		b = rest
	}
	return true
}

// key returns the key of a flow within its table.
func key(priority uint16, match string) string {
	var s strings.Builder
	s.Grow(2 + len(match))
	s.WriteByte(byte(priority >> 8))
	s.WriteByte(byte(priority))
	s.WriteString(match)
	return s.String()
}
