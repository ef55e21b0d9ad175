package openflow

// Values of the fragment bits in SwitchConfig.Flags (spec 7.3.2).
const (
	FragDrop  uint16 = 1
	FragReasm uint16 = 2
)

// MissSendLenNoBuffer asks for whole packets in packet-ins.
const MissSendLenNoBuffer uint16 = 0xffff

// SwitchConfig is the content of a set-config message and of a get-config reply (spec 7.3.2).
type SwitchConfig struct {
	Flags       uint16
	MissSendLen uint16 // bytes of a missed packet that are sent to the controller
}

const switchConfigLen = 12

// Decode reads a set-config message.
func (m *SwitchConfig) Decode(msg []byte) error {
	if e := checkFixed(msg, TypeSetConfig, switchConfigLen); e != nil {
		return e
	}
	m.Flags = be.Uint16(msg[8:])
	m.MissSendLen = be.Uint16(msg[10:])
	return nil
}

// AppendGetConfigReply appends a get-config reply.
func AppendGetConfigReply(b []byte, xid uint32, m SwitchConfig) []byte {
	b = appendHeader(b, TypeGetConfigReply, switchConfigLen, xid)
	b = be.AppendUint16(b, m.Flags)
	return be.AppendUint16(b, m.MissSendLen)
}
