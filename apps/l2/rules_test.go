package l2

import (
	"testing"

	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/oftext"
)

func TestFixedRules(t *testing.T) {
	r := newRig(t)
	r.link()
	var lines []string
	r.out.Store.Each(func(m *openflow.FlowMod) {
		lines = append(lines, oftext.Flow(&openflow.FlowStats{
			TableID: m.TableID, Priority: m.Priority, Cookie: m.Cookie, Match: m.Match, Instructions: m.Instructions,
		}))
	})
	want := `cookie=0xe054000000000000, table=4, priority=30,reg0=0x1 actions=goto_table:5
cookie=0xe054000000000000, table=4, priority=20,in_port=9 actions=goto_table:5
cookie=0xe054000000000002, table=4, priority=10,arp actions=controller(meter_id=918786),goto_table:5
cookie=0xe054000000000000, table=4, priority=0 actions=goto_table:5
cookie=0xe054000000000000, table=5, priority=30,dl_src=02:e0:51:00:00:00/ff:ff:ff:00:00:00 actions=goto_table:6
cookie=0xe054000000000000, table=5, priority=30,reg0=0x1 actions=goto_table:6
cookie=0xe054000000000000, table=5, priority=20,in_port=9 actions=goto_table:6
cookie=0xe054000000000001, table=5, priority=0 actions=controller(meter_id=918785),goto_table:6
cookie=0xe054000000000000, table=6, priority=30,reg0=0x2 actions=drop
cookie=0xe054000000000000, table=6, priority=0 actions=goto_table:7
`
	if got := oftext.SortFlows(lines); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}
