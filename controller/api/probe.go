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
	"strings"
	"time"

	"github.com/eosin-sdn/eosin/apps/probe"
	"github.com/eosin-sdn/eosin/apps/probe/probespec"
)

// probeField reads one member of the JSON form of a request; the text is what the member should be.
type probeField struct {
	target func(*probespec.Request) any
	want   string
}

// probeFields are the members that a request may have.
var probeFields = map[string]probeField{
	"source":      {func(r *probespec.Request) any { return &r.Source }, "a string"},
	"destination": {func(r *probespec.Request) any { return &r.Destination }, "a string"},
	"type":        {func(r *probespec.Request) any { return &r.Type }, "a string"},
	"count":       {func(r *probespec.Request) any { return &r.Count }, "a whole number"},
	"interval": {
		func(r *probespec.Request) any { return &r.Interval },
		`a string with a unit such as "1s", or a number of seconds`,
	},
	"timeout": {
		func(r *probespec.Request) any { return &r.Timeout },
		`a string with a unit such as "1s", or a number of seconds`,
	},
	"color": {func(r *probespec.Request) any { return &r.Color }, "a whole number"},
	"size":  {func(r *probespec.Request) any { return &r.Size }, "a whole number"},
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
	for _, name := range slices.Sorted(maps.Keys(members)) {
		value := members[name]
		field, known := probeFields[name]
		if !known {
			errs = append(errs,
				FieldError{
					"body." + name,
					"is not known; the members are " + strings.Join(slices.Sorted(maps.Keys(probeFields)), ", "),
				})
			continue
		}
		if err := json.Unmarshal(value, field.target(&req)); err != nil {
			message := fmt.Sprintf("must be %s, is %s", field.want, shorten(value))
			if name == "type" && value[0] == '"' { // its parser says which there are
				message = err.Error()
			}
			errs = append(errs, FieldError{"body." + name, message})
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
	return req, checkRequest(&req)
}

// checkRequest returns what is wrong with the values of a request that has its defaults, or nil.
func checkRequest(req *probespec.Request) *Problem {
	var errs []FieldError
	for _, wrong := range req.Check() {
		errs = append(errs, FieldError{"body." + wrong.Field, wrong.Text})
	}
	if len(errs) == 0 {
		return nil
	}
	return invalid(errs...)
}

// zeroWritten tells whether a member that must be above zero is written as zero, which would otherwise read as left
// out.
func zeroWritten(name string, value []byte) bool {
	switch name {
	case "count", "color", "size", "interval", "timeout":
		var d probespec.Duration
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
		return nil,
			newProblem(http.StatusBadRequest, CodeMalformed,
				"malformed JSON at line %d, column %d: more text after the object", line, column)
	}
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case len(bytes.TrimSpace(body)) == 0:
		return nil,
			newProblem(http.StatusBadRequest, CodeMalformed,
				`the body is empty: send a JSON object such as {"source": "vm1", "destination": "vm2"}`)
	case errors.As(err, &kind):
		return nil,
			newProblem(http.StatusBadRequest, CodeMalformed, "the body must be a JSON object, is %s",
				article(kind.Value))
	case errors.As(err, &syntax):
		line, column := position(body, max(syntax.Offset-1, 0))
		return nil,
			newProblem(http.StatusBadRequest, CodeMalformed, "malformed JSON at line %d, column %d: %v", line, column,
				syntax)
	default: // cut off
		line, column := position(body, int64(len(body)))
		return nil,
			newProblem(http.StatusBadRequest, CodeMalformed, "malformed JSON at line %d, column %d: it ends too early",
				line, column)
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
		return AmbiguousName(what, ambiguous.Ref, ambiguous.Candidates...)
	case errors.As(err, &wrong):
		return invalid(FieldError{"body." + wrong.Field, wrong.Text})
	case errors.As(err, &cannot):
		return CannotRun(string(cannot.Stage), cannot.Reason, cannot.Evidence...)
	case errors.As(err, &color):
		return ColorBusy(int(color.Color), int(color.Wait/time.Second))
	}
	return nil
}
