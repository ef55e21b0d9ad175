package main

import (
	"encoding/binary"

	"github.com/eosin-sdn/eosin/openflow"
)

// Addresses. The hosts under load carry their switch and number in their address, so that a rule tells whom it is for.
var (
	hostPrefix   = [2]byte{0x02, 0xcc}
	serverPrefix = [2]byte{0x02, 0xcd}
)

func address(prefix [2]byte, sw, host int) [6]byte {
	return [6]byte{prefix[0], prefix[1], byte(sw >> 8), byte(sw), byte(host >> 8), byte(host)}
}

// frame is what a host sends first: 60 bytes of IPv4 and UDP.
func frame(dst, src [6]byte) []byte {
	b := append(append(make([]byte, 0, 64), dst[:]...), src[:]...)
	b = append(b, 0x08, 0x00,
		0x45, 0, 0, 46, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2,
		0x10, 0, 0x10, 0, 0, 26, 0, 0)
	return append(b, make([]byte, 60-len(b))...)
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
	msg, _ := f.packetIn(serverPort,
		frame([6]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, address(serverPrefix, f.number, 0)))
	return msg
}
