package lab

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		after := func(d time.Duration) func() bool { return func() bool { return time.Since(began) >= d } }
		if !Eventually(time.Second, after(500*time.Millisecond)) {
			t.Error("Eventually gave up early")
		}
		if took := time.Since(began); took > 520*time.Millisecond {
			t.Errorf("Eventually noticed after %v", took)
		}
		began = time.Now()
		if Eventually(time.Second, after(2*time.Second)) || time.Since(began) != time.Second {
			t.Errorf("Eventually waited %v", time.Since(began))
		}
		began = time.Now()
		if !Observe(time.Second, func() bool { return true }) || time.Since(began) != time.Second {
			t.Errorf("Observe watched for %v", time.Since(began))
		}
		began = time.Now()
		if Observe(time.Second, func() bool { return !after(300 * time.Millisecond)() }) ||
			time.Since(began) > 500*time.Millisecond {
			t.Errorf("Observe ended after %v", time.Since(began))
		}
		began = time.Now()
		same := func(a, b time.Duration) bool { return a == b }
		got, ok := Steady(time.Second, time.Minute,
			func() time.Duration { return min(time.Since(began), 3*time.Second) }, same)
		if !ok || got != 3*time.Second || time.Since(began) < 4*time.Second {
			t.Errorf("Steady: %v %v after %v", got, ok, time.Since(began))
		}
		if _, ok := Steady(time.Second, time.Minute, func() time.Duration { return time.Since(began) }, same); ok {
			t.Error("Steady: what changes all the time")
		}
	})
}
