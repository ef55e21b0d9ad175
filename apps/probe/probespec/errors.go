package probespec

import (
	"fmt"
	"strings"
)

// InvalidError says that a value of a request is wrong.
type InvalidError struct{ Field, Text string }

func (e *InvalidError) Error() string { return e.Field + " " + e.Text }

// CannotRunError says that a sound probe cannot be sent, found before anything was.
type CannotRunError struct {
	Stage    Stage
	Reason   string
	Evidence []string
}

func (e *CannotRunError) Error() string { return e.Reason }

// EndError says which end of a request could not be resolved; it unwraps to an *UnknownError or *AmbiguousError.
type EndError struct {
	End string // "source" or "destination"
	Err error
}

func (e *EndError) Error() string { return e.End + " " + e.Err.Error() }

// Unwrap returns the cause.
func (e *EndError) Unwrap() error { return e.Err }

// UnknownError says that nothing has this name or address.
type UnknownError struct {
	Ref        string
	Candidates []string // names that may have been meant
}

func (e *UnknownError) Error() string {
	return fmt.Sprintf("%q is not known%s", e.Ref, listed(e.Candidates))
}

// AmbiguousError says that several hosts have this name or address.
type AmbiguousError struct {
	Ref        string
	Candidates []string
}

func (e *AmbiguousError) Error() string {
	return fmt.Sprintf("%q is ambiguous%s", e.Ref, listed(e.Candidates))
}

func listed(candidates []string) string {
	if len(candidates) == 0 {
		return ""
	}
	return "; candidates: " + strings.Join(candidates, ", ")
}
