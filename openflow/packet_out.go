package openflow

// PacketOut sends a packet through the switch (spec 7.3.7).
type PacketOut struct {
	BufferID uint32
	InPort   PortNo
	Actions  []byte // well-formed; aliases the message
	Data     []byte // the frame; aliases the message
}

const packetOutFixed = 24 // bytes before the actions

// Decode reads a packet-out.
func (m *PacketOut) Decode(msg []byte) error {
	if e := checkHeader(msg, TypePacketOut, packetOutFixed); e != nil {
		return e
	}
	end := packetOutFixed + int(be.Uint16(msg[16:]))
	if end > len(msg) {
		return &DecodeError{Message: "packet_out", Offset: 16, Err: ErrShort}
	}
	if e := validateActions(msg[packetOutFixed:end]); e != nil {
		return e.in("packet_out", packetOutFixed)
	}
	*m = PacketOut{
		BufferID: be.Uint32(msg[8:]),
		InPort:   PortNo(be.Uint32(msg[12:])),
		Actions:  msg[packetOutFixed:end:end],
		Data:     clip(msg[end:]),
	}
	return nil
}

// AppendPacketOut appends a packet-out with the whole frame in data. With the action output to [PortTable] the frame
// enters the first table as if it had come in by inPort. It appends nothing when the message is too long.
func AppendPacketOut(b []byte, xid uint32, inPort PortNo, actions, data []byte) []byte {
	n := packetOutFixed + len(actions) + len(data)
	if n > MaxLen {
		return b
	}
	b = appendHeader(b, TypePacketOut, n, xid)
	b = be.AppendUint32(b, BufferNone)
	b = be.AppendUint32(b, uint32(inPort))
	b = append(b, byte(len(actions)>>8), byte(len(actions)), 0, 0, 0, 0, 0, 0)
	b = append(b, actions...)
	return append(b, data...)
}
