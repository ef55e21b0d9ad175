package openflow

import (
	"bytes"
	"testing"
)

var prefix = []byte("prefix")

// appended reports whether an Append function has appended its message to what it was given.
func appended(before, after []byte) bool { return len(after) > len(before) }

// encoders has every Append function once, with arguments of its own.
func encoders(t testing.TB) map[string]func(b []byte, xid uint32) []byte {
	actions := unhex(t, "0000001000000001ffff000000000000")
	bucket := AppendBucket(nil, 1, PortAny, GroupAny, actions)
	inner := AppendBarrierRequest(nil, 1)
	fm := NewFlowMod()
	fm.Match = unhex(t, "8000000400000001")
	fm.Instructions = unhex(t, "0001000801000000")
	return map[string]func(b []byte, xid uint32) []byte{
		"hello": AppendHello,
		"error": func(b []byte, x uint32) []byte { return AppendError(b, x, 1, 2, inner) },
		"experimenter error": func(b []byte, x uint32) []byte {
			return AppendExperimenterError(b, x, ExperimenterONF, 2300, inner)
		},
		"echo request":     func(b []byte, x uint32) []byte { return AppendEchoRequest(b, x, []byte("x")) },
		"echo reply":       func(b []byte, x uint32) []byte { return AppendEchoReply(b, x, nil) },
		"features request": AppendFeaturesRequest,
		"features reply": func(b []byte, x uint32) []byte {
			return AppendFeaturesReply(b, x, &FeaturesReply{DatapathID: 1})
		},
		"get config reply":  func(b []byte, x uint32) []byte { return AppendGetConfigReply(b, x, SwitchConfig{}) },
		"set config":        func(b []byte, x uint32) []byte { return AppendSetConfig(b, x, 1, 2) },
		"barrier request":   AppendBarrierRequest,
		"barrier reply":     AppendBarrierReply,
		"role request":      func(b []byte, x uint32) []byte { return AppendRoleRequest(b, x, RoleMaster, 1) },
		"role reply":        func(b []byte, x uint32) []byte { return AppendRoleReply(b, x, RoleMaster, 1) },
		"set async":         func(b []byte, x uint32) []byte { return AppendSetAsync(b, x, AsyncConfig{}) },
		"multipart request": func(b []byte, x uint32) []byte { return AppendMultipartRequest(b, x, 1, actions) },
		"multipart reply":   func(b []byte, x uint32) []byte { return AppendMultipartReply(b, x, 1, true, actions) },
		"flow request": func(b []byte, x uint32) []byte {
			return AppendFlowStatsRequest(b, x, FlowStatsRequest{})
		},
		"group desc request": AppendGroupDescRequest,
		"meter request":      func(b []byte, x uint32) []byte { return AppendMeterConfigRequest(b, x, 1) },
		"port desc request":  AppendPortDescRequest,
		"port stats request": func(b []byte, x uint32) []byte { return AppendPortStatsRequest(b, x, 1) },
		"desc request":       AppendDescRequest,
		"packet out":         func(b []byte, x uint32) []byte { return AppendPacketOut(b, x, 1, actions, prefix) },
		"packet in":          func(b []byte, x uint32) []byte { return AppendPacketIn(b, x, &PacketIn{TunnelID: 1}) },
		"flow mod":           func(b []byte, x uint32) []byte { return AppendFlowMod(b, x, FlowAdd, &fm) },
		"flow removed": func(b []byte, x uint32) []byte {
			return AppendFlowRemoved(b, x, &FlowRemoved{Match: fm.Match})
		},
		"port status": func(b []byte, x uint32) []byte { return AppendPortStatus(b, x, &PortStatus{}) },
		"group mod": func(b []byte, x uint32) []byte {
			return AppendGroupMod(b, x, GroupAdd, GroupTypeAll, 1, bucket)
		},
		"meter mod": func(b []byte, x uint32) []byte {
			return AppendMeterMod(b, x, MeterAdd, MeterPktps, 1, 2, 3)
		},
		"bundle control": func(b []byte, x uint32) []byte {
			return AppendBundleControl(b, x, 1, BundleOpenRequest, 3)
		},
		"bundle add": func(b []byte, x uint32) []byte { return AppendBundleAdd(b, x, 1, 3, inner) },
	}
}

// handwritten reports whether our own code writes the message, which then must not allocate.
func handwritten(name string) bool {
	switch name {
	case "features request", "set config", "group mod", "meter mod", "bundle control":
		return false
	}
	return true
}

func TestAppend(t *testing.T) {
	for name, f := range encoders(t) {
		got := f(bytes.Clone(prefix), 0x01020304)
		if !appended(prefix, got) || !bytes.HasPrefix(got, prefix) {
			t.Errorf("%s: not appended: %x", name, got)
			continue
		}
		msg := got[len(prefix):]
		h, err := DecodeHeader(msg)
		if err != nil || h.Version != Version || int(h.Length) != len(msg) || h.Xid != 0x01020304 {
			t.Errorf("%s: header %+v %v of %d bytes", name, h, err, len(msg))
		}
		b := make([]byte, 0, 4096)
		if n := testing.AllocsPerRun(100, func() { f(b, 1) }); n != 0 && handwritten(name) {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// TestAppendTooLong gives each encoder that takes bytes just what fits, and one unit more.
func TestAppendTooLong(t *testing.T) {
	zeros := make([]byte, MaxLen+16)
	message := func(n int) []byte { return AppendEchoRequest(nil, 1, zeros[:n-HeaderLen]) }
	// Buckets and actions come in units of 8 bytes.
	bucket := func(n int) []byte {
		var actions []byte
		for range (n - bucketFixed) / 8 {
			actions = append(actions, 0, byte(ActionPopVLAN), 0, 8, 0, 0, 0, 0)
		}
		return AppendBucket(nil, 0, PortAny, GroupAny, actions)
	}
	for _, c := range []struct {
		name string
		max  int
		step int
		f    func(n int) []byte
	}{
		{"echo request", MaxLen - 8, 1, func(n int) []byte { return AppendEchoRequest(prefix, 1, zeros[:n]) }},
		{"echo reply", MaxLen - 8, 1, func(n int) []byte { return AppendEchoReply(prefix, 1, zeros[:n]) }},
		{
			"multipart request", MaxLen - 16, 1, func(n int) []byte {
				return AppendMultipartRequest(prefix, 1, 1, zeros[:n])
			},
		},
		{
			"multipart reply", MaxLen - 16, 1, func(n int) []byte {
				return AppendMultipartReply(prefix, 1, 1, false, zeros[:n])
			},
		},
		{
			"packet out data", MaxLen - 24, 1, func(n int) []byte {
				return AppendPacketOut(prefix, 1, 1, nil, zeros[:n])
			},
		},
		{
			"packet out actions", MaxLen - 24, 1, func(n int) []byte {
				return AppendPacketOut(prefix, 1, 1, zeros[:n], nil)
			},
		},
		{
			"packet in", MaxLen - 24 - 16 - 2, 1, func(n int) []byte {
				return AppendPacketIn(prefix, 1, &PacketIn{Data: zeros[:n]})
			},
		},
		{
			"flow mod match", 65528 - 48 - 4, 1, func(n int) []byte {
				return AppendFlowMod(prefix, 1, 0, &FlowMod{Match: zeros[:n]})
			},
		},
		{
			"flow mod instructions", 65528 - 56, 8, func(n int) []byte {
				return AppendFlowMod(prefix, 1, 0, &FlowMod{Instructions: zeros[:n]})
			},
		},
		{
			"flow removed", 65528 - 48 - 4, 1, func(n int) []byte {
				return AppendFlowRemoved(prefix, 1, &FlowRemoved{Match: zeros[:n]})
			},
		},
		{
			"flow request", 65528 - 48 - 4, 1, func(n int) []byte {
				return AppendFlowStatsRequest(prefix, 1, FlowStatsRequest{Match: zeros[:n]})
			},
		},
		{
			"flow stats", 65528 - 48 - 4, 1, func(n int) []byte {
				return AppendFlowStats(prefix, &FlowStats{Match: zeros[:n]})
			},
		},
		{
			"group desc", MaxLen - 8, 1, func(n int) []byte {
				return AppendGroupDesc(prefix, &GroupDesc{Buckets: zeros[:n]})
			},
		},
		{
			"meter config", MaxLen - 8, 1, func(n int) []byte {
				return AppendMeterConfig(prefix, &MeterConfig{Bands: zeros[:n]})
			},
		},
		{"bucket", 65528 - 16, 1, func(n int) []byte { return AppendBucket(prefix, 0, 0, 0, zeros[:n]) }},
		{"bundle add", MaxLen - 24, 1, func(n int) []byte { return AppendBundleAdd(prefix, 1, 1, 0, message(n)) }},
		{"group mod", 65528 - 16, 8, func(n int) []byte { return AppendGroupMod(prefix, 1, 0, 0, 1, bucket(n)) }},
	} {
		if got := c.f(c.max); !appended(prefix, got) {
			t.Errorf("%s: %d bytes do not fit", c.name, c.max)
		}
		if got := c.f(c.max + c.step); appended(prefix, got) || !bytes.Equal(got, prefix) {
			t.Errorf("%s: %d bytes fit: %d appended", c.name, c.max+c.step, len(got))
		}
	}
}
