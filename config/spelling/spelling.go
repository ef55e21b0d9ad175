// Package spelling finds the known name that a misspelled one was meant to be, and makes names that others chose safe
// to print.
package spelling

import (
	"cmp"
	"slices"
	"strings"
	"unicode"
)

// maxCompared is how many bytes of a name are compared.
const maxCompared = 256

// maxEdits is how far a name may be from the one that Suggest takes to be meant.
const maxEdits = 2

// Suggest returns the known name that the unknown one was probably meant to be: at most two edits away, and fewer than
// it has letters. Without one it returns "".
func Suggest(name string, known []string) string {
	best, least := "", maxEdits+1
	for _, k := range known {
		if d := distance(name, k); d < least && d < len(k) {
			best, least = k, d
		}
	}
	return best
}

// Nearest returns at most n of the names, those most like the given one first, whatever their case. None occurs twice.
func Nearest(name string, names []string, n int) []string {
	names = slices.Compact(slices.Sorted(slices.Values(names)))
	name = strings.ToLower(name)
	far := make(map[string]int, len(names))
	for _, candidate := range names {
		far[candidate] = distance(name, strings.ToLower(candidate))
	}
	slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(far[a], far[b]) })
	return names[:min(len(names), n)]
}

// distance counts the insertions, deletions and replacements of bytes, and swaps of neighbors, that turn a into b
// (optimal string alignment). Long names are compared by how they begin.
func distance(a, b string) int {
	a, b = a[:min(len(a), maxCompared)], b[:min(len(b), maxCompared)]
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}

// Printable replaces by '?' what a log, a label or a terminal could take for something else than a letter.
func Printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !printable(r) {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
}

// IsPrintable reports whether Printable would change nothing.
func IsPrintable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return !printable(r) })
}

// printable also refuses what stands for bytes that are not UTF-8.
func printable(r rune) bool { return unicode.IsPrint(r) && r != unicode.ReplacementChar }
