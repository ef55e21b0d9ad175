package ovsdb

import (
	"strconv"
	"strings"
	"unicode"
)

// printable returns a text of a database as it may stand in a log line.
func printable(s string) string {
	if s == "" || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar || r == '`' }) {
		return strings.ReplaceAll(strconv.QuoteToASCII(s), "`", `\x60`)
	}
	return s
}

// plain reports that a name can stand in a command: it is one that ovs-vsctl cannot take for an option or a separator, and can be
// written on one line.
func plain(name string) bool {
	return name != "" && name[0] != '-' && printable(name) == name
}

// quote writes a word for a shell. What needs no quotes has none.
func quote(word string) string {
	if word != "" && !strings.ContainsFunc(word, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("_-./:=,@", r)
	}) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
