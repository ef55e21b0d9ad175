package flow

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/oxm"
	"github.com/eosin-sdn/eosin/openflow/packet"
)

var (
	mac1  = packet.MAC{0x52, 0x54, 0, 0, 0, 1}
	mac2  = packet.MAC{0x52, 0x54, 0, 0, 0, 2}
	addr1 = netip.MustParseAddr("10.0.3.1")
	addr2 = netip.MustParseAddr("10.0.3.2")
	addr6 = netip.MustParseAddr("2001:db8::6")
	addr7 = netip.MustParseAddr("2001:db8::7")
)

// setter sets one field of a match.
type setter struct {
	name string
	set  func(Match) Match
}

// setters set every field that a match can have, in canonical order, each once; one of each pair of alternatives.
var setters = []setter{
	{"reg0", func(m Match) Match { return m.Reg0(1) }},
	{"ct_state", func(m Match) Match { return m.CTState(CTReply, CTReply|CTTracked) }},
	{"ct_mark", func(m Match) Match { return m.CTMark(0x123, 0xfff) }},
	{"in_port", func(m Match) Match { return m.InPort(7) }},
	{"eth_dst", func(m Match) Match { return m.EthDst(mac2) }},
	{"eth_src", func(m Match) Match { return m.EthSrcMasked(packet.MAC{1}, packet.MAC{1}) }},
	{"eth_type", func(m Match) Match { return m.EthType(packet.EtherTypeIPv4) }},
	{"vlan_vid", func(m Match) Match { return m.VLAN(10) }},
	{"ip_dscp", func(m Match) Match { return m.IPDSCP(46) }},
	{"ip_proto", func(m Match) Match { return m.IPProto(1) }},
	{"ipv4_src", func(m Match) Match { return m.IPSrc(addr1) }},
	{"ipv4_dst", func(m Match) Match { return m.IPDst(addr2) }},
	{"icmpv4_type", func(m Match) Match { return m.ICMPType(0) }},
	{"arp_op", func(m Match) Match { return m.ARPOp(2) }},
	{"arp_spa", func(m Match) Match { return m.ARPSender(addr1) }},
	{"icmpv6_type", func(m Match) Match { return m.ICMPv6Type(129) }},
	{"tunnel_id", func(m Match) Match { return m.TunnelID(5010) }},
}

// pick returns up to ten of the setters, which always fit into a match.
func pick(r *rand.Rand) []setter {
	some := slices.Clone(setters)
	for len(some) > 10 || len(some) > 0 && r.IntN(4) > 0 {
		at := r.IntN(len(some))
		some = slices.Delete(some, at, at+1)
	}
	return some
}

func build(fields []setter) Match {
	var m Match
	for _, f := range fields {
		m = f.set(m)
	}
	return m
}

// TestMatchOrder sets fields in any order and expects the same bytes, ascending by class and field.
func TestMatchOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		some := pick(r)
		want := build(some)
		if err := openflow.ValidateMatch(want.Bytes()); err != nil {
			t.Fatal(err)
		}
		shuffled := slices.Clone(some)
		r.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		got := build(shuffled)
		if !got.Equal(&want) {
			t.Fatalf("set in another order:\n%x\n%x", got.Bytes(), want.Bytes())
		}
		last := uint32(0)
		for _, tlv := range cut(want.Bytes()) {
			field := binary.BigEndian.Uint32(tlv) &^ 0x1ff
			if field <= last {
				t.Fatalf("not ascending: %x", want.Bytes())
			}
			last = field
		}
	}
}

// cut splits OXM bytes into TLVs.
func cut(oxm []byte) (tlvs [][]byte) {
	for len(oxm) >= 4 {
		n := 4 + int(oxm[3])
		tlvs = append(tlvs, oxm[:n])
		oxm = oxm[n:]
	}
	return tlvs
}

// TestMatchIsAValue checks that a match derived from another leaves that one as it was.
func TestMatchIsAValue(t *testing.T) {
	in := Match{}.InPort(3)
	before := bytes.Clone(in.Bytes())
	a, b := in.VLAN(10), in.VLAN(11)
	if !bytes.Equal(in.Bytes(), before) || a.Equal(&b) || a.Equal(&in) {
		t.Errorf("in %x, a %x, b %x", in.Bytes(), a.Bytes(), b.Bytes())
	}
}

// TestCanonicalOrder gives Canonical the fields of a match in any order, as switches dump them.
func TestCanonicalOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 2000 {
		want := build(pick(r))
		tlvs := cut(want.Bytes())
		r.Shuffle(len(tlvs), func(i, j int) { tlvs[i], tlvs[j] = tlvs[j], tlvs[i] })
		got, err := Canonical(slices.Concat(tlvs...))
		if err != nil || !got.Equal(&want) {
			t.Fatalf("%v\n%x\n%x", err, got.Bytes(), want.Bytes())
		}
	}
}

// TestLongestMatch has the pipeline's longest match fit.
func TestLongestMatch(t *testing.T) {
	m := Match{}.InPort(1).VLAN(10).EthDst(mac1).EthSrc(mac2).EthType(packet.EtherTypeIPv6).IPProto(58).IPDSCP(1).
		IPSrc(addr6).IPDst(addr7).ICMPv6Type(129).CTState(CTTracked, CTTracked)
	if len(m.Bytes()) > maxMatch {
		t.Errorf("%d bytes", len(m.Bytes()))
	}
}

// TestCanonicalForeign gives Canonical what is no match of ours: it must say so and not panic.
func TestCanonicalForeign(t *testing.T) {
	var regs []byte
	for i := range uint32(17) { // 16 registers of 8 bytes fill a match
		regs = binary.BigEndian.AppendUint32(regs, (oxm.Reg0+oxm.Field(i)).Header()|4)
		regs = binary.BigEndian.AppendUint32(regs, i)
	}
	if m, err := Canonical(regs[:maxMatch]); err != nil || !bytes.Equal(m.Bytes(), regs[:maxMatch]) {
		t.Errorf("%d bytes are refused: %v", maxMatch, err)
	}
	if _, err := Canonical(regs); !errors.Is(err, ErrForeignMatch) {
		t.Errorf("%d bytes: %v", len(regs), err)
	}
	if _, err := Canonical([]byte{0x80, 0, 0, 4, 0, 0}); !errors.Is(err, ErrForeignMatch) {
		t.Errorf("a field that is cut off: %v", err)
	}
	// A field given twice stays twice, in the order given, so it equals no match of ours.
	twice := append(Match{}.VLAN(10).bytes(), Match{}.VLAN(10).bytes()...)
	once := Match{}.VLAN(10)
	if m, err := Canonical(twice); err != nil || m.Equal(&once) || !bytes.Equal(m.Bytes(), twice) {
		t.Errorf("a field given twice: %x, %v", m.Bytes(), err)
	}
}

// bytes is Bytes of a match that has no address.
func (m Match) bytes() []byte { return bytes.Clone(m.Bytes()) }

// TestMasksAsDumped checks that masks have the form in which switches dump them.
func TestMasksAsDumped(t *testing.T) {
	exact, all, none := Match{}.CTMark(7, 0xffffffff), Match{}.EthDst(mac1), Match{}
	if want := (Match{}).with32(oxm.CTMark, 7); !exact.Equal(&want) {
		t.Errorf("a mask of ones: %x", exact.Bytes())
	}
	if got := (Match{}).EthDstMasked(mac1, packet.Broadcast); !got.Equal(&all) {
		t.Errorf("a mask of ones: %x", got.Bytes())
	}
	if got := (Match{}).CTState(0, 0); !got.Equal(&none) {
		t.Errorf("a mask of zeros: %x", got.Bytes())
	}
}

// with32 is add32 of a match that has no address.
func (m Match) with32(field oxm.Field, v uint32) Match { m.add32(field, v); return m }

func TestGetters(t *testing.T) {
	m := Match{}.InPort(7).VLAN(10).EthSrc(mac1).EthDst(mac2)
	p, ok1 := m.GetInPort()
	v, ok2 := m.GetVLAN()
	src, ok3 := m.GetEthSrc()
	dst, ok4 := m.GetEthDst()
	if !ok1 || !ok2 || !ok3 || !ok4 || p != 7 || v != 10 || src != mac1 || dst != mac2 {
		t.Errorf("%d %d %s %s", p, v, src, dst)
	}
	for name, m := range map[string]Match{
		"empty": {},
		"untagged, masked addresses": Match{}.Untagged().EthDstMasked(mac1, packet.MAC{1}).EthSrcMasked(mac1,
			packet.MAC{1}),
	} {
		_, ok1 := m.GetInPort()
		_, ok2 := m.GetVLAN()
		_, ok3 := m.GetEthSrc()
		_, ok4 := m.GetEthDst()
		if ok1 || ok2 || ok3 || ok4 {
			t.Errorf("%s: %v %v %v %v", name, ok1, ok2, ok3, ok4)
		}
	}
	if v, ok := (Match{}).VLAN(0).vlan(); !ok || v != 0 {
		t.Error("a priority tag is a tag")
	}
}

// vlan is GetVLAN of a match that has no address.
func (m Match) vlan() (uint16, bool) { return m.GetVLAN() }

// FuzzCanonical checks that no dump makes Canonical or Describe panic, and that its result is stable.
func FuzzCanonical(f *testing.F) {
	f.Add([]byte(nil))
	f.Add(build(setters[:10]).bytes())
	f.Add(build(setters[10:]).bytes())
	f.Add(Match{}.EthType(packet.EtherTypeIPv6).IPSrc(addr6).IPDst(addr7).bytes())
	f.Add([]byte{0x80, 0, 0, 2, 1, 2})                         // an in port of two bytes
	f.Add([]byte{0x80, 0, 0x0d, 1, 1})                         // a mask of an odd length
	f.Add([]byte{0x80, 0, 0x0d, 0})                            // a mask of none
	f.Add([]byte{0xff, 0xff, 0, 4, 0, 0, 0, 0})                // experimenter
	f.Add([]byte{0xff, 0xff, 0x11, 4, 0xff, 0xff, 0xff, 0xff}) // experimenter, with a mask that would split its id
	f.Fuzz(func(t *testing.T, oxm []byte) {
		_ = Describe(1, 2, oxm)
		m, err := Canonical(oxm)
		if err != nil {
			if !errors.Is(err, ErrForeignMatch) {
				t.Fatal(err)
			}
			return
		}
		m.GetInPort()
		m.GetVLAN()
		m.GetEthSrc()
		m.GetEthDst()
		if openflow.ValidateMatch(oxm) != nil {
			return // a decoder of ours lets none through
		}
		if len(m.Bytes()) > len(oxm) {
			t.Fatalf("%d bytes became %d", len(oxm), len(m.Bytes()))
		}
		if err := openflow.ValidateMatch(m.Bytes()); err != nil {
			t.Fatal(err)
		}
		again, err := Canonical(m.Bytes())
		if err != nil || !again.Equal(&m) {
			t.Fatalf("not stable: %x %x %v", m.Bytes(), again.Bytes(), err)
		}
	})
}
