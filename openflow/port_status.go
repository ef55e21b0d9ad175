package openflow

// PortReason says what happened to a port (spec 7.4.3).
type PortReason uint8

// Reasons of a port-status.
const (
	PortAdd    PortReason = 0
	PortDelete PortReason = 1
	PortModify PortReason = 2
)

var portReasons = [...]string{"add", "delete", "modify"}

// String returns the reason, or "reason_N".
func (r PortReason) String() string {
	return nameOf(portReasons[:], "reason_", int(r))
}

// PortStatus tells that a port was added, changed or deleted (spec 7.4.3).
type PortStatus struct {
	Reason PortReason
	Desc   PortDesc
}

const portStatusLen = 16 + PortDescLen

// Decode reads a port-status. It allocates the name of the port.
func (m *PortStatus) Decode(msg []byte) error {
	if e := checkFixed(msg, TypePortStatus, portStatusLen); e != nil {
		return e
	}
	m.Reason = PortReason(msg[8])
	m.Desc.decode(msg[16:])
	return nil
}

// AppendPortStatus appends a port-status.
func AppendPortStatus(b []byte, xid uint32, m *PortStatus) []byte {
	b = appendHeader(b, TypePortStatus, portStatusLen, xid)
	b = append(b, byte(m.Reason), 0, 0, 0, 0, 0, 0, 0)
	return AppendPortDesc(b, &m.Desc)
}
