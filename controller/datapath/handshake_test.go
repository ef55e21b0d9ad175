package datapath

import (
	"encoding/binary"
	"strings"
	"testing"

	"github.com/eosin-sdn/eosin/openflow"
)

// version returns a copy of a message with another version in its header.
func version(v uint8, msg []byte) []byte {
	msg = append([]byte(nil), msg...)
	msg[0] = v
	return msg
}

func features(xid uint32, aux uint8) []byte {
	return openflow.AppendFeaturesReply(nil, xid,
		&openflow.FeaturesReply{DatapathID: dpid, NTables: 254, AuxiliaryID: aux})
}

func TestHandshake(t *testing.T) {
	hello := openflow.AppendHello(nil, 9)
	bare := func(v uint8) []byte { return []byte{v, byte(openflow.TypeHello), 0, 8, 0, 0, 0, 1} }
	desc := port(1)
	// What the switch sends, and how the handshake ends: "" is with success. The features request has xid 2.
	for _, c := range []struct {
		name string
		msgs [][]byte
		want string
	}{
		{"plain", [][]byte{hello, features(2, 0)}, ""},
		{"hello 1.3 without bitmap", [][]byte{bare(4), features(2, 0)}, ""},
		{"hello 1.5 with bitmap", [][]byte{version(6, hello), features(2, 0)}, ""},
		{"echo meanwhile", [][]byte{hello, openflow.AppendEchoRequest(nil, 77, []byte("alive?")), features(2, 0)}, ""},
		{"early port status and packet-in", [][]byte{
			hello, portStatus(openflow.PortAdd, desc), packetIn(learnCookie, 1, macA), features(2, 0),
		}, ""},
		{"hello 1.0", [][]byte{bare(1)}, "protocols=OpenFlow13"},
		{"hello 1.2", [][]byte{bare(3)}, "protocols=OpenFlow13"},
		{"bitmap without 1.3", [][]byte{{6, 0, 0, 16, 0, 0, 0, 1, 0, 1, 0, 8, 0, 0, 0, 1 << 5}}, "wire version 6"},
		{"bitmap cut", [][]byte{{4, 0, 0, 12, 0, 0, 0, 1, 0, 1, 0, 8}}, "hello"},
		{"features before hello", [][]byte{features(2, 0)}, "features_reply before hello"},
		{"hello refused", [][]byte{openflow.AppendError(nil, 1, openflow.ErrorTypeHelloFailed,
			openflow.HelloFailedIncompatible, []byte("no"))}, "refused the handshake"},
		{"wrong xid", [][]byte{hello, features(3, 0)}, "not made"},
		{"auxiliary", [][]byte{hello, features(2, 1)}, "auxiliary"},
		{"features cut", [][]byte{
			hello, {4, byte(openflow.TypeFeaturesReply), 0, 16, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0},
		}, "features_reply"},
		{"features of 1.0", [][]byte{hello, version(1, features(2, 0))}, "wire version 1"},
		{"hello twice", [][]byte{hello, hello}, "out of order"},
		{"barrier reply", [][]byte{hello, openflow.AppendBarrierReply(nil, 2)}, "out of order"},
		{"role reply", [][]byte{hello, openflow.AppendRoleReply(nil, 2, openflow.RoleMaster, 1)}, "out of order"},
		{
			"multipart reply",
			[][]byte{hello, openflow.AppendMultipartReply(nil, 2, openflow.MultipartDesc, false, nil)},
			"out of order",
		},
		{"controller's own request", [][]byte{hello, openflow.AppendFeaturesRequest(nil, 2)}, "out of order"},
		{"error to the features request", [][]byte{
			hello,
			openflow.AppendError(nil, 2, openflow.ErrorTypeBadRequest, openflow.BadRequestEPerm, nil),
		}, "bad_request"},
		{"unknown type", [][]byte{hello, {4, 99, 0, 8, 0, 0, 0, 1}}, "out of order"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := NewHandshake()
			var done bool
			var err error
			var f openflow.FeaturesReply
			for i, m := range c.msgs {
				if f, done, err = h.Receive(m); err != nil {
					break
				}
				if done != (i == len(c.msgs)-1) {
					t.Fatalf("done is %v after message %d of %d", done, i+1, len(c.msgs))
				}
			}
			if c.want == "" {
				if err != nil || !done || f.DatapathID != dpid {
					t.Fatalf("ended with %+v, %v, %v", f, done, err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("ended with %v, %v, want an error with %q", done, err, c.want)
			}
		})
	}
}

func TestHandshakeSends(t *testing.T) {
	h := NewHandshake()
	var hello openflow.Hello
	if err := hello.Decode(h.Out); err != nil || !hello.HasBitmap || hello.Bitmap != 1<<openflow.Version {
		t.Errorf("first %x: %+v, %v", h.Out, hello, err)
	}
	h.Out = nil
	if _, _, err := h.Receive(openflow.AppendHello(nil, 1)); err != nil {
		t.Fatal(err)
	}
	if err := openflow.DecodeEmpty(h.Out, openflow.TypeFeaturesRequest); err != nil ||
		binary.BigEndian.Uint32(h.Out[4:]) != 2 {
		t.Errorf("after hello %x: %v", h.Out, err)
	}
	h.Out = nil
	if _, _, err := h.Receive(openflow.AppendEchoRequest(nil, 77, []byte("alive?"))); err != nil {
		t.Fatal(err)
	}
	if want := openflow.AppendEchoReply(nil, 77, []byte("alive?")); string(h.Out) != string(want) {
		t.Errorf("echo answered with %x, want %x", h.Out, want)
	}
}

// A peer that cannot speak 1.3 is told so in words that it can log.
func TestHandshakeHelloFailed(t *testing.T) {
	h := NewHandshake()
	h.Out = nil
	if _, _, err := h.Receive([]byte{1, 0, 0, 8, 0, 0, 0, 5}); err == nil {
		t.Fatal("OpenFlow 1.0 was accepted")
	}
	var e openflow.Error
	if err := e.Decode(h.Out); err != nil {
		t.Fatalf("%x: %v", h.Out, err)
	}
	if e.Type != openflow.ErrorTypeHelloFailed || e.Code != openflow.HelloFailedIncompatible || e.Xid != 5 ||
		!strings.Contains(string(e.Data), "1.3") {
		t.Errorf("told %+v %q", e, e.Data)
	}
}
