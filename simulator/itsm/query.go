package itsm

import (
	"slices"
	"strings"
)

// query is an encoded query as it was written: groups joined by ^NQ, of which one
// must hold; each a list of clauses that must all hold; each clause conditions
// joined by ^OR, of which one must hold.
type query struct {
	groups [][]clause
	orders []ordering
}

type clause []condition

type condition struct{ field, operator, value string }

type ordering struct {
	field string
	down  bool
}

// operators, the longer ones first where one begins another.
func operators() []string {
	return []string{
		"NOT IN", "NOT LIKE", "NOTON", "NSAMEAS", "SAMEAS", "STARTSWITH", "ENDSWITH", "ISNOTEMPTY", "ISEMPTY", "EMPTYSTRING", "ANYTHING", "BETWEEN",
		"GT_OR_EQUALS_FIELD", "LT_OR_EQUALS_FIELD", "GT_FIELD", "LT_FIELD", "RELATIVEGT", "RELATIVELT", "RELATIVEGE", "RELATIVELE",
		words, "DYNAMIC", "DATEPART", "MORETHAN", "LESSTHAN", "IN_HIERARCHY", "LIKE", "IN", "ON", "!=", ">=", "<=", "!*", "=", ">", "<", "*", "%",
	}
}

// parse reads an encoded query. A caret is doubled inside a value; what cannot be read
// as a condition is one on no field at all.
func parse(text string) query {
	q := query{groups: [][]clause{nil}}
	known := operators()
	parts := cut(text)
	for i := 0; i < len(parts); i++ {
		part := parts[i]
		rest, another := strings.CutPrefix(part, "NQ")
		if another {
			q.groups = append(q.groups, nil)
			part = rest
		}
		if part == "" || part == "EQ" || q.order(part) {
			continue
		}
		rest, alternative := strings.CutPrefix(part, "OR")
		if alternative {
			part = rest
		}
		var c condition
		switch value, ok := strings.CutPrefix(part, related); {
		case ok:
			end := i + max(slices.Index(parts[i:], "END"+related), 0)
			c = condition{operator: related, value: value + "^" + again(parts[i+1:max(end, i+1)])}
			i = end
		case strings.HasPrefix(part, joined):
			c = condition{operator: joined, value: strings.TrimPrefix(part, joined)}
		default:
			c = read(part, known)
		}
		last := len(q.groups) - 1
		group := q.groups[last]
		if n := len(group); alternative && n > 0 {
			group[n-1] = append(group[n-1], c) // to the condition right before it
			continue
		}
		q.groups[last] = append(group, clause{c})
	}
	return q
}

// order takes a part that says how to sort.
func (q *query) order(part string) bool {
	for _, word := range []string{"ORDERBYDESC", "ORDERBY", "GROUPBY"} {
		if field, ok := strings.CutPrefix(part, word); ok {
			q.orders = append(q.orders, ordering{field, word == "ORDERBYDESC"})
			return true
		}
	}
	return false
}

// cut parts a query at single carets and makes one of a double.
func cut(text string) []string {
	var parts []string
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] != '^':
			b.WriteByte(text[i])
		case i+1 < len(text) && text[i+1] == '^':
			b.WriteByte('^')
			i++
		default:
			parts = append(parts, b.String())
			b.Reset()
		}
	}
	return append(parts, b.String())
}

// again writes parts as they were before they were cut.
func again(parts []string) string {
	out := make([]string, len(parts))
	for i, p := range parts {
		out[i] = strings.ReplaceAll(p, "^", "^^")
	}
	return strings.Join(out, "^")
}

// read takes a condition apart.
func read(part string, operators []string) condition {
	n := 0
	for n < len(part) && (part[n] >= 'a' && part[n] <= 'z' || part[n] >= '0' && part[n] <= '9' || part[n] == '_' || part[n] == '.') {
		n++
	}
	for _, operator := range operators {
		if value, ok := strings.CutPrefix(part[n:], operator); ok {
			return condition{part[:n], operator, value}
		}
	}
	return condition{field: part[:n], value: part[n:]}
}
