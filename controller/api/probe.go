package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// What a probe request that leaves a value out gets, and the bounds of each.
const (
	DefaultProbeType = "icmp"
	DefaultCount     = 5
	DefaultInterval  = Duration(time.Second)
	DefaultTimeout   = Duration(time.Second)

	maxCount     = 10000
	minInterval  = Duration(time.Millisecond)
	maxInterval  = Duration(time.Hour)
	minTimeout   = Duration(time.Millisecond)
	maxTimeout   = Duration(time.Minute)
	maxProbeTime = Duration(24 * time.Hour)
	maxColor     = 65535
	maxSize      = 65507 // payload of the largest IPv4 datagram
	maxNameLen   = 255
)

// ProbeRequest asks for a probe. The zero value of each field but source and destination stands for its default.
type ProbeRequest struct {
	Source      string   `json:"source" required:"true" minLength:"1" maxLength:"255" doc:"Name of a host, an IP, a MAC, or SWITCH:PORT" example:"vm1"`
	Destination string   `json:"destination" required:"true" minLength:"1" maxLength:"255" doc:"As source, or any IP" example:"vm2"`
	Type        string   `json:"type,omitempty" pattern:"^(icmp|icmp6|arp|(tcp|udp):[0-9]{1,5})$" default:"icmp" doc:"icmp, icmp6 or arp; tcp:PORT and udp:PORT are refused as not supported yet" example:"icmp"`
	Count       int      `json:"count,omitempty" minimum:"1" maximum:"10000" default:"5" doc:"Number of probes" example:"5"`
	Interval    Duration `json:"interval,omitempty" doc:"Time between two probes; 1s when left out" example:"\"1s\""`
	Timeout     Duration `json:"timeout,omitempty" doc:"How long to wait for each reply; 1s when left out" example:"\"1s\""`
	Color       int      `json:"color,omitempty" minimum:"1" maximum:"65535" doc:"The ICMP identifier that tells this probe's packets from all others; a free one is taken when left out" example:"61441"`
	Size        int      `json:"size,omitempty" minimum:"1" maximum:"65507" doc:"Payload in bytes; 56, as ping sends, when left out" example:"56"`
}

// TransformSchema closes the schema: the server refuses unknown fields.
func (ProbeRequest) TransformSchema(_ huma.Registry, s *huma.Schema) *huma.Schema {
	s.AdditionalProperties = false
	return s
}

// WithDefaults returns the request with the default in each place left empty.
func (r ProbeRequest) WithDefaults() ProbeRequest {
	if r.Type == "" {
		r.Type = DefaultProbeType
	}
	if r.Count == 0 {
		r.Count = DefaultCount
	}
	if r.Interval == 0 {
		r.Interval = DefaultInterval
	}
	if r.Timeout == 0 {
		r.Timeout = DefaultTimeout
	}
	return r
}

// Validate returns what is wrong with the values of a request that has its defaults filled in, or nil.
func (r ProbeRequest) Validate() *Problem {
	var errs []FieldError
	add := func(field, format string, args ...any) {
		errs = append(errs, FieldError{Location: "body." + field, Message: fmt.Sprintf(format, args...)})
	}
	for _, end := range []struct{ field, value, also string }{
		{"source", r.Source, ""}, {"destination", r.Destination, ", or any IP"},
	} {
		switch {
		case strings.TrimSpace(end.value) == "":
			add(end.field, "is missing: give a host's name, an IP, a MAC or SWITCH:PORT%s", end.also)
		case len(end.value) > maxNameLen:
			add(end.field, "is %d bytes long, at most %d are allowed", len(end.value), maxNameLen)
		}
	}
	if err := checkProbeType(r.Type); err != nil {
		add("type", "%v", err)
	}
	if r.Count < 1 || r.Count > maxCount {
		add("count", "must be from 1 to %d, is %d", maxCount, r.Count)
	}
	if r.Interval < minInterval || r.Interval > maxInterval {
		add("interval", "must be from %v to %v, is %v", minInterval, maxInterval, r.Interval)
	}
	if r.Timeout < minTimeout || r.Timeout > maxTimeout {
		add("timeout", "must be from %v to %v, is %v", minTimeout, maxTimeout, r.Timeout)
	}
	if len(errs) == 0 && r.Longest() > time.Duration(maxProbeTime) {
		add("count", "times interval is longer than %v: ask for fewer probes or a shorter interval", maxProbeTime)
	}
	if r.Color < 0 || r.Color > maxColor {
		add("color", "must be from 1 to %d, is %d; leave it out to get a free one", maxColor, r.Color)
	}
	if r.Size < 0 || r.Size > maxSize {
		add("size", "must be from 1 to %d bytes, is %d", maxSize, r.Size)
	}
	if len(errs) > 0 {
		return invalid(errs...)
	}
	return nil
}

// Longest returns how long the probe takes when no reply comes.
func (r ProbeRequest) Longest() time.Duration {
	return time.Duration(r.Interval)*time.Duration(max(r.Count-1, 0)) + time.Duration(r.Timeout)
}

// checkProbeType returns what is wrong with the type of a probe.
func checkProbeType(text string) error {
	switch text {
	case "icmp", "icmp6", "arp":
		return nil
	}
	proto, port, found := strings.Cut(text, ":")
	if proto != "tcp" && proto != "udp" {
		return fmt.Errorf("must be icmp, icmp6, arp, tcp:PORT or udp:PORT, is %q", text)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if !found || err != nil || n == 0 {
		return fmt.Errorf("needs a port from 1 to 65535, e.g. %s:80, is %q", proto, text)
	}
	return nil
}

// probeField reads one member of the JSON form of a request; the text is what the member should be.
type probeField struct {
	target func(*ProbeRequest) any
	want   string
}

// probeFields are the members that a request may have.
var probeFields = map[string]probeField{
	"source":      {func(r *ProbeRequest) any { return &r.Source }, "a string"},
	"destination": {func(r *ProbeRequest) any { return &r.Destination }, "a string"},
	"type":        {func(r *ProbeRequest) any { return &r.Type }, "a string"},
	"count":       {func(r *ProbeRequest) any { return &r.Count }, "a whole number"},
	"interval":    {func(r *ProbeRequest) any { return &r.Interval }, `a string with a unit such as "1s", or a number of seconds`},
	"timeout":     {func(r *ProbeRequest) any { return &r.Timeout }, `a string with a unit such as "1s", or a number of seconds`},
	"color":       {func(r *ProbeRequest) any { return &r.Color }, "a whole number"},
	"size":        {func(r *ProbeRequest) any { return &r.Size }, "a whole number"},
}

// DecodeProbeRequest reads a request from JSON strictly, fills in the defaults and validates it. It returns every wrong
// member at once.
func DecodeProbeRequest(body []byte) (ProbeRequest, *Problem) {
	var req ProbeRequest
	members, problem := decodeObject(body)
	if problem != nil {
		return req, problem
	}
	var errs []FieldError
	for _, name := range slices.Sorted(maps.Keys(members)) {
		value := members[name]
		field, known := probeFields[name]
		if !known {
			errs = append(errs, FieldError{"body." + name, "is not known; the members are " + strings.Join(slices.Sorted(maps.Keys(probeFields)), ", ")})
			continue
		}
		if err := json.Unmarshal(value, field.target(&req)); err != nil {
			errs = append(errs, FieldError{"body." + name, fmt.Sprintf("must be %s, is %s", field.want, shorten(value))})
			continue
		}
		if zeroWritten(name, value) {
			errs = append(errs, FieldError{"body." + name, "must be above 0; leave it out for the default"})
		}
	}
	req = req.WithDefaults()
	if len(errs) > 0 {
		return req, invalid(errs...)
	}
	return req, req.Validate()
}

// zeroWritten tells whether a member that must be above zero is written as zero, which would otherwise read as left out.
func zeroWritten(name string, value []byte) bool {
	switch name {
	case "count", "color", "size", "interval", "timeout":
		var d Duration
		return string(value) != "null" && d.UnmarshalJSON(value) == nil && d == 0
	}
	return false
}

// decodeObject splits a JSON object into its members. Its problems name the line and column.
func decodeObject(body []byte) (map[string]json.RawMessage, *Problem) {
	dec := json.NewDecoder(bytes.NewReader(body))
	var members map[string]json.RawMessage
	err := dec.Decode(&members)
	if err == nil && members == nil { // null
		return nil, newProblem(http.StatusBadRequest, CodeMalformed, "the body must be a JSON object, is null")
	}
	if err == nil {
		at := dec.InputOffset()
		if _, err = dec.Token(); errors.Is(err, io.EOF) {
			return members, nil
		}
		line, column := position(body, at+int64(len(body[at:])-len(bytes.TrimLeft(body[at:], " \t\r\n"))))
		return nil, newProblem(http.StatusBadRequest, CodeMalformed, "malformed JSON at line %d, column %d: more text after the object", line, column)
	}
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case len(bytes.TrimSpace(body)) == 0:
		return nil, newProblem(http.StatusBadRequest, CodeMalformed, `the body is empty: send a JSON object such as {"source": "vm1", "destination": "vm2"}`)
	case errors.As(err, &kind):
		return nil, newProblem(http.StatusBadRequest, CodeMalformed, "the body must be a JSON object, is %s", article(kind.Value))
	case errors.As(err, &syntax):
		line, column := position(body, max(syntax.Offset-1, 0))
		return nil, newProblem(http.StatusBadRequest, CodeMalformed, "malformed JSON at line %d, column %d: %v", line, column, syntax)
	default: // cut off
		line, column := position(body, int64(len(body)))
		return nil, newProblem(http.StatusBadRequest, CodeMalformed, "malformed JSON at line %d, column %d: it ends too early", line, column)
	}
}

// article puts "a" or "an" before the name of a JSON type.
func article(kind string) string {
	if strings.HasPrefix(kind, "a") {
		return "an " + kind
	}
	return "a " + kind
}

// position turns an offset into a line and a column, both counted from 1; the column counts bytes.
func position(body []byte, offset int64) (line, column int) {
	head := body[:min(max(offset, 0), int64(len(body)))]
	return 1 + bytes.Count(head, []byte("\n")), len(head) - bytes.LastIndexByte(head, '\n')
}

// shorten returns a value for a message, cut to a readable length.
func shorten(value []byte) string {
	const most = 60
	if len(value) > most {
		return strings.ToValidUTF8(string(value[:most]), "") + "..."
	}
	return string(value)
}

// ProbeEnd is an end of a probe as it was resolved.
type ProbeEnd struct {
	Name    string `json:"name" example:"vm2"`
	MAC     string `json:"mac,omitempty" example:"52:54:00:00:00:02"`
	IP      string `json:"ip,omitempty" example:"10.0.3.2"`
	Network string `json:"network,omitempty" example:"blue"`
	Switch  string `json:"switch,omitempty" example:"host2"`
	Port    string `json:"port,omitempty" example:"vif2"`
}

// RTT are statistics over the round trips of a probe, in seconds.
type RTT struct {
	Min float64 `json:"min" example:"0.000301"`
	Avg float64 `json:"avg" example:"0.000412"`
	Max float64 `json:"max" example:"0.00052"`
}

// RTTOf returns the statistics over replies, or nil when there are none.
func RTTOf(replies []Reply) *RTT {
	if len(replies) == 0 {
		return nil
	}
	rtt := RTT{Min: replies[0].RTTSeconds, Max: replies[0].RTTSeconds}
	sum := 0.0
	for _, r := range replies {
		rtt.Min, rtt.Max, sum = min(rtt.Min, r.RTTSeconds), max(rtt.Max, r.RTTSeconds), sum+r.RTTSeconds
	}
	rtt.Avg = sum / float64(len(replies))
	return &rtt
}

// Reply is one answer to a probe.
type Reply struct {
	Seq        int     `json:"seq" doc:"Number of the probe, from 1" example:"1"`
	RTTSeconds float64 `json:"rtt_seconds" example:"0.000412"`
}

// Loss says where, why and on what evidence probes were lost.
type Loss struct {
	Where    *Place   `json:"where" doc:"The port where the trace ends; null where that cannot be told"`
	Stage    string   `json:"stage" doc:"source_down, not_injected, unknown_destination, dropped_by_policy, lost_between, mtu, destination_port_down, guest_silent, reply_lost, late, or no_reply where it cannot be told" example:"guest_silent"`
	Reason   string   `json:"reason" example:"no reply within 1s"`
	Evidence []string `json:"evidence" nullable:"false" doc:"What the reason rests on" example:"[\"host2:vif3 is up\"]"`
}

// TransformSchema lets the place be null.
func (Loss) TransformSchema(r huma.Registry, s *huma.Schema) *huma.Schema {
	s.Properties["where"] = nullable(schemaOf[Place](r))
	return s
}

// ProbeResult is how a probe ended.
type ProbeResult struct {
	Source         string    `json:"source" doc:"As asked for" example:"vm1"`
	Destination    string    `json:"destination" doc:"As asked for" example:"vm2"`
	Type           string    `json:"type" example:"icmp"`
	Color          int       `json:"color" example:"61441"`
	Sent           int       `json:"sent" doc:"Probes that were decided: answered or given up" example:"5"`
	Received       int       `json:"received" example:"5"`
	Verdict        Verdict   `json:"verdict" example:"reachable"`
	RTTSeconds     *RTT      `json:"rtt_seconds" doc:"Null when there was no reply"`
	Replies        []Reply   `json:"replies" nullable:"false"`
	Loss           *Loss     `json:"loss" doc:"Null when nothing was lost"`
	SourceEnd      *ProbeEnd `json:"source_end,omitempty" doc:"The source as it was resolved"`
	DestinationEnd *ProbeEnd `json:"destination_end,omitempty" doc:"The destination as it was resolved"`
	ControlSeconds *float64  `json:"control_seconds,omitempty" doc:"Round trip between controller and switch, which is part of each RTT"`
}

// TransformSchema lets rtt_seconds and loss be null.
func (ProbeResult) TransformSchema(r huma.Registry, s *huma.Schema) *huma.Schema {
	s.Properties["rtt_seconds"] = nullable(schemaOf[RTT](r))
	s.Properties["loss"] = nullable(schemaOf[Loss](r))
	return s
}

// The kinds of [ProbeUpdate]. A backend sends the first four; the last two are the API's own last line of a stream.
const (
	UpdateStarted = "started" // resolved, about to send: color, source_end, destination_end
	UpdateReply   = "reply"   // seq, rtt_seconds
	UpdateLost    = "lost"    // seq: given up
	UpdateLate    = "late"    // seq, rtt_seconds: answered after it was given up
	UpdateResult  = "result"  // result: the stream ends
	UpdateProblem = "problem" // problem: the stream ends
)

// ProbeUpdate is news of a running probe: one line of the streamed answer (application/x-ndjson).
type ProbeUpdate struct {
	Event          string       `json:"event" enum:"started,reply,lost,late,result,problem" example:"reply"`
	Seq            int          `json:"seq,omitempty" doc:"Number of the probe, from 1" example:"1"`
	RTTSeconds     float64      `json:"rtt_seconds,omitempty" example:"0.000412"`
	Color          int          `json:"color,omitempty"`
	Size           int          `json:"size,omitempty" doc:"Payload in bytes"`
	SourceEnd      *ProbeEnd    `json:"source_end,omitempty"`
	DestinationEnd *ProbeEnd    `json:"destination_end,omitempty"`
	Result         *ProbeResult `json:"result,omitempty"`
	Problem        *Problem     `json:"problem,omitempty"`
}
