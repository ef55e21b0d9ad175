package openflow

import (
	"github.com/contiv/libOpenflow/common"
	"github.com/contiv/libOpenflow/util"
)

// appendLib appends a message that libOpenflow encodes, with our xid instead of the number from its process-wide
// counter. libOpenflow panics on parts it does not expect, discards errors and lets the 16-bit length wrap; so its
// result counts only when the header's length is the number of bytes. Otherwise nothing is appended.
func appendLib(b []byte, xid uint32, h *common.Header, m util.Message) (out []byte) {
	defer func() {
		if recover() != nil {
			out = b
		}
	}()
	h.Xid = xid
	msg, err := m.MarshalBinary()
	if err != nil || len(msg) < HeaderLen || len(msg) > MaxLen || int(be.Uint16(msg[2:])) != len(msg) {
		return b
	}
	return append(b, msg...)
}
