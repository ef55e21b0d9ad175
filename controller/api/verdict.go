package api

import (
	"reflect"

	"github.com/danielgtaylor/huma/v2"
)

// Verdict says how probes of a pair ended.
type Verdict string

// The verdicts. VerdictUnknown stands where no probe has been decided yet.
const (
	VerdictReachable   Verdict = "reachable"
	VerdictUnreachable Verdict = "unreachable"
	VerdictPartial     Verdict = "partial"
	VerdictUnknown     Verdict = "unknown"
)

// VerdictOf returns the verdict for a number of decided probes and of answers to them.
func VerdictOf(sent, received int) Verdict {
	switch {
	case sent <= 0:
		return VerdictUnknown
	case received <= 0:
		return VerdictUnreachable
	case received < sent:
		return VerdictPartial
	default:
		return VerdictReachable
	}
}

// Schema describes the verdict in the OpenAPI document.
func (Verdict) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{
		Type: huma.TypeString,
		Enum: []any{
			string(VerdictReachable), string(VerdictUnreachable), string(VerdictPartial), string(VerdictUnknown),
		},
	}
}

// schemaOf returns a reference to the schema of T, which is registered if it is new.
func schemaOf[T any](r huma.Registry) *huma.Schema {
	return r.Schema(reflect.TypeFor[T](), true, "")
}

// nullable returns a schema that also allows null, for values that are objects.
func nullable(s *huma.Schema) *huma.Schema {
	return &huma.Schema{OneOf: []*huma.Schema{s, {Type: "null"}}}
}
