package oftest

import (
	"slices"

	"github.com/eosin-sdn/eosin/openflow"
)

// bundle is an open bundle of one session (ONF extension 230).
type bundle struct {
	flags    uint16
	closed   bool
	messages []bundled
}

// bundled is one message of a bundle, with the message that added it: OVS returns that one's start in an error.
type bundled struct{ outer, inner []byte }

func badBundle(code uint16) *refusal { return &refusal{openflow.ErrorTypeExperimenter, code} }

// experimenter handles the two messages of bundles.
func (s *Switch) experimenter(c *Session, xid uint32, msg []byte) *refusal {
	var m openflow.Experimenter
	if no := decoded(m.Decode(msg)); no != nil {
		return no
	}
	if m.ID != openflow.ExperimenterONF {
		return badRequest(openflow.BadRequestBadExperimenter)
	}
	switch m.Subtype {
	case openflow.SubtypeBundleControl:
		var b openflow.BundleControl
		if no := decoded(b.Decode(msg)); no != nil {
			return no
		}
		return c.writes(func() *refusal { return s.bundleControl(c, xid, &b) })
	case openflow.SubtypeBundleAdd:
		var b openflow.BundleAdd
		if no := decoded(b.Decode(msg)); no != nil {
			return no
		}
		return c.writes(func() *refusal { return c.bundleAdd(xid, msg, &b) })
	}
	return badRequest(openflow.BadRequestBadExpType)
}

func (s *Switch) bundleControl(c *Session, xid uint32, m *openflow.BundleControl) *refusal {
	b := c.bundles[m.ID]
	switch m.Type {
	case openflow.BundleOpenRequest:
		if b != nil {
			delete(c.bundles, m.ID)
			return badBundle(openflow.BundleErrorBadID)
		}
		c.openBundle(m.ID, m.Flags)
	case openflow.BundleCloseRequest:
		switch {
		case b == nil:
			return badBundle(openflow.BundleErrorBadID)
		case b.closed:
			delete(c.bundles, m.ID)
			return badBundle(openflow.BundleErrorBundleClosed)
		case b.flags != m.Flags:
			delete(c.bundles, m.ID)
			return badBundle(openflow.BundleErrorBadFlags)
		}
		b.closed = true
	case openflow.BundleCommitRequest:
		if b == nil {
			return badBundle(openflow.BundleErrorBadID)
		}
		delete(c.bundles, m.ID) // whether or not it succeeds
		if b.flags != m.Flags {
			return badBundle(openflow.BundleErrorBadFlags)
		}
		if no := s.commit(c, b); no != nil {
			return no
		}
	case openflow.BundleDiscardRequest:
		if b == nil {
			return badBundle(openflow.BundleErrorBadID)
		}
		delete(c.bundles, m.ID)
	default:
		return badBundle(openflow.BundleErrorBadType)
	}
	c.out = openflow.AppendBundleControl(c.out, xid, m.ID, m.Type+1, 0)
	return nil
}

func (c *Session) openBundle(id uint32, flags uint16) *bundle {
	if c.bundles == nil {
		c.bundles = make(map[uint32]*bundle)
	}
	b := &bundle{flags: flags}
	c.bundles[id] = b
	return b
}

// bundleAdd adds a message. As with OVS it opens a bundle that is not open, and a message that is refused leaves the
// bundle as it was.
func (c *Session) bundleAdd(xid uint32, outer []byte, m *openflow.BundleAdd) *refusal {
	h, err := openflow.DecodeHeader(m.Message)
	if err != nil {
		return badBundle(openflow.BundleErrorMsgBadLen)
	}
	if h.Xid != xid {
		return badBundle(openflow.BundleErrorMsgBadXid)
	}
	if h.Type != openflow.TypeFlowMod && h.Type != openflow.TypeGroupMod && h.Type != openflow.TypePacketOut {
		return badBundle(openflow.BundleErrorMsgUnsup)
	}
	b := c.bundles[m.ID]
	switch {
	case b == nil:
		b = c.openBundle(m.ID, m.Flags)
	case b.closed:
		delete(c.bundles, m.ID)
		return badBundle(openflow.BundleErrorBundleClosed)
	case b.flags != m.Flags:
		delete(c.bundles, m.ID)
		return badBundle(openflow.BundleErrorBadFlags)
	}
	b.messages = append(b.messages, bundled{slices.Clone(outer), slices.Clone(m.Message)})
	return nil
}

// commit applies all of a bundle or nothing. The message that fails is answered with its own error, then the commit with
// msg_failed.
func (s *Switch) commit(c *Session, b *bundle) *refusal {
	outs := len(s.outs)
	s.bundling = true
	defer func() { s.bundling, s.undo, s.events = false, nil, nil }()
	for _, m := range b.messages {
		msg := m.inner
		h, err := openflow.DecodeHeader(msg)
		if err != nil {
			return badBundle(openflow.BundleErrorMsgBadLen) // checked when it was added
		}
		var no *refusal
		if h.Type == openflow.TypePacketOut {
			no = s.packetOut(msg)
		} else {
			no = s.modify(h.Type, msg)
		}
		if no == nil {
			continue
		}
		c.refuse(h.Xid, no, m.outer)
		for _, back := range slices.Backward(s.undo) {
			back()
		}
		s.outs = s.outs[:outs]
		return badBundle(openflow.BundleErrorMsgFailed)
	}
	for _, e := range s.events {
		s.emit(e)
	}
	return nil
}
