package oftest

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"

	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/oftext"
)

var be = binary.BigEndian

// refusal is why a request is refused: an OpenFlow error.
type refusal struct{ typ, code uint16 }

func badMatch(code uint16) *refusal { return &refusal{openflow.ErrorTypeBadMatch, code} }

// canonical checks OXM TLVs as OVS does and returns them in one form, so that
// equal matches are equal strings: sorted by field, without masks of all ones
// or of none.
func canonical(oxm []byte) (string, *refusal) {
	if openflow.ValidateMatch(oxm) != nil {
		return "", badMatch(openflow.BadMatchBadLen)
	}
	var tlvs []oftext.TLV
	for len(oxm) > 0 {
		t, rest, _ := oftext.Cut(oxm) // validated above
		oxm = rest
		n, known := t.Field.Known()
		switch {
		case !known:
			return "", badMatch(openflow.BadMatchBadField)
		case n != len(t.Value):
			return "", badMatch(openflow.BadMatchBadField) // OVS looks a field up by its length too
		}
		for i := range t.Mask {
			if t.Value[i]&^t.Mask[i] != 0 {
				return "", badMatch(openflow.BadMatchBadWildcards)
			}
		}
		if t.Mask != nil && !slices.ContainsFunc(t.Mask, func(b byte) bool { return b != 0 }) {
			continue // matches all
		}
		if t.Mask != nil && !slices.ContainsFunc(t.Mask, func(b byte) bool { return b != 0xff }) {
			t.Mask = nil
		}
		if t.Field == oftext.VLANVID && be.Uint16(t.Value)&0xe000 != 0 {
			return "", badMatch(openflow.BadMatchBadValue)
		}
		tlvs = append(tlvs, t)
	}
	slices.SortFunc(tlvs, func(a, b oftext.TLV) int { return int(a.Field) - int(b.Field) })
	var b []byte
	for i, t := range tlvs {
		if i > 0 && tlvs[i-1].Field == t.Field {
			return "", badMatch(openflow.BadMatchDupField)
		}
		b = appendTLV(b, t)
	}
	if !prerequisites(b) {
		return "", badMatch(openflow.BadMatchBadPrereq)
	}
	return string(b), nil
}

func appendTLV(b []byte, t oftext.TLV) []byte {
	h := uint32(t.Field)<<9 | uint32(len(t.Value)+len(t.Mask))
	if t.Mask != nil {
		h |= 0x100
	}
	b = be.AppendUint32(b, h)
	b = append(b, t.Value...)
	return append(b, t.Mask...)
}

// find returns the TLV of a field in a canonical match.
func find(match []byte, f oftext.Field) (oftext.TLV, bool) {
	for t, rest, ok := oftext.Cut(match); ok; t, rest, ok = oftext.Cut(rest) {
		if t.Field == f {
			return t, true
		}
	}
	return oftext.TLV{}, false
}

// exact returns the value of a field that is matched whole.
func exact(match []byte, f oftext.Field) (uint64, bool) {
	t, ok := find(match, f)
	if !ok || t.Mask != nil {
		return 0, false
	}
	var n uint64
	for _, c := range t.Value {
		n = n<<8 | uint64(c)
	}
	return n, true
}

const (
	ethIPv4 = 0x0800
	ethARP  = 0x0806
	ethRARP = 0x8035
	ethIPv6 = 0x86dd

	protoICMP   = 1
	protoTCP    = 6
	protoUDP    = 17
	protoICMPv6 = 58
)

// prerequisites reports whether each field comes with what it needs
// (OpenFlow 1.3.5 section 7.2.3.8).
func prerequisites(match []byte) bool {
	eth, _ := exact(match, oftext.EthType)
	proto, _ := exact(match, oftext.IPProto)
	ip := eth == ethIPv4 || eth == ethIPv6
	for t, rest, ok := oftext.Cut(match); ok; t, rest, ok = oftext.Cut(rest) {
		good := true
		switch t.Field {
		case oftext.VLANPCP:
			vid, has := find(match, oftext.VLANVID)
			good = has && vid.Value[0]&0x10 != 0
		case oftext.IPDSCP, oftext.IPECN, oftext.IPProto, oftext.IPTTL:
			good = ip
		case oftext.IPv4Src, oftext.IPv4Dst:
			good = eth == ethIPv4
		case oftext.IPv6Src, oftext.IPv6Dst, oftext.IPv6Label:
			good = eth == ethIPv6
		case oftext.TCPSrc, oftext.TCPDst:
			good = ip && proto == protoTCP
		case oftext.UDPSrc, oftext.UDPDst:
			good = ip && proto == protoUDP
		case oftext.ICMPType, oftext.ICMPCode:
			good = eth == ethIPv4 && proto == protoICMP
		case oftext.ICMPv6Type, oftext.ICMPv6Code:
			good = eth == ethIPv6 && proto == protoICMPv6
		case oftext.NDTarget, oftext.NDSLL, oftext.NDTLL:
			good = eth == ethIPv6 && proto == protoICMPv6
		case oftext.ARPOp, oftext.ARPSPA, oftext.ARPTPA, oftext.ARPSHA, oftext.ARPTHA:
			good = eth == ethARP || eth == ethRARP
		}
		if !good {
			return false
		}
	}
	return true
}

// covers reports whether every frame that inner matches is matched by outer
// too; both are canonical.
func covers(outer, inner []byte) bool {
	for t, rest, ok := oftext.Cut(outer); ok; t, rest, ok = oftext.Cut(rest) {
		u, has := find(inner, t.Field)
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
	for t, rest, ok := oftext.Cut(a); ok; t, rest, ok = oftext.Cut(rest) {
		u, has := find(b, t.Field)
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

func maskByte(t oftext.TLV, i int) byte {
	if t.Mask == nil {
		return 0xff
	}
	return t.Mask[i]
}

// matches reports whether the packet has what the canonical match asks for.
func (p *packetState) matches(match string) bool {
	for b := []byte(match); len(b) > 0; {
		t, rest, _ := oftext.Cut(b)
		b = rest
		var buf [16]byte
		v, ok := p.field(buf[:0], t.Field)
		if !ok {
			return false
		}
		if t.Mask == nil {
			if !bytes.Equal(v, t.Value) {
				return false
			}
			continue
		}
		for i := range v {
			if v[i]&t.Mask[i] != t.Value[i] {
				return false
			}
		}
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
