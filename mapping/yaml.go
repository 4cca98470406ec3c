package mapping

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// loader reads one file and collects every problem that it has.
type loader struct {
	file     string
	lines    []string
	vars     map[string]any
	maps     map[string]table
	problems Problems
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
	l.quotes(doc.Content[0])
	return doc.Content[0]
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

// syntax names the line of a YAML slip and what is probably wrong with it.
func (l *loader) syntax(err error) {
	at := l.broken()
	message := strings.TrimPrefix(err.Error(), "yaml: ")
	if _, rest, ok := strings.Cut(message, ": "); ok && strings.HasPrefix(message, "line ") {
		message = rest
	}
	line := ""
	if at <= len(l.lines) {
		line = l.lines[at-1]
	}
	column := len(line) - len(strings.TrimLeft(line, " ")) + 1
	hint := "look for quotes, blanks and brackets"
	switch body := strings.TrimSpace(line); {
	case strings.Contains(line, "\t"):
		column, hint = strings.Index(line, "\t")+1, "YAML takes blanks, not tabs"
	case regexp.MustCompile(`:\s*\{\{`).MatchString(body):
		column, hint = strings.Index(line, "{{")+1, "text with {{ }} needs quotes"
	case regexp.MustCompile(`\{.*when:[^"']*[\[\]{}]`).MatchString(body):
		column, hint = strings.Index(line, "when:")+1, "an expression with [ ] { } , needs quotes inside { }"
	}
	l.problem(at, column, 1, "this is not YAML: "+message, hint)
}

// broken finds the line of a slip: the shortest beginning of the file such that
// it and all longer ones fail.
func (l *loader) broken() int {
	at := len(l.lines)
	for n := len(l.lines); n > 0; n-- {
		var doc yaml.Node
		if yaml.Unmarshal([]byte(strings.Join(l.lines[:n], "\n")+"\n"), &doc) == nil {
			break
		}
		at = n
	}
	return max(at, 1)
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
	l.problem(n.Line, n.Column, max(len(n.Value), 1), message, hint)
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
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, v := n.Content[i], resolve(n.Content[i+1])
		if key.Kind != yaml.ScalarNode {
			l.problem(key.Line, max(key.Column-1, 1), 2, "a key is a text, not "+kindName(resolve(key)), "text with {{ }} needs quotes")
			continue
		}
		if key.Tag == "!!merge" {
			l.merge(out, v, what)
			continue
		}
		if known != nil && !slices.Contains(known, key.Value) {
			if what != "the file" || !strings.HasPrefix(key.Value, "x-") {
				l.at(key, fmt.Sprintf("unknown key %q", key.Value), didYouMean(key.Value, known))
			}
			continue
		}
		if old, twice := out[key.Value]; twice && old.key.Line >= n.Line {
			l.at(key, fmt.Sprintf("key %q is repeated (first in line %d)", key.Value, old.key.Line), "")
			continue
		}
		out[key.Value] = entry{key, v}
	}
	return out
}

// merge takes over the keys of << that are not set here.
func (l *loader) merge(out map[string]entry, from *yaml.Node, what string) {
	froms := []*yaml.Node{from}
	if from.Kind == yaml.SequenceNode {
		froms = from.Content
	}
	for _, f := range froms {
		for key, e := range l.entries(f, what, nil) {
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
	return n.Value
}

// hash warns of a plain text that YAML has cut at " #".
func (l *loader) hash(n *yaml.Node) {
	if n.Style != 0 || n.Line > len(l.lines) || n.Value == "" {
		return
	}
	line := l.lines[n.Line-1]
	from := min(n.Column-1, len(line))
	rest := line[from:]
	if at := strings.Index(rest, " #"); at >= 0 && strings.HasPrefix(rest, n.Value) && strings.Count(rest[:at], `"`)%2 == 1 {
		l.problem(n.Line, n.Column+at+1, 1, "the line is cut at \" #\": the rest is a comment", "quote it")
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

// word reads one of a few words.
func (l *loader) word(n *yaml.Node, what string, known ...string) string {
	s := l.text(n, what)
	if !slices.Contains(known, s) {
		l.at(n, fmt.Sprintf("%s %q is not known", what, s), didYouMean(s, known))
	}
	return s
}
