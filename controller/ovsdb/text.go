package ovsdb

import (
	"regexp"
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

// unquoted reports a word that a POSIX shell takes as it is.
var unquoted = regexp.MustCompile(`^[a-zA-Z0-9_./:=,@-]+$`).MatchString

// quote quotes a word for a POSIX shell if it needs to be.
func quote(word string) string {
	if unquoted(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
