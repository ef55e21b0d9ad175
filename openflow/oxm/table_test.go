package oxm

import (
	"slices"
	"testing"
)

// TestFields holds the list to what its readers rely on.
func TestFields(t *testing.T) {
	names := map[string]bool{}
	for i := range Fields {
		f := &Fields[i]
		if f.Field.Info() != f {
			t.Errorf("%s: the number %v is another field's", f.Name, f.Field)
		}
		if names[f.Name] || f.Name == "" || f.MatchName == "" {
			t.Errorf("%v has the name %q", f.Field, f.Name)
		}
		names[f.Name] = true
		if (f.bytes == nil) == (f.get == nil) || f.Settable() && f.bytes == nil && f.set == nil {
			t.Errorf("%s cannot be read, or not be written", f.Name)
		}
		if v := f.Read(&Packet{}, nil); v != nil && len(v) != f.Size {
			t.Errorf("%s: %d bytes in a packet of none", f.Name, len(v))
		}
		if f.older != 0 && FieldOf(f.older.Header()) != f.Field {
			t.Errorf("%s is not found by its older number", f.Name)
		}
	}
}

func TestUnknownField(t *testing.T) {
	for _, f := range []Field{basic | 127, nxm1 | 127, ClassExperimenter << 7, 0} {
		if f.Info() != nil || FieldOf(f.Header()) != f {
			t.Errorf("%v is known", f)
		}
	}
}

func TestNXM(t *testing.T) {
	for f, want := range map[Field]string{
		InPort: "NXM_OF_IN_PORT", TunnelID: "NXM_NX_TUN_ID", Metadata: "OXM_OF_METADATA", Reg0 + 1: "NXM_NX_REG1",
		IPTTL: "NXM_NX_IP_TTL", VLANVID: "OXM_OF_VLAN_VID", IPv6Src: "NXM_NX_IPV6_SRC", IPProto: "NXM_OF_IP_PROTO",
	} {
		if got := f.Info().NXM(); got != want {
			t.Errorf("%v: %s, want %s", f, got, want)
		}
	}
}

func TestCutAndAppend(t *testing.T) {
	b := TLV{Field: EthDst, Value: []byte("abcdef"), Mask: []byte("ABCDEF")}.Append(nil)
	b = TLV{Field: InPort, Value: []byte{0, 0, 0, 7}}.Append(b)
	first, rest, ok := Cut(b)
	if !ok || first.Field != EthDst || string(first.Value) != "abcdef" || string(first.Mask) != "ABCDEF" {
		t.Errorf("%+v", first)
	}
	if v, ok := Exact(rest, InPort); !ok || v != 7 {
		t.Errorf("in_port %d, %v", v, ok)
	}
	for n := range b {
		if _, _, ok := Cut(b[n:min(n+3, len(b))]); ok {
			t.Error("a header that is cut off")
		}
	}
	full := TLV{Field: CTMark, Value: []byte{1, 2, 3, 4}, Mask: []byte{255, 255, 255, 255}}
	if !full.Canonical() || full.Mask != nil {
		t.Errorf("%+v", full)
	}
	empty := TLV{Field: CTMark, Value: make([]byte, 4), Mask: make([]byte, 4)}
	part := TLV{Field: CTMark, Value: make([]byte, 4), Mask: []byte{0, 0, 0, 1}}
	if empty.Canonical() || !part.Canonical() || !slices.Equal(part.Mask, []byte{0, 0, 0, 1}) {
		t.Errorf("%+v %+v", empty, part)
	}
}
