package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Problem is one thing that is wrong, and where. File is bridge.yaml as it was
// named, or the variable that holds the value; Line and Column count from 1 and
// are 0 where there is none.
type Problem struct {
	File         string
	Line, Column int
	Message      string
}

// Error prints file:line:column: message.
func (p Problem) Error() string {
	if p.Line == 0 {
		return p.File + ": " + p.Message
	}
	return fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Column, p.Message)
}

// Problems are all that is wrong with one config, in the order of the file.
type Problems []Problem

// Error prints one problem a line.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, problem := range p {
		lines[i] = problem.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives each problem to errors.As.
func (p Problems) Unwrap() []error {
	out := make([]error, len(p))
	for i, problem := range p {
		out[i] = problem
	}
	return out
}

// err is nil where nothing is wrong.
func (p Problems) err() error {
	if len(p) == 0 {
		return nil
	}
	slices.SortStableFunc(p, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column),
			cmp.Compare(a.File, b.File), cmp.Compare(a.Message, b.Message))
	})
	return p
}

// place is where a value was set.
type place struct {
	// source is empty for bridge.yaml, else the name of a variable.
	source       string
	line, column int
}

// wrong notes a problem.
func (r *reader) wrong(at place, format string, args ...any) {
	p := Problem{File: cmp.Or(at.source, r.file), Line: at.line, Column: at.column, Message: fmt.Sprintf(format, args...)}
	r.problems = append(r.problems, p)
}
