package flow

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/eosin-sdn/eosin/openflow"
)

// fill states the rules of so many hosts.
func fill(s *Store, hosts uint64) {
	for n := range hosts {
		learn, forward := hostRules(n)
		s.Put(&forward)
		s.Put(&learn)
	}
}

// drainAll takes what is queued and throws it away, as a session does.
func drainAll(s *Store, b []byte) []byte {
	var xid uint32
	for s.Pending() > 0 {
		b = s.Drain(b[:0], 1<<16, &xid, nil)
	}
	return b
}

// TestMemoryPerRule holds a hundred thousand hosts, two rules each, to less than 500 bytes a rule, with all of them
// queued and after they have been sent.
func TestMemoryPerRule(t *testing.T) {
	const hosts = 100_000
	heap := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	s := NewStore()
	fill(s, hosts)
	queued := float64(heap()-before) / (2 * hosts)
	drainAll(s, make([]byte, 0, 1<<17))
	sent := float64(heap()-before) / (2 * hosts)
	t.Logf("%.0f bytes a rule queued, %.0f when sent", queued, sent)
	if s.Len() != 2*hosts || queued >= 500 || sent >= 500 {
		t.Errorf("%d rules, %.0f and %.0f bytes each, want below 500", s.Len(), queued, sent)
	}
	runtime.KeepAlive(s)
}

// TestPutAllocations: a known rule costs no allocation, and a new one none but the growth of what all share.
func TestPutAllocations(t *testing.T) {
	s := NewStore()
	fill(s, 10_000)
	buf := drainAll(s, make([]byte, 0, 1<<17))
	learn, _ := hostRules(77)
	if n := testing.AllocsPerRun(1000, func() { s.Put(&learn) }); n != 0 || s.Pending() != 0 {
		t.Errorf("%v allocations for a known rule, %d pending", n, s.Pending())
	}
	next := uint64(10_000)
	rules := make([]Rule, 50_001)
	for i := range rules {
		rules[i], _ = hostRules(next + uint64(i))
	}
	i := 0
	if n := testing.AllocsPerRun(50_000, func() { s.Put(&rules[i]); i++ }); n > 0.1 {
		t.Errorf("%v allocations for a new rule", n)
	}
	drainAll(s, buf)
	i = 0
	if n := testing.AllocsPerRun(50_000, func() { // a change reuses what it replaces
		rules[i].IdleTimeout++
		s.Put(&rules[i])
		i++
	}); n > 0.1 {
		t.Errorf("%v allocations for a changed rule", n)
	}
}

func BenchmarkPutNew(b *testing.B) {
	s := NewStore()
	rules := make([]Rule, 100_000)
	for i := range rules {
		rules[i], _ = hostRules(uint64(i))
	}
	buf := make([]byte, 0, 1<<17)
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		if i > 0 && i%len(rules) == 0 { // a store that grows without end measures memory, not Put
			b.StopTimer()
			drainAll(s, buf)
			s = NewStore()
			b.StartTimer()
		}
		s.Put(&rules[i%len(rules)])
	}
}

func BenchmarkPutSame(b *testing.B) {
	s := NewStore()
	fill(s, 10_000)
	drainAll(s, make([]byte, 0, 1<<17))
	var rules [1024]Rule
	for i := range rules {
		rules[i], _ = hostRules(uint64(i))
	}
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		if s.Put(&rules[i%len(rules)]) {
			b.Fatal("a known rule was taken for a change")
		}
	}
}

// BenchmarkAudit100k compares a hundred thousand rules with a dump in which nothing differs.
func BenchmarkAudit100k(b *testing.B) {
	s := NewStore()
	fill(s, 50_000)
	drainAll(s, make([]byte, 0, 1<<17))
	var dump []openflow.FlowStats
	for n := range uint64(50_000) {
		learn, forward := hostRules(n)
		dump = append(dump, stats(&learn), stats(&forward))
	}
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		var d Drift
		s.BeginAudit()
		for i := range dump {
			s.Dumped(&dump[i], &d)
		}
		s.EndAudit(&d)
		if d.Any() || s.Pending() > 0 {
			b.Fatalf("%+v", d)
		}
	}
}

// BenchmarkRestate states a thousand rules anew beside those of many hosts, which cost it nothing.
func BenchmarkRestate(b *testing.B) {
	for _, hosts := range []uint64{0, 50_000} {
		b.Run(fmt.Sprintf("hosts=%d", hosts), func(b *testing.B) {
			s := NewStore()
			fill(s, hosts)
			rules := make([]Rule, 1000)
			for i := range rules {
				rules[i] = *leads(1, openflow.PortNo(i+1))
			}
			b.ResetTimer()
			for range b.N {
				s.Begin(1)
				for i := range rules {
					s.Put(&rules[i])
				}
				s.End(1, 1)
			}
		})
	}
}
