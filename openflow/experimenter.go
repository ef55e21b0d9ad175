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
