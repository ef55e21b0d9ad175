package config

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"

	"github.com/eosin-sdn/eosin/config/spelling"
)

// Error is one thing that is wrong in a file.
type Error struct {
	File    string
	Line    int    // from 1; 0 for a value from the command line
	Message string // what is wrong and what would be right
}

// Error is FILE:LINE: MESSAGE.
func (e Error) Error() string {
	switch {
	case e.File == "":
		return e.Message
	case e.Line == 0:
		return e.File + ": " + e.Message
	}
	return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Message)
}

// Errors are all the errors of a file, sorted by line.
type Errors []Error

// Error is one line for each.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i := range e {
		lines[i] = e[i].Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap lets errors.As find a single Error.
func (e Errors) Unwrap() []error {
	list := make([]error, len(e))
	for i := range e {
		list[i] = e[i]
	}
	return list
}

// shownSize is how many bytes of a value a message repeats.
const shownSize = 64

func shorten(s string) string { return shortenTo(s, shownSize) }

// shortenTo cuts at a rune.
func shortenTo(s string, size int) string {
	if len(s) <= size {
		return s
	}
	return strings.ToValidUTF8(s[:size], "") + "…"
}

// quote shortens a value for a message and escapes unprintable characters.
func quote(s string) string { return strconv.Quote(shorten(s)) }

// oneLine escapes line breaks and control sequences of terminals.
func oneLine(s string) string {
	if spelling.IsPrintable(s) {
		return s
	}
	var b strings.Builder
	for _, c := range s {
		if unicode.IsPrint(c) {
			b.WriteRune(c)
		} else {
			fmt.Fprintf(&b, "\\u%04x", c)
		}
	}
	return b.String()
}

// join joins up to listSize names for a message.
func join(names []string) string {
	var shown []string
	for _, name := range names[:min(len(names), listSize)] {
		shown = append(shown, shorten(name))
	}
	if len(names) > listSize {
		shown = append(shown, "and others")
	}
	return strings.Join(shown, ", ")
}
