package openflow

import "strconv"

// Type is the type of a message (spec 7.1).
type Type uint8

// Message types of OpenFlow 1.3.
const (
	TypeHello                 Type = 0
	TypeError                 Type = 1
	TypeEchoRequest           Type = 2
	TypeEchoReply             Type = 3
	TypeExperimenter          Type = 4
	TypeFeaturesRequest       Type = 5
	TypeFeaturesReply         Type = 6
	TypeGetConfigRequest      Type = 7
	TypeGetConfigReply        Type = 8
	TypeSetConfig             Type = 9
	TypePacketIn              Type = 10
	TypeFlowRemoved           Type = 11
	TypePortStatus            Type = 12
	TypePacketOut             Type = 13
	TypeFlowMod               Type = 14
	TypeGroupMod              Type = 15
	TypePortMod               Type = 16
	TypeTableMod              Type = 17
	TypeMultipartRequest      Type = 18
	TypeMultipartReply        Type = 19
	TypeBarrierRequest        Type = 20
	TypeBarrierReply          Type = 21
	TypeQueueGetConfigRequest Type = 22
	TypeQueueGetConfigReply   Type = 23
	TypeRoleRequest           Type = 24
	TypeRoleReply             Type = 25
	TypeGetAsyncRequest       Type = 26
	TypeGetAsyncReply         Type = 27
	TypeSetAsync              Type = 28
	TypeMeterMod              Type = 29

	typeCount = 30
)

var typeNames = [typeCount]string{
	"hello", "error", "echo_request", "echo_reply", "experimenter",
	"features_request", "features_reply", "get_config_request", "get_config_reply", "set_config",
	"packet_in", "flow_removed", "port_status",
	"packet_out", "flow_mod", "group_mod", "port_mod", "table_mod",
	"multipart_request", "multipart_reply", "barrier_request", "barrier_reply",
	"queue_get_config_request", "queue_get_config_reply",
	"role_request", "role_reply", "get_async_request", "get_async_reply", "set_async", "meter_mod",
}

// Known reports whether t is a type of OpenFlow 1.3.
func (t Type) Known() bool { return t < typeCount }

// String returns the type in snake case, or "type_N" for a type that OpenFlow 1.3 does not have.
func (t Type) String() string {
	return nameOf(typeNames[:], "type_", int(t))
}

// nameOf returns names[n], or the prefix with n where there is none.
func nameOf(names []string, prefix string, n int) string {
	if n < len(names) {
		return names[n]
	}
	return prefix + strconv.Itoa(n)
}
