package openflow

import (
	"errors"
	"testing"
)

func TestValidateActions(t *testing.T) {
	for _, c := range []struct {
		name, hex string
		err       error
		text      string
	}{
		{"none", "", nil, ""},
		{"output", "00000010 00000001 ffff0000 00000000", nil, ""},
		{"two", "0012000800000000 0016000800000001", nil, ""},
		{"set_field", "00190010 80000c02 100a0000 00000000", nil, ""},
		{"set_field without padding", "00190010 80000408 00000000 00000000", nil, ""},
		{
			"set_field too long", "00190018 80000408 00000000 00000000 00000000 00000000", ErrLength,
			"decode actions: action 1 at byte 2: bad length",
		},
		{"nicira", "ffff0010 00002320 000efff8 01000000", nil, ""},
		{"unknown type", "1234000800000000", nil, ""},
		{"length 0", "0012000000000000", ErrLength, "decode actions: action 1 at byte 2: bad length"},
		{"below header", "0012000400000000", ErrLength, "decode actions: action 1 at byte 2: bad length"},
		{
			"unaligned", "00000011 00000001 ffff0000 00000000 00", ErrLength,
			"decode actions: action 1 at byte 2: bad length",
		},
		{"beyond parent", "0012000800000000 ffff001000002320", ErrShort, "decode actions: action 2 at byte 10: short"},
		{"rest too short", "0012000800000000 0012", ErrShort, "decode actions: action 2 at byte 8: short"},
		{"output too short", "0000000800000001", ErrLength, "decode actions: action 1 at byte 2: bad length"},
		{
			"group too long", "00160010 00000001 00000000 00000000", ErrLength,
			"decode actions: action 1 at byte 2: bad length",
		},
		{
			"set_field beyond", "00190010 80000c10 100a0000 00000000", ErrLength,
			"decode actions: action 1 at byte 2: bad length",
		},
	} {
		checkInvalid(t, c.name, ValidateActions(unhex(t, c.hex)), c.err, c.text)
	}
}

func TestValidateInstructions(t *testing.T) {
	for _, c := range []struct {
		name, hex string
		err       error
		text      string
	}{
		{"none", "", nil, ""},
		{"goto", "0001000807000000", nil, ""},
		{"meter, apply, goto", "0006000800000007 0004001000000000 0012000800000000 0001000807000000", nil, ""},
		{"clear", "0005000800000000", nil, ""},
		{"experimenter", "ffff0010 00000001 00000000 00000000", nil, ""},
		{"length 0", "0001000007000000", ErrLength, "decode instructions: instruction 1 at byte 2: bad length"},
		{
			"unaligned", "0004000c 00000000 00000000 00000000", ErrLength,
			"decode instructions: instruction 1 at byte 2: bad length",
		},
		{"beyond parent", "0004001000000000", ErrShort, "decode instructions: instruction 1 at byte 2: short"},
		{"short", "00010008", ErrShort, "decode instructions: instruction 1 at byte 0: short"},
		{
			"goto too long", "00010010070000000000000000000000", ErrLength,
			"decode instructions: instruction 1 at byte 2: bad length",
		},
		{
			"metadata too short", "0002001000000000 0000000000000000", ErrLength,
			"decode instructions: instruction 1 at byte 2: bad length",
		},
		{
			"clear with actions", "0005001000000000 0012000800000000", ErrLength,
			"decode instructions: instruction 1 at byte 2: bad length",
		},
		{
			"action inside", "0005000800000000 0004001000000000 0012001000000000", ErrShort,
			"decode instructions: instructions: action 1 at byte 18: short",
		},
	} {
		checkInvalid(t, c.name, ValidateInstructions(unhex(t, c.hex)), c.err, c.text)
	}
}

func TestValidateMatch(t *testing.T) {
	for _, c := range []struct {
		name, hex string
		err       error
		text      string
	}{
		{"none", "", nil, ""},
		{"two", "80000004 00000001 80000c02 100a", nil, ""},
		{"masked", "80000708 ff 00 00 00 00 00 00 00", nil, ""},
		{"masked odd", "80000703 ffffff", ErrLength, "decode match: field 1 at byte 3: bad length"},
		{"beyond", "80000004 00000001 80000c02 10", ErrShort, "decode match: field 2 at byte 8: short"},
		{"half a header", "80000004 00000001 8000", ErrShort, "decode match: field 2 at byte 8: short"},
		{"experimenter", "ffff0206 4f4e4600 0000", nil, ""},
		{"experimenter without id", "ffff0202 4f4e", ErrLength, "decode match: field 1 at byte 3: bad length"},
	} {
		checkInvalid(t, c.name, ValidateMatch(unhex(t, c.hex)), c.err, c.text)
	}
}

func checkInvalid(t *testing.T, name string, got, want error, text string) {
	t.Helper()
	if want == nil {
		if got != nil {
			t.Errorf("%s: %v", name, got)
		}
		return
	}
	if !errors.Is(got, want) || got.Error() != text {
		t.Errorf("%s: got %v, want %s", name, got, text)
	}
}
