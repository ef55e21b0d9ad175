package openflow

import "github.com/contiv/libOpenflow/openflow13"

// AppendGetConfigRequest appends a get-config request (spec 7.3.2).
func AppendGetConfigRequest(b []byte, xid uint32) []byte {
	h := openflow13.NewConfigRequest()
	return appendLib(b, xid, h, h)
}

// AppendSetConfig appends a set-config message (spec 7.3.2).
func AppendSetConfig(b []byte, xid uint32, flags, missSendLen uint16) []byte {
	c := openflow13.NewSetConfig()
	c.Flags = flags
	c.MissSendLen = missSendLen
	return appendLib(b, xid, &c.Header, c)
}
