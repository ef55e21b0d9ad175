package openflow

import (
	"errors"
	"testing"
)

func TestHandshakeDecode(t *testing.T) {
	checkDecode(t, "features_reply", &FeaturesReply{
		DatapathID: 0x00005254000000a1, NTables: 254,
		Capabilities: CapFlowStats | CapTableStats | CapPortStats | CapGroupStats | CapQueueStats,
	})
	checkDecode(t, "ofctl_set_config", &SwitchConfig{Flags: FragDrop})
	checkEqual(t, "get config reply", AppendGetConfigReply(nil, 1, SwitchConfig{MissSendLen: MissSendLenNoBuffer}),
		unhex(t, "0408000c 00000001 0000ffff"))
	checkDecode(t, "role_reply", &RoleReply{Role: RoleMaster, GenerationID: 5})
	checkDecode(t, "echo_reply", &Echo{Reply: true, Data: []byte("ping")})
	checkDecode(t, "ofctl_echo_request", &Echo{Data: []byte{}})
	checkDecode(t, "ofctl_nicira_experimenter",
		&Experimenter{ID: ExperimenterNicira, Subtype: 16, Body: []byte{0, 0, 0, 2}})
}

// TestHeaderOnly has the messages that are a header and nothing else, in both directions.
func TestHeaderOnly(t *testing.T) {
	for name, f := range map[string]func(b []byte, xid uint32) []byte{
		"ofctl_features_request": AppendFeaturesRequest,
		"ofctl_barrier_request":  AppendBarrierRequest, "barrier_reply": AppendBarrierReply,
	} {
		msg := golden(t, name)
		h, err := DecodeHeader(msg)
		if err != nil || h.Length != HeaderLen {
			t.Errorf("%s: %+v %v", name, h, err)
		}
		if err := DecodeEmpty(msg, h.Type); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := DecodeEmpty(msg, TypeHello); !errors.Is(err, ErrType) {
			t.Errorf("%s as a hello: %v", name, err)
		}
		checkEqual(t, name, f(nil, h.Xid), msg)
	}
	if err := DecodeEmpty(unhex(t, "04150009 00000001 00"), TypeBarrierReply); !errors.Is(err, ErrLength) {
		t.Error(err)
	}
}

func TestDecodeHeader(t *testing.T) {
	h, err := DecodeHeader(unhex(t, "040e0050 01020304 ff"))
	if err != nil || h != (Header{Version: 4, Type: TypeFlowMod, Length: 80, Xid: 0x01020304}) {
		t.Error(h, err)
	}
	if _, err := DecodeHeader(unhex(t, "040e0007 01020304")); !errors.Is(err, ErrLength) {
		t.Error(err)
	}
	if _, err := DecodeHeader(unhex(t, "040e0050 010203")); !errors.Is(err, ErrShort) {
		t.Error(err)
	}
	if h, err := DecodeHeader(unhex(t, "ffff0008 00000000")); err != nil || h.Type.String() != "type_255" {
		t.Error(h, err)
	}
}

func TestFixedSizesAreExact(t *testing.T) {
	for _, name := range []string{"features_reply", "role_reply", "port_status_add", "ofctl_set_config"} {
		msg := append(golden(t, name), 0)
		be.PutUint16(msg[2:], uint16(len(msg)))
		if _, err := decodeAny(msg); !errors.Is(err, ErrLength) {
			t.Errorf("%s one byte longer: %v", name, err)
		}
	}
}

func TestAsyncConfig(t *testing.T) {
	want := AsyncConfig{1, 2, 3, 4, 5, 6}
	msg := AppendSetAsync(nil, 7, want)
	checkEqual(t, "set async", msg, unhex(t, "041c0020 00000007 00000001 00000002 00000003 00000004 00000005 00000006"))
	var got AsyncConfig
	if err := got.Decode(msg); err != nil || got != want {
		t.Error(got, err)
	}
}

func TestNames(t *testing.T) {
	for got, want := range map[string]string{
		TypePacketIn.String():         "packet_in",
		TypeMultipartReply.String():   "multipart_reply",
		TypeMeterMod.String():         "meter_mod",
		TypeHello.String():            "hello",
		Type(30).String():             "type_30",
		PortNo(7).String():            "7",
		PortAny.String():              "ANY",
		PortInPort.String():           "IN_PORT",
		PortTable.String():            "TABLE",
		PortNormal.String():           "NORMAL",
		PortFlood.String():            "FLOOD",
		PortAll.String():              "ALL",
		PortController.String():       "CONTROLLER",
		PortLocal.String():            "LOCAL",
		PortMax.String():              "4294967040",
		RoleName(RoleMaster):          "master",
		RoleName(RoleSlave):           "slave",
		RoleName(RoleEqual):           "equal",
		RoleName(RoleNoChange):        "nochange",
		RoleName(4):                   "unknown",
		MultipartName(13):             "port_desc",
		MultipartName(0xffff):         "experimenter",
		MultipartName(99):             "multipart_99",
		PortAdd.String():              "add",
		PortDelete.String():           "delete",
		PortModify.String():           "modify",
		PortReason(9).String():        "reason_9",
		FlowRemovedDelete.String():    "delete",
		FlowRemovedReason(1).String(): "hard_timeout",
		FlowRemovedReason(3).String(): "group_delete",
		FlowRemovedReason(4).String(): "meter_delete",
		FlowRemovedReason(5).String(): "eviction",
		FlowRemovedReason(7).String(): "reason_7",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	for typ := range Type(typeCount) {
		if !typ.Known() || typ.String() == "" {
			t.Errorf("type %d has no name", typ)
		}
	}
}

func TestDatapathID(t *testing.T) {
	const id DatapathID = 0x00005254000000a1
	if id.String() != "00005254000000a1" {
		t.Error(id.String())
	}
	for _, s := range []string{"00005254000000a1", "0x00005254000000a1", "00005254000000A1"} {
		if got, err := ParseDatapathID(s); err != nil || got != id {
			t.Errorf("%s: %v %v", s, got, err)
		}
	}
	for _, s := range []string{
		"", "0x", "5254000000a1", "0x5254000000a1", "00005254000000a1a", "00005254000000g1", "+0005254000000a1",
		"0000_54000000a1x", "0000_254000000a1", "0X00005254000000a1", "00:00:52:54:00:00:00:a1", "0x0x005254000000a1",
	} {
		if got, err := ParseDatapathID(s); err == nil {
			t.Errorf("%q passes as %v", s, got)
		}
	}
	if _, err := ParseDatapathID("ffffffffffffffff"); err != nil {
		t.Error(err)
	}
}
