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
	switch {
	case m.ID != openflow.ExperimenterONF:
		return badRequest(openflow.BadRequestBadExperimenter)
	case m.Subtype == openflow.SubtypeBundleControl:
		return decode(msg, func(b *openflow.BundleControl) *refusal {
			return c.writes(func() *refusal { return s.bundleControl(c, xid, b) })
		})
	case m.Subtype == openflow.SubtypeBundleAdd:
		return decode(msg, func(b *openflow.BundleAdd) *refusal {
			return c.writes(func() *refusal { return c.bundleAdd(xid, msg, b) })
		})
	}
	return badRequest(openflow.BadRequestBadExpType)
}

func (s *Switch) bundleControl(c *Session, xid uint32, m *openflow.BundleControl) *refusal {
	if m.Type > openflow.BundleDiscardRequest || m.Type%2 != 0 { // a reply has an odd type
		return badBundle(openflow.BundleErrorBadType)
	}
	b := c.bundles[m.ID]
	if open := m.Type == openflow.BundleOpenRequest; open == (b != nil) {
		delete(c.bundles, m.ID)
		return badBundle(openflow.BundleErrorBadID)
	}
	switch m.Type {
	case openflow.BundleOpenRequest:
		c.bundles[m.ID] = &bundle{flags: m.Flags}
	case openflow.BundleCloseRequest:
		if no := c.checkBundle(m.ID, m.Flags); no != nil {
			return no
		}
		b.closed = true
	case openflow.BundleCommitRequest:
		delete(c.bundles, m.ID) // whether or not it succeeds
		if b.flags != m.Flags {
			return badBundle(openflow.BundleErrorBadFlags)
		}
		if no := s.commit(c, b); no != nil {
			return no
		}
	case openflow.BundleDiscardRequest:
		delete(c.bundles, m.ID)
	}
	c.out = openflow.AppendBundleControl(c.out, xid, m.ID, m.Type+1, 0)
	return nil
}

// checkBundle discards an open bundle that is closed or has other flags, as OVS does.
func (c *Session) checkBundle(id uint32, flags uint16) *refusal {
	switch b := c.bundles[id]; {
	case b.closed:
		delete(c.bundles, id)
		return badBundle(openflow.BundleErrorBundleClosed)
	case b.flags != flags:
		delete(c.bundles, id)
		return badBundle(openflow.BundleErrorBadFlags)
	}
	return nil
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
	if c.bundles[m.ID] == nil {
		c.bundles[m.ID] = &bundle{flags: m.Flags}
	}
	if no := c.checkBundle(m.ID, m.Flags); no != nil {
		return no
	}
	b := c.bundles[m.ID]
	b.messages = append(b.messages, bundled{slices.Clone(outer), slices.Clone(m.Message)})
	return nil
}

// commit applies all of a bundle or nothing. A message that fails is answered with its own error, and the commit then
// with msg_failed.
func (s *Switch) commit(c *Session, b *bundle) *refusal {
	outs := len(s.outs)
	s.bundling = true
	defer func() { s.bundling, s.undo, s.events = false, nil, nil }()
	for _, m := range b.messages {
		no := s.modify(openflow.Type(m.inner[1]), m.inner)
		if no == nil {
			continue
		}
		c.refuse(be.Uint32(m.inner[4:]), no, m.outer)
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
