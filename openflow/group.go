package openflow

// Reserved group numbers (spec 7.3.4.2).
const (
	GroupMax uint32 = 0xffffff00 // highest number of a real group
	GroupAll uint32 = 0xfffffffc // all groups; delete only
	GroupAny uint32 = 0xffffffff // wildcard of flow requests and flow-mod deletes
)

// Group types (spec 7.3.4.2).
const (
	GroupTypeAll    uint8 = 0 // every bucket gets a copy
	GroupTypeSelect uint8 = 1
	GroupTypeFF     uint8 = 3 // fast failover
)

// Commands of a group-mod (spec 7.3.4.2).
const (
	GroupAdd    uint16 = 0
	GroupModify uint16 = 1
	GroupDelete uint16 = 2
)

// GroupDesc is one group of a group dump (spec 7.3.5.9).
type GroupDesc struct {
	Type    uint8
	ID      uint32
	Buckets []byte // well-formed, for DecodeBucket; aliases the message
}

const groupDescFixed = 8 // bytes before the buckets

// DecodeGroupDesc reads one entry of a [MultipartGroupDesc] reply and returns what follows it.
func DecodeGroupDesc(b []byte) (g GroupDesc, rest []byte, err error) {
	entry, rest, e := cutEntry(b, groupDescFixed)
	if e != nil {
		return g, nil, e.in("group_desc", 0)
	}
	if e := validateBuckets(entry[groupDescFixed:]); e != nil {
		return g, nil, e.in("group_desc", groupDescFixed)
	}
	return GroupDesc{Type: entry[2], ID: be.Uint32(entry[4:]), Buckets: entry[groupDescFixed:]}, rest, nil
}

// Bucket is one bucket of a group (spec 7.3.4.2).
type Bucket struct {
	Weight     uint16 // of a select group
	WatchPort  PortNo // of a fast-failover group; PortAny otherwise
	WatchGroup uint32 // of a fast-failover group; GroupAny otherwise
	Actions    []byte // well-formed; aliases the message
}

const bucketFixed = 16 // bytes before the actions

// DecodeBucket reads one bucket and returns what follows it.
func DecodeBucket(b []byte) (k Bucket, rest []byte, err error) {
	entry, rest, e := cutBucket(b)
	if e != nil {
		return k, nil, e.in("bucket", 0)
	}
	return Bucket{
		Weight:     be.Uint16(entry[2:]),
		WatchPort:  PortNo(be.Uint32(entry[4:])),
		WatchGroup: be.Uint32(entry[8:]),
		Actions:    entry[bucketFixed:],
	}, rest, nil
}

// cutBucket is cutEntry for a bucket, with its actions checked.
func cutBucket(b []byte) (entry, rest []byte, e *DecodeError) {
	if entry, rest, e = cutEntry(b, bucketFixed); e != nil {
		return nil, nil, e
	}
	if len(entry)%8 != 0 {
		return nil, nil, &DecodeError{Err: ErrLength}
	}
	if e := validateActions(entry[bucketFixed:]); e != nil {
		e.Offset += bucketFixed
		return nil, nil, e
	}
	return entry, rest, nil
}

func validateBuckets(b []byte) *DecodeError {
	for i, n := 0, 1; i < len(b); n++ {
		entry, _, e := cutBucket(b[i:])
		if e != nil {
			if e.Part != "" { // inside the bucket
				return e.under("buckets", i)
			}
			e.Index = n
			return e.under("bucket", i)
		}
		i += len(entry)
	}
	return nil
}

// AppendBucket appends one bucket, to be given to [AppendGroupMod]. It appends nothing when the bucket is too long.
func AppendBucket(b []byte, weight uint16, watchPort PortNo, watchGroup uint32, actions []byte) []byte {
	n := pad8(bucketFixed + len(actions))
	if n > MaxLen {
		return b
	}
	b = append(b, byte(n>>8), byte(n), byte(weight>>8), byte(weight))
	b = be.AppendUint32(b, uint32(watchPort))
	b = be.AppendUint32(b, watchGroup)
	b = appendZeros(b, 4)
	b = append(b, actions...)
	return appendZeros(b, n-bucketFixed-len(actions))
}

// GroupMod adds, changes or deletes a group (spec 7.3.4.2).
type GroupMod struct {
	Command uint16
	Type    uint8
	ID      uint32
	Buckets []byte // well-formed, for DecodeBucket; aliases the message
}

const groupModFixed = 16 // bytes before the buckets

// Decode reads a group-mod.
func (m *GroupMod) Decode(msg []byte) error {
	if e := checkHeader(msg, TypeGroupMod, groupModFixed); e != nil {
		return e
	}
	if e := validateBuckets(msg[groupModFixed:]); e != nil {
		return e.in("group_mod", groupModFixed)
	}
	*m = GroupMod{
		Command: be.Uint16(msg[8:]), Type: msg[10], ID: be.Uint32(msg[12:]),
		Buckets: clip(msg[groupModFixed:]),
	}
	return nil
}

// AppendGroupDesc appends one entry of a [MultipartGroupDesc] reply. It appends nothing when the entry is too long.
func AppendGroupDesc(b []byte, g *GroupDesc) []byte {
	n := groupDescFixed + len(g.Buckets)
	if n > MaxLen {
		return b
	}
	b = append(b, byte(n>>8), byte(n), g.Type, 0)
	b = be.AppendUint32(b, g.ID)
	return append(b, g.Buckets...)
}
