package mapping

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Query is a rule's encoded query (servicenow-api.md 1.2): groups joined by ^NQ,
// clauses joined by ^, alternatives by ^OR.
type Query struct {
	text   string
	groups [][]alternatives
	// left are orderings that were left out: the reader has an order of its own.
	left []string
}

// alternatives are clauses of which one must hold: ^OR binds to the one before it.
type alternatives []clause

// clause is one condition. unsure: we cannot evaluate it, the rule's when covers it.
type clause struct {
	field, operator, value string
	text                   string
	unsure                 bool
	// rest is what stands behind the field.
	rest string
}

// String is what is sent as sysparm_query.
func (q Query) String() string { return q.text }

// Match evaluates the query on a row: an instance that cannot resolve a condition
// drops it and answers with the wider set, in silence. The reason names the clause
// that does not hold.
func (q Query) Match(row Row) (bool, string) {
	why := ""
	for _, group := range q.groups {
		reason := ""
		for _, some := range group {
			if reason = some.fails(row); reason != "" {
				break
			}
		}
		if reason == "" {
			return true, ""
		}
		if why == "" {
			why = reason
		}
	}
	return len(q.groups) == 0, why
}

// Fields are the fields that the query names.
func (q Query) Fields() []string {
	var out []string
	for _, group := range q.groups {
		for _, some := range group {
			for _, c := range some {
				out = append(out, c.field)
				if c.operator == "SAMEAS" || c.operator == "NSAMEAS" {
					out = append(out, c.value)
				}
			}
		}
	}
	return out
}

// References are the references through which the query reads: assignment_group of
// assignment_group.name.
func (q Query) References() []string {
	var out []string
	for _, field := range q.Fields() {
		if dot := strings.LastIndexByte(field, '.'); dot > 0 && !slices.Contains(out, field[:dot]) {
			out = append(out, field[:dot])
		}
	}
	return out
}

func (a alternatives) fails(row Row) string {
	why := ""
	for _, c := range a {
		reason := c.fails(row)
		if reason == "" {
			return ""
		}
		if why == "" {
			why = reason
		}
	}
	return why
}

// fails says in words why a clause does not hold; empty: it does. A field that
// was not readable fails: closed is safe.
func (c clause) fails(row Row) string {
	if c.unsure {
		return ""
	}
	cell, readable := row[c.field]
	if !readable {
		return c.field + " was not readable, so " + c.text + " cannot be checked"
	}
	if c.takes(cell, row) {
		return ""
	}
	return fmt.Sprintf("%s is %s, the query asks %s", c.field, orEmpty(cell.Value), c.text)
}

// takes looks at the value, and for a reference at its label too, as an instance does.
func (c clause) takes(cell Cell, row Row) bool {
	if !isSysID(cell.Value) || cell.Display == "" || c.operator == "SAMEAS" || c.operator == "NSAMEAS" {
		return c.holds(cell.Value, row)
	}
	if c.operator == "!=" || strings.HasPrefix(c.operator, "NOT ") {
		return c.holds(cell.Value, row) && c.holds(cell.Display, row)
	}
	return c.holds(cell.Value, row) || c.holds(cell.Display, row)
}

// holds compares without case, as an instance's database does.
func (c clause) holds(is string, row Row) bool {
	is, want := strings.ToLower(is), strings.ToLower(c.value)
	switch c.operator {
	case "=":
		return is == want
	case "!=":
		return is != want
	case "<", "<=", ">", ">=":
		return ordered(c.operator, is, want)
	case "IN":
		return slices.Contains(strings.Split(want, ","), is)
	case "NOT IN":
		return !slices.Contains(strings.Split(want, ","), is)
	case "LIKE":
		return strings.Contains(is, want)
	case "NOT LIKE":
		return !strings.Contains(is, want)
	case "STARTSWITH":
		return strings.HasPrefix(is, want)
	case "ENDSWITH":
		return strings.HasSuffix(is, want)
	case "ISEMPTY", "EMPTYSTRING":
		return is == ""
	case "ISNOTEMPTY":
		return is != ""
	case "ANYTHING":
		return true
	case "BETWEEN":
		from, to, _ := strings.Cut(want, "@")
		return ordered(">=", is, from) && ordered("<=", is, to)
	case "SAMEAS":
		return is == strings.ToLower(row[c.value].Value)
	case "NSAMEAS":
		return is != strings.ToLower(row[c.value].Value)
	}
	return false
}

// ordered compares as numbers where both are, else as text: raw times are in order.
func ordered(operator, a, b string) bool {
	order := strings.Compare(a, b)
	x, err1 := strconv.ParseFloat(a, 64)
	y, err2 := strconv.ParseFloat(b, 64)
	if err1 == nil && err2 == nil {
		switch {
		case x < y:
			order = -1
		case x > y:
			order = 1
		default:
			order = 0
		}
	}
	switch operator {
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	}
	return order >= 0
}

// operators are those that we evaluate; longer ones stand before their beginnings.
func operators() []string {
	return []string{
		"NOT LIKE", "NOT IN", "STARTSWITH", "ENDSWITH", "ISNOTEMPTY", "ISEMPTY", "EMPTYSTRING", "ANYTHING", "BETWEEN", "NSAMEAS", "SAMEAS",
		"LIKE", "IN", ">=", "<=", "!=", "=", ">", "<",
	}
}

// parseQuery reads an encoded query.
func parseQuery(text string) Query {
	var q Query
	var group []alternatives
	var kept []string
	word := ""
	for _, part := range split(text) {
		before, part := cutWord(part, "NQ")
		if before {
			q.groups, group, word = append(q.groups, group), nil, "NQ"
		}
		or, part := cutWord(part, "OR")
		switch {
		case part == "" || part == "EQ":
			continue
		case strings.HasPrefix(part, "DERBY") && or, strings.HasPrefix(part, "GROUPBY"):
			if or {
				part = "OR" + part
			}
			q.left = append(q.left, part)
			continue
		}
		c := parseClause(part)
		if or && len(group) > 0 {
			word += "OR"
			group[len(group)-1] = append(group[len(group)-1], c)
		} else {
			group = append(group, alternatives{c})
		}
		kept = append(kept, word+strings.ReplaceAll(part, "^", "^^"))
		word = ""
	}
	q.groups = append(q.groups, group)
	q.text = strings.Join(kept, "^")
	return q
}

// cutWord takes a word that joins clauses off the beginning of one.
func cutWord(part, word string) (bool, string) {
	rest, found := strings.CutPrefix(part, word)
	return found, rest
}

// split cuts at each ^ that is not doubled; a doubled one is a ^ of the value.
func split(text string) []string {
	const stand = "\x00"
	parts := strings.Split(strings.ReplaceAll(text, "^^", stand), "^")
	for i := range parts {
		parts[i] = strings.ReplaceAll(parts[i], stand, "^")
	}
	return parts
}

func parseClause(text string) clause {
	end := strings.IndexFunc(text, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '_' && r != '.'
	})
	if end < 0 {
		return clause{text: text, field: text, unsure: true}
	}
	c := clause{text: text, field: text[:end], rest: text[end:]}
	for _, beyond := range []string{"INSTANCEOF", "IN_HIERARCHY"} {
		if strings.HasPrefix(c.rest, beyond) {
			c.unsure = true
			return c
		}
	}
	for _, operator := range operators() {
		if value, ok := strings.CutPrefix(c.rest, operator); ok {
			c.operator, c.value = operator, value
			return c
		}
	}
	c.unsure = true
	return c
}
