package event

// The types of events. The level of a fault is Warning where Eosin goes on working around it, Error where something is
// not done.
var (
	SwitchConnected    = declare("switch_connected", Info, "A switch has a session.", Switch)
	SwitchDisconnected = declare("switch_disconnected", Warning, "A session has ended.", Switch)
	SwitchRefused      = declare("switch_refused", Warning, "A connection did not become a session.")
	SwitchAdopted      = declare("switch_adopted", Info,
		"A switch has flows from before the controller's start, which stay.", Switch)
	SwitchError = declare("switch_error", Error, "A switch refuses what it is asked for.", Switch)
	RoleRefused = declare("role_refused", Warning, "A switch does not let Eosin be its master.", Switch)
	RoleLost    = declare("role_lost", Warning, "Another controller has become the switch's master.", Switch)
	Drift       = declare("drift", Warning,
		"Flows were changed behind the controller's back, and are repaired.", Switch)
	NoConntrack = declare("no_conntrack", Warning, "A switch refuses conntrack actions.", Switch)
	NoMeters    = declare("no_meters", Warning, "A switch refuses meters.", Switch)

	PortUp      = declare("port_up", Info, "A port went up.", Switch, Port)
	PortDown    = declare("port_down", Warning, "A port went down.", Switch, Port)
	PortRemoved = declare("port_removed", Info, "A port is no longer part of its switch.", Switch, Port)
	LinkUp      = declare("link_up", Info, "A link between switches was found, or works again.", Link)
	LinkDown    = declare("link_down", Warning, "A link between switches no longer works, or is gone.", Link)
	HostFrozen  = declare("host_frozen", Warning,
		"A host moves too often and stays where it is for a while.", Switch, Host, Network)

	IsolationViolation = declare("isolation_violation", Warning, "A probe reaches what must be unreachable.", Probe)
	IsolationRestored  = declare("isolation_restored", Info, "It no longer does.", Probe)
	ProbeFailing       = declare("probe_failing", Warning, "A probe does not reach what it should.", Probe)
	ProbeRecovered     = declare("probe_recovered", Info, "It does again.", Probe)

	FailMode = declare("fail_mode", Warning,
		"A bridge would turn into a plain switch without its controller.", Switch)
	FailModeFixed         = declare("fail_mode_fixed", Info, "It no longer would.", Switch)
	BridgeProtocols       = declare("bridge_protocols", Warning, "A bridge is not set to speak OpenFlow 1.3.", Switch)
	BridgeProtocolsFixed  = declare("bridge_protocols_fixed", Info, "It is now.", Switch)
	DatapathIDShared      = declare("datapath_id_shared", Warning, "Several bridges have one datapath id.", Switch)
	DatapathIDSharedFixed = declare("datapath_id_shared_fixed", Info, "They no longer do.", Switch)
	OVSDBConnected        = declare("ovsdb_connected", Info, "An OVSDB server is being read.")
	OVSDBLost             = declare("ovsdb_lost", Warning, "An OVSDB server cannot be read.")

	ConfigRefused = declare("config_refused", Error, "A reload was refused; the running config stays.")
)

// types are all of them, in the order of their declaration.
var types []*Type

func declare(name string, level Level, help string, subjects ...Subject) *Type {
	t := &Type{name: name, level: level, help: help, subjects: subjects}
	types = append(types, t)
	return t
}

// Types returns all declared types.
func Types() []*Type { return types }
