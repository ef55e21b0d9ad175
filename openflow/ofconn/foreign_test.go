package ofconn

import (
	"errors"
	"testing"
	"time"
)

func TestProtocol(t *testing.T) {
	for head, want := range map[string]string{
		"\x16\x03\x01\x02\x00": TLS, "\x15\x03\x03\x00\x02": TLS, "\x16\x03\x01\x00": TLS,
		"GET /metrics": HTTP, "POST /api": HTTP, "PRI * HTTP/2.0": HTTP, "HTTP/1.1 400": HTTP, "HEAD": HTTP,
		"DELETE /":        HTTP,
		"SSH-2.0-OpenSSH": SSH, `{"method":"echo"`: JSONRPC,
		"": "", "GET": "", "GETX": "", "\x16\x03\x01": "", "\x16\x04\x01\x00": "", "\x18\x03\x01\x00": "", "{}{}": "",
		"\x04\x00\x00\x08": "", "\x01\x00\x00\x08": "", "\x06\x00\x00\x10": "", "\x84\x00\x00\x08": "",
		"\xff\xff\xff\xff": "",
	} {
		if got := Protocol([]byte(head)); got != want {
			t.Errorf("%q: %q, want %q", head, got, want)
		}
		if want != "" && head[0] < firstForeign {
			t.Errorf("%q begins below firstForeign", head)
		}
	}
}

// TestForeign: four bytes are enough, whatever length they would be in OpenFlow.
func TestForeign(t *testing.T) {
	for _, head := range []string{"\x16\x03\x01\x00", "GET ", "\x15\x03\x03\x00"} {
		ours, theirs := pair(t, "tcp")
		c := New(ours, Options{})
		if _, err := theirs.Write([]byte(head)); err != nil {
			t.Fatal(err)
		}
		if err := c.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
			t.Fatal(err)
		}
		var foreign *ForeignError
		if err := c.Fill(); !errors.As(err, &foreign) || foreign.Protocol != Protocol([]byte(head)) {
			t.Errorf("%q: %v", head, err)
		}
	}
}
