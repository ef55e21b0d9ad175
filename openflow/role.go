package openflow

// Controller roles (spec 7.3.9).
const (
	RoleNoChange uint32 = 0
	RoleEqual    uint32 = 1
	RoleMaster   uint32 = 2
	RoleSlave    uint32 = 3
)

// RoleName returns the role in words, or "unknown".
func RoleName(role uint32) string {
	switch role {
	case RoleNoChange:
		return "nochange"
	case RoleEqual:
		return "equal"
	case RoleMaster:
		return "master"
	case RoleSlave:
		return "slave"
	}
	return "unknown"
}

// RoleReply says which role the controller has now (spec 7.3.9).
type RoleReply struct {
	Role         uint32
	GenerationID uint64 // all ones when the switch has none yet
}

const roleLen = 24

// Decode reads a role reply.
func (m *RoleReply) Decode(msg []byte) error { return m.decode(msg, TypeRoleReply) }

func (m *RoleReply) decode(msg []byte, t Type) error {
	if e := checkFixed(msg, t, roleLen); e != nil {
		return e
	}
	m.Role = be.Uint32(msg[8:])
	m.GenerationID = be.Uint64(msg[16:])
	return nil
}

// RoleRequest asks for a role (spec 7.3.9).
type RoleRequest RoleReply

// Decode reads a role request.
func (m *RoleRequest) Decode(msg []byte) error {
	return (*RoleReply)(m).decode(msg, TypeRoleRequest)
}

// AppendRoleRequest appends a role request. The switch looks at the generation for master and slave only.
func AppendRoleRequest(b []byte, xid, role uint32, generation uint64) []byte {
	return appendRole(b, TypeRoleRequest, xid, role, generation)
}

func appendRole(b []byte, t Type, xid, role uint32, generation uint64) []byte {
	b = appendHeader(b, t, roleLen, xid)
	b = be.AppendUint32(b, role)
	b = appendZeros(b, 4)
	return be.AppendUint64(b, generation)
}

// AppendRoleReply appends a role reply; xid is that of the request.
func AppendRoleReply(b []byte, xid, role uint32, generation uint64) []byte {
	return appendRole(b, TypeRoleReply, xid, role, generation)
}
