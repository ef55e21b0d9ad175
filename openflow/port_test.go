package openflow

import (
	"errors"
	"strings"
	"testing"
)

func TestPortStatusDecode(t *testing.T) {
	desc := PortDesc{
		No: 9, HWAddr: [6]byte{
			0xca, 0xe4, 0x19, 0xf4, 0x5a,
			0x05,
		}, Name: "gp0", Config: PortConfigDown, State: PortStateLinkDown,
		Curr: 0x840, CurrSpeed: 10_000_000,
	}
	checkDecode(t, "port_status_add", &PortStatus{Reason: PortAdd, Desc: desc})
	if desc.Up() {
		t.Error("a port that is down is up")
	}
	desc.Config = 0
	checkDecode(t, "port_status_modify", &PortStatus{Reason: PortModify, Desc: desc})
	if desc.Up() {
		t.Error("a port without link is up")
	}
	desc.State = PortStateLive
	checkDecode(t, "port_status_delete", &PortStatus{Reason: PortDelete, Desc: desc})
	if !desc.Up() {
		t.Error("a live port is not up")
	}
}

func TestPortDescDecode(t *testing.T) {
	var m Multipart
	if err := m.Decode(golden(t, "multipart_port_desc")); err != nil || m.Type != MultipartPortDesc || m.More {
		t.Fatal(m, err)
	}
	got := map[PortNo]string{}
	for b := m.Body; len(b) > 0; {
		p, rest, err := DecodePortDesc(b)
		if err != nil {
			t.Fatal(err)
		}
		checkEqual(t, p.Name, AppendPortDesc(nil, &p), b[:PortDescLen])
		got[p.No] = p.Name
		b = rest
	}
	if len(got) != 4 || got[1] != "ofpka0" || got[5] != "vx0" || got[6] != "vx6" || got[PortLocal] != "br0" {
		t.Error(got)
	}
	if _, _, err := DecodePortDesc(m.Body[:63]); !errors.Is(err, ErrShort) {
		t.Error(err)
	}
}

func TestPortNameIsCut(t *testing.T) {
	b := AppendPortDesc(nil, &PortDesc{Name: strings.Repeat("x", 20)})
	if p, _, err := DecodePortDesc(b); err != nil || p.Name != strings.Repeat("x", 15) {
		t.Error(p, err)
	}
	for i := range 16 { // a name that fills its field has no zero byte
		b[16+i] = 'y'
	}
	if p, _, err := DecodePortDesc(b); err != nil || p.Name != strings.Repeat("y", 16) {
		t.Error(p, err)
	}
}
