package openflow

// Multipart types (spec 7.3.5).
const (
	MultipartDesc         uint16 = 0
	MultipartFlow         uint16 = 1
	MultipartAggregate    uint16 = 2
	MultipartPortStats    uint16 = 4
	MultipartGroupDesc    uint16 = 7
	MultipartMeterConfig  uint16 = 10
	MultipartPortDesc     uint16 = 13
	MultipartExperimenter uint16 = 0xffff
)

var multipartNames = [...]string{
	"desc", "flow", "aggregate", "table", "port_stats", "queue", "group", "group_desc", "group_features",
	"meter", "meter_config", "meter_features", "table_features", "port_desc",
}

// MultipartName returns the multipart type in snake case, or "multipart_N".
func MultipartName(typ uint16) string {
	if typ == MultipartExperimenter {
		return "experimenter"
	}
	return nameOf(multipartNames[:], "multipart_", int(typ))
}

// multipartMore is the flag that says that another part with the same xid follows, in requests and replies alike.
const multipartMore = 1

const multipartFixed = 16 // header, type, flags and padding

// Multipart is one part of a multipart reply (spec 7.3.5).
type Multipart struct {
	Type uint16
	More bool   // another part follows
	Body []byte // entries, or the one body of the type; aliases the message
}

// Decode reads one part of a multipart reply, but not what its body says.
func (m *Multipart) Decode(msg []byte) error { return m.decode(msg, TypeMultipartReply) }

func (m *Multipart) decode(msg []byte, t Type) error {
	if e := checkHeader(msg, t, multipartFixed); e != nil {
		return e
	}
	*m = Multipart{
		Type: be.Uint16(msg[8:]),
		More: be.Uint16(msg[10:])&multipartMore != 0,
		Body: clip(msg[multipartFixed:]),
	}
	return nil
}

// MultipartRequest is a multipart request.
type MultipartRequest Multipart

// Decode reads a multipart request, but not what its body says.
func (m *MultipartRequest) Decode(msg []byte) error {
	return (*Multipart)(m).decode(msg, TypeMultipartRequest)
}

// AppendMultipartRequest appends a multipart request of one part. It appends nothing when body is too long.
func AppendMultipartRequest(b []byte, xid uint32, typ uint16, body []byte) []byte {
	n := multipartFixed + len(body)
	if n > MaxLen {
		return b
	}
	return append(appendMultipartFixed(b, TypeMultipartRequest, n, xid, typ, false), body...)
}

// AppendDescRequest appends a request for the [SwitchDesc].
func AppendDescRequest(b []byte, xid uint32) []byte {
	return AppendMultipartRequest(b, xid, MultipartDesc, nil)
}

// AppendPortDescRequest appends a request for the [PortDesc] of all ports.
func AppendPortDescRequest(b []byte, xid uint32) []byte {
	return AppendMultipartRequest(b, xid, MultipartPortDesc, nil)
}

// AppendGroupDescRequest appends a request for the [GroupDesc] of all groups.
func AppendGroupDescRequest(b []byte, xid uint32) []byte {
	return AppendMultipartRequest(b, xid, MultipartGroupDesc, nil)
}

// AppendPortStatsRequest appends a request for the [PortStats] of one port, or with [PortAny] of all.
func AppendPortStatsRequest(b []byte, xid uint32, port PortNo) []byte {
	return appendIDRequest(b, xid, MultipartPortStats, uint32(port))
}

// AppendMeterConfigRequest appends a request for the [MeterConfig] of one meter, or with [MeterAll] of all.
func AppendMeterConfigRequest(b []byte, xid, id uint32) []byte {
	return appendIDRequest(b, xid, MultipartMeterConfig, id)
}

// appendIDRequest appends a multipart request whose body is an id and 4 bytes of padding.
func appendIDRequest(b []byte, xid uint32, typ uint16, id uint32) []byte {
	b = appendMultipartFixed(b, TypeMultipartRequest, multipartFixed+8, xid, typ, false)
	b = be.AppendUint32(b, id)
	return appendZeros(b, 4)
}

// appendMultipartFixed appends all of a multipart message of n bytes that comes before its body.
func appendMultipartFixed(b []byte, t Type, n int, xid uint32, typ uint16, more bool) []byte {
	b = appendHeader(b, t, n, xid)
	var flags byte
	if more {
		flags = multipartMore
	}
	return append(b, byte(typ>>8), byte(typ), 0, flags, 0, 0, 0, 0)
}

// AppendMultipartReply appends one part of a multipart reply; xid is that of the request. It appends nothing when body
// is too long: then it has to be sent in several parts, all but the last with more.
func AppendMultipartReply(b []byte, xid uint32, typ uint16, more bool, body []byte) []byte {
	n := multipartFixed + len(body)
	if n > MaxLen {
		return b
	}
	return append(appendMultipartFixed(b, TypeMultipartReply, n, xid, typ, more), body...)
}
