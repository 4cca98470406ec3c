package mapping

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Problem is one thing that is wrong, or looks wrong, with its place and what to
// write instead.
type Problem struct {
	File         string
	Line, Column int
	Width        int
	Warning      bool
	Message      string
	Hint         string
	// Excerpt is the line as it stands.
	Excerpt string
}

// Problems are all that was found in a file, in its order.
type Problems []Problem

// Errors counts those that are not warnings.
func (p Problems) Errors() int {
	n := 0
	for _, problem := range p {
		if !problem.Warning {
			n++
		}
	}
	return n
}

// Err is nil when there are only warnings.
func (p Problems) Err() error {
	if p.Errors() == 0 {
		return nil
	}
	return errors.New(strings.TrimRight(p.String(), "\n"))
}

// String prints all of them.
func (p Problems) String() string {
	var b strings.Builder
	for _, problem := range p {
		b.WriteString(problem.String())
	}
	return b.String()
}

// String prints file:line:column, what is wrong, the line with a mark under the
// place, and what to write instead.
func (p Problem) String() string {
	kind := "error"
	if p.Warning {
		kind = "warning"
	}
	head := fmt.Sprintf("%s:%d:%d: %s: %s", p.File, p.Line, p.Column, kind, p.Message)
	if p.Warning || p.Excerpt == "" {
		if p.Hint != "" {
			head += "     " + p.Hint
		}
		return head + "\n"
	}
	under := "^" + strings.Repeat("~", max(p.Width-1, 0))
	line := strings.ReplaceAll(p.Excerpt, "\t", " ")
	indent := strings.Repeat(" ", max(p.Column-1, 0))
	mark := strings.TrimRight(indent+under+" "+p.Hint, " ")
	return fmt.Sprintf("%s\n%4d | %s\n     | %s\n", head, p.Line, line, mark)
}

func (p Problems) sorted() Problems {
	slices.SortStableFunc(p, func(a, b Problem) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
	return slices.CompactFunc(p, func(a, b Problem) bool { return a == b })
}

// meant finds the known word that was probably meant.
func meant(word string, known []string) string {
	best, least := "", 1+len(word)/3
	for _, k := range known {
		if d := distance(strings.ToLower(word), strings.ToLower(k)); d <= least && (best == "" || d < least) {
			best, least = k, d
		}
	}
	return best
}

// didYouMean is the hint for a word that is not known.
func didYouMean(word string, known []string) string {
	if k := meant(word, known); k != "" {
		return "did you mean " + k + "?"
	}
	return "known: " + strings.Join(known, ", ")
}

// distance is how many letters two words differ by (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			before, row[j+1] = row[j+1], min(before+cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
