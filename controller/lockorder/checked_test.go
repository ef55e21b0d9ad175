//go:build race

package lockorder

import "testing"

func panics(f func()) (p bool) {
	defer func() { p = recover() != nil }()
	f()
	return false
}

func TestOrder(t *testing.T) {
	var sw, other Mutex[Switch]
	var registry Mutex[Registry]
	var leaf Mutex[Leaf]

	sw.Lock()
	registry.Lock()
	leaf.Lock()
	leaf.Unlock()
	registry.Unlock()
	if !panics(other.Lock) {
		t.Error("a second switch is locked under the first")
	}
	sw.Unlock()

	registry.Lock()
	if !panics(sw.Lock) {
		t.Error("a switch is locked under the registry")
	}
	if !panics(registry.Lock) {
		t.Error("a lock is taken twice")
	}
	done := make(chan bool)
	go func() { done <- panics(func() { sw.Lock(); sw.Unlock() }) }() // another goroutine holds nothing
	if <-done {
		t.Error("a lock of another goroutine counts")
	}
	registry.Unlock()
	if len(held) != 0 {
		t.Errorf("left behind: %v", held)
	}
}
