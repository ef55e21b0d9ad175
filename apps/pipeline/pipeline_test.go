package pipeline

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/apps/apptest"
	"github.com/eosin-sdn/eosin/apps/flood"
	"github.com/eosin-sdn/eosin/apps/l2"
	"github.com/eosin-sdn/eosin/openflow/flow"
)

func TestCheck(t *testing.T) {
	if err := Check(); err != nil {
		t.Error(err)
	}
}

// TestCheckFinds what would otherwise be a table without rules.
func TestCheckFinds(t *testing.T) {
	silent := func(sw *apps.Switch, k Keys) *Set {
		s := New(sw, k)
		for i, a := range s.Order {
			if _, ok := a.(*flood.App); ok {
				s.Order[i] = apps.Base{}
			}
		}
		return s
	}
	with := func(n int, name string) *apps.Layout {
		last := apps.TableSpec{Number: 99, Name: name, App: "acl", Owners: []flow.Owner{15}}
		return apps.NewLayout(1, append(slices.Clone(Layout.Tables[:n]), last)...)
	}
	n := len(Layout.Tables)
	for want, err := range map[string]error{
		"app flood states no rule in table flood": check(Layout, silent),
		"app acl states no rule in table acl":     check(with(n, "acl"), New),
		"owner 6 has no table":                    check(with(n-1, "flood"), silent),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// TestNumbers holds today's numbers to the version: other numbers need another version, and the old ones in earlier.
func TestNumbers(t *testing.T) {
	numbers := map[string]uint8{}
	for _, table := range Tables {
		numbers[table.name] = table.number
	}
	if (version == 1) != maps.Equal(numbers, version1) {
		t.Errorf("version %d has the numbers %v", version, numbers)
	}
	for v := range uint8(version) {
		if _, ok := earlier[v]; ok != (v > 0) {
			t.Errorf("numbers of version %d: %v", v, ok)
		}
	}
	if shift == 0 && version == 1 && !reflect.DeepEqual(Layout.Tables, apptest.Layout.Tables) {
		t.Errorf("apptest has another layout: %+v", apptest.Layout)
	}
}

func TestTranslate(t *testing.T) {
	for from := range uint8(version + 2) {
		for table := range uint8(10) {
			got, ok := Layout.Translate(from, table)
			switch {
			case from == version:
				if got != table || !ok {
					t.Errorf("today's table %d becomes %d", table, got)
				}
			case ok && Layout.Name(got) == "":
				t.Errorf("table %d of version %d becomes %d", table, from, got)
			case ok != (earlier[from] != nil && table < 8):
				t.Errorf("table %d of version %d: %v", table, from, ok)
			}
		}
	}
}

func TestNew(t *testing.T) {
	s := New(&apps.Switch{Layout: Layout}, Keys{})
	if len(s.Order) != 5 || s.ByOwner[apps.OwnerL2] != apps.App(Get[*l2.App](s)) || s.ByOwner[0] != nil {
		t.Errorf("%+v", s)
	}
	for _, o := range apps.Owners() {
		if s.ByOwner[o] == nil {
			t.Errorf("owner %d has no app", o)
		}
	}
	if _, last := s.Order[0].(*flood.App); !last {
		t.Errorf("%T states its rules first", s.Order[0])
	}
}
