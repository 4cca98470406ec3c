package mapping

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"gopkg.in/yaml.v3"
)

// query reads a query or a list of its parts, fills in vars, and refuses what an
// instance would run, what would take every record, and what we cannot evaluate.
func (l *loader) query(n *yaml.Node, when *expression) Query {
	n = resolve(n)
	items := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		items = n.Content
	}
	parts := make([]string, len(items))
	for i, item := range items {
		parts[i] = l.part(resolve(item))
	}
	q := parseQuery(strings.Join(parts, "^"))
	where := func(text string) *yaml.Node {
		for i, part := range parts {
			if strings.Contains(part, text) {
				return resolve(items[i])
			}
		}
		return n
	}
	for _, c := range q.left {
		l.warn(where(c), c+" is left out: the bridge reads its pages in an order of its own", "")
	}
	for _, group := range q.groups {
		if len(group) == 0 {
			l.at(n, "an empty query takes every record of the table", "[active=true, assignment_group.name=…]")
		}
		for _, some := range group {
			for _, c := range some {
				l.clause(where(c.text), c, when)
			}
		}
	}
	return q
}

// clause checks one clause.
func (l *loader) clause(n *yaml.Node, c clause, when *expression) {
	line, column := l.place(n, c.text)
	tell := func(at int, message, hint string) {
		l.problem(line, column+at, max(len(c.text)-at, 1), message, hint)
	}
	value := strings.TrimSpace(strings.ToLower(c.value))
	switch {
	case c.field == "" || c.unsure && c.rest == "":
		tell(0, fmt.Sprintf("%q is no condition: FIELD, OPERATOR, VALUE", c.text), "a comma inside [ ] begins a new part: quote the whole part")
		return
	case strings.Contains(strings.ToLower(c.text), "javascript:"):
		tell(0, "javascript: in a query is run by the server", "write the value itself")
		return
	case c.unsure && (when == nil || !slices.Contains(when.paths, "record/"+c.field)):
		tell(0, fmt.Sprintf("%q cannot be evaluated here, so a row that slips through would not be noticed", c.text),
			"use = != < > IN LIKE STARTSWITH ENDSWITH ISEMPTY BETWEEN, or name "+c.field+" in when:")
		return
	case c.operator == "BETWEEN" && !strings.Contains(c.value, "@"):
		tell(0, "BETWEEN takes two values", c.field+"BETWEENlow@high")
	case slices.Contains([]string{"IN", "NOT IN", "LIKE", "NOT LIKE", "STARTSWITH", "ENDSWITH"}, c.operator) && value == "":
		tell(0, fmt.Sprintf("%q has no value", c.text), "name it, or use ISEMPTY")
	}
	if odd, found := stranger(l.reads, c.field); found {
		tell(odd.at, odd.table+" has no column "+odd.column, odd.hint)
		l.problems[len(l.problems)-1].Warning = true
	}
	better, known := references()[c.field]
	if known && value != "" && slices.Contains([]string{"=", "!=", "IN", "NOT IN"}, c.operator) && !isSysID(strings.Split(value, ",")[0]) {
		tell(0, c.field+" is a reference: its value is a sys_id", "did you mean "+strings.SplitN(better, ".", 2)[0]+".name?")
		l.problems[len(l.problems)-1].Warning = true
	}
}

// part fills the vars of one part of a query.
func (l *loader) part(n *yaml.Node) string {
	text := strings.TrimRight(l.text(n, "a part of the query"), "\n") // a block's last line break is not of its text
	if l.blanks(n, text) {
		text = strings.NewReplacer("^ ", "^", " ^", "^").Replace(text)
	}
	var out strings.Builder
	for {
		before, after, open := strings.Cut(text, "{{")
		out.WriteString(before)
		if !open {
			l.oneLine(n, out.String())
			return out.String()
		}
		inner, rest, closed := strings.Cut(after, "}}")
		if !closed {
			l.at(n, "{{ is not closed", "write {{ vars.NAME }}")
			return out.String()
		}
		out.WriteString(l.fill(n, strings.TrimSpace(inner)))
		text = rest
	}
}

// oneLine refuses what cannot be seen: no value of a record holds it.
func (l *loader) oneLine(n *yaml.Node, text string) {
	if strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' }) {
		l.at(n, fmt.Sprintf("%q has a line break or a control character in it, which would be part of a value", text), "one line, or a list: [active=true, …]")
	}
}

// fill gives a var as it stands in a query: a list is joined for IN, and a ^ in it
// is doubled.
func (l *loader) fill(n *yaml.Node, inner string) string {
	name, isVar := strings.CutPrefix(inner, "vars.")
	v, known := l.vars[name]
	if !isVar {
		l.at(n, "{{ "+inner+" }} in a query: only vars can stand there", "the record is not known before it is asked for")
		return ""
	}
	if !known {
		l.at(n, "var "+name+" is not set", didYouMeanVar(name, l.vars))
		return ""
	}
	if flat(v) == "" {
		l.at(n, "var "+name+" is empty: the query would mean something else", "set it under vars: here or in bridge.yaml")
	}
	for _, item := range items(v) {
		if isList(v) && strings.Contains(fmt.Sprint(item), ",") {
			l.at(n, fmt.Sprintf("%q in var %s holds a comma, which IN cannot escape", item, name), "use ^OR, or the sys_id")
		}
	}
	return strings.ReplaceAll(flat(v), "^", "^^")
}

// blanks finds blanks around ^, which would become part of a field's name.
func (l *loader) blanks(n *yaml.Node, text string) (some bool) {
	for _, blank := range []string{"^ ", " ^"} {
		before, next, found := strings.Cut(text, blank)
		if !found {
			continue
		}
		some = true
		line, column := l.place(n, text)
		hint := ""
		if n.Style&yaml.FoldedStyle == 0 && line <= len(l.lines) && strings.Contains(l.lines[line-1], text) {
			column += len([]rune(before)) + len(blank) - 1
		} else {
			line, column, hint = n.Line, n.Column, "write a list: [active=true, …]; it is joined with ^"
		}
		next = strings.TrimLeft(next, "^ ")
		if end := strings.IndexAny(next, "=^! "); end > 0 {
			next = next[:end]
		}
		l.problem(line, column, 1, fmt.Sprintf("a blank before %q: the query would mean something else", next), hint)
	}
	return some
}
