package apps

import (
	"fmt"

	"github.com/eosin-sdn/eosin/openflow/flow"
)

// TableSpec is one table of a pipeline.
type TableSpec struct {
	Number uint8
	Name   string
	App    string       // that states its rules
	Owners []flow.Owner // of its rules, as they stand in cookies
}

// Table is what an app knows of a table: its number, and the table in which frames go on.
type Table struct{ Number, Next uint8 }

// Layout is a pipeline: its tables in the order in which a frame passes them. Apps find their tables by name.
type Layout struct {
	Version uint8                      // see VersionTag
	Earlier map[uint8]map[string]uint8 // the tables' numbers in earlier versions
	Tables  []TableSpec
	owners  [256]uint16 // by table, a bit for each owner
	apps    [flow.MaxOwners]string
}

// NewLayout returns the layout with these tables. A layout that contradicts itself panics: none is made at run time.
func NewLayout(version uint8, tables ...TableSpec) *Layout {
	l := &Layout{Version: version, Tables: tables}
	names := map[string]bool{}
	for i, t := range tables {
		switch {
		case t.Name == "" || names[t.Name]:
			panic(fmt.Sprintf("apps: table %d has no name of its own: %q", t.Number, t.Name))
		case t.App == "" || len(t.Owners) == 0:
			panic(fmt.Sprintf("apps: table %s has no app, or no owner", t.Name))
		case i == 0 && t.Number != 0 || i > 0 && t.Number <= tables[i-1].Number:
			panic(fmt.Sprintf("apps: table %s: numbers begin at 0 and ascend", t.Name))
		}
		names[t.Name] = true
		for _, o := range t.Owners {
			if app := l.AppOf(o); app != "" && app != t.App {
				panic(fmt.Sprintf("apps: table %s: its owner %d is that of app %s", t.Name, o, app))
			}
			l.apps[o] = t.App
			l.owners[t.Number] |= 1 << o
		}
	}
	return l
}

// Table returns a table by its name. The last table has no next one: a rule that leads from it to itself is refused.
func (l *Layout) Table(name string) Table {
	for i, t := range l.Tables {
		if t.Name == name {
			return Table{Number: t.Number, Next: l.Tables[min(i+1, len(l.Tables)-1)].Number}
		}
	}
	panic(fmt.Sprintf("apps: table %q is not registered", name))
}

// Name returns the name of a table, or "".
func (l *Layout) Name(number uint8) string {
	for _, t := range l.Tables {
		if t.Number == number {
			return t.Name
		}
	}
	return ""
}

// AppOf returns the name of the app behind an owner, or "".
func (l *Layout) AppOf(o flow.Owner) string {
	if int(o) >= len(l.apps) {
		return ""
	}
	return l.apps[o]
}

// Owns reports whether rules of the owner may stand in the table. Without a layout they may stand anywhere.
func (l *Layout) Owns(table uint8, o flow.Owner) bool { return l == nil || l.owners[table]>>o&1 == 1 }

// Translate returns today's number of a table of an earlier version. ok is false for a table that is no more, or a
// version that is not known.
func (l *Layout) Translate(from, table uint8) (number uint8, ok bool) {
	if from == l.Version {
		return table, true
	}
	for _, t := range l.Tables {
		if old, had := l.Earlier[from][t.Name]; had && old == table {
			return t.Number, true
		}
	}
	return 0, false
}

// VersionTag is the cookie tag of the rules in the first table, which says in which version of the pipeline a switch's
// flows were stated. It is 0 for the first version, which had none.
func (l *Layout) VersionTag() uint64 { return uint64(l.Version - 1) }

// VersionOf reads the version from the cookie of a rule in the first table.
func VersionOf(cookie uint64) uint8 { return uint8(min(flow.Tag(cookie), 254) + 1) }
