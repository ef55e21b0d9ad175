package openflow

import "github.com/contiv/libOpenflow/openflow13"

// AppendFeaturesRequest appends a features request (spec 7.3.1).
func AppendFeaturesRequest(b []byte, xid uint32) []byte {
	h := openflow13.NewFeaturesRequest()
	return appendLib(b, xid, h, h)
}
