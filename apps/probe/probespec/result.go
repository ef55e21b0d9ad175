package probespec

import "time"

// Verdict says how the probes of a pair ended.
type Verdict string

// The verdicts. Unknown means that nothing was decided: not sent yet, or it could not be sent.
const (
	Reachable   Verdict = "reachable"
	Unreachable Verdict = "unreachable"
	Partial     Verdict = "partial"
	Unknown     Verdict = "unknown"
)

// VerdictOf returns the verdict for a number of decided probes and of answers to them.
func VerdictOf(sent, received int) Verdict {
	switch {
	case sent == 0:
		return Unknown
	case received == 0:
		return Unreachable
	case received < sent:
		return Partial
	}
	return Reachable
}

// End is one end of a probe as it was resolved. What is not known is empty.
type End struct {
	Name    string `json:"name" example:"vm2"`
	MAC     string `json:"mac,omitempty" example:"52:54:00:00:00:02"`
	IP      string `json:"ip,omitempty" example:"10.0.3.2"`
	Network string `json:"network,omitempty" example:"blue"`
	Switch  string `json:"switch,omitempty" example:"host2"`
	Port    string `json:"port,omitempty" example:"vif2"`
}

// RTT are statistics over the round trips of a probe, in seconds.
type RTT struct {
	Min Seconds `json:"min" example:"0.000301"`
	Avg Seconds `json:"avg" example:"0.000412"`
	Max Seconds `json:"max" example:"0.00052"`
}

// Reply is one answer to a probe.
type Reply struct {
	Seq int     `json:"seq" doc:"Number of the probe, from 1" example:"1"`
	RTT Seconds `json:"rtt_seconds" example:"0.000412"`
}

// Result is how a probe ended.
type Result struct {
	Source         string  `json:"source" doc:"As asked for" example:"vm1"`
	Destination    string  `json:"destination" doc:"As asked for" example:"vm2"`
	Type           string  `json:"type" example:"icmp"`
	Color          int     `json:"color" example:"61441"`
	Sent           int     `json:"sent" doc:"Probes that were decided: answered or given up" example:"5"`
	Received       int     `json:"received" example:"5"`
	Verdict        Verdict `json:"verdict" enum:"reachable,unreachable,partial,unknown" example:"reachable"`
	RTT            *RTT    `json:"rtt_seconds" doc:"Null when there was no reply"`
	Replies        []Reply `json:"replies" nullable:"false"`
	Loss           *Loss   `json:"loss" doc:"Null when nothing was lost"`
	SourceEnd      *End    `json:"source_end,omitempty" doc:"The source as it was resolved"`
	DestinationEnd *End    `json:"destination_end,omitempty" doc:"The destination as it was resolved"`
	Control        Seconds `json:"control_seconds,omitempty" doc:"Round trip between controller and switch, which is part of each RTT"`

	Size       int `json:"-"` // payload in bytes; 0 where the type has none
	Late       int `json:"-"` // answered after the timeout; they are lost
	Duplicates int `json:"-"` // further replies to what was answered already
}

// NewResult returns the result of a probe of which nothing is decided.
func NewResult(r *Request) Result {
	return Result{
		Source: r.Source, Destination: r.Destination, Type: r.Type.String(), Verdict: Unknown,
		Replies: []Reply{},
	}
}

// Summarize fills in what follows from Sent and Replies.
func (r *Result) Summarize() {
	r.Received = len(r.Replies)
	r.Verdict = VerdictOf(r.Sent, r.Received)
	r.RTT = nil
	if r.Received == 0 {
		return
	}
	rtt := RTT{Min: r.Replies[0].RTT}
	for _, reply := range r.Replies {
		rtt.Min, rtt.Max, rtt.Avg = min(rtt.Min, reply.RTT), max(rtt.Max, reply.RTT), rtt.Avg+reply.RTT
	}
	rtt.Avg /= Seconds(r.Received)
	r.RTT = &rtt
}

// What an Update tells. The prober sends the first four; the last two end the API's stream.
const (
	UpdateStarted = "started" // resolved, about to send: color, size, source_end, destination_end
	UpdateReply   = "reply"   // seq, rtt_seconds
	UpdateLost    = "lost"    // seq: given up
	UpdateLate    = "late"    // seq, rtt_seconds: answered after it was given up
	UpdateResult  = "result"  // result
	UpdateProblem = "problem" // a problem document
)

// Update is news of a running probe.
type Update struct {
	Event          string  `json:"event" enum:"started,reply,lost,late,result,problem" example:"reply"`
	Seq            int     `json:"seq,omitempty" doc:"Number of the probe, from 1" example:"1"`
	RTT            Seconds `json:"rtt_seconds,omitempty" example:"0.000412"`
	Color          int     `json:"color,omitempty"`
	Size           int     `json:"size,omitempty" doc:"Payload in bytes"`
	SourceEnd      *End    `json:"source_end,omitempty"`
	DestinationEnd *End    `json:"destination_end,omitempty"`
	Result         *Result `json:"result,omitempty"`
}

// Status is a continuous probe as it stands.
type Status struct {
	Name     string  `json:"name" example:"blue-mesh"`
	Kind     string  `json:"kind" enum:"mesh,from_to,pairs" example:"mesh"`
	Of       string  `json:"of" doc:"What it covers, in words" example:"mesh blue"`
	Type     string  `json:"type" example:"icmp"`
	Interval Seconds `json:"interval_seconds" example:"5"`
	Timeout  Seconds `json:"timeout_seconds" example:"1"`
	Expect   Verdict `json:"expect" enum:"reachable,unreachable" doc:"The verdict that counts as success" example:"reachable"`
	Pairs    int     `json:"pairs" doc:"Number of ordered pairs it covers now" example:"6"`
	OK       int     `json:"ok" doc:"Pairs whose verdict is as expected" example:"6"`
	Failing  int     `json:"failing" doc:"Pairs whose verdict is not as expected" example:"0"`
	Pending  int     `json:"pending" doc:"Pairs without a verdict yet" example:"0"`
}

// MeshEntry is the newest verdict of one ordered pair of a continuous probe.
type MeshEntry struct {
	Probe       string     `json:"probe" example:"blue-mesh"`
	Source      string     `json:"source" example:"vm1"`
	Destination string     `json:"destination" example:"vm2"`
	Network     string     `json:"network" doc:"Network of the source" example:"blue"`
	Type        string     `json:"type" example:"icmp"`
	Expect      Verdict    `json:"expect" enum:"reachable,unreachable" example:"reachable"`
	OK          bool       `json:"ok" doc:"Whether the verdict is as expected"`
	Verdict     Verdict    `json:"verdict" enum:"reachable,unreachable,partial,unknown" example:"reachable"`
	LossRatio   float64    `json:"loss_ratio" minimum:"0" maximum:"1" doc:"Over the recent probes" example:"0"`
	RTT         *Seconds   `json:"rtt_seconds" nullable:"true" doc:"Of the newest reply; null when there was none" example:"0.00042"`
	Last        *time.Time `json:"last" doc:"When the newest probe was decided; null before the first"`
	Loss        *Loss      `json:"loss,omitempty" doc:"Where and why the newest lost probe was lost"`
}
