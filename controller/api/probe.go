package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/eosin-sdn/eosin/apps/probe"
	"github.com/eosin-sdn/eosin/apps/probe/probespec"
)

// Kinds of members of a request, as messages name them.
const (
	textMember     = "a string"
	numberMember   = "a whole number"
	durationMember = `a string with a unit such as "1s", or a number of seconds`
)

// probeMembers are the members that a request may have.
var probeMembers = map[string]string{
	"source": textMember, "destination": textMember, "type": textMember, "count": numberMember,
	"interval": durationMember, "timeout": durationMember, "color": numberMember, "size": numberMember,
}

// DecodeProbeRequest reads a request from JSON strictly, fills in the defaults and validates it. It returns every wrong
// member at once.
func DecodeProbeRequest(body []byte) (probespec.Request, *Problem) {
	var req probespec.Request
	members, problem := decodeObject(body)
	if problem != nil {
		return req, problem
	}
	var errs []FieldError
	refuse := func(name, format string, args ...any) {
		errs = append(errs, FieldError{"body." + name, fmt.Sprintf(format, args...)})
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		value := members[name]
		kind, known := probeMembers[name]
		if !known {
			refuse(name, "is not known; the members are %s",
				strings.Join(slices.Sorted(maps.Keys(probeMembers)), ", "))
			continue
		}
		err := json.Unmarshal(fmt.Appendf(nil, "{%q:%s}", name, value), &req)
		switch {
		case err != nil && name == "type" && value[0] == '"': // its parser says which there are
			refuse(name, "%v", err)
		case err != nil:
			refuse(name, "must be %s, is %s", kind, shorten(value))
		case kind != textMember && zeroWritten(value):
			refuse(name, "must be above 0; leave it out for the default")
		}
	}
	if req = req.WithDefaults(); len(errs) == 0 {
		for _, wrong := range req.Check() {
			refuse(wrong.Field, "%s", wrong.Text)
		}
	}
	if len(errs) > 0 {
		return req, invalid(errs...)
	}
	return req, nil
}

// zeroWritten reports that a number is written as zero, which would otherwise read as left out.
func zeroWritten(value []byte) bool {
	var d probespec.Duration
	return string(value) != "null" && d.UnmarshalJSON(value) == nil && d == 0
}

// decodeObject splits a JSON object into its members. Its problems name the line and column.
func decodeObject(body []byte) (map[string]json.RawMessage, *Problem) {
	dec := json.NewDecoder(bytes.NewReader(body))
	var members map[string]json.RawMessage
	err := dec.Decode(&members)
	malformedAt := func(offset int64, what any) (map[string]json.RawMessage, *Problem) {
		head := body[:min(max(offset, 0), int64(len(body)))]
		return nil, malformed("malformed JSON at line %d, column %d: %v", 1+bytes.Count(head, []byte("\n")),
			len(head)-bytes.LastIndexByte(head, '\n'), what) // the column counts bytes
	}
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case err == nil && members == nil:
		return nil, malformed("the body must be a JSON object, is null")
	case err == nil:
		at := dec.InputOffset()
		if _, err = dec.Token(); errors.Is(err, io.EOF) {
			return members, nil
		}
		space := len(body[at:]) - len(bytes.TrimLeft(body[at:], " \t\r\n"))
		return malformedAt(at+int64(space), "more text after the object")
	case len(bytes.TrimSpace(body)) == 0:
		return nil, malformed(`the body is empty: send a JSON object such as {"source": "vm1", "destination": "vm2"}`)
	case errors.As(err, &kind):
		return nil, malformed("the body must be a JSON object, is %s", article(kind.Value))
	case errors.As(err, &syntax):
		return malformedAt(syntax.Offset-1, syntax)
	}
	return malformedAt(int64(len(body)), "it ends too early")
}

// article puts "a" or "an" before the name of a JSON type.
func article(kind string) string {
	if strings.HasPrefix(kind, "a") {
		return "an " + kind
	}
	return "a " + kind
}

// shorten returns a value for a message, cut to a readable length.
func shorten(value []byte) string {
	const most = 60
	if len(value) > most {
		return strings.ToValidUTF8(string(value[:most]), "") + "..."
	}
	return string(value)
}

// ProbeUpdate is one line of the streamed answer (application/x-ndjson): news, or the result or problem that ends it.
type ProbeUpdate struct {
	probespec.Update
	Problem *Problem `json:"problem,omitempty"`
}

// probeProblem returns what kept a probe from running as a problem, or nil for an error of another kind.
func probeProblem(err error) *Problem {
	var end *probespec.EndError
	what := "host"
	if errors.As(err, &end) {
		what = end.End
	}
	var unknown *probespec.UnknownError
	var ambiguous *probespec.AmbiguousError
	var wrong *probespec.InvalidError
	var cannot *probespec.CannotRunError
	var color *probe.ColorError
	switch {
	case errors.As(err, &unknown):
		return UnknownName(what, unknown.Ref, unknown.Candidates...)
	case errors.As(err, &ambiguous):
		return ambiguousName(what, ambiguous.Ref, ambiguous.Candidates...)
	case errors.As(err, &wrong):
		return invalid(FieldError{"body." + wrong.Field, wrong.Text})
	case errors.As(err, &cannot):
		return CannotRun(string(cannot.Stage), cannot.Reason, cannot.Evidence...)
	case errors.As(err, &color):
		p := ColorBusy(int(color.Color), int(color.Wait/time.Second))
		if color.Color == 0 {
			p.Detail = color.Error()
		}
		return p
	}
	return nil
}
