package datapath

import (
	"errors"
	"fmt"

	"github.com/eosin-sdn/eosin/openflow"
)

// Handshake is the beginning of a connection, until it is known which switch is at the other end (OpenFlow 1.3 sections
// 6.3.1 and 6.3.2): HELLO from both sides, FEATURES_REQUEST, FEATURES_REPLY.
type Handshake struct {
	Out   []byte // to be written
	xid   uint32
	hello bool // the switch's HELLO has come
}

// NewHandshake begins: both sides send HELLO at once.
func NewHandshake() *Handshake {
	return &Handshake{Out: openflow.AppendHello(nil, 1), xid: 1}
}

// Reasons to end a connection during the handshake.
var (
	errVersion = errors.New("the switch does not speak OpenFlow 1.3: " +
		"allow it with `ovs-vsctl set bridge BRIDGE protocols=OpenFlow13`")
	errAuxiliary  = errors.New("auxiliary connections are not served")
	errOutOfOrder = errors.New("message out of order")
)

// Receive takes one message. done is set, with the features, when the switch has identified itself. After an error the
// caller writes Out and closes the connection.
func (h *Handshake) Receive(msg []byte) (features openflow.FeaturesReply, done bool, err error) {
	head, err := openflow.DecodeHeader(msg)
	switch {
	case err != nil:
		return features, false, err
	case !h.hello:
		return features, false, h.receiveHello(head, msg)
	case head.Version != openflow.Version:
		return features, false, fmt.Errorf(
			"%s of wire version %d after OpenFlow 1.3 was agreed", head.Type, head.Version)
	}
	switch head.Type {
	case openflow.TypeFeaturesReply:
		if head.Xid != h.xid {
			return features, false, fmt.Errorf("%w: features reply to a request that was not made", errOutOfOrder)
		}
		if err = features.Decode(msg); err == nil && features.AuxiliaryID != 0 {
			err = errAuxiliary
		}
		return features, err == nil, err
	case openflow.TypeEchoRequest:
		var e openflow.Echo
		if err = e.Decode(msg); err == nil {
			h.Out = openflow.AppendEchoReply(h.Out, head.Xid, e.Data)
		}
	case openflow.TypeEchoReply, openflow.TypePortStatus, openflow.TypePacketIn, openflow.TypeFlowRemoved:
		// A switch may send these unasked. What they say is requested later.
	case openflow.TypeError:
		err = errorIn(msg)
	default:
		err = fmt.Errorf("%w: %s during the handshake", errOutOfOrder, head.Type)
	}
	return features, false, err
}

// receiveHello takes the switch's first message, and asks for its features if it speaks OpenFlow 1.3.
func (h *Handshake) receiveHello(head openflow.Header, msg []byte) error {
	switch head.Type {
	case openflow.TypeHello:
	case openflow.TypeError:
		return fmt.Errorf("the switch refused the handshake: %w", errorIn(msg))
	default:
		return fmt.Errorf("%w: %s before hello", errOutOfOrder, head.Type)
	}
	var hello openflow.Hello
	if err := hello.Decode(msg); err != nil {
		return err
	}
	if !hello.Supports(openflow.Version) {
		h.Out = openflow.AppendError(h.Out, head.Xid, openflow.ErrorTypeHelloFailed,
			openflow.HelloFailedIncompatible, []byte("eosin speaks OpenFlow 1.3 (wire version 4) only"))
		return fmt.Errorf("%w (it offers wire version %d)", errVersion, head.Version)
	}
	h.hello = true
	h.xid++
	h.Out = openflow.AppendFeaturesRequest(h.Out, h.xid)
	return nil
}

// errorIn returns what an error message says, or why it cannot be decoded.
func errorIn(msg []byte) error {
	var e openflow.Error
	if err := e.Decode(msg); err != nil {
		return err
	}
	return &e
}
