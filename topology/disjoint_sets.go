package topology

// disjointSets is a union-find forest over 0..n-1 whose representatives are the lowest members.
type disjointSets []int32

func newDisjointSets(n int) disjointSets {
	d := make(disjointSets, n)
	for i := range d {
		d[i] = int32(i)
	}
	return d
}

func (d disjointSets) find(i int32) int32 {
	for d[i] != i {
		d[i] = d[d[i]]
		i = d[i]
	}
	return i
}

// join unites two sets and reports whether they were apart.
func (d disjointSets) join(a, b int32) bool {
	a, b = d.find(a), d.find(b)
	if a == b {
		return false
	}
	d[max(a, b)] = min(a, b)
	return true
}
