// Package pipeline registers the tables of the pipeline with their apps. To add a table, add its row to Tables; what a
// switch's machine needs to know of it follows.
package pipeline

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/apps/discovery"
	"github.com/eosin-sdn/eosin/apps/flood"
	"github.com/eosin-sdn/eosin/apps/intent"
	"github.com/eosin-sdn/eosin/apps/l2"
	"github.com/eosin-sdn/eosin/apps/probe"
	"github.com/eosin-sdn/eosin/apps/vlan"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/flow"
	"github.com/eosin-sdn/eosin/topology"
)

// Table is one table of the pipeline.
type Table struct {
	number uint8
	name   string
	app    *app
	owners []flow.Owner // of its rules, as they stand in cookies
}

// app makes an app for a switch.
type app struct {
	name string
	make func(*apps.Switch, Keys) apps.App
}

// Keys are what the apps of all switches share, so that each knows what another has sent.
type Keys struct {
	Hellos *discovery.Signer
	Probes *probe.Key
}

var (
	discoveryApp = &app{"discovery", func(sw *apps.Switch, k Keys) apps.App { return discovery.New(sw, k.Hellos) }}
	vlanApp      = &app{"vlan", func(sw *apps.Switch, _ Keys) apps.App { return vlan.New(sw) }}
	probeApp     = &app{"probe", func(sw *apps.Switch, k Keys) apps.App { return probe.New(sw, k.Probes) }}
	l2App        = &app{"l2", func(sw *apps.Switch, _ Keys) apps.App { return l2.New(sw) }}
	floodApp     = &app{"flood", func(sw *apps.Switch, _ Keys) apps.App { return flood.New(sw) }}
)

// Tables are registered in the order in which a frame passes them. Whoever gives a table another number adds the old
// ones to earlier and increases version.
var Tables = []Table{
	{0, "admit", discoveryApp, owners(apps.OwnerDiscovery)},              // drop what no bridge forwards, take hellos
	{1 + shift, "classify", vlanApp, owners(apps.OwnerVLAN)},             // (port, tag) -> network: all get its tag
	{2 + shift, "trap", probeApp, owners(apps.OwnerProbe)},               // track what may be probe replies
	{3 + shift, "trapped", probeApp, owners(apps.OwnerProbe)},            // swallow those that are colored
	{4 + shift, "snoop", l2App, owners(apps.OwnerL2)},                    // copy ARP, for the hosts' addresses
	{5 + shift, "learn", l2App, owners(apps.OwnerL2, apps.OwnerHosts)},   // copy frames of unknown sources
	{6 + shift, "forward", l2App, owners(apps.OwnerL2, apps.OwnerHosts)}, // known destination -> port
	{7 + shift, "flood", floodApp, owners(apps.OwnerFlood)},              // the rest -> everybody in the network
}

func owners(o ...flow.Owner) []flow.Owner { return o }

// version1 is the numbering of the first version, whose flows do not say it.
var version1 = map[string]uint8{
	"admit": 0, "classify": 1, "trap": 2, "trapped": 3, "snoop": 4, "learn": 5, "forward": 6, "flood": 7,
}

// Layout is the pipeline as apps see it.
var Layout = func() *apps.Layout {
	specs := make([]apps.TableSpec, len(Tables))
	for i, t := range Tables {
		specs[i] = apps.TableSpec{Number: t.number, Name: t.name, App: t.app.name, Owners: t.owners}
	}
	l := apps.NewLayout(version, specs...)
	l.Earlier = earlier
	return l
}()

// Number returns the number of a table.
func Number(name string) uint8 { return Layout.Table(name).Number }

// Set holds the apps of one switch.
type Set struct {
	// Order is in which they state their flows: from the last table to the first, so that no rule leads to one that is
	// not there yet.
	Order   []apps.App
	ByOwner [flow.MaxOwners]apps.App
}

// New makes the apps of a switch.
func New(sw *apps.Switch, keys Keys) *Set {
	s := &Set{}
	made := map[*app]apps.App{}
	for _, t := range slices.Backward(Tables) {
		a := made[t.app]
		if a == nil {
			a = t.app.make(sw, keys)
			made[t.app] = a
			s.Order = append(s.Order, a)
		}
		for _, o := range t.owners {
			s.ByOwner[o] = a
		}
	}
	return s
}

// Get returns the app of a type.
func Get[T apps.App](s *Set) (app T) {
	for _, a := range s.Order {
		if a, ok := a.(T); ok {
			return a
		}
	}
	panic(fmt.Sprintf("pipeline: no table of %T", app))
}

// Check finds what registration alone cannot show: owners without a table, and tables in which nothing is ever stated.
// The controller does not start with either.
func Check() error { return check(Layout, New) }

func check(layout *apps.Layout, make func(*apps.Switch, Keys) *Set) error {
	var errs []error
	for _, o := range apps.Owners() {
		if layout.AppOf(o) == "" {
			errs = append(errs, fmt.Errorf("owner %d has no table", o))
		}
	}
	sw := &apps.Switch{
		ID: 1, Layout: layout, Graph: topology.NewGraph().Snapshot(), Order: []openflow.PortNo{1},
		Networks: []apps.Network{{Name: "network", VLAN: 1}},
		Ports: map[openflow.PortNo]*apps.Port{
			1: {No: 1, Up: true, Settled: true, Mode: intent.Access, VLANs: []uint16{1}, Native: 1},
		},
	}
	out := &apps.Output{Layout: layout, Store: flow.NewStore()}
	now := time.Unix(0, 0)
	for _, a := range make(sw, Keys{Hellos: discovery.NewSigner(now), Probes: &probe.Key{}}).Order {
		a.Refresh(now, out)
	}
	for _, t := range layout.Tables {
		if out.Store.TableLen(t.Number) == 0 {
			errs = append(errs, fmt.Errorf("app %s states no rule in table %s", t.App, t.Name))
		}
	}
	return errors.Join(errs...)
}
