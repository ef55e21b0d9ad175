package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/eosin-sdn/eosin/config/spelling"
)

// writeTable prints aligned rows under a header.
func writeTable(w io.Writer, header []string, rows [][]string) error {
	var text strings.Builder
	tw := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	for _, row := range append([][]string{header}, rows...) {
		cells := make([]string, len(row))
		for i, cell := range row {
			if cells[i] = spelling.Printable(cell); cells[i] == "" {
				cells[i] = "-"
			}
		}
		fmt.Fprintln(tw, strings.Join(cells, "\t"))
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	for line := range strings.Lines(text.String()) {
		if _, err := fmt.Fprintln(w, strings.TrimRight(line, " \n")); err != nil {
			return err
		}
	}
	return nil
}

// millis formats seconds as ping does: "0.412 ms".
func millis(seconds float64) string { return number(seconds) + " ms" }

// number formats seconds as milliseconds with at least three digits: "0.412", "12.3", "1203".
func number(seconds float64) string {
	ms := seconds * 1000
	switch {
	case ms < 10:
		return fmt.Sprintf("%.3f", ms)
	case ms < 100:
		return fmt.Sprintf("%.1f", ms)
	default:
		return fmt.Sprintf("%.0f", ms)
	}
}

// age formats the time since t.
func (a *app) age(t *time.Time) string {
	if t == nil || t.IsZero() {
		return ""
	}
	return formatAge(a.now().Sub(*t))
}

// formatAge formats a duration in its two largest units: "3m20s", "2h5m", "4d1h".
func formatAge(d time.Duration) string {
	s := int64(max(d, 0) / time.Second)
	switch {
	case s < 60:
		return fmt.Sprintf("%ds", s)
	case s < 3600:
		return fmt.Sprintf("%dm%ds", s/60, s%60)
	case s < 86400:
		return fmt.Sprintf("%dh%dm", s/3600, s/60%60)
	default:
		return fmt.Sprintf("%dd%dh", s/86400, s/3600%24)
	}
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// joinNames joins up to three names and adds how many more there are.
func joinNames(names []string) string {
	const most = 3
	if len(names) <= most {
		return strings.Join(names, ",")
	}
	return fmt.Sprintf("%s,+%d", strings.Join(names[:most], ","), len(names)-most)
}
