//go:build !race

package lockorder

import "sync"

// Mutex is a [sync.Mutex] with a rank.
type Mutex[R Rank] struct{ sync.Mutex }

// RWMutex is a [sync.RWMutex] with a rank.
type RWMutex[R Rank] struct{ sync.RWMutex }
