// Package apptest is what tests of single apps share.
package apptest

import (
	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/openflow/flow"
)

// Numbers of the tables in Layout.
const (
	Admit uint8 = iota
	Classify
	Trap
	Trapped
	Snoop
	Learn
	Forward
	Flood
)

// Layout is the pipeline without its apps, which package pipeline imports. A test of that package compares both.
var Layout = apps.NewLayout(1,
	apps.TableSpec{Number: Admit, Name: "admit", App: "discovery", Owners: []flow.Owner{apps.OwnerDiscovery}},
	apps.TableSpec{Number: Classify, Name: "classify", App: "vlan", Owners: []flow.Owner{apps.OwnerVLAN}},
	apps.TableSpec{Number: Trap, Name: "trap", App: "probe", Owners: []flow.Owner{apps.OwnerProbe}},
	apps.TableSpec{Number: Trapped, Name: "trapped", App: "probe", Owners: []flow.Owner{apps.OwnerProbe}},
	apps.TableSpec{Number: Snoop, Name: "snoop", App: "l2", Owners: []flow.Owner{apps.OwnerL2}},
	apps.TableSpec{Number: Learn, Name: "learn", App: "l2", Owners: []flow.Owner{apps.OwnerL2, apps.OwnerHosts}},
	apps.TableSpec{Number: Forward, Name: "forward", App: "l2", Owners: []flow.Owner{apps.OwnerL2, apps.OwnerHosts}},
	apps.TableSpec{Number: Flood, Name: "flood", App: "flood", Owners: []flow.Owner{apps.OwnerFlood}},
)
