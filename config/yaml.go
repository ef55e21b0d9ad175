package config

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Bounds of what is given to the YAML parser. Its time grows with the square of the keys and items of one collection, its
// stack with the nesting, and it keeps the path of keys with every value. So all of these are counted on the tokens, which
// come in linear time, before it sees them. No real file comes near.
const (
	maxKeys     = 50_000
	maxItems    = 100_000
	maxTokens   = 1_000_000
	maxNesting  = 16
	maxKey      = 2 * maxName // bytes
	maxExpanded = 500_000     // values after aliases are followed
)

// parse turns the file into a tree. It reports what keeps the file from being read at all and says false then.
func (r *reader) parse(data []byte) (root value, ok bool) {
	if !r.checkText(data) {
		return value{}, false
	}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	lines := bytes.Split(data, []byte("\n"))
	// The library has had panics on broken text. One more must not end the controller, which goes on with its old config.
	defer func() {
		if p := recover(); p != nil {
			r.report(1, 0, fmt.Sprintf("cannot be read as YAML (%v); check quotes, brackets and indentation", p))
			root, ok = value{}, false
		}
	}()
	tokens := joinColons(lexer.Tokenize(string(data)))
	if !r.checkTokens(tokens) {
		return value{}, false
	}
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		r.syntax(err, lines)
		return value{}, false
	}
	var body ast.Node
	for _, doc := range file.Docs {
		if doc.Body == nil {
			continue
		}
		switch doc.Body.(type) {
		case *ast.CommentGroupNode, *ast.DirectiveNode:
			continue // neither holds a value
		}
		if body != nil {
			at, column := place(doc.Body)
			r.report(at, column, "a second YAML document begins here; remove the line with ---")
			return value{}, false
		}
		body = doc.Body
	}
	if body == nil {
		return value{line: 1}, true
	}
	x := indexer{reader: r, anchors: map[string]*anchor{}, targets: map[*ast.AliasNode]ast.Node{}}
	x.index(body)
	r.targets = x.targets
	if x.failed {
		return value{}, false
	}
	at, column := place(body)
	return value{node: body, line: at, column: column}, true
}

// checkText refuses what is no text of a bearable size.
func (r *reader) checkText(data []byte) bool {
	if len(data) > maxFile {
		r.report(bytes.Count(data[:maxFile], []byte("\n"))+1, 0, fmt.Sprintf("the file is larger than %d MiB; is it a config?", maxFile>>20))
		return false
	}
	line := 1
	for i := 0; i < len(data); {
		c, size := utf8.DecodeRune(data[i:])
		switch {
		case c == utf8.RuneError && size == 1:
			r.report(line, 0, fmt.Sprintf("byte 0x%02x is not UTF-8; save the file as UTF-8 text", data[i]))
			return false
		case c == '\n':
			line++
		case c < ' ' && c != '\t' && c != '\r', c == 0x7f:
			r.report(line, 0, fmt.Sprintf("control character 0x%02x is not allowed in YAML; is this a text file?", c))
			return false
		}
		i += size
	}
	return true
}

// checkTokens refuses what would take the parser unbearable time or memory, and tags, which nothing here needs.
func (r *reader) checkTokens(tokens token.Tokens) bool {
	var count tokenCount
	for i, t := range tokens {
		problem := ""
		if t.Type == token.TagType {
			problem = fmt.Sprintf("tag %s is not used here; remove it, and quote the value if it is text", quote(t.Value))
		} else if i > 0 && t.Type == token.MappingValueType && len(tokens[i-1].Value) > maxKey {
			problem = fmt.Sprintf("a key has %d bytes; use at most %d", len(tokens[i-1].Value), maxKey)
		} else {
			problem = count.add(t)
		}
		if problem != "" {
			r.report(max(t.Position.Line, 1), t.Position.Column, problem)
			return false
		}
	}
	return true
}

// tokenCount measures a file by its tokens.
type tokenCount struct {
	tokens, keys, items int
	line                int   // of the last token
	indents             []int // columns of the lines that the current one is nested in
	markers             int   // of nested values that begin on the current line
	brackets            int
}

// add counts a token and says what there is too much of, if anything.
func (c *tokenCount) add(t *token.Token) string {
	c.tokens++
	if t.Position.Line != c.line {
		c.line, c.markers = t.Position.Line, 0
		if c.brackets == 0 {
			c.indent(t.Position.Column)
		}
	}
	switch t.Type {
	case token.MappingValueType:
		c.keys++
		c.items++
	case token.CollectEntryType:
		c.items++
	case token.SequenceStartType, token.MappingStartType:
		c.brackets++
	case token.SequenceEndType, token.MappingEndType:
		c.brackets = max(c.brackets-1, 0)
	case token.SequenceEntryType:
		c.items++
		c.markers++
	case token.MappingKeyType, token.AnchorType:
		c.markers++
	}
	switch {
	case c.keys > maxKeys:
		return fmt.Sprintf("the file has more than %d keys; write fewer", maxKeys)
	case c.items > maxItems:
		return fmt.Sprintf("the file has more than %d keys and items of lists; write fewer", maxItems)
	case c.tokens > maxTokens:
		return fmt.Sprintf("the file has more than %d words; write fewer", maxTokens)
	case len(c.indents)+c.markers+c.brackets > maxNesting:
		return fmt.Sprintf("values are nested more than %d deep; nothing here needs that", maxNesting)
	}
	return ""
}

// indent notes the column in which a line begins.
func (c *tokenCount) indent(column int) {
	for len(c.indents) > 0 && c.indents[len(c.indents)-1] >= column {
		c.indents = c.indents[:len(c.indents)-1]
	}
	c.indents = append(c.indents, column)
}

// syntax reports what the library could not read. Its own text begins with the place and goes on with the source; only
// the message is kept.
func (r *reader) syntax(err error, lines [][]byte) {
	var syntax *yaml.SyntaxError
	if !errors.As(err, &syntax) || syntax.Token == nil || syntax.Token.Position == nil {
		message, _, _ := strings.Cut(err.Error(), "\n")
		r.report(1, 0, "not YAML: "+message)
		return
	}
	line, column := syntax.Token.Position.Line, syntax.Token.Position.Column
	if line >= 1 && line <= len(lines) {
		text := lines[line-1]
		if indent := text[:len(text)-len(bytes.TrimLeft(text, " \t"))]; bytes.ContainsRune(indent, '\t') {
			r.report(line, column, "a tab in the indentation is not YAML; use spaces")
			return
		}
	}
	message := syntax.Message
	if strings.Contains(message, "not allowed in this context") || strings.Contains(message, "non-map value") {
		message += "; check the indentation of this line and the next, and that a space follows each colon"
	}
	r.report(max(line, 1), column, "not YAML: "+shortenTo(message, 200))
}

// place is where a node stands.
func place(n ast.Node) (line, column int) {
	for {
		a, ok := n.(*ast.AnchorNode)
		if !ok || a.Value == nil {
			break
		}
		n = a.Value
	}
	if m, ok := n.(*ast.MappingNode); ok && !m.IsFlowStyle && len(m.Values) > 0 {
		n = m.Values[0] // the mapping's own token is the colon after its first key
	}
	if m, ok := n.(*ast.MappingValueNode); ok {
		n = m.Key
	}
	if t := n.GetToken(); t != nil && t.Position != nil {
		return max(t.Position.Line, 1), t.Position.Column
	}
	return 1, 0
}

// anchor is a named value.
type anchor struct {
	node ast.Node
	size int  // values in it, aliases followed
	done bool // false while its own content is being indexed
}

// indexer walks the tree once in the order of the file, finds what each alias stands for, and bounds the whole.
type indexer struct {
	reader  *reader
	anchors map[string]*anchor
	targets map[*ast.AliasNode]ast.Node
	total   int
	failed  bool
}

func (x *indexer) index(n ast.Node) {
	if n == nil || x.failed {
		return
	}
	switch n := n.(type) {
	case *ast.MappingNode:
		for _, v := range n.Values {
			x.index(v)
		}
	case *ast.MappingValueNode:
		x.index(n.Key)
		x.index(n.Value)
	case *ast.MappingKeyNode:
		x.index(n.Value)
	case *ast.SequenceNode:
		for _, v := range n.Values {
			x.index(v)
		}
	case *ast.AnchorNode:
		a := &anchor{node: n.Value}
		x.anchors[n.Name.GetToken().Value] = a
		before := x.total
		x.index(n.Value)
		a.size, a.done = x.total-before, true
	case *ast.AliasNode:
		x.alias(n)
	}
	x.total++
	if x.total > maxExpanded && !x.failed {
		x.failed = true
		line, column := place(n)
		x.reader.report(line, column, fmt.Sprintf("the file has more than %d values once its aliases (*name) are followed; write fewer", maxExpanded))
	}
}

func (x *indexer) alias(n *ast.AliasNode) {
	name := n.Value.GetToken().Value
	line, column := place(n)
	a, ok := x.anchors[name]
	switch {
	case !ok:
		x.reader.report(line, column, fmt.Sprintf("alias *%s stands for nothing; write &%s before the value that is meant, further up", shorten(name), shorten(name)))
	case !a.done:
		x.reader.report(line, column, fmt.Sprintf("alias *%s stands inside the value that it stands for; write the value out", shorten(name)))
	default:
		x.targets[n] = a.node
		x.total += a.size
	}
}
