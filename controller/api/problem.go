package api

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// Code names the kind of a [Problem] for programs.
type Code string

// Codes. CodeInvalid and CodeMalformed mean that the request is wrong; the others, that a valid request could not be
// served.
const (
	CodeMalformed    Code = "malformed"       // not JSON, or a query that cannot be parsed
	CodeInvalid      Code = "invalid"         // readable, but with wrong values
	CodeUnauthorized Code = "unauthorized"    // no token, or a wrong one
	CodeForbidden    Code = "forbidden"       // cross-origin request
	CodeNotFound     Code = "not_found"       // no such path
	CodeMethod       Code = "method"          // the path exists, the method does not
	CodeTooLarge     Code = "too_large"       // body or headers
	CodeTimeout      Code = "request_timeout" // the body did not arrive in time
	CodeUnknownName  Code = "unknown_name"    // no object of that name
	CodeAmbiguous    Code = "ambiguous_name"  // several objects of that name
	CodeColorBusy    Code = "color_busy"      // the probe color asked for is in use
	CodeCannotRun    Code = "cannot_run"      // see Stage and Detail
	CodeTooMany      Code = "too_many"        // concurrency or rate limit
	CodeUnavailable  Code = "unavailable"     // not ready, or shutting down
	CodeInternal     Code = "internal"        // a fault of the controller
)

// FieldError is one wrong value of a request.
type FieldError struct {
	Location string `json:"location" doc:"Where the value is" example:"body.count"`
	Message  string `json:"message" doc:"What is wrong and what would be right" example:"must be from 1 to 100000, is 0"`
}

// Problem is an RFC 9457 problem document of type about:blank with a few more members. A [Backend] returns one where
// the client should learn the reason.
type Problem struct {
	Title      string       `json:"title" doc:"The HTTP status in words" example:"Unprocessable Entity"`
	Status     int          `json:"status" doc:"The HTTP status" example:"422"`
	Detail     string       `json:"detail" doc:"What is wrong and what would be right" example:"unknown source \"vm9\"; known hosts: vm1, vm2"`
	Code       Code         `json:"code" doc:"The kind of problem, for programs" example:"unknown_name"`
	Errors     []FieldError `json:"errors,omitempty" doc:"Each wrong value of the request"`
	Candidates []string     `json:"candidates,omitempty" doc:"Names that may have been meant"`
	Stage      string       `json:"stage,omitempty" doc:"The stage at which a probe could not be run, e.g. source_down"`
	Evidence   []string     `json:"evidence,omitempty" doc:"What the detail rests on"`
	RetryAfter int          `json:"-"`               // seconds; sent as the Retry-After header where above 0
	Allow      string       `json:"-"`               // sent as the Allow header where not empty
	Cause      error        `json:"-" hidden:"true"` // logged, never sent
}

// newProblem returns a problem of the given status and kind.
func newProblem(status int, code Code, format string, args ...any) *Problem {
	return &Problem{Title: http.StatusText(status), Status: status, Code: code, Detail: fmt.Sprintf(format, args...)}
}

// malformed reports a request that cannot be read.
func malformed(format string, args ...any) *Problem {
	return newProblem(http.StatusBadRequest, CodeMalformed, format, args...)
}

// UnknownName reports that there is no object of that name. What is "source", "switch" and so on.
func UnknownName(what, name string, candidates ...string) *Problem {
	p := newProblem(http.StatusUnprocessableEntity, CodeUnknownName, "unknown %s %q", what, name)
	if len(candidates) > 0 {
		p.Detail += "; candidates: " + strings.Join(candidates, ", ")
	}
	p.Candidates = candidates
	return p
}

// ambiguousName reports that several objects have that name.
func ambiguousName(what, name string, candidates ...string) *Problem {
	p := newProblem(http.StatusUnprocessableEntity, CodeAmbiguous, "%s %q is ambiguous; candidates: %s", what, name,
		strings.Join(candidates, ", "))
	p.Candidates = candidates
	return p
}

// invalid reports wrong values of a request.
func invalid(errs ...FieldError) *Problem {
	p := newProblem(http.StatusUnprocessableEntity, CodeInvalid, "%s", joinErrors(errs))
	p.Errors = errs
	return p
}

// joinErrors lists wrong values in one line.
func joinErrors(errs []FieldError) string {
	lines := make([]string, len(errs))
	for i, e := range errs {
		name := e.Location
		if _, field, found := strings.Cut(name, "."); found {
			name = field
		}
		lines[i] = strings.TrimSpace(name + " " + e.Message)
	}
	return strings.Join(lines, "; ")
}

// ColorBusy reports that the color is in use, or was so recently that late replies could be mistaken. It becomes free
// after retryAfter seconds.
func ColorBusy(color, retryAfter int) *Problem {
	when := "while another probe runs"
	if retryAfter > 0 {
		when = fmt.Sprintf("for another %d s, as late replies to the last probe would be taken for yours", retryAfter)
	}
	p := newProblem(http.StatusConflict, CodeColorBusy, "color %d is in use %s; leave it out to get a free one", color,
		when)
	p.RetryAfter = retryAfter
	return p
}

// CannotRun reports that a valid probe cannot be run now. Stage is one of the stages of losses, as "source_down".
func CannotRun(stage, detail string, evidence ...string) *Problem {
	p := newProblem(http.StatusUnprocessableEntity, CodeCannotRun, "%s", detail)
	p.Stage, p.Evidence = stage, evidence
	return p
}

// tooMany reports that a limit is reached, and when to retry.
func tooMany(retryAfter int, format string, args ...any) *Problem {
	p := newProblem(http.StatusTooManyRequests, CodeTooMany, format, args...)
	p.RetryAfter = retryAfter
	return p
}

// Unavailable reports that the controller cannot serve the request now.
func Unavailable(format string, args ...any) *Problem {
	return newProblem(http.StatusServiceUnavailable, CodeUnavailable, format, args...)
}

// internal reports a fault of the controller; the cause is logged, not sent.
func internal(cause error) *Problem {
	p := newProblem(http.StatusInternalServerError, CodeInternal,
		"the controller met an internal error; its log says more")
	p.Cause = cause
	return p
}

// Error returns the detail.
func (p *Problem) Error() string { return p.Detail }

// Unwrap returns the cause.
func (p *Problem) Unwrap() error { return p.Cause }

// GetStatus implements huma.StatusError.
func (p *Problem) GetStatus() int { return p.Status }

// GetHeaders implements huma.HeadersError.
func (p *Problem) GetHeaders() http.Header {
	h := http.Header{}
	if p.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(p.RetryAfter))
	}
	if p.Allow != "" {
		h.Set("Allow", p.Allow)
	}
	if p.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="eosin"`)
	}
	return h
}

// ContentType implements huma.ContentTypeFilter.
func (p *Problem) ContentType(string) string { return problemType }

const problemType = "application/problem+json"

// write sends the problem as the whole response.
func (p *Problem) write(w http.ResponseWriter) {
	maps.Copy(w.Header(), p.GetHeaders())
	writeAs(w, problemType, p.Status, p)
}

// plainProblems is a huma transformer: it turns huma's own errors, which are about parameters, into our problems.
func plainProblems(_ huma.Context, _ string, value any) (any, error) {
	model, ok := value.(*huma.ErrorModel)
	if !ok {
		return value, nil
	}
	if model.Status >= http.StatusInternalServerError {
		return internal(nil), nil
	}
	errs := make([]FieldError, len(model.Errors))
	for i, e := range model.Errors {
		errs[i] = FieldError{Location: e.Location, Message: cmp.Or(messages[e.Message], e.Message)}
	}
	p := newProblem(model.Status, CodeInvalid, "%s", model.Detail)
	if len(errs) > 0 {
		p.Detail, p.Errors = joinErrors(errs), errs
	}
	return p, nil
}

// messages replaces huma's messages about parameters by those of our own checks.
var messages = map[string]string{
	"unknown query parameter": "is not a parameter of this operation",
	"invalid integer":         "must be a whole number",
	"invalid boolean":         "must be true or false",
}
