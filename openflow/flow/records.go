package flow

// records is a growing array in blocks. It never moves a record, so that many new hosts do not pay again and again for
// copying those that are there.
type records struct {
	blocks [][]record
	n      int32
}

// recordBlock is how many records come at once: few enough that a switch with a handful of rules stays small.
const recordBlock = 64

// at returns a record; it stays where it is.
func (r *records) at(i int32) *record { return &r.blocks[i/recordBlock][i%recordBlock] }

// add returns the number of a new record.
func (r *records) add() int32 {
	if int(r.n) == len(r.blocks)*recordBlock {
		r.blocks = append(r.blocks, make([]record, recordBlock))
	}
	r.n++
	return r.n - 1
}
