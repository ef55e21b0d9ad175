package controller

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/eosin-sdn/eosin/apps/pipeline"
	"github.com/eosin-sdn/eosin/controller/api"
	"github.com/eosin-sdn/eosin/controller/datapath"
	"github.com/eosin-sdn/eosin/controller/switches"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/flow"
	"github.com/eosin-sdn/eosin/openflow/oftext"
)

// Flows returns the flows that switches should have. There may be very many: they are copied under the switch's lock,
// and made readable without it.
func (b *backend) Flows(_ context.Context, filter api.FlowFilter) ([]api.Flow, error) {
	out := []api.Flow{}
	for _, s := range b.registry.List() {
		name, mods := flowsOf(s, filter)
		out = slices.Grow(out, len(mods))
		for i := range mods {
			m := &mods[i]
			owner, _ := flow.OwnerOf(m.Cookie)
			out = append(out, api.Flow{
				Switch: name, Table: m.TableID, TableName: pipeline.Layout.Name(m.TableID), Priority: m.Priority,
				Cookie: fmt.Sprintf("%#x", m.Cookie), Owner: pipeline.Layout.AppOf(owner),
				Match: oftext.Match(m.Match), Actions: oftext.Instructions(m.Instructions),
			})
		}
	}
	slices.SortFunc(out, func(x, y api.Flow) int {
		return cmp.Or(strings.Compare(x.Switch, y.Switch), cmp.Compare(x.Table, y.Table),
			cmp.Compare(y.Priority, x.Priority), strings.Compare(x.Match, y.Match))
	})
	return out, nil
}

// flowsOf copies the switch's flows that a filter lets through.
func flowsOf(s *switches.Switch, filter api.FlowFilter) (name string, mods []openflow.FlowMod) {
	s.Read(func(m *datapath.Machine, _ switches.State) {
		name = m.Name()
		if filter.Switch != "" && filter.Switch != name {
			return
		}
		m.Flows(func(mod *openflow.FlowMod) {
			if filter.Table < 0 || int(mod.TableID) == filter.Table {
				c := *mod
				c.Match, c.Instructions = bytes.Clone(mod.Match), bytes.Clone(mod.Instructions)
				mods = append(mods, c)
			}
		})
	})
	return name, mods
}
