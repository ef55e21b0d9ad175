package openflow

// AsyncConfig says which asynchronous messages a controller gets (spec 7.3.10). Each mask has bit r set for the reason
// r of that message. Master holds for the roles master and equal.
type AsyncConfig struct {
	PacketInMaster, PacketInSlave       uint32
	PortStatusMaster, PortStatusSlave   uint32
	FlowRemovedMaster, FlowRemovedSlave uint32
}

const setAsyncLen = 32

// Decode reads a set-async message.
func (m *AsyncConfig) Decode(msg []byte) error {
	if e := checkFixed(msg, TypeSetAsync, setAsyncLen); e != nil {
		return e
	}
	*m = AsyncConfig{
		PacketInMaster: be.Uint32(msg[8:]), PacketInSlave: be.Uint32(msg[12:]),
		PortStatusMaster: be.Uint32(msg[16:]), PortStatusSlave: be.Uint32(msg[20:]),
		FlowRemovedMaster: be.Uint32(msg[24:]), FlowRemovedSlave: be.Uint32(msg[28:]),
	}
	return nil
}

// AppendSetAsync appends a set-async message.
func AppendSetAsync(b []byte, xid uint32, c AsyncConfig) []byte {
	b = appendHeader(b, TypeSetAsync, setAsyncLen, xid)
	b = be.AppendUint32(b, c.PacketInMaster)
	b = be.AppendUint32(b, c.PacketInSlave)
	b = be.AppendUint32(b, c.PortStatusMaster)
	b = be.AppendUint32(b, c.PortStatusSlave)
	b = be.AppendUint32(b, c.FlowRemovedMaster)
	return be.AppendUint32(b, c.FlowRemovedSlave)
}
