package topology

// maxVLANs is the size of the VLAN id space (IEEE 802.1Q, 12 bits).
const maxVLANs = 4096

type vlanBits [maxVLANs / 64]uint64

// VLANs is an immutable set of VLAN ids. The zero value is empty. Copies share their memory.
type VLANs struct{ bits *vlanBits }

var noVLANs = &vlanBits{}

// NewVLANs returns the set of the given ids, in any order; ids above 4095 are ignored.
func NewVLANs(ids ...uint16) VLANs {
	b := new(vlanBits)
	for _, id := range ids {
		if id < maxVLANs {
			b[id/64] |= 1 << (id % 64)
		}
	}
	return VLANs{b}
}

// equal reports whether both sets hold the same ids.
func (v VLANs) equal(o VLANs) bool {
	a, b := v.raw(), o.raw()
	return a == b || *a == *b
}

func (v VLANs) raw() *vlanBits {
	if v.bits == nil {
		return noVLANs
	}
	return v.bits
}

func (b *vlanBits) has(id uint16) bool { return b[id/64]&(1<<(id%64)) != 0 }

// and returns the intersection; it shares memory with operands that are one.
func (b *vlanBits) and(o *vlanBits) *vlanBits {
	if b == o {
		return b
	}
	r := new(vlanBits)
	for i := range b {
		r[i] = b[i] & o[i]
	}
	return r
}
