package config

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
)

// slipScanner reads lines of a broken document one by one. Comments and what is quoted do not count.
type slipScanner struct {
	quote byte // that of the quoted text which goes on, or 0
	depth int  // open flow brackets
}

// findSlip returns the line that the error on the reported line is likely to come from, and what is wrong there: the
// parser often notices a slip lines later. The message is empty where the parser's own is better. The rules:
//
//  1. The first line with a quote that does not end, or whose end is followed by more text.
//  2. The first line, if that is earlier, that closes more flow brackets than are open.
//  3. The reported line or the one before it (blank lines and comments aside), if it is a key without a colon, or
//     without the space after its colon. A list item counts only before a line that is indented deeper.
func findSlip(lines [][]byte, reported int) (line int, message string) {
	var s slipScanner
	var last, before string // what the reported line and the one before it are outside of brackets and quotes
	var lastAt, beforeAt int
	for i, text := range lines[:reported] {
		goesOn := s.quote != 0 || s.depth > 0
		outside, wrong := s.read(text, lines[i+1:])
		if wrong != "" {
			return i + 1, wrong
		}
		if goesOn {
			outside = ":" // no key
		}
		if strings.TrimSpace(outside) != "" {
			before, beforeAt, last, lastAt = last, lastAt, outside, i+1
		}
	}
	if wrong := keySlip(last, ""); wrong != "" {
		return lastAt, wrong
	}
	return beforeAt, keySlip(before, last)
}

// read returns what of a line is outside of quotes, brackets and comments, or what is wrong by rules 1 and 2.
func (s *slipScanner) read(text []byte, rest [][]byte) (outside, wrong string) {
	at := 0
	last, lastAt := byte(','), -1 // the last character that is no space
	if s.quote != 0 {
		if at = quoteEnd(text, s.quote); at < 0 {
			return "", ""
		}
		s.quote, last, lastAt = 0, '"', at-1
	}
	var b strings.Builder
	for ; at < len(text); at++ {
		c, outer, spaced := text[at], s.depth == 0, lastAt < at-1
		switch {
		case c == ' ', c == '\t', c == '\r':
			if outer {
				b.WriteByte(c)
			}
			continue
		case c == '#' && (spaced || at == 0):
			return b.String(), ""
		case c == '"', c == '\'' && (spaced || strings.IndexByte(",[{]}\"", last) >= 0):
			opens := strings.IndexByte(",[{", last) >= 0 || spaced && strings.IndexByte(":-?", last) >= 0
			end, wrong := s.skipQuoted(c, opens, text[at+1:], rest)
			if wrong != "" || s.quote != 0 {
				return b.String(), wrong
			}
			at, c = at+end, '"'
		case c == '[', c == '{':
			s.depth++
		case c == ']', c == '}':
			if s.depth--; s.depth < 0 {
				return "", fmt.Sprintf("this line has a %q that nothing opens; remove it", string(c))
			}
		}
		if last, lastAt = c, at; outer {
			b.WriteByte(c)
		}
	}
	return b.String(), ""
}

// skipQuoted returns where the quoted text ends that tail begins with. Text that began where a value may begin can go
// on in the next lines.
func (s *slipScanner) skipQuoted(quote byte, opens bool, tail []byte, rest [][]byte) (end int, wrong string) {
	end = quoteEnd(tail, quote)
	for i := 0; end < 0 && opens; i++ {
		if i == len(rest) {
			return 0, "the quoted scalar that begins here does not end"
		}
		s.quote, tail = quote, rest[i]
		end = quoteEnd(tail, quote)
	}
	if end < 0 || opens && end < len(tail) && strings.IndexByte(" \t\r,]}:", tail[end]) < 0 {
		return 0, "a quote on this line does not end or should not be there"
	}
	return end, ""
}

// quoteEnd returns the index after the end of quoted text, or -1 if it does not end.
func quoteEnd(text []byte, quote byte) int {
	for i := 0; i < len(text); i++ {
		switch {
		case quote == '"' && text[i] == '\\', quote == '\'' && bytes.HasPrefix(text[i:], []byte("''")):
			i++
		case text[i] == quote:
			return i + 1
		}
	}
	return -1
}

var (
	bareKey = regexp.MustCompile(`^( *)(- +)?(\w[\w.-]*)(:?)`)
	colon   = regexp.MustCompile(`:(\s|$)`)
)

// keySlip says what is wrong with a key by rule 3. The line after it is empty if it is not known.
func keySlip(outside, after string) string {
	m := bareKey.FindStringSubmatch(outside)
	indent := len(after) - len(strings.TrimLeft(after, " "))
	switch {
	case m == nil, colon.MatchString(outside), m[2] != "" && indent <= len(m[1]):
		return ""
	case m[4] != "":
		return fmt.Sprintf("a space must follow the colon of %q", shorten(m[3]))
	}
	return fmt.Sprintf("the key %q needs a colon after it", shorten(m[3]))
}
