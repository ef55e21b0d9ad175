package openflow

// Action types (spec 7.2.5).
const (
	ActionOutput       uint16 = 0
	ActionCopyTTLOut   uint16 = 11
	ActionCopyTTLIn    uint16 = 12
	ActionSetMPLSTTL   uint16 = 15
	ActionDecMPLSTTL   uint16 = 16
	ActionPushVLAN     uint16 = 17
	ActionPopVLAN      uint16 = 18
	ActionPushMPLS     uint16 = 19
	ActionPopMPLS      uint16 = 20
	ActionSetQueue     uint16 = 21
	ActionGroup        uint16 = 22
	ActionSetNwTTL     uint16 = 23
	ActionDecNwTTL     uint16 = 24
	ActionSetField     uint16 = 25
	ActionPushPBB      uint16 = 26
	ActionPopPBB       uint16 = 27
	ActionExperimenter uint16 = 0xffff
)

// ValidateActions checks that b is a list of actions that fills b exactly: every length a multiple of 8, at least 8,
// within b, and the one that the type asks for where OpenFlow 1.3 defines the type (spec 7.2.5). What an experimenter
// action has inside is not looked at.
func ValidateActions(b []byte) error {
	if e := validateActions(b); e != nil {
		return e.in("actions", 0)
	}
	return nil
}

func validateActions(b []byte) *DecodeError {
	for i, n := 0, 1; i < len(b); n++ {
		size, e := cutElement(b, i, 8, "action", n)
		if e != nil {
			return e
		}
		if !actionSizeOK(b[i : i+size]) {
			return &DecodeError{Part: "action", Index: n, Offset: i + 2, Err: ErrLength}
		}
		i += size
	}
	return nil
}

// actionSizeOK checks the length of one framed action against its type.
func actionSizeOK(a []byte) bool {
	switch be.Uint16(a) {
	case ActionOutput:
		return len(a) == 16
	case ActionCopyTTLOut, ActionCopyTTLIn, ActionSetMPLSTTL, ActionDecMPLSTTL, ActionPushVLAN, ActionPopVLAN,
		ActionPushMPLS, ActionPopMPLS, ActionSetQueue, ActionGroup, ActionSetNwTTL, ActionDecNwTTL,
		ActionPushPBB, ActionPopPBB:
		return len(a) == 8
	case ActionSetField:
		// One OXM TLV after the 4-byte action header, then padding.
		return oxmSizeOK(be.Uint32(a[4:])) && len(a) == pad8(8+int(a[7]))
	}
	return true
}
