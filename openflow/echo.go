package openflow

// Echo is an echo request or an echo reply (spec 7.5.2, 7.5.3).
type Echo struct {
	Reply bool
	Data  []byte // a reply returns that of its request; aliases the message
}

// Decode reads an echo request or reply.
func (m *Echo) Decode(msg []byte) error {
	t := TypeEchoRequest
	if len(msg) >= 2 && Type(msg[1]) == TypeEchoReply {
		t = TypeEchoReply
	}
	if e := checkHeader(msg, t, HeaderLen); e != nil {
		return e
	}
	m.Reply = t == TypeEchoReply
	m.Data = clip(msg[HeaderLen:])
	return nil
}

// AppendEchoRequest appends an echo request. It appends nothing when data has more than MaxLen-HeaderLen bytes.
func AppendEchoRequest(b []byte, xid uint32, data []byte) []byte {
	return appendData(b, TypeEchoRequest, xid, data)
}

// AppendEchoReply appends an echo reply; xid and data are those of the request. It appends nothing when data has more
// than MaxLen-HeaderLen bytes.
func AppendEchoReply(b []byte, xid uint32, data []byte) []byte {
	return appendData(b, TypeEchoReply, xid, data)
}

// appendData appends a message whose body is data.
func appendData(b []byte, t Type, xid uint32, data []byte) []byte {
	n := HeaderLen + len(data)
	if n > MaxLen {
		return b
	}
	return append(appendHeader(b, t, n, xid), data...)
}
