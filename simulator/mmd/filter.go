package mmd

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// match says whether an object passes a filter.
type match func(object) bool

// parseFilter reads the part of OData's $filter that the document shows, and what
// belongs to it: comparisons, and, or, not, parentheses, contains, startswith,
// endswith.
func parseFilter(text string) (match, error) {
	p := &filterParser{words: filterWords(text)}
	m := p.or()
	if p.err == nil && p.at < len(p.words) {
		p.err = fmt.Errorf("%q was not expected", p.words[p.at])
	}
	return m, p.err
}

type filterParser struct {
	words []string
	at    int
	err   error
	depth int
}

func filterWords(text string) []string {
	var out []string
	for i := 0; i < len(text); {
		switch c := text[i]; c {
		case ' ':
			i++
		case '(', ')', ',':
			out = append(out, string(c))
			i++
		case '\'':
			end := i + 1
			for end < len(text) && (text[end] != '\'' || end+1 < len(text) && text[end+1] == '\'') {
				if text[end] == '\'' {
					end++
				}
				end++
			}
			end = min(end+1, len(text))
			out = append(out, text[i:end])
			i = end
		default:
			end := i
			for end < len(text) && !strings.ContainsRune(" (),'", rune(text[end])) {
				end++
			}
			out = append(out, text[i:end])
			i = end
		}
	}
	return out
}

func (p *filterParser) next() string {
	if p.at >= len(p.words) {
		p.fail(errors.New("it ends too early"))
		return ""
	}
	p.at++
	return p.words[p.at-1]
}

func (p *filterParser) is(word string) bool {
	if p.at < len(p.words) && p.words[p.at] == word {
		p.at++
		return true
	}
	return false
}

func (p *filterParser) fail(err error) {
	if p.err == nil {
		p.err = err
	}
}

func (p *filterParser) or() match {
	m := p.and()
	for p.err == nil && p.is("or") {
		a, b := m, p.and()
		m = func(o object) bool { return a(o) || b(o) }
	}
	return m
}

func (p *filterParser) and() match {
	m := p.unary()
	for p.err == nil && p.is("and") {
		a, b := m, p.unary()
		m = func(o object) bool { return a(o) && b(o) }
	}
	return m
}

func (p *filterParser) unary() match {
	never := func(object) bool { return false }
	if p.depth++; p.depth > 100 {
		p.fail(errors.New("it is nested too deep"))
	}
	defer func() { p.depth-- }()
	switch {
	case p.err != nil:
		return never
	case p.is("not"):
		m := p.unary()
		return func(o object) bool { return !m(o) }
	case p.is("("):
		m := p.or()
		if !p.is(")") {
			p.fail(errors.New("a ) is missing"))
		}
		return m
	}
	word := p.next()
	if part := map[string]func(string, string) bool{"contains": strings.Contains, "startswith": strings.HasPrefix, "endswith": strings.HasSuffix}[word]; part != nil {
		return p.call(part)
	}
	return p.compare(word, p.next(), p.next())
}

func (p *filterParser) call(part func(string, string) bool) match {
	if !p.is("(") {
		p.fail(errors.New("a ( is missing"))
	}
	field := p.next()
	if !p.is(",") {
		p.fail(errors.New("a comma is missing"))
	}
	want, _ := literal(p.next()).(string)
	if !p.is(")") {
		p.fail(errors.New("a ) is missing"))
	}
	return func(o object) bool { return part(o.text(field), want) }
}

func (p *filterParser) compare(field, operator, raw string) match {
	want := literal(raw)
	return func(o object) bool {
		n, comparable := order(o[field], want)
		switch operator {
		case "eq":
			return comparable && n == 0
		case "ne":
			return !comparable || n != 0
		case "gt":
			return comparable && n > 0
		case "ge":
			return comparable && n >= 0
		case "lt":
			return comparable && n < 0
		case "le":
			return comparable && n <= 0
		}
		return false
	}
}

// literal reads a text, number, truth value, time or null.
func literal(raw string) any {
	if len(raw) >= 2 && raw[0] == '\'' {
		return strings.ReplaceAll(raw[1:len(raw)-1], "''", "'")
	}
	if n, err := strconv.ParseFloat(raw, 64); err == nil {
		return n
	}
	if t, err := time.Parse(time.RFC3339Nano, raw); err == nil {
		return t
	}
	switch raw {
	case "true":
		return true
	case "false":
		return false
	}
	return nil
}

func order(have, want any) (int, bool) {
	switch want := want.(type) {
	case string:
		text, ok := have.(string)
		return strings.Compare(text, want), ok
	case float64:
		n, ok := have.(float64)
		if n < want {
			return -1, ok
		}
		if n > want {
			return 1, ok
		}
		return 0, ok
	case time.Time:
		text, _ := have.(string)
		t, err := time.Parse(time.RFC3339Nano, text)
		return t.Compare(want), err == nil
	case bool:
		b, ok := have.(bool)
		if b == want {
			return 0, ok
		}
		return 1, ok
	}
	if have == nil {
		return 0, true
	}
	return 1, true
}
