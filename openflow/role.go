package openflow

// Controller roles (spec 7.3.9).
const (
	RoleNoChange uint32 = 0
	RoleEqual    uint32 = 1
	RoleMaster   uint32 = 2
	RoleSlave    uint32 = 3
)

var roleNames = [...]string{"nochange", "equal", "master", "slave"}

// RoleName returns the role in words, or "unknown".
func RoleName(role uint32) string {
	if int(role) < len(roleNames) {
		return roleNames[role]
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

// Reasons of a [RoleStatus].
const (
	RoleMasterRequest uint8 = 0 // another controller has asked for the role of master
	RoleConfig        uint8 = 1 // the switch's configuration has changed
)

// SubtypeRoleStatus is the ONF experimenter message that brings OpenFlow 1.4's role status (1.4 spec 7.4.4) to 1.3 (ONF
// extension 191).
const SubtypeRoleStatus uint32 = 1911

// RoleStatus says that the switch has changed the controller's role by itself.
type RoleStatus struct {
	Role         uint32
	Reason       uint8
	GenerationID uint64 // all ones when the switch has none
}

const roleStatusLen = experimenterLen + 16

// Decode reads a role status in its form for OpenFlow 1.3.
func (m *RoleStatus) Decode(msg []byte) error {
	if e := checkONF(msg, "role_status", SubtypeRoleStatus, roleStatusLen); e != nil {
		return e
	}
	if len(msg) != roleStatusLen {
		return &DecodeError{Message: "role_status", Offset: 2, Err: ErrLength}
	}
	*m = RoleStatus{Role: be.Uint32(msg[16:]), Reason: msg[20], GenerationID: be.Uint64(msg[24:])}
	return nil
}

// AppendRoleStatus appends a role status in its form for OpenFlow 1.3.
func AppendRoleStatus(b []byte, xid uint32, s RoleStatus) []byte {
	b = appendONF(b, roleStatusLen, xid, SubtypeRoleStatus)
	b = be.AppendUint32(b, s.Role)
	b = append(b, s.Reason, 0, 0, 0)
	return be.AppendUint64(b, s.GenerationID)
}
