package datapath

import (
	"strconv"
	"strings"

	"github.com/eosin-sdn/eosin/openflow"
)

// needsMegaflowWorkaround reports whether the switch is an Open vSwitch whose userspace datapath changes the wrong one
// of two megaflows that overlap, see [apps.Switch.PinMegaflow]. Open vSwitch does not say which datapath it has, but
// the bridge's own port has a speed only with the one in userspace, where it is a tap device.
func needsMegaflowWorkaround(desc *openflow.SwitchDesc, localHasSpeed bool) bool {
	return desc.Hardware == "Open vSwitch" && localHasSpeed && affectedVersion(desc.Software)
}

// affectedVersion reports whether a version of Open vSwitch is older than the commit "dpif-netdev: Fix
// dpif_netdev_flow_put". What is no version is taken to be newer.
func affectedVersion(version string) bool {
	var v [3]int // major, minor, patch
	for i, part := range strings.SplitN(version, ".", 3) {
		n, err := strconv.Atoi(part[:len(part)-len(strings.TrimLeft(part, "0123456789"))]) // "0-2+deb12u1"
		if err != nil {
			return false
		}
		v[i] = n
	}
	switch {
	case v[0] == 2 && v[1] == 17:
		return v[2] < 8
	case v[0] == 3 && v[1] == 0:
		return v[2] < 5
	case v[0] == 3 && v[1] == 1:
		return v[2] < 3
	}
	return v[0] < 3 && v[1] < 17
}
