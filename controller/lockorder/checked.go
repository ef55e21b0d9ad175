//go:build race

package lockorder

import (
	"bytes"
	"fmt"
	"runtime"
	"slices"
	"sync"
)

// Mutex is a [sync.Mutex] with a rank, which is checked.
type Mutex[R Rank] struct{ mu sync.Mutex }

// Lock locks m.
func (m *Mutex[R]) Lock() {
	acquire[R]()
	m.mu.Lock()
}

// Unlock unlocks m.
func (m *Mutex[R]) Unlock() {
	m.mu.Unlock()
	release[R]()
}

// held are the ranks that goroutines hold, by the goroutine's id.
var (
	heldMu sync.Mutex
	held   = map[string][]int{}
)

func acquire[R Rank]() {
	var r R
	id := goroutine()
	heldMu.Lock()
	defer heldMu.Unlock()
	for _, other := range held[id] {
		if other >= r.rank() {
			panic(fmt.Sprintf("lockorder: %T is taken while a lock of rank %d is held", r, other))
		}
	}
	held[id] = append(held[id], r.rank())
}

func release[R Rank]() {
	var r R
	id := goroutine()
	heldMu.Lock()
	defer heldMu.Unlock()
	l := held[id]
	i := slices.Index(l, r.rank())
	if i < 0 {
		panic(fmt.Sprintf("lockorder: %T is released by another goroutine", r))
	}
	if l = slices.Delete(l, i, i+1); len(l) == 0 {
		delete(held, id)
		return
	}
	held[id] = l
}

// goroutine returns the calling goroutine's id, from "goroutine 7 [running]:".
func goroutine() string {
	var buf [64]byte
	fields := bytes.Fields(buf[:runtime.Stack(buf[:], false)])
	return string(fields[1])
}
