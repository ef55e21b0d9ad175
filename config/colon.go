package config

import (
	"strings"

	"github.com/goccy/go-yaml/token"
)

// joinColons mends what the lexer splits wrongly. Inside a flow mapping it takes every colon for an indicator, also in
// {listen: [tcp:0.0.0.0:6653]} and {ips: [fd00::1]}, where YAML says that a colon in an item is one only before a space or
// a bracket (YAML 1.2, rule 126, ns-plain-char). Items of flow sequences are put together again; in flow mappings the
// lexer's leniency ({vlan:10}) stays, since no key here has a colon.
func joinColons(tokens token.Tokens) token.Tokens {
	joined := make(token.Tokens, 0, len(tokens))
	var brackets []token.Type
	for i := 0; i < len(tokens); i++ {
		t := tokens[i]
		switch t.Type {
		case token.SequenceStartType, token.MappingStartType:
			brackets = append(brackets, t.Type)
		case token.SequenceEndType, token.MappingEndType:
			brackets = brackets[:max(len(brackets)-1, 0)]
		}
		if len(brackets) > 0 && brackets[len(brackets)-1] == token.SequenceStartType {
			if last := colonRun(tokens, i); last > i {
				t = joinTokens(tokens[i : last+1])
				i = last
			}
		}
		joined.Add(t)
	}
	return joined
}

// colonRun returns the last token of the item that begins at i, or i when there is nothing to join.
func colonRun(tokens token.Tokens, i int) int {
	first := tokens[i].Type == token.MappingValueType && i > 0 &&
		(tokens[i-1].Type == token.SequenceStartType || tokens[i-1].Type == token.CollectEntryType)
	if !first && !isPlain(tokens[i]) {
		return i
	}
	end := i
	for j := i; j+1 < len(tokens) && adjacent(tokens[j], tokens[j+1]); j++ {
		switch {
		case isPlain(tokens[j+1]):
			end = j + 1 // an item may end here, but not with a colon, which would be an indicator
		case tokens[j+1].Type != token.MappingValueType:
			return end
		}
	}
	return end
}

// isPlain reports a scalar without quotes.
func isPlain(t *token.Token) bool {
	switch t.Type {
	case token.StringType, token.IntegerType, token.BinaryIntegerType, token.OctetIntegerType, token.HexIntegerType,
		token.FloatType, token.BoolType, token.NullType, token.InfinityType, token.NanType:
		return true
	}
	return false
}

// adjacent reports that nothing stands between two tokens. The lexer keeps white space in their Origin.
func adjacent(a, b *token.Token) bool {
	const white = " \t\r\n"
	return a.Origin != "" && b.Origin != "" &&
		!strings.ContainsRune(white, rune(a.Origin[len(a.Origin)-1])) && !strings.ContainsRune(white, rune(b.Origin[0]))
}

func joinTokens(tokens token.Tokens) *token.Token {
	var value, origin strings.Builder
	for _, t := range tokens {
		value.WriteString(t.Value)
		origin.WriteString(t.Origin)
	}
	return token.String(value.String(), origin.String(), tokens[0].Position)
}
