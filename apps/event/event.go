// Package event declares what Eosin tells its operator. Each type of event is declared once, below; who emits one fills
// in an [Event], which the log, the API and the metrics carry whole.
//
// To add an event: declare it in types.go, emit it, and run go test ./apps/event -update, which lists it in
// docs/operations.md.
package event

// Level says how urgent an event is. The values are those of the API and of logrus.
type Level string

// Levels, the least urgent first.
const (
	Info    Level = "info"
	Warning Level = "warning"
	Error   Level = "error"
)

// Subject is something that an event can be about.
type Subject string

// Subjects, by the names of their fields in the log and the API.
const (
	Switch  Subject = "switch"
	Port    Subject = "port"
	Host    Subject = "host"
	Network Subject = "network"
	Link    Subject = "link"
	Probe   Subject = "probe"
)

// Type is a declared type of event. There are no others than those of this package.
type Type struct {
	name     string
	level    Level
	help     string
	subjects []Subject
}

// String returns the type's name, for programs: "switch_connected".
func (t *Type) String() string { return t.name }

// Level returns how urgent events of the type are.
func (t *Type) Level() Level { return t.level }

// Help says when events of the type happen.
func (t *Type) Help() string { return t.help }

// Subjects returns what events of the type are about.
func (t *Type) Subjects() []Subject { return t.subjects }

// Event is one event.
type Event struct {
	Type    *Type
	Message string // for people

	// What it is about, as far as its type declares it:
	Switch  string // name
	Port    string // name, at Switch
	Host    string // MAC address
	Network string // name
	Link    string // as in the API: SWITCH:PORT--SWITCH:PORT
	Probe   string // name of a continuous probe
}

// Subject returns one of the subjects, "" where the event has none.
func (e *Event) Subject(s Subject) string {
	switch s {
	case Switch:
		return e.Switch
	case Port:
		return e.Port
	case Host:
		return e.Host
	case Network:
		return e.Network
	case Link:
		return e.Link
	case Probe:
		return e.Probe
	}
	return ""
}
