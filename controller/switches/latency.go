package switches

import (
	"sync/atomic"
	"time"
)

// latencyBounds are the upper bounds of Latency's buckets, in seconds.
var latencyBounds = [...]float64{
	5e-6, 10e-6, 25e-6, 50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3, 100e-3, 1,
}

// Latency is a histogram of seconds that takes a whole batch of packet-ins in three atomic additions.
type Latency struct {
	buckets [len(latencyBounds) + 1]atomic.Uint64
	nanos   atomic.Uint64
}

// observe notes that n packet-ins were read, decided and answered within d.
func (l *Latency) observe(d time.Duration, n uint64) {
	i, s := 0, d.Seconds()
	for i < len(latencyBounds) && s > latencyBounds[i] {
		i++
	}
	l.buckets[i].Add(n)
	l.nanos.Add(uint64(d) * n)
}

// Read returns the count, the sum in seconds and the cumulative buckets.
func (l *Latency) Read() (count uint64, sum float64, buckets map[float64]uint64) {
	buckets = make(map[float64]uint64, len(latencyBounds))
	for i := range l.buckets {
		count += l.buckets[i].Load()
		if i < len(latencyBounds) {
			buckets[latencyBounds[i]] = count
		}
	}
	return count, float64(l.nanos.Load()) / 1e9, buckets
}
