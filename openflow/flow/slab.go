package flow

import "encoding/binary"

// slab is an allocator of OpenFlow messages in large blocks, named by number. A hundred thousand rules are neither so
// many objects nor pointers for the garbage collector. A message's length stands in its header.
type slab struct {
	blocks [][]byte
	left   uint32 // units of the last block that are not given out
	next   ref    // the first of them
	free   [slabClasses][]ref
	vacant []ref // blocks that had held one long message
}

// ref names a message in a slab: the number of its first unit, plus one. 0 is none.
type ref uint32

const (
	slabUnit    = 16
	slabBlock   = 512 // units in a block: 8 KiB
	slabClasses = 32  // up to 512 bytes; a longer message has a block to itself
)

// dup takes a copy of a message. The empty one is 0.
func (s *slab) dup(msg []byte) ref {
	if len(msg) == 0 {
		return 0
	}
	class := uint32(len(msg)+slabUnit-1) / slabUnit
	if class >= slabClasses {
		return s.dupLong(msg)
	}
	var r ref
	if f := s.free[class]; len(f) > 0 {
		r, s.free[class] = f[len(f)-1], f[:len(f)-1]
	} else {
		if s.left < class {
			s.blocks = append(s.blocks, make([]byte, slabBlock*slabUnit))
			s.left, s.next = slabBlock, ref(len(s.blocks)-1)*slabBlock+1
		}
		r = s.next
		s.left -= class
		s.next += ref(class)
	}
	copy(s.from(r), msg)
	return r
}

func (s *slab) dupLong(msg []byte) ref {
	if n := len(s.vacant); n > 0 {
		r := s.vacant[n-1]
		s.vacant = s.vacant[:n-1]
		s.blocks[r/slabBlock] = append([]byte(nil), msg...)
		return r
	}
	// What is left of the last block stays in use: only the numbers go on behind it.
	s.blocks = append(s.blocks, append([]byte(nil), msg...))
	return ref(len(s.blocks)-1)*slabBlock + 1
}

// from returns the block from the message's first byte on.
func (s *slab) from(r ref) []byte {
	r--
	return s.blocks[r/slabBlock][r%slabBlock*slabUnit:]
}

// get returns a message: nil for 0. The bytes are the slab's own.
func (s *slab) get(r ref) []byte {
	if r == 0 {
		return nil
	}
	b := s.from(r)
	n := binary.BigEndian.Uint16(b[2:])
	return b[:n:n]
}

// release takes a message back.
func (s *slab) release(r ref) {
	if r == 0 {
		return
	}
	class := (len(s.get(r)) + slabUnit - 1) / slabUnit
	if class >= slabClasses {
		s.blocks[r/slabBlock] = nil
		s.vacant = append(s.vacant, r)
		return
	}
	s.free[class] = append(s.free[class], r)
}
