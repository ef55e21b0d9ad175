//go:build !renumbered

package pipeline

// version is that of the numbers in Tables. Flows of another version are adopted by the names of their tables.
const version = 1

// earlier has the numbers of each version before.
var earlier = map[uint8]map[string]uint8{}

// shift is not 0 in the pipeline against which upgrades are tested.
const shift = 0
