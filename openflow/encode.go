package openflow

import (
	"errors"

	"github.com/contiv/libOpenflow/common"
	"github.com/contiv/libOpenflow/openflow13"
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

// AppendFeaturesRequest appends a features request (spec 7.3.1).
func AppendFeaturesRequest(b []byte, xid uint32) []byte {
	h := openflow13.NewFeaturesRequest()
	return appendLib(b, xid, h, h)
}

// AppendSetConfig appends a set-config message (spec 7.3.2).
func AppendSetConfig(b []byte, xid uint32, flags, missSendLen uint16) []byte {
	c := openflow13.NewSetConfig()
	c.Flags, c.MissSendLen = flags, missSendLen
	return appendLib(b, xid, &c.Header, c)
}

// AppendGroupMod appends a group-mod. buckets come from [AppendBucket]; a delete has none. It appends nothing when the
// buckets are malformed, when a delete has buckets (libOpenflow would leave them out of the length), or when the
// message would be longer than MaxLen.
func AppendGroupMod(b []byte, xid uint32, command uint16, typ uint8, id uint32, buckets []byte) []byte {
	if groupModFixed+len(buckets) > MaxLen || command == GroupDelete && len(buckets) > 0 {
		return b
	}
	g := openflow13.NewGroupMod()
	g.Command, g.Type, g.GroupId = command, typ, id
	for len(buckets) > 0 {
		k, rest, err := DecodeBucket(buckets)
		if err != nil {
			return b
		}
		bucket := openflow13.NewBucket()
		bucket.Weight, bucket.WatchPort, bucket.WatchGroup = k.Weight, uint32(k.WatchPort), k.WatchGroup
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

// UnmarshalBinary fails: this type is for writing.
func (a encodedActions) UnmarshalBinary([]byte) error {
	return errors.New("encoded actions are written, never read")
}

// AppendMeterMod appends a meter-mod with one drop band, or without any when command is [MeterDelete]. rate and burst
// count what flags say: kbit/s and kbit, or packets/s and packets; burst holds with [MeterBurst] only.
func AppendMeterMod(b []byte, xid uint32, command, flags uint16, id, rate, burst uint32) []byte {
	m := openflow13.NewMeterMod()
	m.Command, m.Flags, m.MeterId = command, flags, id
	if command != MeterDelete {
		band := &openflow13.MeterBandDrop{MeterBandHeader: *openflow13.NewMeterBandHeader()}
		band.Type, band.Rate, band.BurstSize = openflow13.OFPMBT13_DROP, rate, burst
		m.AddMeterBand(band)
	}
	return appendLib(b, xid, &m.Header, m)
}

// AppendBundleControl appends a bundle-control message.
func AppendBundleControl(b []byte, xid, id uint32, typ, flags uint16) []byte {
	v := openflow13.NewBundleControl(&openflow13.BundleControl{BundleID: id, Type: typ, Flags: flags})
	return appendLib(b, xid, &v.Header, v)
}
