package flow

// slab hands out short byte slices from large blocks and takes them back, so that a hundred thousand rules are not a hundred
// thousand objects for the garbage collector to find room for.
type slab struct {
	block []byte
	free  [slabClasses][][]byte
}

const (
	slabUnit    = 16
	slabClasses = 32 // up to 512 bytes; longer ones are plain slices
	slabBlock   = 32 << 10
)

// dup returns a copy of b.
func (s *slab) dup(b []byte) []byte {
	class := (len(b) + slabUnit - 1) / slabUnit
	if class >= slabClasses {
		return append([]byte(nil), b...)
	}
	if f := s.free[class]; len(f) > 0 {
		c := f[len(f)-1]
		s.free[class] = f[:len(f)-1]
		return append(c, b...)
	}
	size := class * slabUnit
	if len(s.block) < size {
		s.block = make([]byte, slabBlock)
	}
	c := s.block[:0:size]
	s.block = s.block[size:]
	return append(c, b...)
}

// release takes back a slice that dup returned.
func (s *slab) release(b []byte) {
	class := cap(b) / slabUnit
	if class < slabClasses && cap(b)%slabUnit == 0 && class > 0 {
		s.free[class] = append(s.free[class], b[:0])
	}
}
