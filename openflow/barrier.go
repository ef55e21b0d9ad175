package openflow

// AppendBarrierRequest appends a barrier request (spec 7.3.8). The reply is a header of type [TypeBarrierReply] only.
func AppendBarrierRequest(b []byte, xid uint32) []byte {
	return appendHeader(b, TypeBarrierRequest, HeaderLen, xid)
}

// DecodeEmpty checks that msg is a message of type t that has no body: barrier, features and get-config requests, and
// the barrier reply.
func DecodeEmpty(msg []byte, t Type) error {
	if e := checkFixed(msg, t, HeaderLen); e != nil {
		return e
	}
	return nil
}

// AppendBarrierReply appends a barrier reply; xid is that of the request.
func AppendBarrierReply(b []byte, xid uint32) []byte {
	return appendHeader(b, TypeBarrierReply, HeaderLen, xid)
}
