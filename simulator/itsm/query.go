package itsm

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// find evaluates an encoded query: groups of ^NQ, each its conditions in order,
// ^OR bound to the condition before it; orderings apply to the whole.
func (s *Server) find(name, query string) (found []row, refused bool) {
	t := s.table(name)
	groups, order := s.parse(query)
	for i := range groups {
		keep := groups[i][:0]
		for _, any := range groups[i] {
			known := slices.ContainsFunc(any, func(c condition) bool { return s.known(t, c.field) })
			switch {
			case known:
				keep = append(keep, any)
			case s.UnknownFields == "no_rows":
				return nil, false
			case s.UnknownFields == "refuse":
				return nil, true
			}
		}
		groups[i] = keep
	}
	for _, r := range s.candidates(name, t, groups) {
		if slices.ContainsFunc(groups, func(g [][]condition) bool { return s.holds(r, g) }) {
			found = append(found, r)
		}
	}
	slices.SortFunc(found, func(a, b row) int {
		for _, o := range order {
			field, down := strings.CutPrefix(o, "DESC")
			if n := strings.Compare(s.walk(a, field), s.walk(b, field)); n != 0 {
				if down {
					return -n
				}
				return n
			}
		}
		return cmp.Compare(a["sys_id"], b["sys_id"])
	})
	return found, false
}

// candidates uses an index where a query names rows or their record.
func (s *Server) candidates(name string, t *table, groups [][][]condition) []row {
	if len(groups) == 1 {
		for _, any := range groups[0] {
			if len(any) != 1 || any[0].operator != "IN" && any[0].operator != "=" {
				continue
			}
			var out []row
			switch {
			case any[0].field == "sys_id":
				for id := range strings.SplitSeq(any[0].value, ",") {
					if r := t.rows[id]; r != nil {
						out = append(out, r)
					}
				}
				return out
			case any[0].field == "element_id" && name == "sys_journal_field":
				for id := range strings.SplitSeq(any[0].value, ",") {
					out = append(out, s.journals[id]...)
				}
				return out
			}
		}
	}
	out := make([]row, 0, len(t.rows))
	for _, r := range t.rows {
		out = append(out, r)
	}
	return out
}

type condition struct{ field, operator, value string }

func (s *Server) parse(query string) (groups [][][]condition, order []string) {
	for group := range strings.SplitSeq(query, "^NQ") {
		var all [][]condition
		for _, part := range pieces(group) {
			part, isOr := strings.CutPrefix(part, "OR")
			if isOr && strings.HasPrefix(part, "DERBY") {
				order = append(order, strings.TrimPrefix(part, "DERBY"))
				continue
			}
			if part == "" || part == "EQ" {
				continue
			}
			c := read(part)
			if isOr && len(all) > 0 {
				all[len(all)-1] = append(all[len(all)-1], c)
			} else {
				all = append(all, []condition{c})
			}
		}
		groups = append(groups, all)
	}
	return groups, order
}

// pieces cuts at single carets; a doubled one is a caret of the value.
func pieces(group string) []string {
	var out []string
	var b strings.Builder
	for i := 0; i < len(group); i++ {
		switch {
		case group[i] != '^':
			b.WriteByte(group[i])
		case i+1 < len(group) && group[i+1] == '^':
			b.WriteByte('^')
			i++
		default:
			out = append(out, b.String())
			b.Reset()
		}
	}
	return append(out, b.String())
}

func read(part string) condition {
	n := 0
	for n < len(part) && (part[n] >= 'a' && part[n] <= 'z' || part[n] >= '0' && part[n] <= '9' || part[n] == '_' || part[n] == '.') {
		n++
	}
	for _, operator := range []string{
		"NOT IN", "NOT LIKE", "STARTSWITH", "ENDSWITH", "ISNOTEMPTY", "ISEMPTY", "EMPTYSTRING", "ANYTHING", "BETWEEN", "SAMEAS", "NSAMEAS", "LIKE", "IN", "!=", ">=", "<=", "=", ">", "<",
	} {
		if value, ok := strings.CutPrefix(part[n:], operator); ok {
			return condition{part[:n], operator, value}
		}
	}
	return condition{part[:n], "?", part[n:]}
}

func (s *Server) known(t *table, field string) bool {
	first, rest, dotted := strings.Cut(field, ".")
	if !t.columns[first] {
		return false
	}
	if !dotted {
		return true
	}
	for _, to := range reference(first) {
		if s.known(s.table(to), rest) {
			return true
		}
	}
	return false
}

// walk follows a dotted path through references.
func (s *Server) walk(r row, path string) string {
	first, rest, dotted := strings.Cut(path, ".")
	if !dotted {
		return r[first]
	}
	to := s.referred(first, r[first])
	if to == nil {
		return ""
	}
	return s.walk(to, rest)
}

func (s *Server) referred(column, id string) row {
	if id == "" {
		return nil
	}
	for _, name := range reference(column) {
		if to := s.table(name).rows[id]; to != nil {
			return to
		}
	}
	return nil
}

func (s *Server) holds(r row, all [][]condition) bool {
	for _, any := range all {
		if !slices.ContainsFunc(any, func(c condition) bool { return s.is(r, c) }) {
			return false
		}
	}
	return true
}

func (s *Server) is(r row, c condition) bool {
	have, want := strings.ToLower(s.walk(r, c.field)), strings.ToLower(c.value)
	switch c.operator {
	case "=":
		return have == want
	case "!=":
		return have != want
	case ">", ">=", "<", "<=":
		return inOrder(have, c.operator, want)
	case "IN":
		return slices.Contains(strings.Split(want, ","), have)
	case "NOT IN":
		return !slices.Contains(strings.Split(want, ","), have)
	case "LIKE":
		return strings.Contains(have, want)
	case "NOT LIKE":
		return !strings.Contains(have, want)
	case "STARTSWITH":
		return strings.HasPrefix(have, want)
	case "ENDSWITH":
		return strings.HasSuffix(have, want)
	case "ISEMPTY", "EMPTYSTRING":
		return have == ""
	case "ISNOTEMPTY":
		return have != ""
	case "BETWEEN":
		low, high, _ := strings.Cut(want, "@")
		return inOrder(have, ">=", low) && inOrder(have, "<=", high)
	case "SAMEAS":
		return have == strings.ToLower(s.walk(r, c.value))
	case "NSAMEAS":
		return have != strings.ToLower(s.walk(r, c.value))
	}
	return true
}

func inOrder(a, operator, b string) bool {
	n := strings.Compare(a, b)
	if x, err := strconv.Atoi(a); err == nil {
		if y, err := strconv.Atoi(b); err == nil {
			n = cmp.Compare(x, y)
		}
	}
	return operator == ">" && n > 0 || operator == ">=" && n >= 0 || operator == "<" && n < 0 || operator == "<=" && n <= 0
}
