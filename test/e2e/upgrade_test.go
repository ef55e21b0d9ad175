package e2e

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/eosin-sdn/eosin/apps/pipeline"
	"github.com/eosin-sdn/eosin/controller/api"
	"github.com/eosin-sdn/eosin/lab"
	"github.com/eosin-sdn/eosin/openflow/flow"
)

// TestUpgradeRenumbered replaces the controller by one whose tables have other numbers, as if a table had been put in
// behind the first, and then by the old one again. Pings every 10 ms, on one bridge and over VXLAN, lose nothing; after
// the upgrade the hosts are known from the flows of before. Of the other numbering nothing is left.
func TestUpgradeRenumbered(t *testing.T) {
	t.Parallel()
	renumbered := filepath.Join(t.TempDir(), "eosin")
	out, err := exec.Command("go", "build", "-tags", "renumbered", "-o", renumbered, "../../cmd/eosin").CombinedOutput()
	if err != nil {
		t.Fatalf("build eosin: %v\n%s", err, out)
	}
	p := newHealSite(t)
	pings := []*lab.RunningPing{
		p.known[0].StartPing(p.known[1].IP(), lab.Count(endless), lab.Interval(10*time.Millisecond)),
		p.known[0].StartPing(p.known[2].IP(), lab.Count(endless), lab.Interval(10*time.Millisecond)),
	}
	bridges := []*lab.Bridge{p.a, p.b}
	replace := func(binary, what string, shift int) {
		t.Helper()
		p.ctl.Kill()
		p.ctl.Binary = binary
		p.ctl.Start()
		for _, br := range bridges {
			p.waitConnected(br)
		}
		for _, br := range bridges {
			p.eventually(patience, what+": all flows in the tables of today", func() bool {
				return len(outOfPlace(br, shift)) == 0
			})
		}
	}
	replace(renumbered, "upgrade", 1)
	p.eventually(truthWithin, "hosts known from the flows", func() bool {
		return len(get[api.Host](p.site, "hosts")) == len(p.known) && p.locationsRight()
	})
	p.waitLinks(1)
	replace(program, "downgrade", 0)
	p.waitLinks(1)
	for _, br := range bridges {
		p.eventually(patience, "complete tables", func() bool { return p.complete(br) })
	}
	p.lossless("two replacements", pings...)
}

// outOfPlace returns what keeps the flows of ours on a bridge from being in the tables of their owners, whose numbers are
// shifted, all but the first: flows that are elsewhere, and tables that are empty.
func outOfPlace(br *lab.Bridge, shift int) (wrong []string) {
	owners := map[int][]flow.Owner{}
	for _, table := range pipeline.Layout.Tables {
		n := int(table.Number)
		if n > 0 {
			n += shift
		}
		owners[n] = table.Owners
	}
	filled := map[int]bool{}
	for _, f := range br.Flows() {
		owner, ours := flow.OwnerOf(f.Cookie)
		filled[f.Table] = true
		if ours && !slices.Contains(owners[f.Table], owner) {
			wrong = append(wrong, f.Text)
		}
		if f.Table == 0 && ours && flow.Tag(f.Cookie) != uint64(shift) {
			wrong = append(wrong, "another version: "+f.Text)
		}
		if next := fmt.Sprintf("goto_table:%d", 1); shift > 0 && strings.Contains(f.Actions, next) {
			wrong = append(wrong, "leads to where no table is: "+f.Text)
		}
	}
	for n := range owners {
		if !filled[n] {
			wrong = append(wrong, fmt.Sprintf("table %d is empty", n))
		}
	}
	return wrong
}
