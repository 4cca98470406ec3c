package mmd

import (
	"errors"
	"fmt"
	"strings"
)

// match says whether an object passes a filter.
type match func(object) bool

// fields are the properties of a type, and their kinds.
type fields map[string]kind

// deepest is how far parentheses and nots may be nested.
const deepest = 100

// parseFilter reads the part of OData's $filter that the document shows, and what
// belongs to it: comparisons, and, or, not, parentheses, contains, startswith,
// endswith, tolower, toupper.
func parseFilter(text string, names fields) (match, error) {
	p := &parser{names: names}
	if p.words, p.err = words(text); p.err != nil {
		return nil, p.err
	}
	m := p.or()
	if p.err == nil && p.at < len(p.words) {
		p.fail("syntax error at '%s'", p.words[p.at])
	}
	return m, p.err
}

type parser struct {
	names fields
	words []string
	at    int
	depth int
	err   error
}

// words cuts a filter into names, literals, parentheses and commas.
func words(text string) ([]string, error) {
	var out []string
	for i := 0; i < len(text); {
		end := i + 1
		switch c := text[i]; {
		case c == ' ' || c == '\t':
			i++
			continue
		case c == '\'':
			for ; end < len(text); end++ {
				if text[end] != '\'' {
					continue
				}
				if end+1 < len(text) && text[end+1] == '\'' {
					end++ // a quote of the text
					continue
				}
				break
			}
			if end >= len(text) {
				return nil, errors.New("there is an unterminated string literal in the filter")
			}
			end++
		case !strings.ContainsRune("(),", rune(c)):
			for end < len(text) && !strings.ContainsRune(" \t(),'", rune(text[end])) {
				end++
			}
		}
		out = append(out, text[i:end])
		i = end
	}
	return out, nil
}

func (p *parser) fail(format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf(format, args...)
	}
}

func (p *parser) next() string {
	if p.at >= len(p.words) {
		p.fail("the filter ends too early")
		return ""
	}
	p.at++
	return p.words[p.at-1]
}

func (p *parser) is(word string) bool {
	if p.at < len(p.words) && p.words[p.at] == word {
		p.at++
		return true
	}
	return false
}

func (p *parser) must(word string) {
	if !p.is(word) {
		p.fail("'%s' is missing in the filter", word)
	}
}

func (p *parser) or() match {
	m := p.and()
	for p.err == nil && p.is("or") {
		a, b := m, p.and()
		m = func(o object) bool { return a(o) || b(o) }
	}
	return m
}

func (p *parser) and() match {
	m := p.unary()
	for p.err == nil && p.is("and") {
		a, b := m, p.unary()
		m = func(o object) bool { return a(o) && b(o) }
	}
	return m
}

// unary is a not, a parenthesis, a call or a comparison.
func (p *parser) unary() match {
	never := func(object) bool { return false }
	if p.depth++; p.depth > deepest {
		p.fail("the filter is nested too deep")
	}
	defer func() { p.depth-- }()
	if p.err != nil {
		return never
	}
	switch {
	case p.is("not"):
		m := p.unary()
		return func(o object) bool { return !m(o) }
	case p.is("("):
		m := p.or()
		p.must(")")
		return m
	}
	start := p.at
	word := p.next()
	if how := part(word); how != nil {
		return p.call(how)
	}
	p.at = start
	return p.compare()
}

// part is what a function of two texts does.
func part(word string) func(string, string) bool {
	switch word {
	case "contains":
		return strings.Contains
	case "startswith":
		return strings.HasPrefix
	case "endswith":
		return strings.HasSuffix
	}
	return nil
}

// call is contains(title,'Test'), which may be followed by eq true or eq false.
func (p *parser) call(how func(string, string) bool) match {
	p.must("(")
	a := p.operand()
	p.must(",")
	b := p.operand()
	p.must(")")
	if a.kind != text || b.kind != text {
		p.fail("a function of texts needs two texts")
	}
	want := true
	if not := p.is("ne"); not || p.is("eq") {
		want = (p.next() == "true") != not
	}
	return func(o object) bool {
		x, y := a.of(o), b.of(o)
		return (x.kind == text && y.kind == text && how(x.text, y.text)) == want
	}
}

func (p *parser) compare() match {
	a := p.operand()
	operator := p.next()
	b := p.operand()
	if a.kind != null && b.kind != null && a.kind != b.kind {
		p.fail("a binary operator with incompatible types was detected: '%s' and '%s' for '%s'", a.kind, b.kind, operator)
	}
	switch operator {
	case "eq":
		return func(o object) bool { return same(a.of(o), b.of(o)) }
	case "ne":
		return func(o object) bool { return !same(a.of(o), b.of(o)) }
	case "gt", "ge", "lt", "le":
	default:
		p.fail("'%s' is not an operator", operator)
	}
	return func(o object) bool {
		x, y := a.of(o), b.of(o)
		if x.kind != y.kind || x.kind == null {
			return false
		}
		n := order(x, y)
		return n > 0 && operator[0] == 'g' || n < 0 && operator[0] == 'l' || n == 0 && operator[1] == 'e'
	}
}

// operand is a property, a literal, or a function of a text.
type operand struct {
	kind kind
	of   func(object) value
}

func (p *parser) operand() operand {
	word := p.next()
	if fold := map[string]func(string) string{"tolower": strings.ToLower, "toupper": strings.ToUpper}[word]; fold != nil && p.is("(") {
		if p.depth++; p.depth > deepest {
			p.fail("the filter is nested too deep")
			return operand{}
		}
		in := p.operand()
		p.must(")")
		if in.kind != text {
			p.fail("%s needs a text", word)
			return operand{}
		}
		return operand{text, func(o object) value {
			v := in.of(o)
			v.text = fold(v.text)
			return v
		}}
	}
	if v, ok := literal(word); ok {
		return operand{v.kind, func(object) value { return v }}
	}
	k := p.names[word]
	if k == nothing {
		p.fail("could not find a property named '%s'", word)
		return operand{}
	}
	return operand{k, func(o object) value { return o.field(word) }}
}
