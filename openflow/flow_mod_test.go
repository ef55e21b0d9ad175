package openflow

import (
	"errors"
	"testing"
)

func TestFlowModDecode(t *testing.T) {
	checkDecode(t, "ofctl_flow_mod_add", &FlowMod{
		Cookie: 0xabc, TableID: 9, Command: FlowAdd, IdleTimeout: 3, HardTimeout: 4, Priority: 7,
		BufferID: BufferNone, OutPort: PortAny, OutGroup: GroupAny, Flags: FlagSendFlowRem | FlagCheckOverlap,
		Match:        unhex(t, "80000004 00000001 80000c02 100a"),
		Instructions: unhex(t, "00020018 00000000 0000000000000012 00000000000000ff 00010008 0a000000"),
	})
	checkDecode(t, "ofctl_flow_mod_delete", &FlowMod{
		Cookie: 0xabc, CookieMask: 0xfff, TableID: 9, Command: FlowDelete, Priority: 0x8000,
		BufferID: BufferNone, OutPort: 3, OutGroup: 4, Match: []byte{}, Instructions: []byte{},
	})
}

func TestNewFlowModDeletesWithoutFilter(t *testing.T) {
	f := NewFlowMod()
	f.TableID, f.Priority = TableAll, 0x8000
	msg := AppendFlowMod(nil, 2, FlowDelete, &f)
	want := golden(t, "ofctl_flow_mod_delete_all")
	be.PutUint32(want[4:], 2)
	checkEqual(t, "delete all", msg, want)
}

func TestFlowModRejects(t *testing.T) {
	// The match starts at 48 and has 4 + 14 bytes and padding; so the instructions start at 72.
	for name, c := range map[string]struct {
		at    int
		value byte
		err   error
	}{
		"instruction length 0":      {75, 0, ErrLength},
		"instruction length 4":      {75, 4, ErrLength},
		"instruction unaligned":     {75, 0x19, ErrLength},
		"instruction of wrong size": {75, 0x10, ErrLength},
		"instruction beyond":        {74, 1, ErrShort},
		"match beyond":              {50, 1, ErrShort},
		"match type":                {49, 0, ErrType},
		"field beyond":              {63, 3, ErrShort},
	} {
		msg := golden(t, "ofctl_flow_mod_add")
		msg[c.at] = c.value
		if err := new(FlowMod).Decode(msg); !errors.Is(err, c.err) {
			t.Errorf("%s: %v, want %v", name, err, c.err)
		}
	}
}
