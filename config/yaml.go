package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// Bounds of a file. No real config comes near.
const (
	maxFile     = 4 << 20 // bytes
	maxItems    = 100_000 // lines and commas: the parser takes up to 1 KiB for each
	maxNesting  = 16
	maxExpanded = 500_000 // values after aliases are followed
)

var tooDeep = fmt.Sprintf("values are nested more than %d deep; nothing here needs that", maxNesting)

// parse turns the file into a tree, or reports why that is impossible.
func (r *reader) parse(data []byte) (root value, ok bool) {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if !r.checkText(data) {
		return value{}, false
	}
	if rest, ok := bytes.CutPrefix(data, []byte("%YAML 1.2")); ok {
		data = append([]byte("%YAML 1.1"), rest...) // the only version that the library accepts
	}
	docs, err := yaml.NewLoader(bytes.NewReader(data), yaml.WithUniqueKeys(false))
	if err != nil {
		r.syntaxError(err, data)
		return value{}, false
	}
	var body *yaml.Node
	for {
		var doc yaml.Node
		err := docs.Load(&doc)
		switch {
		case errors.Is(err, io.EOF):
			return r.root(body)
		case err != nil:
			r.syntaxError(err, data)
			return value{}, false
		case len(doc.Content) == 0 || doc.Content[0].ShortTag() == "!!null":
			continue
		case body != nil:
			at, column := position(doc.Content[0])
			r.report(at, column, "a second YAML document begins here; remove the line with ---")
			return value{}, false
		}
		body = doc.Content[0]
	}
}

// root checks the bounds of a tree and returns it as a value.
func (r *reader) root(body *yaml.Node) (value, bool) {
	if body == nil {
		return value{line: 1}, true
	}
	b := bounds{reader: r, sizes: map[*yaml.Node]int{}}
	if !b.check(body, 1) {
		return value{}, false
	}
	line, column := position(body)
	return value{node: body, line: line, column: column}, true
}

// checkText refuses large files and what is not text. That includes characters that end a line in YAML 1.1 but not in
// editors.
func (r *reader) checkText(data []byte) bool {
	if len(data) > maxFile {
		line := bytes.Count(data[:maxFile], []byte("\n")) + 1
		r.report(line, 0, fmt.Sprintf("the file is larger than %d MiB; is it a config?", maxFile>>20))
		return false
	}
	line, commas := 1, 0
	for i := 0; i < len(data); {
		c, size := utf8.DecodeRune(data[i:])
		switch {
		case c == utf8.RuneError && size == 1:
			r.report(line, 0, fmt.Sprintf("byte 0x%02x is not UTF-8; save the file as UTF-8 text", data[i]))
			return false
		case line+commas > maxItems:
			r.report(line, 0, fmt.Sprintf("the file has more than %d lines and commas; write fewer", maxItems))
			return false
		case c == '\n':
			line++
		case c == ',':
			commas++
		case c < ' ' && c != '\t' && c != '\r', c >= 0x7f && c < 0xa0, c == 0x2028, c == 0x2029,
			c == 0xfeff, c == 0xfffe, c == 0xffff:
			r.report(line, 0, fmt.Sprintf("control character 0x%02x is not allowed in YAML; is this a text file?", c))
			return false
		}
		i += size
	}
	return true
}

const checkIndent = "; check the indentation of this line and the next, and that a space follows each colon"

const checkFirst = "; check the indentation above: all keys of the first level begin in the same column"

// hints complete messages of the library.
var hints = map[string]string{
	"mapping values are not allowed in this context": checkIndent,
	"could not find expected ':'":                    checkIndent,
	"did not find expected key":                      checkIndent,
	"did not find expected <document start>":         checkFirst,
	"found character that cannot start any token":    "; quote the value if it is text",
}

// syntaxError reports an error of the library where it is best fixed: an unclosed quote or bracket where it opens, not
// at the end of the file where it shows.
func (r *reader) syntaxError(err error, data []byte) {
	var syntax *yaml.LoadError
	if !errors.As(err, &syntax) {
		message, _, _ := strings.Cut(err.Error(), "\n")
		r.report(1, 0, "not YAML: "+message)
		return
	}
	lines := bytes.Split(bytes.TrimRight(data, "\r\n"), []byte("\n"))
	at, context, message := syntax.Mark, syntax.ContextMark, syntax.Message+hints[syntax.Message]
	// while parsing a flow sequence, while scanning a quoted scalar
	_, construct, _ := strings.Cut(syntax.ContextMsg, "ing a ")
	switch {
	case context.Line == 0:
	case construct == "simple key":
		at = context
	case at.Index >= utf8.RuneCount(bytes.TrimRight(data, "\r\n")):
		at, message = context, "the "+construct+" that begins here does not end"
	case at.Line > context.Line:
		message += fmt.Sprintf(" (in the %s that begins on line %d)", construct, context.Line)
	}
	line := min(max(at.Line, 1), len(lines))
	text := lines[line-1]
	indent := text[:len(text)-len(bytes.TrimLeft(text, " \t"))]
	if name, ok := strings.CutPrefix(message, "unknown anchor '"); ok {
		name, _, _ = strings.Cut(name, "'")
		message = fmt.Sprintf(
			"alias *%[1]s stands for nothing; write &%[1]s before the value that is meant, further up", shorten(name))
	} else if strings.HasPrefix(message, "exceeded max depth") {
		message = tooDeep
	} else if bytes.ContainsRune(indent, '\t') {
		message = "a tab in the indentation is not YAML; use spaces"
	} else {
		if slip, wrong := findSlip(lines, line); wrong != "" {
			line, message = slip, wrong
		}
		message = "not YAML: " + shortenTo(message, 250)
	}
	r.report(line, at.Column, message)
}

// position of a node; that of a block mapping is its first key's.
func position(n *yaml.Node) (line, column int) {
	if n.Kind == yaml.MappingNode && n.Style&yaml.FlowStyle == 0 && len(n.Content) > 0 {
		n = n.Content[0]
	}
	return n.Line, n.Column
}

// bounds walks a tree once and refuses what no config needs. It does not follow aliases, so it takes linear time.
type bounds struct {
	reader *reader
	sizes  map[*yaml.Node]int // of values with an anchor
	total  int                // values so far, aliases followed
}

func (b *bounds) check(n *yaml.Node, depth int) bool {
	before := b.total
	b.total++
	switch {
	case depth > maxNesting:
		return b.refuse(n, "%s", tooDeep)
	case n.Style&yaml.TaggedStyle != 0:
		return b.refuse(n, "tag %s is not used here; remove it, and quote the value if it is text", quote(n.ShortTag()))
	case n.Kind == yaml.AliasNode:
		size, closed := b.sizes[n.Alias]
		if !closed {
			return b.refuse(n, "alias *%s stands inside the value that it stands for; write the value out",
				shorten(n.Value))
		}
		b.total += size
	}
	for _, c := range n.Content {
		if !b.check(c, depth+1) {
			return false
		}
	}
	if n.Anchor != "" {
		b.sizes[n] = b.total - before
	}
	if b.total > maxExpanded {
		return b.refuse(n, "the file has more than %d values once its aliases (*name) are followed; write fewer",
			maxExpanded)
	}
	return true
}

func (b *bounds) refuse(n *yaml.Node, format string, args ...any) bool {
	line, column := position(n)
	b.reader.report(line, column, fmt.Sprintf(format, args...))
	return false
}
