package l2

import (
	"testing"

	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/topology"
)

func TestHostElsewhere(t *testing.T) {
	r := newRig(t)
	r.link()
	k := topology.NewHostKey(blue, mac(10))
	forward := `cookie=0xe05502000000000a, table=6, priority=10,dl_vlan=10,dl_dst=02:00:00:00:00:0a actions=output:9`

	r.app.HostAt(r.now, k, other, 1, r.out)
	r.wantHosts(forward)
	r.app.HostAt(r.now, k, third, 1, r.out) // two links away, by the same port
	r.wantHosts(forward)
	r.app.HostAt(r.now, k, 0, 0, r.out)
	r.wantHosts("")

	r.see(1, blue, mac(10)) // a guest arrives here
	r.drain()
	r.app.HostAt(r.now, k, 0, 0, r.out) // forgotten elsewhere: that is nothing to this switch
	r.wantHosts(learned1)
	r.app.HostAt(r.now, k, other, 1, r.out) // and leaves again
	r.wantHosts(forward)
	r.wantFacts() // the fabric knows
	if r.app.Len() != 0 {
		t.Error("still here")
	}
	r.see(2, blue, mac(10)) // and comes back to another port
	r.wantHosts(learned2)

	r.app.HostAt(r.now, k, other, 1, r.out)
	r.app.HostAt(r.now, k, self, 1, r.out) // its earlier sighting here holds again
	r.wantHosts(learned1)
	for _, port := range []openflow.PortNo{6, 9, 3, 77} {
		r.app.HostAt(r.now, topology.NewHostKey(blue, mac(11)), self, port, r.out)
	}
	if r.app.Len() != 1 {
		t.Error("learned where no host can be")
	}
	r.app.HostAt(r.now, topology.NewHostKey(12, mac(12)), other, 1, r.out) // a network that is not here
	r.wantHosts(learned1)
}

// TestNoPath: without a path to a host's switch its frames are flooded like unknown ones.
func TestNoPath(t *testing.T) {
	r := newRig(t)
	r.app.HostAt(r.now, topology.NewHostKey(blue, mac(10)), other, 1, r.out)
	r.wantHosts("")
	r.link()
	r.wantHosts(`cookie=0xe05502000000000a, table=6, priority=10,dl_vlan=10,dl_dst=02:00:00:00:00:0a actions=output:9`)
	r.sw.Graph = topology.NewGraph().Snapshot()
	r.sw.Ports[9].Transit = false
	r.refresh()
	r.wantHosts("")
}

func TestDropRemoteAndAnnounce(t *testing.T) {
	r := newRig(t)
	r.link()
	r.see(1, blue, mac(10))
	for n := range byte(5) {
		r.app.HostAt(r.now, topology.NewHostKey(red, mac(20+n)), other, 1, r.out)
	}
	r.drain()
	r.app.DropRemote(r.out)
	r.wantHosts(learned1)
	r.wantFacts()
	r.refresh()
	r.wantHosts(learned1)
	r.app.Announce(r.out)
	r.wantFacts("seen 10/02:00:00:00:00:0a at 1")
}
