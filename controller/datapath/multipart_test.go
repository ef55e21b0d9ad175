package datapath

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/openflow"
)

func TestMultipartRequests(t *testing.T) {
	t.Parallel()
	var mp multipart
	var out apps.Output
	if !mp.deadline().IsZero() || mp.outstanding(requestDesc) {
		t.Error("something is outstanding at first")
	}
	mp.send(epoch, requestDesc, &out)                     // xid 1
	mp.send(epoch.Add(time.Second), requestFlows, &out)   // xid 2
	mp.send(epoch.Add(2*time.Second), requestPorts, &out) // xid 3

	flows := func(more bool) *openflow.Multipart {
		return &openflow.Multipart{Type: openflow.MultipartFlow, More: more}
	}
	if kind, known, err := mp.receive(2, flows(true), 100); kind != requestFlows || !known || err != nil {
		t.Errorf("first part: %d %v %v", kind, known, err)
	}
	if !mp.outstanding(requestGroups, requestFlows) {
		t.Error("answered with more to come")
	}
	if _, known, err := mp.receive(2, flows(false), 100); !known || err != nil || mp.outstanding(requestFlows) {
		t.Errorf("last part: %v %v", known, err)
	}
	if _, known, err := mp.receive(2, flows(false), 100); known || err != nil {
		t.Errorf("the same again: %v %v", known, err)
	}
	if _, known, err := mp.receive(3, flows(false), 100); !known || err == nil ||
		!strings.Contains(err.Error(), "flow in reply to a request for port_desc") {
		t.Errorf("another type: %v %v", known, err)
	}
	if got := mp.deadline(); !got.Equal(epoch.Add(replyWithin)) {
		t.Errorf("deadline %s", got.Sub(epoch))
	}
	if kind, known := mp.reject(1); kind != requestDesc || !known {
		t.Errorf("rejected: %d %v", kind, known)
	}
	if _, known := mp.reject(1); known {
		t.Error("rejected twice")
	}
	if got := mp.deadline(); !got.Equal(epoch.Add(2*time.Second + replyWithin)) {
		t.Errorf("deadline %s", got.Sub(epoch))
	}
}

func TestMultipartBounds(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ size, parts int }{
		"bytes": {1 << 20, maxReplyBytes >> 20}, "parts": {1, maxReplyParts},
	} {
		var mp multipart
		var out apps.Output
		mp.send(epoch, requestPorts, &out)
		part := &openflow.Multipart{Type: openflow.MultipartPortDesc, More: true}
		for i := range c.parts {
			if _, _, err := mp.receive(1, part, c.size); err != nil {
				t.Fatalf("%s: part %d: %v", name, i+1, err)
			}
		}
		if _, _, err := mp.receive(1, part, c.size); !errors.Is(err, errReplyTooLong) {
			t.Errorf("%s: one more: %v", name, err)
		}
	}
}

// Each kind is sent as the type that its reply must have.
func TestMultipartTypes(t *testing.T) {
	t.Parallel()
	for kind := requestDesc; kind <= requestPortStats; kind++ {
		var mp multipart
		var out apps.Output
		mp.send(epoch, kind, &out)
		var m openflow.MultipartRequest
		if err := m.Decode(out.Wire); err != nil || m.Type != kind.multipartType() {
			t.Errorf("kind %d: type %d, want %d; %v", kind, m.Type, kind.multipartType(), err)
		}
	}
}
