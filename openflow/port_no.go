package openflow

import "strconv"

// PortNo is a port number of one switch, or one of the reserved ports below (spec 7.2.1). 0 is no port.
type PortNo uint32

// Reserved port numbers.
const (
	PortMax        PortNo = 0xffffff00 // highest number of a real port
	PortInPort     PortNo = 0xfffffff8 // back out of the port the packet came in by
	PortTable      PortNo = 0xfffffff9 // into the first flow table; packet-out only
	PortNormal     PortNo = 0xfffffffa // the switch's own forwarding
	PortFlood      PortNo = 0xfffffffb
	PortAll        PortNo = 0xfffffffc // every port but the input port
	PortController PortNo = 0xfffffffd
	PortLocal      PortNo = 0xfffffffe // the bridge's own port
	PortAny        PortNo = 0xffffffff // wildcard of requests and of flow-mod deletes; OFPP_NONE of OpenFlow 1.0
)

// reservedPorts are the names from PortInPort on.
var reservedPorts = [...]string{"IN_PORT", "TABLE", "NORMAL", "FLOOD", "ALL", "CONTROLLER", "LOCAL", "ANY"}

// String returns the number in decimal, or the name ovs-ofctl uses for a reserved port.
func (p PortNo) String() string {
	if p >= PortInPort {
		return reservedPorts[p-PortInPort]
	}
	return strconv.FormatUint(uint64(p), 10)
}
