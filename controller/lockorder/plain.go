//go:build !race

package lockorder

import "sync"

// Mutex is a [sync.Mutex] with a rank.
type Mutex[R Rank] struct{ sync.Mutex }
