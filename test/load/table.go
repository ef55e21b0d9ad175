package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// table prints the medians, and how eosin compares with each of the others: times as much where more is better, and
// times as fast where less is.
func (r *report) table(w io.Writer, measured []subject) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	head := []string{"WORKLOAD", "UNIT"}
	for _, s := range measured {
		head = append(head, strings.ToUpper(s.name))
	}
	for _, s := range measured {
		if s.name != "eosin" {
			head = append(head, "VS "+strings.ToUpper(s.name))
		}
	}
	fmt.Fprintln(t, strings.Join(head, "\t"))
	for _, m := range r.Measures {
		row := []string{m.Name, m.Unit}
		for _, s := range measured {
			row = append(row, number(m.Median, s.name))
		}
		for _, s := range measured {
			if s.name != "eosin" {
				row = append(row, ratio(m, s.name))
			}
		}
		fmt.Fprintln(t, strings.Join(row, "\t"))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\n%s; medians of %d; a ratio above 1 is in eosin's favor\n", r.Machine, r.Runs)
	return err
}

func number(by map[string]float64, name string) string {
	v, ok := by[name]
	switch {
	case !ok:
		return "-"
	case v >= 1000:
		return fmt.Sprintf("%.0f", v)
	case v >= 100:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

func ratio(f figureOf, name string) string {
	ours, ok := f.Median["eosin"]
	theirs, ok2 := f.Median[name]
	if !ok || !ok2 || ours == 0 || theirs == 0 {
		return "-"
	}
	if f.less {
		ours, theirs = theirs, ours
	}
	return fmt.Sprintf("%.2f", ours/theirs)
}
