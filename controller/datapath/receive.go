package datapath

import (
	"fmt"
	"time"

	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/flow"
)

// Receive takes one message of the session. An error closes the connection.
//
// Each type of message goes one way: to the method that decodes it, from there to the part that it concerns, and if
// that is the end of a phase, to transition.
func (m *Machine) Receive(now time.Time, msg []byte) error {
	head, err := openflow.DecodeHeader(msg)
	if err != nil {
		return err
	}
	if head.Version != openflow.Version {
		return fmt.Errorf("%s of wire version %d in a session of OpenFlow 1.3", head.Type, head.Version)
	}
	m.live.heardAt = now
	m.In[head.Type&31]++
	switch head.Type {
	case openflow.TypePacketIn:
		return m.packetIn(now, msg)
	case openflow.TypeFlowRemoved:
		return m.flowRemoved(now, msg)
	case openflow.TypePortStatus:
		var s openflow.PortStatus
		if err := s.Decode(msg); err != nil {
			return err
		}
		m.portStatus(now, &s)
	case openflow.TypeMultipartReply:
		return m.multipartReply(now, head.Xid, msg)
	case openflow.TypeBarrierReply:
		if !m.barriers.reply(head.Xid, &m.Out) {
			m.Unsolicited++
		}
	case openflow.TypeError:
		var e openflow.Error
		if err := e.Decode(msg); err != nil {
			return err
		}
		m.handleError(now, &e)
	case openflow.TypeExperimenter:
		return m.experimenter(now, msg)
	case openflow.TypeRoleReply:
		var r openflow.RoleReply
		if err := r.Decode(msg); err != nil {
			return err
		}
		m.roleReply(now, head.Xid, &r)
	case openflow.TypeEchoRequest:
		var e openflow.Echo
		if err := e.Decode(msg); err != nil {
			return err
		}
		m.Out.Wire = openflow.AppendEchoReply(m.Out.Wire, head.Xid, e.Data)
	case openflow.TypeEchoReply:
		m.echoReply(now, head.Xid)
	case openflow.TypeHello, openflow.TypeGetConfigReply:
	case openflow.TypeFeaturesReply:
		m.Unsolicited++
	default:
		return fmt.Errorf("unexpected %s from a switch", head.Type)
	}
	return nil
}

// experimenter takes the two extensions that we use. Another vendor's message is no reason to end a session.
func (m *Machine) experimenter(now time.Time, msg []byte) error {
	var e openflow.Experimenter
	if err := e.Decode(msg); err != nil {
		return err
	}
	switch {
	case e.ID == openflow.ExperimenterONF && e.Subtype == openflow.SubtypeBundleControl:
		var c openflow.BundleControl
		if err := c.Decode(msg); err != nil {
			return err
		}
		if m.bundle.committed(&c) {
			m.transition(now, bundleCommitted)
		}
	case e.ID == openflow.ExperimenterONF && e.Subtype == openflow.SubtypeRoleStatus:
		var s openflow.RoleStatus
		if err := s.Decode(msg); err != nil {
			return err
		}
		return m.roleStatus(now, &s)
	default:
		m.Unsolicited++
	}
	return nil
}

// flowRemoved tells the owner of a flow that it is gone. Unless it timed out, somebody else has removed it.
func (m *Machine) flowRemoved(now time.Time, msg []byte) error {
	var f openflow.FlowRemoved
	if err := f.Decode(msg); err != nil {
		return err
	}
	owner, known := flow.OwnerOf(f.Cookie)
	if known && m.adoption.outdated {
		f.TableID, known = m.sw.Layout.Translate(m.adoption.version, f.TableID)
	}
	match, err := flow.Canonical(f.Match)
	if !known || err != nil || m.apps.ByOwner[owner] == nil || m.phase < Adopting {
		m.Unsolicited++
		return nil
	}
	switch desired := m.Out.Store.Has(f.TableID, f.Priority, &match); {
	case desired && f.Reason == openflow.FlowRemovedDelete:
		m.scheduleAudit(now) // not by us
	case !desired && f.Reason != openflow.FlowRemovedDelete:
		m.Unsolicited++
	}
	m.apps.ByOwner[owner].FlowRemoved(now, &f, &match, &m.Out)
	return nil
}
