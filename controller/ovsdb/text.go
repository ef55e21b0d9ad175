package ovsdb

import (
	"strconv"
	"strings"

	"github.com/eosin-sdn/eosin/config/spelling"
)

// printable quotes text of a database that must not stand in a log line as it is.
func printable(s string) string {
	if s == "" || !spelling.IsPrintable(s) || strings.Contains(s, "`") {
		return strings.ReplaceAll(strconv.QuoteToASCII(s), "`", `\x60`)
	}
	return s
}

// plain reports whether a name can be used in a command: it is printable, and ovs-vsctl cannot take it for an option.
func plain(name string) bool {
	return name != "" && name[0] != '-' && printable(name) == name
}

// quote quotes a word for a POSIX shell if it needs to be.
func quote(word string) string {
	if word != "" && !strings.ContainsFunc(word, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') &&
			!strings.ContainsRune("_-./:=,@", r)
	}) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
