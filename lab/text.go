package lab

import (
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"time"
)

// path is a file in the run directory, named after what it is about and without a suffix.
func (l *Lab) path(what string) string {
	return filepath.Join(l.dir, strings.NewReplacer(": ", "-", " ", "-", "/", "-").Replace(what))
}

// logPath is where a process writes: "host1: ovs-vswitchd" becomes host1-ovs-vswitchd.log.
func (l *Lab) logPath(what string) string {
	return l.path(what) + ".log"
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

func dialUnix(path string) (net.Conn, error) { return net.DialTimeout("unix", path, time.Second) }
