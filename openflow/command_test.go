package openflow

import (
	"errors"
	"testing"
)

// The messages of this file are those of the controller, as ovs-ofctl encodes them.

func TestPacketOut(t *testing.T) {
	data := unhex(t, "ffffffffffff 020000000001 0806 0001080006040001 020000000001 0a000301 000000000000 0a000302")
	actions := unhex(t, "00000010 fffffff9 00000000 00000000")
	checkDecode(t, "ofctl_packet_out", &PacketOut{BufferID: BufferNone, InPort: 1, Actions: actions, Data: data})
	want := golden(t, "ofctl_packet_out")
	checkEqual(t, "packet out", AppendPacketOut(nil, xid(want), 1, actions, data), want)

	for _, c := range []struct {
		name string
		at   int
		v    byte
		err  error
		text string
	}{
		{"actions beyond", 16, 1, ErrShort, "decode packet_out at byte 16: short"},
		{"actions cut", 17, 12, ErrShort, "decode packet_out: action 1 at byte 26: short"},
		{"action length 0", 27, 0, ErrLength, "decode packet_out: action 1 at byte 26: bad length"},
	} {
		msg := golden(t, "ofctl_packet_out")
		msg[c.at] = c.v
		checkInvalid(t, c.name, new(PacketOut).Decode(msg), c.err, c.text)
	}
}

func TestGroupMod(t *testing.T) {
	out1 := unhex(t, "00000010 00000001 00000000 00000000")
	out5 := unhex(t, "00000010 00000005 00000000 00000000")
	buckets := AppendBucket(nil, 0, PortAny, GroupAny, append(unhex(t, "0012000800000000"), out1...))
	buckets = AppendBucket(buckets, 0, PortAny, GroupAny, out5)
	checkDecode(t, "ofctl_group_mod_add", &GroupMod{Command: GroupAdd, Type: GroupTypeAll, ID: 20, Buckets: buckets})
	want := golden(t, "ofctl_group_mod_add")
	checkEqual(t, "add", AppendGroupMod(nil, xid(want), GroupAdd, GroupTypeAll, 20, buckets), want)

	one := AppendBucket(nil, 0, 1, GroupAny, out1)
	want = golden(t, "ofctl_group_mod_modify")
	checkEqual(t, "modify", AppendGroupMod(nil, xid(want), GroupModify, GroupTypeFF, 20, one), want)

	want = golden(t, "ofctl_group_mod_delete")
	checkEqual(t, "delete", AppendGroupMod(nil, xid(want), GroupDelete, GroupTypeAll, 20, nil), want)

	if appended(nil, AppendGroupMod(nil, 1, GroupDelete, GroupTypeAll, 20, one)) {
		t.Error("a delete with buckets was appended")
	}
	if appended(nil, AppendGroupMod(nil, 1, GroupAdd, GroupTypeAll, 20, one[:len(one)-1])) {
		t.Error("a bucket that is cut was appended")
	}
}

// TestBucketIsPadded has actions that are no multiple of 8, which no list of actions is; the length stays aligned.
func TestBucketIsPadded(t *testing.T) {
	checkEqual(t, "bucket", AppendBucket(nil, 1, 2, 3, []byte{9}),
		unhex(t, "00180001 00000002 00000003 00000000 0900000000000000"))
}

func TestMeterMod(t *testing.T) {
	want := golden(t, "ofctl_meter_mod_add")
	checkEqual(t, "add", AppendMeterMod(nil, xid(want), MeterAdd, MeterKbps|MeterBurst, 3, 1000, 200), want)
	checkDecode(t, "ofctl_meter_mod_add", &MeterMod{
		Command: MeterAdd, Flags: MeterKbps | MeterBurst, ID: 3, Bands: unhex(t, "00010010 000003e8 000000c8 00000000"),
	})
	want = golden(t, "ofctl_meter_mod_delete")
	checkEqual(t, "delete", AppendMeterMod(nil, xid(want), MeterDelete, 0, MeterAll, 9, 9), want)
}

func TestBundle(t *testing.T) {
	checkDecode(t, "bundle_open_reply", &BundleControl{ID: 1, Type: BundleOpenReply})
	checkDecode(t, "bundle_commit_reply", &BundleControl{ID: 1, Type: BundleCommitReply})
	flags := BundleAtomic | BundleOrdered
	for name, typ := range map[string]uint16{
		"ofctl_bundle_open":   BundleOpenRequest,
		"ofctl_bundle_commit": BundleCommitRequest,
	} {
		checkDecode(t, name, &BundleControl{Type: typ, Flags: flags})
		want := golden(t, name)
		checkEqual(t, name, AppendBundleControl(nil, xid(want), 0, typ, flags), want)
	}
	for _, name := range []string{"ofctl_bundle_add", "ofctl_bundle_add_ct", "ofctl_bundle_add_long"} {
		want := golden(t, name)
		var add BundleAdd
		if err := add.Decode(want); err != nil || add.ID != 0 || add.Flags != flags || xid(add.Message) != xid(want) {
			t.Errorf("%s: %+v %v", name, add, err)
		}
		var f FlowMod
		if err := f.Decode(add.Message); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		// Another xid in the message that is given does not matter: the result has the outer one.
		inner := AppendFlowMod(nil, 99, f.Command, &f)
		checkEqual(t, name, AppendBundleAdd(nil, xid(want), 0, flags, inner), want)
		if xid(inner) != 99 {
			t.Error("the message that was given has changed")
		}
		if appended(nil, AppendBundleAdd(nil, 1, 0, flags, inner[:len(inner)-1])) {
			t.Error("a message that is cut was appended")
		}
	}
}

func TestBundleRejects(t *testing.T) {
	for _, c := range []struct {
		name, golden string
		at           int
		v            byte
		err          error
		text         string
	}{
		{"other experimenter", "bundle_open_reply", 8, 0, ErrType, "decode bundle_control at byte 8: unexpected type"},
		{"other subtype", "bundle_open_reply", 15, 0xfd, ErrType, "decode bundle_control at byte 12: unexpected type"},
		{"inner length 0", "ofctl_bundle_add", 27, 0, ErrLength, "decode bundle_add: message at byte 26: bad length"},
		{"inner length 7", "ofctl_bundle_add", 27, 7, ErrLength, "decode bundle_add: message at byte 26: bad length"},
		{"inner beyond", "ofctl_bundle_add", 26, 1, ErrShort, "decode bundle_add: message at byte 26: short"},
	} {
		msg := golden(t, c.golden)
		msg[c.at] = c.v
		var err error
		if c.golden == "ofctl_bundle_add" {
			err = new(BundleAdd).Decode(msg)
		} else {
			err = new(BundleControl).Decode(msg)
		}
		checkInvalid(t, c.name, err, c.err, c.text)
	}
}

func TestBundleProperties(t *testing.T) {
	for _, c := range []struct {
		name, hex string
		err       error
	}{
		{"one", "ffff000c 00000001 00000002 00000000", nil},
		{"length 0", "ffff0000 00000000", ErrLength},
		{"beyond", "ffff0010 00000000", ErrShort},
		{"no padding", "ffff0004", ErrShort},
		{"half", "ffff", ErrShort},
	} {
		for _, name := range []string{"bundle_open_reply", "ofctl_bundle_add"} {
			msg := append(golden(t, name), unhex(t, c.hex)...)
			be.PutUint16(msg[2:], uint16(len(msg)))
			if _, err := decodeAny(msg); !errors.Is(err, c.err) {
				t.Errorf("%s, property %s: %v, want %v", name, c.name, err, c.err)
			}
		}
	}
}

func TestFlowRemovedDecode(t *testing.T) {
	checkDecode(t, "flow_removed_idle", &FlowRemoved{
		Cookie: 0x9a, Priority: 300, Reason: FlowRemovedIdleTimeout, TableID: 20, DurationSec: 1,
		DurationNsec: 0x0328b740,
		IdleTimeout:  1, Match: unhex(t, "80000004 00000001"),
	})
	checkDecode(t, "flow_removed_delete", &FlowRemoved{
		Cookie: 0x99, Priority: 300, Reason: FlowRemovedDelete, TableID: 20, DurationNsec: 0x03a2c940,
		IdleTimeout: 60, HardTimeout: 120, Match: unhex(t, "80000004 00000001 80000806 02000000000a 80000c02 100a"),
	})
	msg := append(golden(t, "flow_removed_idle"), make([]byte, 8)...)
	be.PutUint16(msg[2:], uint16(len(msg)))
	checkInvalid(t, "something behind the match", new(FlowRemoved).Decode(msg), ErrLength,
		"decode flow_removed at byte 64: bad length")
}
