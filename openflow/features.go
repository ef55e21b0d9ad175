package openflow

// Bits of FeaturesReply.Capabilities (spec 7.3.1).
const (
	CapFlowStats  uint32 = 1 << 0
	CapTableStats uint32 = 1 << 1
	CapPortStats  uint32 = 1 << 2
	CapGroupStats uint32 = 1 << 3
	CapQueueStats uint32 = 1 << 6
)

// FeaturesReply says who the switch is (spec 7.3.1).
type FeaturesReply struct {
	DatapathID   DatapathID
	NBuffers     uint32 // packets it can buffer
	NTables      uint8
	AuxiliaryID  uint8 // 0 on the main connection
	Capabilities uint32
}

const featuresReplyLen = 32

// Decode reads a features reply.
func (m *FeaturesReply) Decode(msg []byte) error {
	if e := checkFixed(msg, TypeFeaturesReply, featuresReplyLen); e != nil {
		return e
	}
	*m = FeaturesReply{
		DatapathID:   DatapathID(be.Uint64(msg[8:])),
		NBuffers:     be.Uint32(msg[16:]),
		NTables:      msg[20],
		AuxiliaryID:  msg[21],
		Capabilities: be.Uint32(msg[24:]),
	}
	return nil
}

// AppendFeaturesReply appends a features reply.
func AppendFeaturesReply(b []byte, xid uint32, m *FeaturesReply) []byte {
	b = appendHeader(b, TypeFeaturesReply, featuresReplyLen, xid)
	b = be.AppendUint64(b, uint64(m.DatapathID))
	b = be.AppendUint32(b, m.NBuffers)
	b = append(b, m.NTables, m.AuxiliaryID, 0, 0)
	b = be.AppendUint32(b, m.Capabilities)
	return appendZeros(b, 4)
}
