package openflow

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestErrorText(t *testing.T) {
	for name, want := range map[string]string{
		"error_role_stale":         "switch error role_request_failed: stale (role_request, xid 107)",
		"error_group_exists":       "switch error group_mod_failed: group_exists (group_mod, xid 114)",
		"error_unknown_meter":      "switch error meter_mod_failed: unknown_meter (meter_mod, xid 115)",
		"error_bundle_bad_id":      "switch error bundle_failed: bad_id (experimenter, xid 131)",
		"error_bundle_bad_xid":     "switch error bundle_failed: msg_bad_xid (experimenter, xid 133)",
		"error_bad_table_id":       "switch error bad_instruction: bad_table_id (experimenter, xid 134)",
		"error_bad_field":          "switch error bad_match: bad_field (flow_mod, xid 139)",
		"error_bad_type":           "switch error bad_request: bad_type (type_200, xid 777)",
		"error_bad_multipart":      "switch error bad_request: bad_multipart (multipart_request, xid 150)",
		"error_nicira_conjunction": "switch error nicira: bad_conjunction (flow_mod, xid 106)",
	} {
		var m Error
		msg := golden(t, name)
		if err := m.Decode(msg); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if m.Error() != want {
			t.Errorf("%s: %q, want %q", name, m.Error(), want)
		}
		if x := be.Uint32(m.Data[4:]); x != m.Xid || x != xid(msg) {
			t.Errorf("%s: request xid %d", name, x)
		}
		if len(m.Data) > 64 {
			t.Errorf("%s: keeps %d bytes", name, len(m.Data))
		}
		var found *Error
		if !errors.As(fmt.Errorf("flow: %w", &m), &found) || found != &m {
			t.Errorf("%s: not found in a chain", name)
		}
	}
}

func TestErrorHelloFailed(t *testing.T) {
	var m Error
	if err := m.Decode(golden(t, "error_hello_failed")); err != nil {
		t.Fatal(err)
	}
	if m.Type != ErrorTypeHelloFailed || m.Code != HelloFailedIncompatible {
		t.Errorf("got %d %d", m.Type, m.Code)
	}
	if _, ok := m.RequestType(); ok {
		t.Error("text passes for a message")
	}
	if !strings.Contains(m.Error(), "We support versions 0x01, 0x04") {
		t.Error(m.Error())
	}
	// A switch that does not speak our version says so in its own.
	msg := AppendError(nil, 1, ErrorTypeHelloFailed, HelloFailedIncompatible, nil)
	msg[0] = 1
	if err := m.Decode(msg); err != nil {
		t.Error(err)
	}
	be.PutUint16(msg[8:], ErrorTypeBadRequest)
	if err := m.Decode(msg); !errors.Is(err, ErrVersion) {
		t.Error(err)
	}
}

func TestErrorExperimenter(t *testing.T) {
	var m Error
	if err := m.Decode(golden(t, "error_bundle_bad_xid")); err != nil {
		t.Fatal(err)
	}
	if m.Type != ErrorTypeExperimenter || m.Experimenter != ExperimenterONF || m.Code != BundleErrorMsgBadXid ||
		BundleErrorMsgBadXid != uint16(2309) {
		t.Errorf("got %+v", m)
	}
	if typ, ok := m.RequestType(); !ok || typ != TypeExperimenter {
		t.Errorf("request type %v %v", typ, ok)
	}
	if err := m.Decode(unhex(t, "0401000f 00000001 ffff08fc 4f4e46")); !errors.Is(err, ErrShort) {
		t.Error(err)
	}
}

func TestErrorKeepsACopy(t *testing.T) {
	msg := golden(t, "error_group_exists")
	var m Error
	if err := m.Decode(msg); err != nil {
		t.Fatal(err)
	}
	clear(msg)
	if typ, ok := m.RequestType(); !ok || typ != TypeGroupMod {
		t.Error("the data changed with the message")
	}
}

func TestErrorNames(t *testing.T) {
	for _, c := range []struct {
		typ, code  uint16
		name, text string
	}{
		{ErrorTypeFlowModFailed, FlowModFailedTableFull, "flow_mod_failed", "table_full"},
		{ErrorTypeBadRequest, BadRequestIsSlave, "bad_request", "is_slave"},
		{ErrorTypeRoleRequestFailed, RoleRequestFailedStale, "role_request_failed", "stale"},
		{ErrorTypeTableFeaturesFailed, TableFeaturesFailedEPerm, "table_features_failed", "eperm"},
		{ErrorTypeMeterModFailed, MeterModFailedOutOfBands, "meter_mod_failed", "out_of_bands"},
		{ErrorTypeGroupModFailed, GroupModFailedEPerm, "group_mod_failed", "eperm"},
		{14, 1, "type_14", "code_1"},
		{ErrorTypeFlowModFailed, 99, "flow_mod_failed", "code_99"},
		{ErrorTypeExperimenter, 1, "experimenter", "code_1"},
	} {
		if n, s := ErrorTypeName(c.typ), ErrorCodeName(c.typ, c.code); n != c.name || s != c.text {
			t.Errorf("%d %d = %s %s, want %s %s", c.typ, c.code, n, s, c.name, c.text)
		}
	}
	// The last codes, by which the tables have no gap (spec 7.4.4).
	for typ, last := range map[uint16]uint16{
		ErrorTypeBadRequest: 13, ErrorTypeBadAction: 15, ErrorTypeBadInstruction: 8, ErrorTypeBadMatch: 11,
		ErrorTypeFlowModFailed: 7, ErrorTypeGroupModFailed: 14, ErrorTypeMeterModFailed: 11,
	} {
		if got := len(strings.Fields(errorTypes[typ].codes)) - 1; got != int(last) {
			t.Errorf("last code of %s is %d, want %d", ErrorTypeName(typ), got, last)
		}
	}
	if BundleErrorBundleInProgress != 2315 {
		t.Error("bundle codes have a gap")
	}
	for _, c := range []struct {
		experimenter uint32
		code         uint16
		want         string
	}{
		{0xabcdef, 5, "switch error experimenter 0xabcdef: code_5 (xid 9)"},
		{ExperimenterONF, 2299, "switch error onf: code_2299 (xid 9)"},
		{ExperimenterONF, 2300, "switch error bundle_failed: unknown (xid 9)"},
		{ExperimenterONF, 2315, "switch error bundle_failed: bundle_in_progress (xid 9)"},
		{ExperimenterONF, 2316, "switch error onf: code_2316 (xid 9)"},
		{ExperimenterNicira, 999, "switch error nicira: code_999 (xid 9)"},
	} {
		e := Error{Type: ErrorTypeExperimenter, Experimenter: c.experimenter, Code: c.code, Xid: 9}
		if e.Error() != c.want {
			t.Errorf("%q, want %q", e.Error(), c.want)
		}
		if _, ok := e.RequestType(); ok {
			t.Error("an error without data has a request")
		}
	}
}

func TestAppendErrorCutsData(t *testing.T) {
	msg := AppendError(nil, 1, ErrorTypeBadRequest, BadRequestBadLen, make([]byte, 100))
	if len(msg) != 12+64 {
		t.Errorf("%d bytes", len(msg))
	}
}
