package itsm

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// test says whether a row passes.
type test func(*record) bool

// path is a field, or a field of what a reference leads to.
type path struct {
	s     *Server
	steps []*column
}

// path finds a dotted field; an unknown one is nil.
func (s *Server) path(t *table, field string) *path {
	p := &path{s: s}
	for name := range strings.SplitSeq(field, ".") {
		if t == nil || len(p.steps) > 5 {
			return nil
		}
		c := t.columns[name]
		if c == nil {
			return nil
		}
		p.steps = append(p.steps, c)
		t = s.tables[c.to]
	}
	return p
}

// end walks to the row that holds the last field, or nil.
func (p *path) end(r *record) *record {
	for _, c := range p.steps[:len(p.steps)-1] {
		to := p.s.records[r.fields[c.name]]
		if to == nil || !to.table.is(c.to) {
			return nil
		}
		r = to
	}
	return r
}

func (p *path) last() *column { return p.steps[len(p.steps)-1] }

// value is the raw value; a journal's is in its rows.
func (p *path) value(r *record) string {
	if r = p.end(r); r == nil {
		return ""
	}
	return r.fields[p.last().name]
}

// compile makes a test of a condition. nil: it is dropped, as one on an unknown field.
func (s *Server) compile(t *table, c condition) test {
	switch c.operator {
	case words, related, joined:
		return s.across(t, c)
	}
	p := s.path(t, c.field)
	if p == nil || c.operator == "" {
		return nil
	}
	want := c.value
	if code, ok := strings.CutPrefix(want, "javascript:"); ok {
		if want, ok = s.evaluate(code); !ok {
			return nil
		}
	}
	switch c.operator {
	case "=", "!=", ">", ">=", "<", "<=":
		return s.compared(p, c.operator, want)
	case "IN", "NOT IN":
		list := strings.Split(want, ",")
		not := c.operator == "NOT IN"
		return func(r *record) bool {
			have := p.value(r)
			return slices.ContainsFunc(list, func(w string) bool { return s.equal(have, w) }) != not
		}
	case "BETWEEN", "ON", "NOTON", "RELATIVEGT", "RELATIVELT", "RELATIVEGE", "RELATIVELE":
		return s.ranged(p, c.operator, want)
	case "DYNAMIC", "IN_HIERARCHY":
		return s.below(p, c.operator, want)
	case "DATEPART":
		return s.part(p, want)
	case "MORETHAN", "LESSTHAN":
		return s.apart(t, p, c.operator, want)
	case "SAMEAS", "NSAMEAS", "GT_FIELD", "LT_FIELD", "GT_OR_EQUALS_FIELD", "LT_OR_EQUALS_FIELD":
		return s.besides(t, p, c.operator, want)
	}
	return s.text(p, c.operator, want)
}

func (s *Server) text(p *path, operator, want string) test {
	has := func(how func(string, string) bool, not bool) test {
		want := s.fold(want)
		return func(r *record) bool { return how(s.fold(p.value(r)), want) != not }
	}
	switch operator {
	case "LIKE", "*":
		return has(strings.Contains, false)
	case "NOT LIKE", "!*":
		return has(strings.Contains, true)
	case "STARTSWITH":
		return has(strings.HasPrefix, false)
	case "ENDSWITH", "%":
		return has(strings.HasSuffix, false)
	case "ISEMPTY", "EMPTYSTRING":
		return func(r *record) bool { return p.value(r) == "" }
	case "ISNOTEMPTY":
		return func(r *record) bool { return p.value(r) != "" }
	}
	return func(*record) bool { return true } // ANYTHING
}

// compared tests against one value. Nothing is before or after an empty field, and
// != leaves empty references out, as documented.
func (s *Server) compared(p *path, operator, want string) test {
	kind := p.last().kind
	if kind == "datetime" && want != "" {
		var ok bool
		if want, ok = s.moment(want); !ok {
			return nil
		}
	}
	switch operator {
	case "=":
		return func(r *record) bool { return s.equal(p.value(r), want) }
	case "!=":
		strict := kind == "reference" && !s.switches.EmptyIsNot && want != ""
		return func(r *record) bool {
			have := p.value(r)
			return !s.equal(have, want) && (have != "" || !strict)
		}
	}
	return func(r *record) bool {
		have := p.value(r)
		if have == "" {
			return false
		}
		n := s.ordered(kind, have, want)
		return operator == ">" && n > 0 || operator == ">=" && n >= 0 || operator == "<" && n < 0 || operator == "<=" && n <= 0
	}
}

// ranged tests a span: BETWEEN low@high, ON name@low@high, RELATIVE… unit@ago@n.
func (s *Server) ranged(p *path, operator, want string) test {
	words := strings.Split(strings.TrimPrefix(want, "@"), "@")
	if relative, ok := strings.CutPrefix(operator, "RELATIVE"); ok {
		at, ok := s.relative(words)
		if !ok {
			return nil
		}
		return s.compared(p, map[string]string{"GT": ">", "LT": "<", "GE": ">=", "LE": "<="}[relative], at)
	}
	if operator != "BETWEEN" && len(words) == 3 {
		words = words[1:]
	}
	if len(words) != 2 {
		return nil
	}
	for i, w := range words {
		if code, ok := strings.CutPrefix(w, "javascript:"); ok {
			if words[i], ok = s.evaluate(code); !ok {
				return nil
			}
		}
	}
	low, high := s.compared(p, ">=", words[0]), s.compared(p, "<=", words[1])
	if low == nil || high == nil {
		return nil
	}
	not := operator == "NOTON"
	return func(r *record) bool { return (low(r) && high(r)) != not }
}

// besides compares with another field of the same row.
func (s *Server) besides(t *table, p *path, operator, field string) test {
	other := s.path(t, field)
	if other == nil {
		return nil
	}
	kind := p.last().kind
	return func(r *record) bool {
		a, b := p.value(r), other.value(r)
		n := s.ordered(kind, a, b)
		switch operator {
		case "SAMEAS":
			return s.equal(a, b)
		case "NSAMEAS":
			return !s.equal(a, b)
		}
		return strings.HasPrefix(operator, "GT") && n > 0 || strings.HasPrefix(operator, "LT") && n < 0 || strings.Contains(operator, "EQUALS") && n == 0
	}
}

// me is the dynamic filter for whoever asks, which every instance has.
const me = "90d1921e5f510100a9ad2572f2b477fe"

// below tests a reference by a dynamic filter, or by what its record is below.
func (s *Server) below(p *path, operator, want string) test {
	switch {
	case p.last().kind != "reference", operator == "DYNAMIC" && (want != me || p.last().to != "sys_user"):
		return nil
	case operator == "DYNAMIC":
		return func(r *record) bool { return p.value(r) == s.userID(s.cfg.Username) }
	}
	return func(r *record) bool {
		id := p.value(r)
		for range 16 { // more is a circle
			if id == "" || s.equal(id, want) {
				break
			}
			above := s.records[id]
			if above == nil {
				return false
			}
			id = above.fields["parent"]
		}
		return id != "" && s.equal(id, want)
	}
}

// relative reads unit@ago@n.
func (s *Server) relative(words []string) (string, bool) {
	if len(words) != 3 || words[1] != "ago" && words[1] != "ahead" {
		return "", false
	}
	n, err := strconv.Atoi(words[2])
	if err != nil {
		return "", false
	}
	if words[1] == "ago" {
		n = -n
	}
	at := s.cfg.Now().UTC()
	switch words[0] {
	case "minute":
		at = at.Add(time.Duration(n) * time.Minute)
	case "hour":
		at = at.Add(time.Duration(n) * time.Hour)
	case "day", "dayofweek":
		at = at.AddDate(0, 0, n)
	case "week":
		at = at.AddDate(0, 0, 7*n)
	case "month":
		at = at.AddDate(0, n, 0)
	case "quarter":
		at = at.AddDate(0, 3*n, 0)
	case "year":
		at = at.AddDate(n, 0, 0)
	default:
		return "", false
	}
	return at.Format(time.DateTime), true
}

// moment reads a time as a query writes it; the zone is a switch.
func (s *Server) moment(text string) (string, bool) {
	if len(text) == len(time.DateOnly) {
		text += " 00:00:00"
	}
	t, err := time.Parse(time.DateTime, text)
	if err != nil {
		return "", false
	}
	if s.switches.ZonedQueries {
		t = t.Add(-time.Duration(s.switches.ZoneHours) * time.Hour)
	}
	return t.Format(time.DateTime), true
}

func (s *Server) fold(text string) string {
	if s.switches.CaseSensitive {
		return text
	}
	return strings.ToLower(text)
}

func (s *Server) equal(a, b string) bool {
	return a == b || !s.switches.CaseSensitive && strings.EqualFold(a, b)
}

func (s *Server) ordered(kind, a, b string) int {
	if kind == "integer" || kind == "choice" {
		x, err1 := strconv.Atoi(a)
		y, err2 := strconv.Atoi(b)
		if err1 == nil && err2 == nil {
			return cmp.Compare(x, y)
		}
	}
	return cmp.Compare(s.fold(a), s.fold(b))
}
