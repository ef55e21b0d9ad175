package probespec

import "encoding/json"

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

// Place is a port of a switch by its names.
type Place struct {
	Switch string `json:"switch" example:"host1"`
	Port   string `json:"port" example:"vif1"`
}

// String returns "SWITCH:PORT".
func (p Place) String() string { return p.Switch + ":" + p.Port }

// Loss says where, why and on what evidence probes were lost.
type Loss struct {
	Where    *Place   `json:"where" doc:"The port where the trace ends; null where that cannot be told"`
	Stage    Stage    `json:"stage" doc:"source_down, not_injected, unknown_destination, dropped_by_policy, lost_between, mtu, destination_port_down, guest_silent, reply_lost, late, or no_reply where it cannot be told" example:"guest_silent"`
	Reason   string   `json:"reason" example:"no reply within 1s"`
	Evidence []string `json:"evidence" nullable:"false" doc:"What the reason rests on" example:"[\"host2:vif3 is up\"]"`
}

// MarshalJSON writes a missing list of evidence as an empty one.
func (l Loss) MarshalJSON() ([]byte, error) {
	type plain Loss
	if l.Evidence == nil {
		l.Evidence = []string{}
	}
	return json.Marshal(plain(l))
}
