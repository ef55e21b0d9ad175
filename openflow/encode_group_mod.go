package openflow

import (
	"errors"

	"github.com/contiv/libOpenflow/openflow13"
)

// AppendGroupMod appends a group-mod. buckets come from [AppendBucket]; a delete has none. It appends nothing when the
// buckets are malformed, when a delete has buckets (libOpenflow would leave them out of the length), or when the
// message would be longer than MaxLen.
func AppendGroupMod(b []byte, xid uint32, command uint16, typ uint8, id uint32, buckets []byte) []byte {
	if groupModFixed+len(buckets) > MaxLen || command == GroupDelete && len(buckets) > 0 {
		return b
	}
	g := openflow13.NewGroupMod()
	g.Command = command
	g.Type = typ
	g.GroupId = id
	for len(buckets) > 0 {
		k, rest, err := DecodeBucket(buckets)
		if err != nil {
			return b
		}
		bucket := openflow13.NewBucket()
		bucket.Weight = k.Weight
		bucket.WatchPort = uint32(k.WatchPort)
		bucket.WatchGroup = k.WatchGroup
		if len(k.Actions) > 0 {
			bucket.AddAction(encodedActions(k.Actions))
		}
		g.AddBucket(*bucket)
		buckets = rest
	}
	return appendLib(b, xid, &g.Header, g)
}

// encodedActions is a list of actions in wire format that libOpenflow takes for one action.
type encodedActions []byte

// Header returns nil: no code that encodes a bucket asks for it.
func (a encodedActions) Header() *openflow13.ActionHeader { return nil }

// Len returns the length in bytes; a bucket of at most MaxLen bytes keeps it within 16 bits.
func (a encodedActions) Len() uint16 { return uint16(len(a)) }

// MarshalBinary returns the bytes themselves.
func (a encodedActions) MarshalBinary() ([]byte, error) { return a, nil }

var errNotDecoded = errors.New("encoded actions are written, never read")

// UnmarshalBinary fails: this type is for writing.
func (a encodedActions) UnmarshalBinary([]byte) error { return errNotDecoded }
