package mapping

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// loader reads one file and collects every problem that it has.
type loader struct {
	file     string
	lines    []string
	vars     map[string]any
	maps     map[string]table
	problems Problems
	// reads is the table of the rule that is read just now.
	reads string
}

// table is a named map: its entries are texts, or rows of columns.
type table struct {
	node *yaml.Node
	rows map[string]map[string]string
	flat map[string]string
}

// document parses the file. A slip of YAML itself is found by the shortest
// beginning of the file that fails, since the parser names the wrong line.
func (l *loader) document(src []byte) *yaml.Node {
	decoder := yaml.NewDecoder(bytes.NewReader(src))
	var doc yaml.Node
	err := decoder.Decode(&doc)
	if errors.Is(err, io.EOF) || err == nil && len(doc.Content) == 0 {
		l.problem(1, 1, 1, "the file is empty", "it begins with version: 1")
		return nil
	}
	if err != nil {
		l.syntax(err)
		return nil
	}
	var second yaml.Node
	if err := decoder.Decode(&second); !errors.Is(err, io.EOF) {
		at := 1
		for i, line := range l.lines {
			if i > 0 && strings.HasPrefix(line, "---") {
				at = i + 1
			}
		}
		l.problem(at, 1, 3, "a second document behind ---", "all rules stand in one document")
		return nil
	}
	if n := l.unfolds(doc.Content[0]); n != nil {
		l.problem(n.Line, n.Column, 1, "the alias *"+n.Value+" unfolds without end", "an anchor cannot hold itself, nor a tower of others")
		return nil
	}
	l.quotes(doc.Content[0])
	return doc.Content[0]
}

// unfolds finds an alias that holds itself, or aliases that unfold to a size that
// no rule needs: both would keep the reader busy for ever.
func (l *loader) unfolds(n *yaml.Node) *yaml.Node {
	const most = 100_000
	left := most
	inside := map[*yaml.Node]bool{}
	var walk func(n, alias *yaml.Node) *yaml.Node
	walk = func(n, alias *yaml.Node) *yaml.Node {
		if n.Kind == yaml.AliasNode {
			alias, n = n, resolve(n)
		}
		if left--; alias != nil && (left < 0 || inside[n]) {
			return alias
		}
		inside[n] = true
		defer delete(inside, n)
		for _, inner := range n.Content {
			if bad := walk(inner, alias); bad != nil {
				return bad
			}
		}
		return nil
	}
	return walk(n, nil)
}

// quotes warns of a \n that single quotes keep as it is.
func (l *loader) quotes(n *yaml.Node) {
	for _, inner := range n.Content {
		l.quotes(inner)
	}
	if n.Kind == yaml.ScalarNode && n.Style == yaml.SingleQuotedStyle && strings.Contains(n.Value, `\n`) {
		line, column := l.place(n, `\n`)
		l.problem(line, column, 2, `\n in single quotes stays \n`, "use double quotes")
		l.problems[len(l.problems)-1].Warning = true
	}
}

func (l *loader) problem(line, column, width int, message, hint string) {
	p := Problem{File: l.file, Line: line, Column: column, Width: width, Message: message, Hint: hint}
	if line > 0 && line <= len(l.lines) {
		p.Excerpt = l.lines[line-1]
	}
	l.problems = append(l.problems, p)
}

// at adds a problem at a node.
func (l *loader) at(n *yaml.Node, message, hint string) {
	width := utf8.RuneCountInString(n.Value)
	if n.Kind != yaml.ScalarNode || strings.Contains(n.Value, "\n") {
		width = 1
	}
	l.problem(n.Line, n.Column, max(width, 1), message, hint)
}

func (l *loader) warn(n *yaml.Node, message, hint string) {
	l.at(n, message, hint)
	l.problems[len(l.problems)-1].Warning = true
}

// entry is one key of a mapping with its value.
type entry struct{ key, value *yaml.Node }

// entries reads a mapping: aliases and merge keys resolved, repeated and unknown
// keys named. known nil: any key.
func (l *loader) entries(n *yaml.Node, what string, known []string) map[string]entry {
	out := map[string]entry{}
	n = resolve(n)
	if n.Kind != yaml.MappingNode {
		l.at(n, what+" is a set of keys, not "+kindName(n), "")
		return out
	}
	var merged []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, v := resolve(n.Content[i]), resolve(n.Content[i+1])
		switch old, twice := out[key.Value]; {
		case key.Kind != yaml.ScalarNode:
			l.problem(key.Line, max(key.Column-1, 1), 2, "a key is a text, not "+kindName(key), "text with {{ }} needs quotes")
		case key.Tag == "!!merge":
			merged = append(merged, v)
		case known != nil && !slices.Contains(known, key.Value):
			if what != "the file" || !strings.HasPrefix(key.Value, "x-") {
				l.at(key, fmt.Sprintf("unknown key %q", key.Value), l.instead(what, key.Value, known))
			}
		case twice:
			l.at(key, fmt.Sprintf("key %q is repeated (first in line %d)", key.Value, old.key.Line), "")
		default:
			out[key.Value] = entry{key, v}
		}
	}
	for _, from := range merged {
		l.merge(out, from, what, known)
	}
	return out
}

// instead says what to write for a key that is not known.
func (l *loader) instead(what, key string, known []string) string {
	if key == "text" && strings.HasPrefix(what, "notes") {
		return "the bridge writes a note's first line and its text: leave it out"
	}
	if strings.Contains(key, ")") {
		return "an expression with [ ] { } , needs quotes inside { }"
	}
	return didYouMean(key, known)
}

// merge takes over the keys of << that are not set here.
func (l *loader) merge(out map[string]entry, from *yaml.Node, what string, known []string) {
	froms := []*yaml.Node{from}
	if from.Kind == yaml.SequenceNode {
		froms = from.Content
	}
	for _, f := range froms {
		for key, e := range l.entries(f, what, known) {
			if _, there := out[key]; !there {
				out[key] = e
			}
		}
	}
}

func resolve(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

func kindName(n *yaml.Node) string {
	switch n.Kind { //nolint:exhaustive // a document and an alias are resolved before
	case yaml.MappingNode:
		return "a set of keys"
	case yaml.SequenceNode:
		return "a list"
	}
	return "the text " + strconv.Quote(n.Value)
}

// text reads a scalar as it is written.
func (l *loader) text(n *yaml.Node, what string) string {
	if n = resolve(n); n.Kind != yaml.ScalarNode {
		l.at(n, what+" is a text, not "+kindName(n), "")
		return ""
	}
	l.hash(n)
	if n.Tag == "!!null" {
		return ""
	}
	return n.Value
}

// hash finds a plain text that YAML has cut at " #" inside quotes of its own.
func (l *loader) hash(n *yaml.Node) {
	if n.Style != 0 || n.Line > len(l.lines) || n.Value == "" {
		return
	}
	line := []rune(l.lines[n.Line-1])
	rest := string(line[min(max(n.Column-1, 0), len(line)):])
	kept, _, cut := strings.Cut(rest, " #")
	if !cut || !strings.HasPrefix(rest, n.Value) {
		return
	}
	if strings.Count(kept, `"`)%2 == 1 || strings.Count(kept, "{{") > strings.Count(kept, "}}") {
		l.problem(n.Line, n.Column+utf8.RuneCountInString(kept)+1, 1, "the line is cut at \" #\": the rest is a comment", "quote it: all of it in single quotes")
	}
}

// texts reads a scalar or a list of them.
func (l *loader) texts(n *yaml.Node, what string) []string {
	n = resolve(n)
	if n.Kind != yaml.SequenceNode {
		return []string{l.text(n, what)}
	}
	var out []string
	for _, item := range n.Content {
		out = append(out, l.text(item, what))
	}
	return out
}

// field reads the name of a field of the record, and warns of one that its table
// does not have.
func (l *loader) field(n *yaml.Node, what string) string {
	path := l.text(n, what)
	if n = resolve(n); n.Kind != yaml.ScalarNode {
		return path
	}
	if !isField(path) {
		l.at(n, fmt.Sprintf("%s names a field, and %q is none", what, path), "write FIELD, or REFERENCE.FIELD")
		return path
	}
	if odd, found := stranger(l.reads, path); found {
		line, column := l.place(n, path)
		l.problem(line, column+odd.at, len(odd.column), odd.table+" has no column "+odd.column, odd.hint)
		l.problems[len(l.problems)-1].Warning = true
	}
	return path
}

// fields reads one field's name or a list of them.
func (l *loader) fields(n *yaml.Node, what string) []string {
	n = resolve(n)
	if n.Kind != yaml.SequenceNode {
		return []string{l.field(n, what)}
	}
	var out []string
	for _, item := range n.Content {
		out = append(out, l.field(item, what))
	}
	return out
}

// isField tells a field's path from anything else.
func isField(path string) bool {
	for part := range strings.SplitSeq(path, ".") {
		if part == "" || strings.Trim(part, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" {
			return false
		}
	}
	return true
}

// word reads one of a few words.
func (l *loader) word(n *yaml.Node, what string, known ...string) string {
	s := l.text(n, what)
	if !slices.Contains(known, s) {
		l.at(n, fmt.Sprintf("%s %q is not known", what, s), didYouMean(s, known))
	}
	return s
}
