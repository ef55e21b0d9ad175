package oftest

import (
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/oxm"
)

// request answers one message of a controller; mu is held.
func (s *Switch) request(c *Session, h openflow.Header, msg []byte) {
	if f := &s.faults; f.Ignore != nil && f.Ignore(msg) {
		return
	} else if f.Refuse != nil {
		if typ, code, refuse := f.Refuse(msg); refuse {
			c.refuse(h.Xid, &refusal{typ, code}, msg)
			return
		}
	}
	var no *refusal
	switch h.Type {
	case openflow.TypeEchoRequest:
		c.out = openflow.AppendEchoReply(c.out, h.Xid, msg[openflow.HeaderLen:])
	case openflow.TypeHello, openflow.TypeEchoReply, openflow.TypeError:
	case openflow.TypeFeaturesRequest, openflow.TypeGetConfigRequest, openflow.TypeBarrierRequest:
		if no = decoded(openflow.DecodeEmpty(msg, h.Type)); no == nil {
			s.query(c, h)
		}
	case openflow.TypeSetConfig:
		no = decode(msg, func(m *openflow.SwitchConfig) *refusal {
			return c.writes(func() *refusal { s.config = *m; return nil })
		})
	case openflow.TypeRoleRequest:
		no = decode(msg, func(m *openflow.RoleRequest) *refusal { return s.roleRequest(c, h.Xid, m) })
	case openflow.TypeSetAsync:
		no = decode(msg, func(m *openflow.AsyncConfig) *refusal { c.async = m; return nil })
	case openflow.TypeMultipartRequest:
		no = decode(msg, func(m *openflow.MultipartRequest) *refusal { return s.multipart(c, h.Xid, m) })
	case openflow.TypePacketOut, openflow.TypeFlowMod, openflow.TypeGroupMod, openflow.TypeMeterMod:
		no = c.writes(func() *refusal { return s.modify(h.Type, msg) })
	case openflow.TypeExperimenter:
		no = s.experimenter(c, h.Xid, msg)
	default:
		no = badRequest(openflow.BadRequestBadType)
	}
	if no != nil {
		c.refuse(h.Xid, no, msg)
	}
}

// query answers the requests that have no body.
func (s *Switch) query(c *Session, h openflow.Header) {
	switch h.Type {
	case openflow.TypeFeaturesRequest:
		c.out = openflow.AppendFeaturesReply(c.out, h.Xid, &openflow.FeaturesReply{
			DatapathID: s.o.DatapathID, NTables: uint8(s.o.Tables),
			Capabilities: openflow.CapFlowStats | openflow.CapPortStats | openflow.CapGroupStats,
		})
	case openflow.TypeGetConfigRequest:
		c.out = openflow.AppendGetConfigReply(c.out, h.Xid, s.config)
	case openflow.TypeBarrierRequest:
		c.out = openflow.AppendBarrierReply(c.out, h.Xid)
	}
}

func badRequest(code uint16) *refusal { return &refusal{openflow.ErrorTypeBadRequest, code} }

// decode decodes a message into an M and does what it asks for.
func decode[M any, P interface {
	*M
	Decode(msg []byte) error
}](msg []byte, do func(P) *refusal) *refusal {
	m := P(new(M))
	if no := decoded(m.Decode(msg)); no != nil {
		return no
	}
	return do(m)
}

// decoded makes a refusal of a message that could not be decoded.
func decoded(err error) *refusal {
	if err == nil {
		return nil
	}
	return badRequest(openflow.BadRequestBadLen)
}

// refuse answers with an error and the start of the request.
func (c *Session) refuse(xid uint32, no *refusal, msg []byte) {
	if no.typ == openflow.ErrorTypeExperimenter {
		c.out = openflow.AppendExperimenterError(c.out, xid, openflow.ExperimenterONF, no.code, msg)
		return
	}
	c.out = openflow.AppendError(c.out, xid, no.typ, no.code, msg)
}

// writes does what only a master or an equal may do.
func (c *Session) writes(f func() *refusal) *refusal {
	if c.role == openflow.RoleSlave {
		return badRequest(openflow.BadRequestIsSlave)
	}
	return f()
}

// modify does what only a master or an equal may ask for and what, meter-mods excepted, a bundle may hold.
func (s *Switch) modify(t openflow.Type, msg []byte) *refusal {
	switch t {
	case openflow.TypeFlowMod:
		m := &s.mod
		if no := decoded(m.Decode(msg)); no != nil {
			return no
		}
		if s.o.FilterFlowMod != nil && !s.o.FilterFlowMod(m) {
			return nil
		}
		return s.flowMod(m)
	case openflow.TypeGroupMod:
		return decode(msg, s.groupMod)
	case openflow.TypeMeterMod:
		return decode(msg, s.meterMod)
	case openflow.TypePacketOut:
		return decode(msg, s.packetOut)
	}
	return badRequest(openflow.BadRequestBadType)
}

// packetOut sends a frame (OpenFlow 1.3.5 section 7.3.7). As with OVS, an in port that does not exist is no error.
func (s *Switch) packetOut(m *openflow.PacketOut) *refusal {
	if m.BufferID != openflow.BufferNone {
		return badRequest(openflow.BadRequestBufferUnknown)
	}
	if no := s.checkActions(nil, m.Actions); no != nil {
		return no
	}
	if len(m.Data) < 14 {
		return badRequest(openflow.BadRequestBadPacket)
	}
	if p := s.ports[m.InPort]; p != nil && p.NoRecv {
		return nil
	}
	p := &packetState{Packet: oxm.Packet{Frame: m.Data, InPort: m.InPort}, cookie: ^uint64(0), packetOut: true}
	s.entries = 0
	s.apply(p.clone(), m.Actions, 0)
	return nil
}

// roleRequest changes the controller's role (OpenFlow 1.3.5 section 6.3.6).
func (s *Switch) roleRequest(c *Session, xid uint32, m *openflow.RoleRequest) *refusal {
	switch m.Role {
	case openflow.RoleNoChange:
	case openflow.RoleEqual:
		c.role = m.Role
	case openflow.RoleMaster, openflow.RoleSlave:
		if s.genSet && int64(m.GenerationID-s.gen) < 0 {
			return &refusal{openflow.ErrorTypeRoleRequestFailed, openflow.RoleRequestFailedStale}
		}
		s.gen, s.genSet = m.GenerationID, true
		if m.Role == openflow.RoleMaster {
			for other := range s.sessions {
				if other != c && other.role == openflow.RoleMaster {
					other.role = openflow.RoleSlave
					other.out = openflow.AppendRoleStatus(other.out, 0, openflow.RoleStatus{
						Role: openflow.RoleSlave, Reason: openflow.RoleMasterRequest, GenerationID: m.GenerationID,
					})
				}
			}
		}
		c.role = m.Role
	default:
		return &refusal{openflow.ErrorTypeRoleRequestFailed, openflow.RoleRequestFailedBadRole}
	}
	gen := ^uint64(0)
	if s.genSet {
		gen = s.gen
	}
	c.out = openflow.AppendRoleReply(c.out, xid, c.role, gen)
	return nil
}
