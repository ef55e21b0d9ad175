package openflow

import (
	"strconv"
	"strings"
)

// Error types (spec 7.4.4).
const (
	ErrorTypeHelloFailed         uint16 = 0
	ErrorTypeBadRequest          uint16 = 1
	ErrorTypeBadAction           uint16 = 2
	ErrorTypeBadInstruction      uint16 = 3
	ErrorTypeBadMatch            uint16 = 4
	ErrorTypeFlowModFailed       uint16 = 5
	ErrorTypeGroupModFailed      uint16 = 6
	ErrorTypeRoleRequestFailed   uint16 = 11
	ErrorTypeMeterModFailed      uint16 = 12
	ErrorTypeTableFeaturesFailed uint16 = 13
	ErrorTypeExperimenter        uint16 = 0xffff
)

// Codes of [ErrorTypeHelloFailed] (spec 7.4.4).
const (
	HelloFailedIncompatible uint16 = 0
)

// Codes of [ErrorTypeBadRequest] (spec 7.4.4).
const (
	BadRequestBadVersion              uint16 = 0
	BadRequestBadType                 uint16 = 1
	BadRequestBadMultipart            uint16 = 2
	BadRequestBadExperimenter         uint16 = 3
	BadRequestBadExpType              uint16 = 4
	BadRequestEPerm                   uint16 = 5
	BadRequestBadLen                  uint16 = 6
	BadRequestBufferUnknown           uint16 = 8
	BadRequestBadTableID              uint16 = 9
	BadRequestIsSlave                 uint16 = 10
	BadRequestBadPacket               uint16 = 12
	BadRequestMultipartBufferOverflow uint16 = 13
)

// Codes of [ErrorTypeBadAction] (spec 7.4.4).
const (
	BadActionBadType           uint16 = 0
	BadActionBadLen            uint16 = 1
	BadActionBadExperimenter   uint16 = 2
	BadActionBadExpType        uint16 = 3
	BadActionBadOutPort        uint16 = 4
	BadActionBadArgument       uint16 = 5
	BadActionBadOutGroup       uint16 = 9
	BadActionMatchInconsistent uint16 = 10
	BadActionBadSetType        uint16 = 13
	BadActionBadSetLen         uint16 = 14
	BadActionBadSetArgument    uint16 = 15
)

// Codes of [ErrorTypeBadInstruction] (spec 7.4.4).
const (
	BadInstructionUnknownInst uint16 = 0
	BadInstructionBadTableID  uint16 = 2
	BadInstructionBadLen      uint16 = 7
)

// Codes of [ErrorTypeBadMatch] (spec 7.4.4).
const (
	BadMatchBadLen       uint16 = 1
	BadMatchBadWildcards uint16 = 5
	BadMatchBadField     uint16 = 6
	BadMatchBadValue     uint16 = 7
	BadMatchBadMask      uint16 = 8
	BadMatchBadPrereq    uint16 = 9
	BadMatchDupField     uint16 = 10
)

// Codes of [ErrorTypeFlowModFailed] (spec 7.4.4).
const (
	FlowModFailedTableFull  uint16 = 1
	FlowModFailedBadTableID uint16 = 2
	FlowModFailedOverlap    uint16 = 3
	FlowModFailedBadCommand uint16 = 6
)

// Codes of [ErrorTypeGroupModFailed] (spec 7.4.4).
const (
	GroupModFailedGroupExists  uint16 = 0
	GroupModFailedInvalidGroup uint16 = 1
	GroupModFailedUnknownGroup uint16 = 8
	GroupModFailedBadType      uint16 = 10
	GroupModFailedBadCommand   uint16 = 11
	GroupModFailedBadBucket    uint16 = 12
	GroupModFailedEPerm        uint16 = 14
)

// Codes of [ErrorTypeRoleRequestFailed] (spec 7.4.4).
const (
	RoleRequestFailedStale   uint16 = 0
	RoleRequestFailedUnsup   uint16 = 1
	RoleRequestFailedBadRole uint16 = 2
)

// Codes of [ErrorTypeMeterModFailed] (spec 7.4.4).
const (
	MeterModFailedMeterExists  uint16 = 1
	MeterModFailedInvalidMeter uint16 = 2
	MeterModFailedUnknownMeter uint16 = 3
	MeterModFailedBadCommand   uint16 = 4
	MeterModFailedOutOfBands   uint16 = 11
)

// Codes of [ErrorTypeTableFeaturesFailed] (spec 7.4.4).
const (
	TableFeaturesFailedEPerm uint16 = 5
)

// Codes of the experimenter errors of [ExperimenterONF] about bundles. After any of them the bundle has to be
// discarded: OVS would commit it without the message that failed.
const (
	BundleErrorUnknown          uint16 = 2300
	BundleErrorBadID            uint16 = 2302
	BundleErrorBundleClosed     uint16 = 2304
	BundleErrorBadType          uint16 = 2306
	BundleErrorBadFlags         uint16 = 2307
	BundleErrorMsgBadLen        uint16 = 2308
	BundleErrorMsgBadXid        uint16 = 2309
	BundleErrorMsgUnsup         uint16 = 2310
	BundleErrorMsgFailed        uint16 = 2313
	BundleErrorBundleInProgress uint16 = 2315
)

// errorTypes are the names of the error types and of their codes, in the order of their numbers.
var errorTypes = [...]struct{ name, codes string }{
	{"hello_failed", "incompatible eperm"},
	{"bad_request", "bad_version bad_type bad_multipart bad_experimenter bad_exp_type eperm bad_len buffer_empty " +
		"buffer_unknown bad_table_id is_slave bad_port bad_packet multipart_buffer_overflow"},
	{"bad_action", "bad_type bad_len bad_experimenter bad_exp_type bad_out_port bad_argument eperm too_many " +
		"bad_queue bad_out_group match_inconsistent unsupported_order bad_tag bad_set_type bad_set_len " +
		"bad_set_argument"},
	{"bad_instruction", "unknown_inst unsup_inst bad_table_id unsup_metadata unsup_metadata_mask " +
		"bad_experimenter bad_exp_type bad_len eperm"},
	{"bad_match", "bad_type bad_len bad_tag bad_dl_addr_mask bad_nw_addr_mask bad_wildcards bad_field bad_value " +
		"bad_mask bad_prereq dup_field eperm"},
	{"flow_mod_failed", "unknown table_full bad_table_id overlap eperm bad_timeout bad_command bad_flags"},
	{"group_mod_failed", "group_exists invalid_group weight_unsupported out_of_groups out_of_buckets " +
		"chaining_unsupported watch_unsupported loop unknown_group chained_group bad_type bad_command bad_bucket " +
		"bad_watch eperm"},
	{"port_mod_failed", "bad_port bad_hw_addr bad_config bad_advertise eperm"},
	{"table_mod_failed", "bad_table bad_config eperm"},
	{"queue_op_failed", "bad_port bad_queue eperm"},
	{"switch_config_failed", "bad_flags bad_len eperm"},
	{"role_request_failed", "stale unsup bad_role"},
	{"meter_mod_failed", "unknown meter_exists invalid_meter unknown_meter bad_command bad_flags bad_rate " +
		"bad_burst bad_band bad_band_value out_of_meters out_of_bands"},
	{"table_features_failed", "bad_table bad_metadata bad_type bad_len bad_argument eperm"},
}

var bundleErrorNames = [...]string{
	"unknown", "eperm", "bad_id", "bundle_exist", "bundle_closed", "out_of_bundles", "bad_type", "bad_flags",
	"msg_bad_len", "msg_bad_xid", "msg_unsup", "msg_conflict", "msg_too_many", "msg_failed", "timeout",
	"bundle_in_progress",
}

// ErrorTypeName returns the error type in snake case, or "type_N".
func ErrorTypeName(typ uint16) string {
	if int(typ) < len(errorTypes) {
		return errorTypes[typ].name
	}
	if typ == ErrorTypeExperimenter {
		return "experimenter"
	}
	return "type_" + strconv.Itoa(int(typ))
}

// ErrorCodeName returns the code of an error of this type in snake case, or "code_N".
func ErrorCodeName(typ, code uint16) string {
	var codes []string
	if int(typ) < len(errorTypes) {
		codes = strings.Fields(errorTypes[typ].codes)
	}
	return nameOf(codes, "code_", int(code))
}

// experimenterErrorName returns an experimenter error in words.
func experimenterErrorName(experimenter uint32, code uint16) string {
	n := strconv.Itoa(int(code))
	switch experimenter {
	case ExperimenterONF:
		if code >= BundleErrorUnknown && int(code-BundleErrorUnknown) < len(bundleErrorNames) {
			return "bundle_failed: " + bundleErrorNames[code-BundleErrorUnknown]
		}
		return "onf: code_" + n
	case ExperimenterNicira:
		if name, ok := niciraErrorNames[code]; ok {
			return "nicira: " + name
		}
		return "nicira: code_" + n
	}
	return "experimenter 0x" + strconv.FormatUint(uint64(experimenter), 16) + ": code_" + n
}
