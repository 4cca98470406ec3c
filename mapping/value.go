package mapping

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// value is one VALUE of the grammar.
type value interface {
	eval(s *scope) result
	// names lists the expressions inside.
	names() []*expression
}

// result is what a value gives: empty when no branch of it applies. because says
// which branch it was; failed why an expression could not be evaluated.
type result struct {
	text    string
	line    int
	because string
	failed  error
}

func (r result) empty() bool { return r.text == "" }

// template is TEXT with {{ EXPR }} in it.
type template struct {
	// pieces alternate: text, expression, text …
	texts []string
	exprs []*expression
	line  int
}

// eval fills the template; one whose expressions are all empty is empty.
func (t *template) eval(s *scope) result {
	if len(t.exprs) == 0 {
		return result{text: t.texts[0], line: t.line}
	}
	var b strings.Builder
	some := false
	for i, e := range t.exprs {
		b.WriteString(t.texts[i])
		out, err := e.run(s)
		if err != nil {
			return s.failed(t.line, fmt.Errorf("%s: %w", e.source, err))
		}
		piece := flat(out)
		some = some || strings.TrimSpace(piece) != ""
		b.WriteString(piece)
	}
	b.WriteString(t.texts[len(t.exprs)])
	if !some {
		return result{line: t.line}
	}
	return result{text: strings.TrimSpace(b.String()), line: t.line}
}

func (t *template) names() []*expression { return t.exprs }

// failed notes that an expression could not be evaluated: whatever stands in for
// it, this is shown.
func (s *scope) failed(line int, err error) result {
	s.unmapped = append(s.unmapped, Unmapped{Field: s.field, Line: line, Reason: err.Error()})
	return result{line: line, failed: err}
}

// first is a list: the first that applies and is not empty.
type first []value

func (f first) eval(s *scope) result {
	var out result
	for _, v := range f {
		r := v.eval(s)
		if !r.empty() {
			return r
		}
		if out.failed == nil {
			out = r
		}
	}
	return out
}

func (f first) names() []*expression {
	var out []*expression
	for _, v := range f {
		out = append(out, v.names()...)
	}
	return out
}

// block is { when, value or lines, map, default, limit }.
type block struct {
	when   *expression
	inner  value
	lines  []value
	table  map[string]string
	mapped bool
	// named is the map's name, when it has one.
	named string
	other value
	limit int
	line  int
}

func (b *block) eval(s *scope) result {
	because := ""
	if b.when != nil {
		ok, err := b.when.holds(s)
		if err != nil {
			return s.failed(b.line, err)
		}
		if !ok {
			return result{line: b.line}
		}
		because = "when " + b.when.source
	}
	r := b.inside(s)
	if b.mapped && r.failed == nil {
		r = b.lookUp(s, r)
	}
	if r.empty() && b.other != nil {
		r = b.other.eval(s)
		r.because = "default"
	}
	if r.because == "" {
		r.because = because
	}
	r.text = cut(r.text, b.limit, s.in.Record["number"].Value)
	return r
}

// lookUp finds a value in the block's map. An empty one is not missed there.
func (b *block) lookUp(s *scope, r result) result {
	to, ok := b.table[strings.ToLower(strings.TrimSpace(r.text))]
	if !ok && !r.empty() {
		s.unmapped = append(s.unmapped, Unmapped{Field: s.field, Value: r.text, Line: b.line})
	}
	out := result{text: to, line: b.line}
	if ok && to != "" {
		out.because = r.text + " → " + to
		if b.named != "" {
			out.because = r.text + " → " + b.named
		}
	}
	return out
}

func (b *block) inside(s *scope) result {
	if b.inner != nil {
		return b.inner.eval(s)
	}
	out := result{line: b.line}
	var some []string
	for _, v := range b.lines {
		r := v.eval(s)
		if r.failed != nil && out.failed == nil {
			out.failed = r.failed
		}
		if !r.empty() {
			some = append(some, r.text)
		}
	}
	out.text = strings.Join(some, "\n")
	return out
}

func (b *block) names() []*expression {
	var out []*expression
	if b.when != nil {
		out = append(out, b.when)
	}
	for _, v := range slices.Concat([]value{b.inner, b.other}, b.lines) {
		if v != nil {
			out = append(out, v.names()...)
		}
	}
	return out
}

// cut shortens a text to so many characters; it never cuts the record number off
// its beginning.
func cut(text string, limit int, number string) string {
	if limit <= 0 || utf8.RuneCountInString(text) <= limit {
		return text
	}
	short := string([]rune(text)[:limit])
	if number != "" && strings.HasPrefix(text, number) && len(short) < len(number) {
		return number
	}
	return strings.TrimSpace(short)
}
