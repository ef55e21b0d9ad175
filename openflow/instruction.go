package openflow

// Instruction types (spec 7.2.4).
const (
	InstructionGotoTable     uint16 = 1
	InstructionWriteMetadata uint16 = 2
	InstructionWriteActions  uint16 = 3
	InstructionApplyActions  uint16 = 4
	InstructionClearActions  uint16 = 5
	InstructionMeter         uint16 = 6
)

// ValidateInstructions checks that b is a list of instructions that fills b exactly, with well-formed actions inside:
// every length a multiple of 8, at least 8, within its parent, and the one that the type asks for (spec 7.2.4).
func ValidateInstructions(b []byte) error {
	if e := validateInstructions(b); e != nil {
		return e.in("instructions", 0)
	}
	return nil
}

func validateInstructions(b []byte) *DecodeError {
	for i, n := 0, 1; i < len(b); n++ {
		size, e := cutElement(b, i, 8, "instruction", n)
		if e != nil {
			return e
		}
		ok := true
		switch be.Uint16(b[i:]) {
		case InstructionGotoTable, InstructionClearActions, InstructionMeter:
			ok = size == 8
		case InstructionWriteMetadata:
			ok = size == 24
		case InstructionWriteActions, InstructionApplyActions:
			if e := validateActions(b[i+8 : i+size]); e != nil {
				return e.under("instructions", i+8)
			}
		}
		if !ok {
			return &DecodeError{Part: "instruction", Index: n, Offset: i + 2, Err: ErrLength}
		}
		i += size
	}
	return nil
}
