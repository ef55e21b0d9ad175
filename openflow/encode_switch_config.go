package openflow

import "github.com/contiv/libOpenflow/openflow13"

// AppendSetConfig appends a set-config message (spec 7.3.2).
func AppendSetConfig(b []byte, xid uint32, flags, missSendLen uint16) []byte {
	c := openflow13.NewSetConfig()
	c.Flags = flags
	c.MissSendLen = missSendLen
	return appendLib(b, xid, &c.Header, c)
}
