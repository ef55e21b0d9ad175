package openflow

import (
	"errors"
	"fmt"
	"reflect"
	"testing"
)

// body returns the body of a golden multipart reply.
func body(t testing.TB, name string, typ uint16) []byte {
	t.Helper()
	var m Multipart
	if err := m.Decode(golden(t, name)); err != nil || m.Type != typ || m.More {
		t.Fatalf("%s: %+v %v", name, m, err)
	}
	return m.Body
}

func TestMultipartMore(t *testing.T) {
	var m Multipart
	if err := m.Decode(AppendMultipartReply(nil, 1, MultipartFlow, true, []byte{1})); err != nil || !m.More ||
		len(m.Body) != 1 {
		t.Error(m, err)
	}
}

func TestSwitchDescDecode(t *testing.T) {
	b := body(t, "multipart_desc", MultipartDesc)
	want := SwitchDesc{
		Manufacturer: "Nicira, Inc.", Hardware: "Open vSwitch", Software: "3.1.0", Serial: "None",
		Datapath: "golden",
	}
	var d SwitchDesc
	if err := d.Decode(b); err != nil || d != want {
		t.Errorf("%+v %v", d, err)
	}
	checkEqual(t, "desc", AppendSwitchDesc(nil, &d), b)
	if err := d.Decode(append(b[:len(b):len(b)], 0)); !errors.Is(err, ErrLength) {
		t.Error(err)
	}
}

func TestFlowStatsDecode(t *testing.T) {
	var flows []FlowStats
	for b := body(t, "multipart_flow", MultipartFlow); len(b) > 0; {
		f, rest, err := DecodeFlowStats(b)
		if err != nil {
			t.Fatal(err)
		}
		checkEqual(t, "flow", AppendFlowStats(nil, &f), b[:len(b)-len(rest)])
		flows = append(flows, f)
		b = rest
	}
	if len(flows) != 22 {
		t.Fatalf("%d flows", len(flows))
	}
	want := FlowStats{
		DurationSec: 3, DurationNsec: 0x21dafe00, Priority: 10, Cookie: 0x0102030405060708, Packets: 2, Bytes: 93,
		Match:        unhex(t, "80000004 00000001"),
		Instructions: unhex(t, "00040018 00000000 00000010 fffffffd ffff0000 00000000"),
	}
	if !reflect.DeepEqual(flows[0], want) {
		t.Errorf("got  %+v\nwant %+v", flows[0], want)
	}
	for _, f := range flows {
		if f.Cookie == 0x123456789 && (f.TableID != 7 || f.IdleTimeout != 300 || f.Flags != FlagSendFlowRem) {
			t.Errorf("got %+v", f)
		}
	}
}

func TestFlowStatsRejects(t *testing.T) {
	for _, c := range []struct {
		name string
		at   int
		v    byte
		err  error
		text string
	}{
		{"length 0", 1, 0, ErrLength, "decode flow_stats at byte 0: bad length"},
		{"length below fixed part", 1, 55, ErrLength, "decode flow_stats at byte 0: bad length"},
		{"length beyond", 0, 0x40, ErrShort, "decode flow_stats at byte 0: short"},
		{"length cuts instructions", 1, 80, ErrShort, "decode flow_stats: instruction 1 at byte 66: short"},
		{"match beyond entry", 51, 80, ErrShort, "decode flow_stats: match at byte 50: short"},
		{"action beyond instruction", 75, 24, ErrShort, "decode flow_stats: instructions: action 1 at byte 74: short"},
		{"field beyond match", 55, 5, ErrShort, "decode flow_stats: match: field 1 at byte 52: short"},
	} {
		b := body(t, "multipart_flow", MultipartFlow)
		b[c.at] = c.v
		_, _, err := DecodeFlowStats(b)
		checkInvalid(t, c.name, err, c.err, c.text)
	}
}

func TestFlowStatsRequest(t *testing.T) {
	want := golden(t, "ofctl_flow_request")
	r := FlowStatsRequest{
		TableID: 9, OutPort: PortAny, OutGroup: GroupAny, Cookie: 5, CookieMask: 0xf,
		Match: unhex(t, "80000004 00000001"),
	}
	checkEqual(t, "flow request", AppendFlowStatsRequest(nil, xid(want), r), want)
	var m MultipartRequest
	if err := m.Decode(want); err != nil || m.Type != MultipartFlow || m.More {
		t.Fatal(m, err)
	}
	var got FlowStatsRequest
	if err := got.Decode(m.Body); err != nil || !reflect.DeepEqual(got, r) {
		t.Error(got, err)
	}
	if err := got.Decode(append(m.Body[:len(m.Body):len(m.Body)], 0)); !errors.Is(err, ErrLength) {
		t.Error(err)
	}
}

// TestRequests compares the requests without arguments, and those with an id, with ovs-ofctl's.
func TestRequests(t *testing.T) {
	for name, f := range map[string]func(b []byte, xid uint32) []byte{
		"ofctl_desc_request":       AppendDescRequest,
		"ofctl_port_desc_request":  AppendPortDescRequest,
		"ofctl_group_desc_request": AppendGroupDescRequest,
		"ofctl_port_stats_request": func(b []byte, x uint32) []byte { return AppendPortStatsRequest(b, x, 1) },
		"ofctl_meter_config_request": func(b []byte, x uint32) []byte {
			return AppendMeterConfigRequest(b, x, MeterAll)
		},
	} {
		want := golden(t, name)
		checkEqual(t, name, f(nil, xid(want)), want)
	}
}

func TestGroupDescDecode(t *testing.T) {
	b := body(t, "multipart_group_desc", MultipartGroupDesc)
	type group struct {
		typ     uint8
		buckets []Bucket
	}
	out := func(port byte) []byte {
		return unhex(t, fmt.Sprintf("00000010 000000%02d ffff0000 00000000", port))
	}
	want := map[uint32]group{
		10: {GroupTypeAll, []Bucket{
			{0, PortAny, GroupAny, append(unhex(t, "0012000800000000"), out(1)...)},
			{0, PortAny, GroupAny, out(5)},
			{0, PortAny, GroupAny, []byte{}},
		}},
		11: {GroupTypeSelect, []Bucket{{3, PortAny, GroupAny, out(1)}, {5, PortAny, GroupAny, out(5)}}},
		12: {GroupTypeFF, []Bucket{{0, 1, GroupAny, out(1)}, {0, 5, GroupAny, out(5)}}},
	}
	got := map[uint32]group{}
	for len(b) > 0 {
		g, rest, err := DecodeGroupDesc(b)
		if err != nil {
			t.Fatal(err)
		}
		checkEqual(t, "group", AppendGroupDesc(nil, &g), b[:len(b)-len(rest)])
		var buckets []Bucket
		for k := g.Buckets; len(k) > 0; {
			bucket, rest, err := DecodeBucket(k)
			if err != nil {
				t.Fatal(err)
			}
			checkEqual(t, "bucket",
				AppendBucket(nil, bucket.Weight, bucket.WatchPort, bucket.WatchGroup,
					bucket.Actions), k[:len(k)-len(rest)])
			buckets = append(buckets, bucket)
			k = rest
		}
		got[g.ID] = group{g.Type, buckets}
		b = rest
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestGroupDescRejects(t *testing.T) {
	for _, c := range []struct {
		name string
		at   int
		v    byte
		err  error
		text string
	}{
		{"length 0", 1, 0, ErrLength, "decode group_desc at byte 0: bad length"},
		{"length beyond", 0, 0x40, ErrShort, "decode group_desc at byte 0: short"},
		{"bucket length 0", 9, 0, ErrLength, "decode group_desc: bucket 1 at byte 8: bad length"},
		{"bucket length 15", 9, 15, ErrLength, "decode group_desc: bucket 1 at byte 8: bad length"},
		{"bucket unaligned", 9, 36, ErrLength, "decode group_desc: bucket 1 at byte 8: bad length"},
		{"bucket beyond", 8, 1, ErrShort, "decode group_desc: bucket 1 at byte 8: short"},
		{"action beyond bucket", 35, 0x28, ErrShort, "decode group_desc: buckets: action 2 at byte 34: short"},
	} {
		b := body(t, "multipart_group_desc", MultipartGroupDesc)
		b[c.at] = c.v
		_, _, err := DecodeGroupDesc(b)
		checkInvalid(t, c.name, err, c.err, c.text)
	}
}

func TestMeterConfigDecode(t *testing.T) {
	for name, want := range map[string]struct {
		flags uint16
		id    uint32
		band  MeterBand
	}{
		"multipart_meter_config":      {MeterPktps | MeterBurst | MeterStats, 7, MeterBand{MeterBandDrop, 100, 10}},
		"multipart_meter_config_kbps": {MeterKbps | MeterBurst, 3, MeterBand{MeterBandDrop, 1000, 200}},
	} {
		b := body(t, name, MultipartMeterConfig)
		m, rest, err := DecodeMeterConfig(b)
		if err != nil || len(rest) != 0 || m.Flags != want.flags || m.ID != want.id {
			t.Errorf("%s: %+v %v", name, m, err)
		}
		checkEqual(t, name, AppendMeterConfig(nil, &m), b)
		band, rest, err := DecodeMeterBand(m.Bands)
		if err != nil || len(rest) != 0 || band != want.band {
			t.Errorf("%s: %+v %v", name, band, err)
		}
	}
	for _, c := range []struct {
		name string
		at   int
		v    byte
		err  error
		text string
	}{
		{"length below fixed part", 1, 7, ErrLength, "decode meter_config at byte 0: bad length"},
		{"band length 0", 11, 0, ErrLength, "decode meter_config: band 1 at byte 10: bad length"},
		{"drop band too long", 11, 24, ErrLength, "decode meter_config: band 1 at byte 10: bad length"},
		{"length cuts band", 1, 20, ErrShort, "decode meter_config: band 1 at byte 20: short"},
	} {
		b := body(t, "multipart_meter_config", MultipartMeterConfig)
		b[c.at] = c.v
		_, _, err := DecodeMeterConfig(b)
		checkInvalid(t, c.name, err, c.err, c.text)
	}
}

func TestMeterBandRejects(t *testing.T) {
	for _, c := range []struct {
		name, hex string
		err       error
		text      string
	}{
		{"remark", "00020010 00000001 00000002 01000000", nil, ""},
		{"experimenter", "ffff0018 00000001 00000002 00000003 0000000000000000", nil, ""},
		{"short", "00010010 00000001", ErrShort, "decode meter_band at byte 8: short"},
		{"unaligned", "ffff0011 00000001 00000002 00000003 00", ErrLength, "decode meter_band at byte 2: bad length"},
		{"beyond", "ffff0018 00000001 00000002 00000003", ErrShort, "decode meter_band at byte 2: short"},
	} {
		_, _, err := DecodeMeterBand(unhex(t, c.hex))
		checkInvalid(t, c.name, err, c.err, c.text)
	}
}

func TestPortStatsDecode(t *testing.T) {
	b := body(t, "multipart_port_stats", MultipartPortStats)
	got := map[PortNo]PortStats{}
	for len(b) > 0 {
		p, rest, err := DecodePortStats(b)
		if err != nil {
			t.Fatal(err)
		}
		checkEqual(t, "port stats", AppendPortStats(nil, &p), b[:portStatsLen])
		got[p.No] = p
		b = rest
	}
	p := got[6] // received the two packets that packet_in_tunnel6 is one of, 55 bytes each
	if len(got) != 4 || p.RxPackets != 2 || p.RxBytes != 110 || p.TxPackets != 0 || p.RxDropped != ^uint64(0) ||
		p.DurationSec == 0 {
		t.Errorf("%+v", got)
	}
	if _, _, err := DecodePortStats(make([]byte, portStatsLen-1)); !errors.Is(err, ErrShort) {
		t.Error(err)
	}
}
