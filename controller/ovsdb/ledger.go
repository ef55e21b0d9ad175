package ovsdb

import (
	"cmp"
	"slices"
)

// Ledger remembers what the operator was told, so that each finding is told once, and once more when it has gone. The zero value is
// empty.
type Ledger struct {
	told map[name]Finding
}

// name is what makes a finding the same one later.
type name struct {
	kind    Kind
	subject string
}

// Notice is something to tell.
type Notice struct {
	Event   string // the kind of the finding; with "_fixed" when it has gone
	Warning bool
	Switch  string
	Text    string
}

// Next returns what is to be told now, in the order of the report and then what has gone. What allow refuses is left for a later
// call, if it is still so then. A bridge that no database knows any more is forgotten without a word: it was removed, or its
// database has not been read for long.
func (l *Ledger) Next(r Report, allow func() bool) (list []Notice) {
	if l.told == nil {
		l.told = map[name]Finding{}
	}
	now := map[name]bool{}
	for _, f := range r.Findings {
		n := name{f.Kind, f.Subject}
		now[n] = true
		if _, known := l.told[n]; !known && allow() {
			list = append(list, Notice{Event: string(f.Kind), Warning: true, Switch: f.Switch, Text: f.Text})
			l.told[n] = f
		}
	}
	var gone []name
	for n := range l.told {
		if !now[n] {
			gone = append(gone, n)
		}
	}
	slices.SortFunc(gone, func(a, b name) int { return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.subject, b.subject)) })
	for _, n := range gone {
		if r.subjects[n.subject] {
			if !allow() {
				continue
			}
			f := l.told[n]
			list = append(list, Notice{Event: string(f.Kind) + "_fixed", Switch: f.Switch, Text: f.Fixed})
		}
		delete(l.told, n)
	}
	return list
}
