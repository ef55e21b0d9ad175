package topology

import (
	"testing"

	"github.com/eosin-sdn/eosin/openflow/packet"
)

func TestHostKey(t *testing.T) {
	mac := packet.MAC{0x02, 0x11, 0x22, 0x33, 0x44, 0x55}
	k := NewHostKey(4094, mac)
	if k != 0x0ffe_0211_2233_4455 || k.VLAN() != 4094 || k.MAC() != mac {
		t.Errorf("%#x: VLAN %d, MAC %s", uint64(k), k.VLAN(), k.MAC())
	}
	if k := NewHostKey(1, packet.MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}); k.VLAN() != 1 {
		t.Errorf("an address runs into the VLAN: %#x", uint64(k))
	}
}
