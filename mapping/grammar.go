package mapping

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// reader compiles the VALUEs of one rule.
type reader struct {
	*loader
	side string
	// kind is what the field takes: literals are checked in every branch.
	kind  sort
	title bool
	path  string
}

// value compiles one VALUE.
func (r *reader) value(n *yaml.Node) value {
	switch n = resolve(n); n.Kind { //nolint:exhaustive // an alias is resolved
	case yaml.SequenceNode:
		var out first
		for _, item := range n.Content {
			out = append(out, r.value(item))
		}
		if len(out) == 0 {
			r.at(n, "an empty list gives nothing", "")
		}
		return out
	case yaml.MappingNode:
		return r.block(n)
	}
	return r.template(n)
}

// block compiles { when, value | lines, map, default, limit }.
func (r *reader) block(n *yaml.Node) value {
	keys := r.entries(n, r.path, []string{"when", "value", "lines", "map", "default", "limit"})
	b := &block{line: n.Line}
	_, hasValue := keys["value"]
	_, hasLines := keys["lines"]
	if hasValue == hasLines && len(keys) > 0 {
		r.at(n, r.path+" needs value: or lines:, one of them", "")
	}
	if e, ok := keys["when"]; ok {
		b.when = r.condition(e.value, r.side)
	}
	_, b.mapped = keys["map"]
	inside := *r
	if b.mapped {
		inside.kind = plain // the map's entries are what the field gets
	}
	if hasValue {
		b.inner = inside.value(keys["value"].value)
	}
	if e, ok := keys["lines"]; ok {
		inside.kind = plain
		for _, item := range resolve(e.value).Content {
			b.lines = append(b.lines, inside.value(item))
		}
	}
	if e, ok := keys["map"]; ok {
		b.table = r.mapping(e.value)
		if e.value.Kind == yaml.ScalarNode {
			b.named = e.value.Value
		}
	}
	if e, ok := keys["default"]; ok {
		b.other = r.value(e.value)
	}
	if e, ok := keys["limit"]; ok {
		limit, err := strconv.Atoi(e.value.Value)
		if err != nil || limit <= 0 {
			r.at(e.value, "limit is a number of characters", "limit: 200")
		}
		b.limit = limit
	}
	return b
}

// mapping reads the map of a block: written there, or NAME, or NAME.COLUMN.
func (r *reader) mapping(n *yaml.Node) map[string]string {
	if n.Kind == yaml.MappingNode {
		return r.inline(n)
	}
	name, column, _ := strings.Cut(r.text(n, "map"), ".")
	t, known := r.maps[name]
	if !known {
		var names []string
		for have := range r.maps {
			names = append(names, have)
		}
		slices.Sort(names)
		r.at(n, "map "+name+" is not known", didYouMean(name, names))
		return nil
	}
	if column == "" {
		if len(t.rows) > 0 {
			r.at(n, "map "+name+" has columns", "write "+name+".COLUMN")
		}
		r.entriesFit(n, name, t.flat)
		return t.flat
	}
	out := map[string]string{}
	for key, row := range t.rows {
		cell, ok := row[column]
		if !ok {
			r.at(n, fmt.Sprintf("entry %q of map %s has no column %s", key, name, column), "")
			return nil
		}
		out[key] = cell
	}
	r.entriesFit(n, name, out)
	return out
}

// inline reads a map that is written where it is used.
func (r *reader) inline(n *yaml.Node) map[string]string {
	t := r.table(n, "map")
	for key, e := range r.entries(n, "map", nil) {
		if resolve(e.value).Kind == yaml.MappingNode {
			r.at(e.key, "entry "+key+" is a row: a map of rows is named under maps:", "")
			continue
		}
		before := len(r.problems)
		r.literal(e.value)
		for i := range r.problems[before:] {
			p := &r.problems[before+i]
			p.Message = strings.Replace(p.Message, "this gives", "this entry gives", 1)
		}
	}
	return t.flat
}

// entriesFit checks that what a named map gives is what the field takes.
func (r *reader) entriesFit(n *yaml.Node, name string, entries map[string]string) {
	for key, v := range entries {
		if _, err := r.kind.convert(v); err != nil && v != "" {
			r.at(n, fmt.Sprintf("map %s, entry %q: %v", name, key, err), "")
		}
	}
}

// literal checks a text without expressions against what the field takes.
func (r *reader) literal(n *yaml.Node) {
	n = resolve(n)
	if _, err := r.kind.convert(n.Value); err != nil && n.Value != "" {
		hint := ""
		if r.kind == ticketType {
			hint = didYouMean(n.Value, ticketTypes())
			if !strings.HasPrefix(hint, "known") {
				hint += "  (" + strings.Join(ticketTypes(), ", ") + ")"
			}
		}
		r.at(n, err.Error(), hint)
	}
}

// template compiles TEXT with {{ EXPR }}.
func (r *reader) template(n *yaml.Node) value {
	before := len(r.problems)
	source := r.text(n, r.path)
	t := &template{line: n.Line, texts: []string{""}}
	if len(r.problems) > before {
		return t
	}
	t.texts = nil
	rest := strings.TrimSpace(source)
	for {
		before, after, open := strings.Cut(rest, "{{")
		if !open {
			t.texts = append(t.texts, rest)
			break
		}
		inner, behind, closed := strings.Cut(after, "}}")
		if !closed {
			r.at(n, "{{ is not closed", "write {{ … }}")
			t.texts = append(t.texts, rest)
			return t
		}
		t.texts = append(t.texts, before)
		e := r.expression(n, strings.TrimSpace(inner), r.side, false)
		if e != nil {
			r.bare(n, e)
			t.exprs = append(t.exprs, e)
		} else {
			t.texts = t.texts[:len(t.texts)-1]
		}
		rest = behind
	}
	if len(t.exprs) == 0 && !strings.Contains(source, "{{") {
		r.literal(n)
	}
	r.begins(n, t, source)
	return t
}

// bare warns of a reference whose sys_id would stand in the text.
func (r *reader) bare(n *yaml.Node, e *expression) {
	better, ok := references()[strings.TrimPrefix(e.source, "record.")]
	if !ok || len(e.paths) != 1 || !strings.HasPrefix(e.paths[0], "record/") {
		return
	}
	line, column := r.place(n, e.source)
	if before := []rune(r.lines[line-1]); column <= len(before) {
		if open := strings.LastIndex(string(before[:column-1]), "{{"); open >= 0 {
			column = utf8.RuneCountInString(string(before[:column-1])[:open]) + 1
		}
	}
	r.problem(line, column, 1, e.source+" is a reference: its value is a sys_id", "did you mean "+better+"?")
	r.problems[len(r.problems)-1].Warning = true
}

// begins checks that a title begins with the record's number.
func (r *reader) begins(n *yaml.Node, t *template, source string) {
	if !r.title || len(t.exprs) > 0 && t.texts[0] == "" && t.exprs[0].source == "number" {
		return
	}
	line, column := r.place(n, source)
	r.problem(line, column-1, 1, "the title must begin with {{ number }}: people find the record by it", `"{{ number }}: `+strings.TrimPrefix(source, "{{ number }}")+`"`)
}
