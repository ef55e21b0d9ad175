package openflow

import (
	"errors"
	"testing"
)

func TestRoleStatus(t *testing.T) {
	want := RoleStatus{Role: RoleSlave, Reason: RoleMasterRequest, GenerationID: 100}
	checkDecode(t, "role_status", &want)
	msg := golden(t, "role_status")
	var got RoleStatus
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
		bad := golden(t, "role_status")
		bad[change.at] ^= 1
		if err := got.Decode(bad); !errors.Is(err, change.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
