package config

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/eosin-sdn/eosin/config/spelling"
)

// reader walks the tree and collects all findings.
type reader struct {
	file     string
	errors   []finding
	warnings []finding

	files      []NamedFile
	sslUsers   []value // endpoints that need TLS
	tlsSeen    bool
	configured int              // number of networks in the file
	names      map[string]value // of hosts and switches
	owners     map[[2]string]owner
	searches   int // for similar names
	dropped    int // errors beyond maxFindings
}

// finding is an Error with its column, which orders findings of one line.
type finding struct {
	Error
	column int
}

// value is a part of the file: its tree, its position, and its path for messages. The zero value is one that the file
// does not have.
type value struct {
	node         *yaml.Node
	line, column int
	path         string
}

// entry is one key of a mapping with its value.
type entry struct {
	name string
	key  value
	value
}

// maxFindings is how many errors are kept.
const maxFindings = 10_000

func (r *reader) report(line, column int, message string) {
	if len(r.errors) < maxFindings {
		r.errors = append(r.errors, finding{Error{r.file, line, oneLine(message)}, column})
	} else {
		r.dropped++
	}
}

// errorf reports an error at v. The format may have %w.
func (r *reader) errorf(v value, format string, args ...any) {
	r.report(v.line, v.column, v.message(format, args...))
}

// missing reports an error at v unless another was reported since the mark: then that one, as a mistyped key, is the
// likely cause.
func (r *reader) missing(v value, mark int, format string, args ...any) {
	if len(r.errors) == mark {
		r.errorf(v, format, args...)
	}
}

func (r *reader) warnf(v value, format string, args ...any) {
	if len(r.warnings) < maxFindings {
		r.warnings = append(r.warnings, finding{Error{r.file, v.line, oneLine(v.message(format, args...))}, v.column})
	}
}

func (v value) message(format string, args ...any) string {
	text := fmt.Errorf(format, args...).Error()
	if v.path == "" {
		return text
	}
	return v.path + ": " + text
}

func (r *reader) sorted(findings []finding) Errors {
	slices.SortStableFunc(findings, func(a, b finding) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.column, b.column))
	})
	var errs Errors
	for _, f := range findings {
		errs = append(errs, f.Error)
	}
	return errs
}

// resolve follows aliases and returns nil for null.
func resolve(n *yaml.Node) *yaml.Node {
	for n != nil && n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n == nil || n.ShortTag() == "!!null" {
		return nil
	}
	return n
}

// child is a part of v. The position of an alias is its own, not that of its anchor.
func (v value) child(n *yaml.Node, path string) value {
	line, column := position(n)
	return value{node: n, line: line, column: column, path: path}
}

// owner is who has something that only one may have.
type owner struct {
	name string
	line int
}

// claim records at v who has something that is unique within a scope, or reports who has it already.
func (r *reader) claim(v value, scope, what, name, rule string) {
	key := [2]string{scope, what}
	if first, used := r.owners[key]; used {
		r.errorf(v, "%s is already that of %q (line %d); %s", what, first.name, first.line, rule)
		return
	}
	r.owners[key] = owner{name, v.line}
}

// entries lists a mapping with merge keys (<<) resolved and reports duplicate keys. Explicit keys win over merged ones.
func (r *reader) entries(v value) []entry {
	n := resolve(v.node)
	if n == nil {
		return nil
	}
	if n.Kind != yaml.MappingNode {
		r.errorf(v, "is %s; write a mapping with keys and values", describe(n))
		return nil
	}
	var list []entry
	var merged []*yaml.Node
	seen := make(map[string]int, len(n.Content)/2)
	for pair := range slices.Chunk(n.Content, 2) {
		if pair[0].ShortTag() == "!!merge" {
			merged = append(merged, pair[1])
			continue
		}
		key := v.child(pair[0], v.path)
		name, ok := scalar(resolve(pair[0]))
		if !ok {
			r.errorf(key, "a key must be a word")
			continue
		}
		if first, ok := seen[name]; ok {
			r.errorf(key, "key %s is written twice, first on line %d; remove one", quote(name), first)
			continue
		}
		seen[name] = key.line
		path := shorten(name)
		if v.path != "" {
			path = v.path + "." + path
		}
		key.path = path
		val := v.child(pair[1], path)
		if resolve(pair[1]) == nil {
			val.line, val.column = key.line, key.column
		}
		list = append(list, entry{name: name, key: key, value: val})
	}
	for _, n := range merged {
		for _, m := range r.mergeSources(v, n) {
			for _, e := range r.entries(m) {
				if _, ok := seen[e.name]; !ok {
					seen[e.name] = e.key.line
					list = append(list, e)
				}
			}
		}
	}
	return list
}

// mergeSources are the mappings behind a merge key: one, or a list of them.
func (r *reader) mergeSources(v value, n *yaml.Node) []value {
	if seq := resolve(n); seq != nil && seq.Kind == yaml.SequenceNode {
		var list []value
		for _, item := range seq.Content {
			list = append(list, v.child(item, v.path))
		}
		return list
	}
	return []value{v.child(n, v.path)}
}

// object reads a mapping with known keys and reports unknown ones. Keys without a value count as absent.
func (r *reader) object(v value, known ...string) map[string]value {
	fields := map[string]value{}
	for _, e := range r.entries(v) {
		if !slices.Contains(known, e.name) {
			right := "use " + strings.Join(known, ", ")
			if meant := spelling.Suggest(e.name, known); meant != "" {
				right = fmt.Sprintf("did you mean %q?", meant)
			} else if name, rest, ok := strings.Cut(e.name, ":"); ok && slices.Contains(known, name) {
				right = fmt.Sprintf("a space must follow the colon: %s: %s", name, shorten(rest))
			}
			e.key.path = v.path
			r.errorf(e.key, "unknown key %s; %s", quote(e.name), right)
			continue
		}
		if resolve(e.node) != nil {
			fields[e.name] = e.value
		}
	}
	return fields
}

// list reads a sequence; ok is false for null and other types.
func (r *reader) list(v value) (items []value, ok bool) {
	n := resolve(v.node)
	if n == nil {
		return nil, false
	}
	if n.Kind != yaml.SequenceNode {
		r.errorf(v, "is %s; write a list in brackets, [a, b]", describe(n))
		return nil, false
	}
	items = make([]value, len(n.Content))
	for i, item := range n.Content {
		items[i] = v.child(item, v.path+"["+strconv.Itoa(i)+"]")
	}
	return items, true
}

// text reads a scalar as written, quoted or not, so that names may be numbers.
func (r *reader) text(v value) (string, bool) {
	if v.node == nil {
		return "", false
	}
	n := resolve(v.node)
	s, ok := scalar(n)
	if !ok {
		r.errorf(v, "is %s; write one word or a quoted text", describe(n))
	}
	return s, ok
}

// integer reads an unquoted decimal number, whose name in messages is what, as "a VLAN".
func integer[T int | uint16 | uint32](r *reader, v value, to *T, low, high int64, what string) bool {
	if v.node == nil {
		return false
	}
	n := resolve(v.node)
	s, ok := scalar(n)
	if !ok || !isNumberOrBool(n) {
		r.errorf(v, "is %s, not %s; write a number from %d to %d without quotes", describe(n), what, low, high)
		return false
	}
	i, err := strconv.ParseInt(s, 10, 64)
	if err != nil || i < low || i > high {
		r.errorf(v, "%s is not %s; use %d to %d", shorten(s), what, low, high)
		return false
	}
	if digits := strings.TrimLeft(s, "+-"); len(digits) > 1 && digits[0] == '0' {
		r.errorf(v, "%s could be octal; write %d", shorten(s), i)
		return false
	}
	*to = T(i)
	return true
}

func (r *reader) boolean(v value) (val, ok bool) {
	if v.node == nil {
		return false, false
	}
	n := resolve(v.node)
	if n == nil || n.ShortTag() != "!!bool" {
		r.errorf(v, "is %s; write true or false", describe(n))
		return false, false
	}
	return strings.EqualFold(n.Value, "true"), true
}

// duration reads a duration in Go's syntax.
func (r *reader) duration(v value, to *time.Duration, low, high time.Duration) {
	s, ok := r.text(v)
	if !ok {
		return
	}
	d, err := time.ParseDuration(s)
	switch {
	case err != nil:
		right := "write a number and a unit, as 500ms, 5s or 2m"
		if _, err := strconv.ParseUint(s, 10, 32); err == nil {
			right = fmt.Sprintf("a unit is missing; write %ss for seconds", s)
		}
		r.errorf(v, "%s is not a duration; %s", quote(s), right)
	case d < low || d > high:
		r.errorf(v, "%s is out of range; use %s to %s", shorten(s), spell(low), spell(high))
	default:
		*to = d
	}
}

// spell formats a duration without zero parts: 24h and not 24h0m0s.
func spell(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// scalar is the text of a scalar node as written.
func scalar(n *yaml.Node) (string, bool) {
	if n == nil || n.Kind != yaml.ScalarNode {
		return "", false
	}
	return n.Value, true
}

// isNumberOrBool reports an unquoted scalar that is not text in YAML.
func isNumberOrBool(n *yaml.Node) bool {
	return slices.Contains([]string{"!!int", "!!float", "!!bool"}, n.ShortTag())
}

// describe says what a node is, for messages about wrong types.
func describe(n *yaml.Node) string {
	if n == nil {
		return "empty"
	}
	switch n.ShortTag() {
	case "!!map":
		return "a mapping"
	case "!!seq":
		return "a list"
	case "!!int", "!!float":
		return "the number " + shorten(n.Value)
	case "!!bool":
		return "the truth value " + n.Value
	}
	return "the text " + quote(n.Value)
}
