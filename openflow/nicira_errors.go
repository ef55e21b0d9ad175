package openflow

// niciraErrorNames names the errors of Open vSwitch for which OpenFlow 1.3 has no code (its experimenter error types
// from OpenFlow 1.2 on).
var niciraErrorNames = map[uint16]string{
	2:  "match_invalid",
	3:  "match_bad_type",
	4:  "request_must_be_zero",
	5:  "bad_port_status_reason",
	6:  "monitor_exists",
	7:  "monitor_bad_flags",
	8:  "unknown_monitor",
	9:  "monitor_bad_event",
	10: "unencodable_error",
	11: "action_must_be_zero",
	12: "flow_hardware",
	13: "flow_bad_table_id",
	15: "bad_conjunction",
	16: "tlv_table_bad_command",
	17: "tlv_table_bad_option_length",
	18: "tlv_table_bad_field_index",
	19: "tlv_table_full",
	20: "tlv_table_already_mapped",
	21: "tlv_table_duplicate",
	34: "resume_not_supported",
	35: "resume_stale",
	36: "not_configured",
}
