package openflow

import (
	"errors"
	"testing"
)

// As Open vSwitch 3.1 sends it to a master that another controller has replaced.
const roleStatusHex = "04040020 00000000 4f4e4600 00000777 00000003 00000000 0000000000000064"

func TestRoleStatus(t *testing.T) {
	msg := unhex(t, roleStatusHex)
	want := RoleStatus{Role: RoleSlave, Reason: RoleMasterRequest, GenerationID: 100}
	var got RoleStatus
	if err := got.Decode(msg); err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
	checkEqual(t, "role status", AppendRoleStatus(nil, 0, want), msg)
	for n := range msg {
		cut := msg[:n:n]
		if n >= 4 {
			cut = append([]byte(nil), cut...)
			be.PutUint16(cut[2:], uint16(n))
		}
		if err := got.Decode(cut); err == nil {
			t.Errorf("cut to %d bytes, it decodes", n)
		}
	}
	for name, change := range map[string]struct {
		at   int
		want error
	}{"vendor": {8, ErrType}, "subtype": {15, ErrType}} {
		bad := unhex(t, roleStatusHex)
		bad[change.at] ^= 1
		if err := got.Decode(bad); !errors.Is(err, change.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
