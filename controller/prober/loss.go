package prober

// Stage says where on its way a probe was lost.
type Stage string

// The stages that a probe which traps only replies can tell apart.
const (
	SourceDown          Stage = "source_down"
	UnknownDestination  Stage = "unknown_destination"
	LostBetween         Stage = "lost_between"
	DestinationPortDown Stage = "destination_port_down"
	GuestSilent         Stage = "guest_silent"
	AnsweredLate        Stage = "late"
	NoReply             Stage = "no_reply" // none of the others can be told
)

// Loss says where and why probes were lost, and what that rests on.
type Loss struct {
	Where    *Place // nil where it cannot be told
	Stage    Stage
	Reason   string
	Evidence []string
}
