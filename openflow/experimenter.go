package openflow

// Experimenter ids.
const (
	ExperimenterONF    uint32 = 0x4f4e4600 // extensions of the Open Networking Foundation: bundles in OpenFlow 1.3
	ExperimenterNicira uint32 = 0x00002320 // extensions of Open vSwitch
)

// Experimenter is an experimenter message of any kind (spec 7.5.4).
type Experimenter struct {
	ID      uint32
	Subtype uint32
	Body    []byte // aliases the message
}

const experimenterLen = 16 // header, id and subtype

// Decode reads an experimenter message.
func (m *Experimenter) Decode(msg []byte) error {
	if e := checkHeader(msg, TypeExperimenter, experimenterLen); e != nil {
		return e
	}
	*m = Experimenter{ID: be.Uint32(msg[8:]), Subtype: be.Uint32(msg[12:]), Body: clip(msg[experimenterLen:])}
	return nil
}

// checkONF is checkHeader for an experimenter message of ONF.
func checkONF(msg []byte, name string, subtype uint32, min int) *DecodeError {
	if e := checkHeader(msg, TypeExperimenter, min); e != nil {
		return e.in(name, 0)
	}
	if be.Uint32(msg[8:]) != ExperimenterONF {
		return &DecodeError{Message: name, Offset: 8, Err: ErrType}
	}
	if be.Uint32(msg[12:]) != subtype {
		return &DecodeError{Message: name, Offset: 12, Err: ErrType}
	}
	return nil
}

// appendONF appends the fixed part of an experimenter message of ONF with n bytes in all.
func appendONF(b []byte, n int, xid, subtype uint32) []byte {
	b = appendHeader(b, TypeExperimenter, n, xid)
	b = be.AppendUint32(b, ExperimenterONF)
	return be.AppendUint32(b, subtype)
}
