// Package apps is the contract between a switch's machine and the features that decide what the switch should do.
//
// An app owns tables of the pipeline. It states which flows should exist in them and is told what happens; it does no
// I/O, starts no goroutine and takes no lock. One value of each app serves one switch.
package apps

import (
	"github.com/eosin-sdn/eosin/openflow/flow"
	"github.com/eosin-sdn/eosin/openflow/packet"
)

// Owners of flows, as they stand in cookies: their numbers never change. Each is registered in apps/pipeline.
const (
	OwnerDiscovery flow.Owner = 1 + iota
	OwnerVLAN
	OwnerProbe
	OwnerL2    // the fixed rules of switching
	OwnerHosts // the rules of single hosts, which come and go
	OwnerFlood
	numOwners
)

// Owners returns all owners.
func Owners() (list []flow.Owner) {
	for o := OwnerDiscovery; o < numOwners; o++ {
		list = append(list, o)
	}
	return list
}

// Meters limit what the switch copies to the controller, by class: a flood of one does not silence another.
const (
	MeterLearn     = flow.MeterIDs + 1 + iota // frames of unknown sources
	MeterARP                                  // ARP copies
	MeterDiscovery                            // discovery frames on ports that are not known to be links
	MeterTransit                              // discovery frames on links
	MeterProbe                                // probe replies
)

// Values of register 0, which is 0 for the traffic of hosts.
const (
	// Injected marks frames that the controller injected at a port: they pass the tables of the port's own traffic, but
	// nothing is learned from them.
	Injected = 1
	// Swallowed marks probe replies, of which the controller has a copy: their sender is learned, and they are dropped
	// where they would be forwarded.
	Swallowed = 2
)

// ProbeMAC and ProbeMACMask match the locally administered source addresses of ARP probes: no host is learned at one.
var (
	ProbeMAC     = packet.MAC{0x02, 0xe0, 0x51}
	ProbeMACMask = packet.MAC{0xff, 0xff, 0xff}
)

// Rates of discovery, in frames a second and switch. Ports that are not known to be links get hellos only from switches
// that are about to be linked.
const (
	EdgeHellos = 500
	LinkHellos = 5000
)
