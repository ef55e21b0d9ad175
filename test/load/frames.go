package main

import (
	"encoding/binary"
	"net/netip"

	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/packet"
)

// Addresses. The hosts under load carry their switch and number in their address, so that a rule tells whom it is for.
var (
	hostPrefix   = [2]byte{0x02, 0xcc}
	serverPrefix = [2]byte{0x02, 0xcd}
)

func address(prefix [2]byte, sw, host int) packet.MAC {
	return packet.MAC{prefix[0], prefix[1], byte(sw >> 8), byte(sw), byte(host >> 8), byte(host)}
}

// frame is what a host sends first: 60 bytes of IPv4 and UDP.
func frame(dst, src packet.MAC) []byte {
	ip := packet.IP{Src: netip.AddrFrom4([4]byte{10, 0, 0, 1}), Dst: netip.AddrFrom4([4]byte{10, 0, 0, 2})}
	b := packet.AppendEthernet(make([]byte, 0, 64), dst, src, packet.EtherTypeIPv4)
	return packet.AppendUDP(b, ip, 0x1000, 0x1000, make([]byte, 18))
}

// stampOffset is where the source address's switch and host number are in a packet-in whose match is the in port alone.
const stampOffset = 24 + 16 + 2 + 6 + 2

// template returns the packet-in for a frame from a host to the server, and whether a rule sent it.
func (f *fakeSwitch) template(port openflow.PortNo) (msg []byte, explicit bool) {
	return f.packetIn(port, frame(address(serverPrefix, f.number, 0), address(hostPrefix, f.number, 0)))
}

// packetIns returns the packet-ins of hosts from first to first+n-1 at a port.
func (f *fakeSwitch) packetIns(port openflow.PortNo, first, n int) []byte {
	template, _ := f.template(port)
	b := make([]byte, 0, n*len(template))
	for h := range n {
		at := len(b) + stampOffset
		b = append(b, template...)
		binary.BigEndian.PutUint16(b[at:], uint16(f.number))
		binary.BigEndian.PutUint16(b[at+2:], uint16(first+h))
	}
	return b
}

// serverPacketIn returns the packet-in of a broadcast by the server that the hosts send to.
func (f *fakeSwitch) serverPacketIn() []byte {
	msg, _ := f.packetIn(serverPort, frame(packet.Broadcast, address(serverPrefix, f.number, 0)))
	return msg
}
