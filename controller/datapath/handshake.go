package datapath

import (
	"errors"
	"fmt"

	"github.com/eosin-sdn/eosin/openflow"
)

// Handshake is the beginning of a connection, until it is known which switch is at the other end (OpenFlow 1.3 section 6.3.1
// and 6.3.2).
type Handshake struct {
	Out   []byte // to be written
	xid   uint32
	hello bool
}

// NewHandshake begins: both sides send HELLO at once.
func NewHandshake() *Handshake {
	h := &Handshake{}
	h.xid++
	h.Out = openflow.AppendHello(h.Out, h.xid)
	return h
}

// Reasons to end a connection during the handshake.
var (
	errVersion    = errors.New("the switch does not speak OpenFlow 1.3: allow it with `ovs-vsctl set bridge BRIDGE protocols=OpenFlow13`")
	errAuxiliary  = errors.New("auxiliary connections are not served")
	errOutOfOrder = errors.New("message out of order")
)

// Receive takes one message. done is set with the features when the peer has said who it is. After an error the connection is
// closed, when Out has been written.
func (h *Handshake) Receive(msg []byte) (features openflow.FeaturesReply, done bool, err error) {
	head, err := openflow.DecodeHeader(msg)
	if err != nil {
		return features, false, err
	}
	if !h.hello {
		if head.Type == openflow.TypeError {
			var e openflow.Error
			if err := e.Decode(msg); err != nil {
				return features, false, err
			}
			return features, false, fmt.Errorf("the switch refused the handshake: %w", &e)
		}
		if head.Type != openflow.TypeHello {
			return features, false, fmt.Errorf("%w: %s before hello", errOutOfOrder, head.Type)
		}
		var hello openflow.Hello
		if err := hello.Decode(msg); err != nil {
			return features, false, err
		}
		if !hello.Supports(openflow.Version) {
			h.Out = openflow.AppendError(h.Out, head.Xid, openflow.ErrorTypeHelloFailed, openflow.HelloFailedIncompatible, []byte("eosin speaks OpenFlow 1.3 (wire version 4) only"))
			return features, false, fmt.Errorf("%w (it offers wire version %d)", errVersion, head.Version)
		}
		h.hello = true
		h.xid++
		h.Out = openflow.AppendFeaturesRequest(h.Out, h.xid)
		return features, false, nil
	}
	if head.Version != openflow.Version {
		return features, false, fmt.Errorf("%s of wire version %d after OpenFlow 1.3 was agreed", head.Type, head.Version)
	}
	switch head.Type {
	case openflow.TypeFeaturesReply:
		if head.Xid != h.xid {
			return features, false, fmt.Errorf("%w: features reply to a request that was not made", errOutOfOrder)
		}
		if err := features.Decode(msg); err != nil {
			return features, false, err
		}
		if features.AuxiliaryID != 0 {
			return features, false, errAuxiliary
		}
		return features, true, nil
	case openflow.TypeEchoRequest:
		var e openflow.Echo
		if err := e.Decode(msg); err != nil {
			return features, false, err
		}
		h.Out = openflow.AppendEchoReply(h.Out, head.Xid, e.Data)
		return features, false, nil
	case openflow.TypeEchoReply, openflow.TypePortStatus, openflow.TypePacketIn, openflow.TypeFlowRemoved:
		return features, false, nil // a switch may send these before it is asked; they are told again later
	case openflow.TypeError:
		var e openflow.Error
		if err := e.Decode(msg); err != nil {
			return features, false, err
		}
		return features, false, &e
	}
	return features, false, fmt.Errorf("%w: %s during the handshake", errOutOfOrder, head.Type)
}
