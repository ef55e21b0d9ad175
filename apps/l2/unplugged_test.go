package l2

import (
	"net/netip"
	"testing"
	"time"

	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/topology"
)

// TestUnplugged: a host whose port went down is remembered, until it is seen somewhere, its port is not just down, or
// it is long ago.
func TestUnplugged(t *testing.T) {
	k := topology.NewHostKey(blue, mac(10))
	for _, c := range []struct {
		name   string
		after  func(*rig)
		remain bool
	}{
		{"nothing", func(*rig) {}, true},
		{"a while", func(r *rig) { r.now = r.now.Add(r.sw.Settings.HostTimeout) }, true},
		{"long ago", func(r *rig) { r.now = r.now.Add(r.sw.Settings.HostTimeout + 1) }, false},
		{
			"long ago without timeout", func(r *rig) { r.sw.Settings.HostTimeout = 0; r.now = r.now.Add(time.Hour) },
			true,
		},
		{"port up", func(r *rig) { r.sw.Ports[1].Up = true }, false},
		{"port gone", func(r *rig) { delete(r.sw.Ports, 1) }, false},
		{"port in another network", func(r *rig) { *r.sw.Ports[1] = *access(1, red); r.sw.Ports[1].Up = false }, false},
		{"seen at another port", func(r *rig) { r.see(2, blue, mac(10)) }, false},
		{"seen at another switch", func(r *rig) { r.app.HostAt(r.now, k, other, 1, r.out) }, false},
		{"forgotten by the fabric", func(r *rig) { r.app.HostAt(r.now, k, openflow.DatapathID(0), 0, r.out) }, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			ip := netip.MustParseAddr("10.0.3.1")
			r.app.PacketRcvd(r.now, r.packetFrom(1, blue, arp(mac(10), mac(10), ip)), r.out)
			if _, early := r.app.Unplugged(r.now, k); early {
				t.Error("unplugged before its port went down")
			}
			r.sw.Ports[1].Up = false
			r.refresh()
			if r.app.Len() != 0 {
				t.Error("the host still has rules")
			}
			c.after(r)
			h, remembered := r.app.Unplugged(r.now, k)
			if remembered != c.remain || remembered && (h.Port != 1 || len(h.IPs) != 1 || h.IPs[0] != ip) {
				t.Errorf("remembered %v: %+v", remembered, h)
			}
			listed := 0
			r.app.EachUnplugged(r.now, func(Host) { listed++ })
			if listed != map[bool]int{true: 1, false: 0}[c.remain] {
				t.Errorf("%d are listed", listed)
			}
		})
	}
}
