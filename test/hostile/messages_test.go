package hostile

import (
	"encoding/binary"
	"net/netip"

	"github.com/eosin-sdn/eosin/apps"
	"github.com/eosin-sdn/eosin/apps/pipeline"
	"github.com/eosin-sdn/eosin/openflow"
	"github.com/eosin-sdn/eosin/openflow/flow"
	"github.com/eosin-sdn/eosin/openflow/packet"
)

var broadcast = packet.MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

// The cookie of the rule that copies frames of unknown sources, and of the one that copies ARP.
var (
	learnCookie = flow.Cookie(apps.OwnerL2, 1)
	arpCookie   = flow.Cookie(apps.OwnerL2, 2)
)

func featuresReply(xid uint32, id openflow.DatapathID) []byte {
	return openflow.AppendFeaturesReply(nil, xid, &openflow.FeaturesReply{
		DatapathID: id, NTables: 254,
		Capabilities: openflow.CapFlowStats,
	})
}

func port(no uint32) openflow.PortDesc {
	return openflow.PortDesc{
		No: openflow.PortNo(no), Name: "p" + string(rune('0'+no%10)),
		HWAddr: [6]byte{2, 2, byte(no >> 24), byte(no >> 16), byte(no >> 8), byte(no)},
		State:  openflow.PortStateLive,
	}
}

// multipartReply answers a request for a switch of two ports that is empty otherwise.
func multipartReply(request []byte) []byte {
	xid, typ := binary.BigEndian.Uint32(request[4:]), binary.BigEndian.Uint16(request[8:])
	return openflow.AppendMultipartReply(nil, xid, typ, false, multipartBody(typ, false))
}

// multipartBody returns a body; with full it has an entry where an empty one is the rule.
func multipartBody(typ uint16, full bool) []byte {
	one, two := port(1), port(2)
	switch {
	case typ == openflow.MultipartDesc:
		return openflow.AppendSwitchDesc(nil, &openflow.SwitchDesc{Manufacturer: "hostile"})
	case typ == openflow.MultipartPortDesc:
		return openflow.AppendPortDesc(openflow.AppendPortDesc(nil, &one), &two)
	case !full:
	case typ == openflow.MultipartFlow:
		return hostFlow(nil, 0x525400000001)
	case typ == openflow.MultipartGroupDesc:
		bucket := openflow.AppendBucket(nil, 0, openflow.PortAny, openflow.GroupAny,
			flow.Actions(nil).PopVLAN().Output(1))
		return openflow.AppendGroupDesc(nil, &openflow.GroupDesc{ID: flow.GroupID(1 << 4), Buckets: bucket})
	case typ == openflow.MultipartMeterConfig:
		bands := openflow.AppendMeterMod(nil, 0, openflow.MeterAdd, openflow.MeterPktps|openflow.MeterBurst, 1, 2,
			3)[16:]
		return openflow.AppendMeterConfig(nil, &openflow.MeterConfig{
			Flags: openflow.MeterPktps | openflow.MeterBurst,
			ID:    apps.MeterLearn, Bands: bands,
		})
	case typ == openflow.MultipartPortStats:
		return openflow.AppendPortStats(nil, &openflow.PortStats{No: 1})
	}
	return nil
}

// hostFlow appends the dumped learn rule of a host, as if this controller had installed it in an earlier life.
func hostFlow(b []byte, mac uint64) []byte {
	m := flow.Match{}.InPort(1).VLAN(1).EthSrc(packet.MACFromUint64(mac))
	return openflow.AppendFlowStats(b, &openflow.FlowStats{
		TableID: pipeline.Number("learn"), Priority: 10, IdleTimeout: 300, Flags: openflow.FlagSendFlowRem,
		Cookie: flow.Cookie(apps.OwnerHosts, mac),
		Match:  m.Bytes(), Instructions: flow.Instructions(nil).Goto(pipeline.Number("forward")),
	})
}

// packetIn is a frame of VLAN 1 that a rule has sent.
func packetIn(cookie uint64, in uint32, frame []byte) []byte {
	return openflow.AppendPacketIn(nil, 0, &openflow.PacketIn{
		BufferID: openflow.BufferNone, TotalLen: uint16(len(frame)), Reason: openflow.PacketInAction,
		TableID: pipeline.Number("learn"),
		Cookie:  cookie, InPort: openflow.PortNo(in), Data: frame,
	})
}

// hostFrame is a broadcast of a host.
func hostFrame(mac uint64) []byte {
	return append(packet.AppendEthernetVLAN(nil, broadcast, packet.MACFromUint64(mac), 1, 0x88b5), make([]byte, 46)...)
}

// arpFrame is an ARP request of a host.
func arpFrame(mac uint64, ip netip.Addr) []byte {
	src := packet.MACFromUint64(mac)
	b := packet.AppendEthernetVLAN(nil, broadcast, src, 1, packet.EtherTypeARP)
	return packet.AppendARPRequest(b, src, ip, netip.MustParseAddr("10.0.0.1"))
}

// everyMessage returns a valid message of every type that a switch may send unasked or asked, by name.
func everyMessage() map[string][]byte {
	desc := port(1)
	match := flow.Match{}.InPort(1).VLAN(1).EthSrc(packet.MACFromUint64(0x525400000001))
	msgs := map[string][]byte{
		"hello": openflow.AppendHello(nil, 1),
		"error": openflow.AppendError(nil, 9, openflow.ErrorTypeFlowModFailed,
			openflow.FlowModFailedTableFull, openflow.AppendBarrierRequest(nil, 9)),
		"error_experimenter": openflow.AppendExperimenterError(nil, 9, openflow.ExperimenterONF,
			openflow.BundleErrorMsgFailed, make([]byte, 16)),
		"echo_request":     openflow.AppendEchoRequest(nil, 9, []byte("hello")),
		"echo_reply":       openflow.AppendEchoReply(nil, 9, []byte("hello")),
		"experimenter":     openflow.AppendBundleControl(nil, 9, 1, openflow.BundleCommitReply, 3),
		"features_reply":   featuresReply(2, 99),
		"get_config_reply": openflow.AppendGetConfigReply(nil, 9, openflow.SwitchConfig{MissSendLen: 128}),
		"packet_in":        packetIn(learnCookie, 1, arpFrame(0x525400000002, netip.MustParseAddr("10.0.0.2"))),
		"flow_removed": openflow.AppendFlowRemoved(nil, 0, &openflow.FlowRemoved{
			Cookie: flow.Cookie(apps.OwnerHosts, 0x525400000001), TableID: pipeline.Number("learn"), Priority: 10,
			Match: match.Bytes(),
		}),
		"port_status": openflow.AppendPortStatus(nil, 0, &openflow.PortStatus{
			Reason: openflow.PortModify,
			Desc:   desc,
		}),
		"barrier_reply": openflow.AppendBarrierReply(nil, 9),
		"role_reply":    openflow.AppendRoleReply(nil, 9, openflow.RoleMaster, 1),
		"role_status": openflow.AppendRoleStatus(nil, 0, openflow.RoleStatus{
			Role:         openflow.RoleSlave,
			GenerationID: 1,
		}),
	}
	for _, typ := range multipartTypes {
		msgs["multipart_"+openflow.MultipartName(typ)] = openflow.AppendMultipartReply(nil, 9, typ, false,
			multipartBody(typ, true))
	}
	return msgs
}

// multipartTypes are the replies that the controller reads.
var multipartTypes = []uint16{
	openflow.MultipartDesc, openflow.MultipartPortDesc, openflow.MultipartMeterConfig, openflow.MultipartFlow,
	openflow.MultipartGroupDesc,
	openflow.MultipartPortStats,
}

// withLength returns a message cut or filled to n bytes, with that length in its header.
func withLength(msg []byte, n int) []byte {
	b := make([]byte, n)
	copy(b, msg)
	binary.BigEndian.PutUint16(b[2:], uint16(n))
	return b
}

// withVersion returns a message with another version in its header.
func withVersion(msg []byte, v byte) []byte {
	b := append([]byte(nil), msg...)
	b[0] = v
	return b
}
