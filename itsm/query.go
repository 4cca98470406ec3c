package itsm

import (
	"fmt"
	"slices"
	"strings"
)

// Operator compares a field with values.
type Operator string

// The operators that rules use (servicenow-api.md 1.2). Those with a note take no
// value, several, or two; the others take one.
const (
	Equals      Operator = "="
	Differs     Operator = "!="
	Less        Operator = "<"
	AtMost      Operator = "<="
	More        Operator = ">"
	AtLeast     Operator = ">="
	Contains    Operator = "LIKE"
	ContainsNot Operator = "NOT LIKE"
	StartsWith  Operator = "STARTSWITH"
	EndsWith    Operator = "ENDSWITH"
	In          Operator = "IN"     // one or more
	NotIn       Operator = "NOT IN" // one or more
	Between     Operator = "BETWEEN"
	IsEmpty     Operator = "ISEMPTY"     // none
	IsNotEmpty  Operator = "ISNOTEMPTY"  // none
	EmptyString Operator = "EMPTYSTRING" // none
	Anything    Operator = "ANYTHING"    // none
	SameAs      Operator = "SAMEAS"      // a field
	NotSameAs   Operator = "NSAMEAS"     // a field
)

// QueryError says why a query was not made. It does not show the value, which may
// be a person's.
type QueryError struct {
	Field  string
	Reason string
}

// Error says which field's condition was refused, and why.
func (e *QueryError) Error() string {
	if e.Field == "" {
		return e.Reason
	}
	return fmt.Sprintf("query on %q: %s", e.Field, e.Reason)
}

// Condition is one condition, or several of which one must hold.
type Condition struct {
	text string
	err  error
}

// If is the condition that a field compares with values. A ^ in a value is written
// so that the instance reads it as one; a value that the instance would run as a
// script, or that no query can express, is refused when the query is encoded.
func If(field string, is Operator, values ...string) Condition {
	if why := refusal(field, is, values); why != "" {
		return Condition{err: &QueryError{Field: field, Reason: why}}
	}
	between := ","
	if is == Between {
		between = "@"
	}
	return Condition{text: field + string(is) + strings.ReplaceAll(strings.Join(values, between), "^", "^^")}
}

// Any holds when one of the conditions does.
func Any(conditions ...Condition) Condition {
	var all Condition
	if len(conditions) == 0 {
		all.err = &QueryError{Reason: "none of no conditions can hold"}
	}
	for i, c := range conditions {
		if all.err == nil {
			all.err = c.err
		}
		if i > 0 {
			all.text += "^OR"
		}
		all.text += c.text
	}
	return all
}

// refusal says why a condition cannot be asked; empty: it can.
func refusal(field string, is Operator, values []string) string {
	least, most := arity(is)
	switch {
	case !isField(field):
		return "this is not the name of a field"
	case most == 0 && least > 0:
		return fmt.Sprintf("%q is not an operator", is)
	case len(values) < least || len(values) > most:
		return fmt.Sprintf("%s does not take %d values", is, len(values))
	}
	for _, v := range values {
		switch {
		case runs(v):
			return "a value that starts with javascript: is run by the server"
		case (is == In || is == NotIn) && strings.Contains(v, ","):
			return "a value of a list cannot hold a comma"
		case is == Between && strings.Contains(v, "@"):
			return "a bound cannot hold an @"
		case (is == Less || is == More) && strings.HasPrefix(v, "="):
			return "a value that starts with = would change the comparison"
		case (is == SameAs || is == NotSameAs) && !isField(v):
			return "it is compared with a field, and the value is not the name of one"
		}
	}
	return ""
}

// arity is how many values an operator takes.
func arity(is Operator) (least, most int) {
	switch is {
	case IsEmpty, IsNotEmpty, EmptyString, Anything:
		return 0, 0
	case In, NotIn:
		return 1, 1 << 20
	case Between:
		return 2, 2
	case Equals, Differs, Less, AtMost, More, AtLeast, Contains, ContainsNot, StartsWith, EndsWith, SameAs, NotSameAs:
		return 1, 1
	}
	return 1, 0
}

func isField(name string) bool {
	for part := range strings.SplitSeq(name, ".") {
		if part == "" || strings.IndexFunc(part, func(r rune) bool {
			return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_'
		}) >= 0 {
			return false
		}
	}
	return true
}

// runs says that an instance would run a value as a script.
func runs(value string) bool {
	blank := strings.TrimLeftFunc(value, func(r rune) bool { return r <= ' ' || r == '\u00a0' || r == '\ufeff' })
	const word = "javascript:"
	return len(blank) >= len(word) && strings.EqualFold(blank[:len(word)], word)
}

// Query is an encoded query in the making. The zero value asks for all rows. Each
// method gives a new one.
type Query struct {
	// groups are joined by ^NQ: rows of any of them are found.
	groups []string
	order  []string
	err    error
}

// Where asks for rows on which all conditions hold.
func Where(conditions ...Condition) Query { return Query{}.And(conditions...) }

// Encoded takes a query that a person has encoded. It refuses javascript: anywhere
// in it: an encoded query does not tell where its values begin.
func Encoded(text string) Query {
	if strings.Contains(strings.ToLower(text), "javascript:") {
		return Query{err: &QueryError{Field: "", Reason: "javascript: in a query is run by the server"}}
	}
	var q Query
	for _, g := range groupsOf(text) {
		q.groups = append(q.groups, strings.TrimSuffix(g, "^EQ"))
	}
	return q
}

// groupsOf cuts a query at each ^NQ; in ^^NQ the ^ belongs to a value.
func groupsOf(text string) []string {
	var out []string
	from := 0
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] != '^':
		case strings.HasPrefix(text[i:], "^^"):
			i++
		case strings.HasPrefix(text[i:], "^NQ"):
			out = append(out, text[from:i])
			from = i + len("^NQ")
		}
	}
	return append(out, text[from:])
}

// Fields names the fields on which the query has conditions: none of them may be
// missing from the rows that it finds.
func (q Query) Fields() []string {
	var out []string
	for _, g := range q.groups {
		for clause := range strings.SplitSeq(strings.ReplaceAll(g, "^^", ""), "^") {
			clause = strings.TrimPrefix(clause, "OR")
			end := strings.IndexFunc(clause, func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '_' && r != '.' })
			if end > 0 && (clause[0] < '0' || clause[0] > '9') && isField(clause[:end]) && !slices.Contains(out, clause[:end]) {
				out = append(out, clause[:end])
			}
		}
	}
	return out
}

// sorted says whether the query has an order of its own, before any that is added.
func (q Query) sorted() bool {
	for _, g := range q.groups {
		g = "^" + strings.ReplaceAll(g, "^^", "")
		if strings.Contains(g, "^ORDERBY") || strings.Contains(g, "^GROUPBY") {
			return true
		}
	}
	return len(q.order) > 0
}

// And narrows the query, in each of its groups: what stands before a ^NQ does not
// carry over.
func (q Query) And(conditions ...Condition) Query {
	q.groups = slices.Clone(q.groups)
	if len(q.groups) == 0 {
		q.groups = []string{""}
	}
	for _, c := range conditions {
		if q.err == nil {
			q.err = c.err
		}
		for i, g := range q.groups {
			q.groups[i] = join(g, c.text)
		}
	}
	return q
}

// Or widens the query by the rows of another; its own order stays. With one that
// asks for all rows it asks for all.
func (q Query) Or(other Query) Query {
	if q.err == nil {
		q.err = other.err
	}
	if len(q.groups) == 0 || len(other.groups) == 0 {
		q.groups = nil
		return q
	}
	q.groups = slices.Concat(q.groups, other.groups)
	return q
}

// OrderBy sorts by fields, after those that it is sorted by already; a - before a
// field turns its order round.
func (q Query) OrderBy(fields ...string) Query {
	q.order = slices.Clone(q.order)
	for _, f := range fields {
		word, name := "ORDERBY", f
		if back, ok := strings.CutPrefix(f, "-"); ok {
			word, name = "ORDERBYDESC", back
		}
		if !isField(name) && q.err == nil {
			q.err = &QueryError{Field: name, Reason: "this is not the name of a field"}
		}
		q.order = append(q.order, word+name)
	}
	return q
}

// Encode gives the value of sysparm_query, before percent-encoding; empty: all rows.
func (q Query) Encode() (string, error) {
	if q.err != nil {
		return "", q.err
	}
	groups := q.groups
	if slices.Contains(groups, "") {
		groups = nil // one group of all rows
	}
	return join(strings.Join(groups, "^NQ"), strings.Join(q.order, "^")), nil
}

// join puts two parts of a query together; either may be empty.
func join(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "^" + b
}
