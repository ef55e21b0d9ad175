package main

import (
	"reflect"
	"slices"
	"testing"
	"time"
)

func testShape() shape {
	return shape{
		hosts: []string{"host1", "host2", "host3"}, guests: []string{"vm1", "vm2", "vm3"},
		movers: map[string]string{"vm2": "host2", "vm3": "host3"},
		cycle:  30 * time.Second, calm: 8 * time.Second,
	}
}

// TestPlan: plans are equal for equal seeds, hold to their rules, and leave nothing out.
func TestPlan(t *testing.T) {
	t.Parallel()
	s := testShape()
	for seed := range uint64(200) {
		cycles := plan(seed, 10*time.Minute, s)
		if !reflect.DeepEqual(cycles, plan(seed, 10*time.Minute, s)) {
			t.Fatalf("seed %d: two plans", seed)
		}
		if len(cycles) != 20 {
			t.Fatalf("seed %d: %d cycles of 30 s in 10 m", seed, len(cycles))
		}
		at := map[string]string{"vm2": "host2", "vm3": "host3"}
		count := map[kind]int{}
		for i, steps := range cycles {
			if len(steps) == 0 {
				t.Errorf("seed %d: cycle %d is empty", seed, i)
			}
			var alone time.Duration // until then nothing may begin
			for n, d := range steps {
				count[d.kind]++
				if d.begin < 0 || d.end < d.begin || d.end > s.cycle-s.calm+13*time.Second {
					t.Errorf("seed %d: cycle %d: %s from %v to %v", seed, i, d, d.begin, d.end)
				}
				overlapped := n > 0 && d.begin < alone
				if overlapped && (d.kind != portFlap || !overlaps(steps[n-1].kind) || d.end > steps[n-1].end) {
					t.Errorf("seed %d: cycle %d: %s during %s", seed, i, d, steps[n-1])
				}
				if !overlapped {
					alone = d.end + pause
				}
				switch d.kind {
				case guestMove:
					if d.to == at[d.guest] || !slices.Contains(s.hosts, d.to) {
						t.Errorf("seed %d: cycle %d: %s, which is at %s", seed, i, d, at[d.guest])
					}
					at[d.guest] = d.to
				case tunnelCut:
					if d.host == d.peer || d.host == "" || d.peer == "" {
						t.Errorf("seed %d: cycle %d: %s", seed, i, d)
					}
				case controllerKill, controllerRestart:
					if n > 0 || i > len(cycles)/3 {
						t.Errorf("seed %d: %s is step %d of cycle %d", seed, d, n, i)
					}
				case controllerFreeze, managementCut:
					if n > 0 {
						t.Errorf("seed %d: cycle %d: %s is step %d", seed, i, d, n)
					}
				}
			}
		}
		if count[controllerKill] != 1 || count[controllerRestart] != 1 {
			t.Errorf("seed %d: %d kills and %d restarts of the controller", seed, count[controllerKill],
				count[controllerRestart])
		}
		for _, n := range natures {
			if count[n.kind] == 0 {
				t.Errorf("seed %d: no %s in 10 m: %v", seed, n.kind, count)
			}
		}
	}
	if a, b := plan(1, time.Minute, s), plan(2, time.Minute, s); reflect.DeepEqual(a, b) {
		t.Error("two seeds have one plan")
	}
	if short := plan(1, time.Second, s); len(short) != 1 {
		t.Errorf("a second has %d cycles", len(short))
	}
}

func overlaps(k kind) bool {
	return slices.ContainsFunc(natures, func(n nature) bool { return n.kind == k && n.overlaps })
}
