package ofconn

import (
	"slices"
	"strings"
)

// Protocols that stray onto the port and that Protocol knows.
const (
	TLS     = "TLS"
	HTTP    = "HTTP"
	SSH     = "SSH"
	JSONRPC = "JSON, as OVSDB does,"
)

// httpHeads are how requests, and answers, of HTTP begin.
var httpHeads = []string{"GET ", "POST", "HEAD", "PUT ", "DELE", "OPTI", "PATC", "CONN", "TRAC", "PRI ", "HTTP"}

// firstForeign is below the first byte of all of them and above every version of OpenFlow there is (6.3.1: a HELLO may
// name a later one).
const firstForeign = 0x14

// Protocol tells which protocol a connection begins with from its first four bytes or more, "" for OpenFlow and what
// else is not known.
func Protocol(b []byte) string {
	if len(b) < 4 {
		return ""
	}
	head := string(b[:4])
	switch {
	case b[0] >= 0x14 && b[0] <= 0x17 && b[1] == 3: // RFC 8446 section 5.1: type of the record, version 3.x
		return TLS
	case slices.Contains(httpHeads, head):
		return HTTP
	case head == "SSH-":
		return SSH
	case strings.HasPrefix(head, `{"`):
		return JSONRPC
	}
	return ""
}
