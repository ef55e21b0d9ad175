//go:build renumbered

package pipeline

// This is the pipeline against which upgrades are tested: as if a table had been put in behind the first.
const (
	version = 2
	shift   = 1
)

var earlier = map[uint8]map[string]uint8{1: version1}
