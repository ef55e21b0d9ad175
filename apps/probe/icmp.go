package probe

import (
	"github.com/eosin-sdn/eosin/openflow/flow"
	"github.com/eosin-sdn/eosin/openflow/packet"
)

// icmp is an ICMP echo over IPv4.
var icmp = Kind{
	Name: "icmp", Protocol: "ICMP", etherType: packet.EtherTypeIPv4,
	appendRequest: appendEcho,
	matchReply: func(m flow.Match, t *Trap) flow.Match {
		return t.addresses(m).EthType(packet.EtherTypeIPv4).IPProto(packet.ProtoICMP).ICMPType(packet.ICMPv4EchoReply)
	},
	readReply: func(f packet.Frame, r *Reply, key *Key) Reason {
		ip, ok := packet.ParseIPv4(f.Payload())
		switch {
		case !ok || ip.FragmentOffset() != 0 || ip.MoreFragments():
			return Malformed
		case ip.Proto() != packet.ProtoICMP:
			return NotReply
		}
		r.Src, r.Dst = ip.Src(), ip.Dst()
		return r.readEcho(ip.Payload(), packet.ICMPv4EchoReply, key)
	},
}

// icmp6 is an ICMPv6 echo.
var icmp6 = Kind{
	Name: "icmp6", Protocol: "ICMPv6", IPv6: true, etherType: packet.EtherTypeIPv6,
	appendRequest: appendEcho,
	matchReply: func(m flow.Match, t *Trap) flow.Match {
		m = t.addresses(m).EthType(packet.EtherTypeIPv6).IPProto(packet.ProtoICMPv6)
		return m.ICMPv6Type(packet.ICMPv6EchoReply)
	},
	readReply: func(f packet.Frame, r *Reply, key *Key) Reason {
		ip, ok := packet.ParseIPv6(f.Payload())
		switch {
		case !ok:
			return Malformed
		case ip.NextHeader() != packet.ProtoICMPv6:
			return NotReply
		}
		r.Src, r.Dst = ip.Src(), ip.Dst()
		return r.readEcho(ip.Payload(), packet.ICMPv6EchoReply, key)
	},
}

// appendEcho appends an echo request as the source itself would send it, with the color as its Identifier. It appends
// nothing when an address is not of the type's family.
func appendEcho(b []byte, f *Frame, key *Key) []byte {
	bits := 32
	if f.Type.IPv6 {
		bits = 128
	}
	if f.Src.BitLen() != bits || f.Dst.BitLen() != bits {
		return b
	}
	payload := f.appendPayload(make([]byte, 0, f.size()), key)
	ip := packet.IP{Src: f.Src, Dst: f.Dst, DSCP: f.DSCP, TTL: 64, ID: uint16(f.Seq)}
	return packet.AppendEcho(f.Link.append(b, f.Type.etherType), ip, packet.Echo{
		ID: f.Color, Seq: uint16(f.Seq), Payload: payload,
	})
}

func (r *Reply) readEcho(b []byte, typ uint8, key *Key) Reason {
	echo, ok := packet.ParseICMP(b)
	switch {
	case !ok:
		return Malformed
	case echo.Type() != typ || echo.Code() != 0:
		return NotReply
	}
	r.Color, r.echoSeq = echo.ID(), echo.Seq()
	return r.readPayload(echo.Payload(), key)
}
