// Package lockorder ranks the locks that are held together. A goroutine may take a lock only of a higher rank than all
// that it holds; a build with the race detector, as in all unit tests, panics when one does otherwise. In other builds
// the types are plain locks of package sync and cost nothing more.
package lockorder

// Rank is the place of a lock in the order.
type Rank interface{ rank() int }

// The order, the first to be taken first.
type (
	Reload   struct{} // one reload at a time
	Switch   struct{} // one switch: its machine, connection and timer. Never two of them
	Registry struct{} // the map of switches
	Prober   struct{} // the state of the probe engine
	Leaf     struct{} // under which nothing is called: fabric, addresses, events
)

func (Reload) rank() int   { return 1 }
func (Switch) rank() int   { return 2 }
func (Registry) rank() int { return 3 }
func (Prober) rank() int   { return 4 }
func (Leaf) rank() int     { return 5 }
