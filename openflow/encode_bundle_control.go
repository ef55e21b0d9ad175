package openflow

import "github.com/contiv/libOpenflow/openflow13"

// AppendBundleControl appends a bundle-control message.
func AppendBundleControl(b []byte, xid, id uint32, typ, flags uint16) []byte {
	v := openflow13.NewBundleControl(&openflow13.BundleControl{BundleID: id, Type: typ, Flags: flags})
	return appendLib(b, xid, &v.Header, v)
}
