package openflow

import (
	"bytes"
	"testing"
)

// Every target decodes a copy that has no capacity behind its length, so that a read beyond it panics.

// FuzzDecode takes any message. What decodes must encode and decode to the same.
func FuzzDecode(f *testing.F) {
	for _, name := range goldenNames(f) {
		f.Add(golden(f, name))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > MaxLen {
			return
		}
		msg := bytes.Clone(b)[:len(b):len(b)]
		if len(msg) >= 4 { // most mutations change the length; a frame reader hands over whole messages only
			be.PutUint16(msg[2:], uint16(len(msg)))
		}
		m, err := decodeAny(msg)
		if err != nil {
			if err.Error() == "" {
				t.Error("an error says nothing")
			}
			return
		}
		if !bytes.Equal(msg[4:], b[4:]) {
			t.Error("decoding wrote into the message")
		}
		if m != nil {
			checkRoundTrip(t, m, xid(msg))
		}
	})
}

// fuzzEntries fuzzes a function that decodes one entry of a list. step returns the entry encoded again.
func fuzzEntries(f *testing.F, golden string, typ uint16,
	step func(t *testing.T, b []byte) (again, rest []byte, err error),
) {
	f.Helper()
	f.Add(body(f, golden, typ))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > MaxLen {
			return
		}
		b = bytes.Clone(b)[:len(b):len(b)]
		for len(b) > 0 {
			again, rest, err := step(t, b)
			if err != nil {
				return
			}
			if len(rest) >= len(b) {
				t.Fatalf("no progress: %d bytes, then %d", len(b), len(rest))
			}
			third, end, err := step(t, again)
			if err != nil || len(end) != 0 || !bytes.Equal(third, again) {
				t.Fatalf("decode after encode: %v\n%x\n%x", err, again, third)
			}
			b = rest
		}
	})
}

func FuzzFlowStats(f *testing.F) {
	fuzzEntries(f, "multipart_flow", MultipartFlow, func(t *testing.T, b []byte) ([]byte, []byte, error) {
		s, rest, err := DecodeFlowStats(b)
		if err == nil && (ValidateMatch(s.Match) != nil || ValidateInstructions(s.Instructions) != nil) {
			t.Error("what the entry holds is not valid")
		}
		return AppendFlowStats(nil, &s), rest, err
	})
}

func FuzzGroupDesc(f *testing.F) {
	fuzzEntries(f, "multipart_group_desc", MultipartGroupDesc, func(t *testing.T, b []byte) ([]byte, []byte, error) {
		g, rest, err := DecodeGroupDesc(b)
		if err == nil {
			for k := g.Buckets; len(k) > 0; {
				var bucket Bucket
				if bucket, k, err = DecodeBucket(k); err != nil || ValidateActions(bucket.Actions) != nil {
					t.Fatalf("a bucket that was checked fails: %v", err)
				}
			}
		}
		return AppendGroupDesc(nil, &g), rest, err
	})
}

func FuzzMeterConfig(f *testing.F) {
	fuzzEntries(f, "multipart_meter_config", MultipartMeterConfig,
		func(t *testing.T, b []byte) ([]byte, []byte, error) {
			m, rest, err := DecodeMeterConfig(b)
			if err == nil && walkBands(m.Bands) != nil {
				t.Error("a band that was checked fails")
			}
			return AppendMeterConfig(nil, &m), rest, err
		})
}

func FuzzPortDesc(f *testing.F) {
	fuzzEntries(f, "multipart_port_desc", MultipartPortDesc, func(_ *testing.T, b []byte) ([]byte, []byte, error) {
		p, rest, err := DecodePortDesc(b)
		return AppendPortDesc(nil, &p), rest, err
	})
}

func FuzzPortStats(f *testing.F) {
	fuzzEntries(f, "multipart_port_stats", MultipartPortStats, func(_ *testing.T, b []byte) ([]byte, []byte, error) {
		p, rest, err := DecodePortStats(b)
		return AppendPortStats(nil, &p), rest, err
	})
}

func FuzzSwitchDesc(f *testing.F) {
	fuzzEntries(f, "multipart_desc", MultipartDesc, func(_ *testing.T, b []byte) ([]byte, []byte, error) {
		var d SwitchDesc
		err := d.Decode(b)
		return AppendSwitchDesc(nil, &d), nil, err
	})
}

func FuzzFlowStatsRequest(f *testing.F) {
	var m MultipartRequest
	if err := m.Decode(golden(f, "ofctl_flow_request")); err != nil {
		f.Fatal(err)
	}
	f.Add(m.Body)
	f.Fuzz(func(t *testing.T, b []byte) {
		var r FlowStatsRequest
		if len(b) > MaxLen-multipartFixed || r.Decode(bytes.Clone(b)[:len(b):len(b)]) != nil {
			return
		}
		msg := AppendFlowStatsRequest(nil, 1, r)
		var again FlowStatsRequest
		if err := again.Decode(msg[multipartFixed:]); err != nil || !equalMessages(&r, &again) {
			t.Fatalf("%v: %+v, then %+v", err, r, again)
		}
	})
}
