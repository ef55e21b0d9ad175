package lab

import (
	"fmt"
	"path/filepath"
	"strings"
)

// path is a file in the run directory without its suffix: "host1: ovs-vswitchd" becomes host1-ovs-vswitchd.
func (l *Lab) path(what string) string {
	return filepath.Join(l.dir, strings.NewReplacer(": ", "-", " ", "-", "/", "-").Replace(what))
}

// tail is the last n lines of a text.
func tail(text string, n int) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// head returns the first n lines of a text, and says how many follow.
func head(text string, n int) string {
	lines := strings.Split(text, "\n")
	if len(lines) <= n {
		return text
	}
	return strings.Join(lines[:n], "\n") + fmt.Sprintf("\n(and %d lines more)", len(lines)-n)
}
