package openflow

// Subtypes of the ONF experimenter messages for bundles (ONF extension 230).
const (
	SubtypeBundleControl uint32 = 2300
	SubtypeBundleAdd     uint32 = 2301
)

// Types of a bundle-control message. A reply is its request plus one.
const (
	BundleOpenRequest    uint16 = 0
	BundleOpenReply      uint16 = 1
	BundleCloseRequest   uint16 = 2
	BundleCommitRequest  uint16 = 4
	BundleCommitReply    uint16 = 5
	BundleDiscardRequest uint16 = 6
	BundleDiscardReply   uint16 = 7
)

// Flags of bundle messages. All messages of one bundle carry the same.
const (
	BundleAtomic  uint16 = 1 << 0 // all or nothing
	BundleOrdered uint16 = 1 << 1 // applied in the order in which they were added
)

// BundleControl opens, closes, commits or discards a bundle, or answers that.
type BundleControl struct {
	ID    uint32
	Type  uint16
	Flags uint16
}

const bundleFixed = 24 // of both bundle messages

// Decode reads a bundle-control message, request or reply.
func (m *BundleControl) Decode(msg []byte) error {
	if e := checkONF(msg, "bundle_control", SubtypeBundleControl, bundleFixed); e != nil {
		return e
	}
	if e := validateBundleProperties(msg[bundleFixed:]); e != nil {
		return e.in("bundle_control", bundleFixed)
	}
	*m = BundleControl{ID: be.Uint32(msg[16:]), Type: be.Uint16(msg[20:]), Flags: be.Uint16(msg[22:])}
	return nil
}

// BundleAdd adds a message to a bundle.
type BundleAdd struct {
	ID      uint32
	Flags   uint16
	Message []byte // the whole inner message; its xid must be that of the outer one, which Decode does not check
}

// Decode reads a bundle-add message. It checks the length of the inner message, and nothing else of it.
func (m *BundleAdd) Decode(msg []byte) error {
	if e := checkONF(msg, "bundle_add", SubtypeBundleAdd, bundleFixed); e != nil {
		return e
	}
	inner := msg[bundleFixed:]
	fault := func(offset int, err error) error {
		return &DecodeError{Message: "bundle_add", Part: "message", Offset: offset, Err: err}
	}
	if len(inner) < HeaderLen {
		return fault(len(msg), ErrShort)
	}
	n := int(be.Uint16(inner[2:]))
	if n < HeaderLen {
		return fault(bundleFixed+2, ErrLength)
	}
	if n > len(inner) {
		return fault(bundleFixed+2, ErrShort)
	}
	if n < len(inner) { // properties follow, after padding
		start := pad8(n)
		if start > len(inner) {
			return fault(bundleFixed+n, ErrShort)
		}
		if e := validateBundleProperties(inner[start:]); e != nil {
			return e.in("bundle_add", bundleFixed+start)
		}
	}
	*m = BundleAdd{ID: be.Uint32(msg[16:]), Flags: be.Uint16(msg[22:]), Message: inner[:n:n]}
	return nil
}

// validateBundleProperties checks that properties (type, length, value, padding to 8) fill b exactly.
func validateBundleProperties(b []byte) *DecodeError {
	for i, n := 0, 1; i < len(b); n++ {
		size, e := cutElement(b, i, 4, "property", n)
		if e != nil {
			return e
		}
		i += pad8(size)
	}
	return nil
}

// AppendBundleAdd appends a message that adds inner to a bundle. inner is one whole message; its copy gets the xid of
// the outer message, without which OVS refuses it. Nothing is appended when inner is not exactly one message or the
// result would be longer than MaxLen.
func AppendBundleAdd(b []byte, xid, id uint32, flags uint16, inner []byte) []byte {
	n := bundleFixed + len(inner)
	if n > MaxLen || len(inner) < HeaderLen || int(be.Uint16(inner[2:])) != len(inner) {
		return b
	}
	b = appendONF(b, n, xid, SubtypeBundleAdd)
	b = be.AppendUint32(b, id)
	b = append(b, 0, 0, byte(flags>>8), byte(flags))
	b = append(b, inner[:4]...)
	b = be.AppendUint32(b, xid)
	return append(b, inner[HeaderLen:]...)
}
