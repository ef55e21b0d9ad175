// Package vlan owns the classify table: it finds the network of a frame by its in port, tag and tunnel key, and gives
// every frame the tag of its network's VLAN.
package vlan

import (
	"time"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/apps/intent"
	"github.com/eosin-sdn/eosin/openflow/flow"
)

// Priorities in the classify table.
const (
	prioDoubleTag = 30 // a second tag behind a priority tag
	prioNetwork   = 20
	prioPortDrop  = 1 // counts the frames that a port may not send
)

// Tag protocol identifiers (IEEE 802.1Q): the Ethertype of a frame with another tag.
const (
	tpidCustomer = 0x8100
	tpidService  = 0x88a8
)

// App classifies the frames of one switch.
type App struct {
	apps.Base
	sw       *apps.Switch
	classify apps.Table
}

// New returns the app for a switch.
func New(sw *apps.Switch) *App { return &App{sw: sw, classify: sw.Layout.Table("classify")} }

// Refresh states the rules of every port.
func (a *App) Refresh(_ time.Time, out *apps.Output) {
	out.Store.Begin(apps.OwnerVLAN)
	for _, no := range a.sw.Order {
		a.port(a.sw.Ports[no], out)
	}
	out.Store.End(apps.OwnerVLAN, a.classify.Number)
}

// port states the rules of one port. The cookie tag is the port number.
//
//  1. Access: untagged and priority-tagged frames belong to the port's network; frames with another tag behind a
//     priority tag are dropped.
//  2. Trunk: each tag of a carried VLAN names its network; untagged and priority-tagged frames belong to the native
//     one.
//  3. Tunnel: the key is the VNI of a carried network; the inner frame is untagged.
//  4. Everything else is dropped by one rule of lowest priority, which counts it.
func (a *App) port(p *apps.Port, out *apps.Output) {
	put := func(prio uint16, m flow.Match, ins flow.Instructions) {
		out.Put(&flow.Rule{
			Table: a.classify.Number, Priority: prio, Cookie: flow.Cookie(apps.OwnerVLAN, uint64(p.No)), Match: m,
			Instructions: ins,
		})
	}
	in := flow.Match{}.InPort(p.No)
	next := flow.Instructions(nil).Goto(a.classify.Next)
	untagged := func(m flow.Match, vlan uint16) {
		put(prioNetwork, m.Untagged(),
			flow.Instructions(nil).Apply(flow.Actions(nil).PushVLAN().SetVLAN(vlan)).Goto(a.classify.Next))
		put(prioNetwork, m.VLAN(0), flow.Instructions(nil).Apply(flow.Actions(nil).SetVLAN(vlan)).Goto(a.classify.Next))
	}
	dropDoubleTag := func() {
		put(prioDoubleTag, in.VLAN(0).EthType(tpidCustomer), nil)
		put(prioDoubleTag, in.VLAN(0).EthType(tpidService), nil)
	}

	switch p.Mode {
	case intent.Access:
		dropDoubleTag()
		untagged(in, p.Native)
	case intent.Trunk:
		for _, v := range p.VLANs {
			put(prioNetwork, in.VLAN(v), next)
		}
		if p.Native != 0 {
			untagged(in, p.Native)
		}
	case intent.Tunnel:
		dropDoubleTag()
		for _, v := range p.VLANs {
			if n, ok := a.sw.Network(v); ok && n.VNI != 0 {
				untagged(in.TunnelID(uint64(n.VNI)), v)
			}
		}
	case intent.Closed:
	}
	put(prioPortDrop, in, nil)
}

// Classify returns the network of a frame that came in by p, as the table would, for packet-ins that did not pass it.
// vid is ignored if the frame is untagged.
func Classify(p *apps.Port, tagged bool, vid uint16) (vlan uint16, ok bool) {
	switch {
	case p.Mode == intent.Closed || p.Mode == intent.Tunnel:
		return 0, false
	case !tagged || vid == 0:
		return p.Native, p.Native != 0
	case p.Mode == intent.Trunk && p.Carries(vid):
		return vid, true
	}
	return 0, false
}

var _ apps.App = (*App)(nil)
