package mapping

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// Load parses, checks and compiles a mappings.yaml, and names all problems of it
// at once. There are no rules while one of them is an error. vars are those of
// bridge.yaml; they stand before the file's own.
func Load(file string, src []byte, vars map[string]any) (*Rules, Problems) {
	l := &loader{file: file, lines: strings.Split(strings.ReplaceAll(string(src), "\r\n", "\n"), "\n"), vars: map[string]any{}, maps: map[string]table{}}
	rules := &Rules{}
	if root := l.document(src); root != nil {
		l.root(root, rules, vars)
	}
	l.problems = l.problems.sorted()
	if l.problems.Errors() > 0 {
		return nil, l.problems
	}
	sum := sha256.New()
	sum.Write(src)
	for _, name := range slices.Sorted(maps.Keys(l.vars)) {
		sum.Write(fmt.Appendf(nil, "\x00%s=%v", name, l.vars[name]))
	}
	rules.Hash = hex.EncodeToString(sum.Sum(nil))[:12]
	return rules, l.problems
}

func (l *loader) root(n *yaml.Node, rules *Rules, vars map[string]any) {
	keys := l.entries(n, "the file", []string{"version", "vars", "maps", "tickets", "elevations"})
	if v, ok := keys["version"]; !ok {
		l.at(n, "version is missing", "the file begins with version: 1")
	} else if v.value.Value != "1" {
		l.at(v.value, "version "+v.value.Value+" is not known", "this bridge reads version: 1")
	}
	l.readVars(keys, vars)
	if m, ok := keys["maps"]; ok {
		for name, e := range l.entries(m.value, "maps", nil) {
			l.maps[name] = l.table(e.value, "map "+name)
		}
	}
	names := map[string]int{}
	var sources []*Source
	each := func(key string, read func(*yaml.Node) *Source) {
		e, ok := keys[key]
		if !ok {
			return
		}
		if e.value.Kind != yaml.SequenceNode {
			l.at(e.value, key+" is a list of rules", "- name: …")
			return
		}
		for _, item := range e.value.Content {
			s := read(resolve(item))
			if line, twice := names[s.Name]; twice && s.Name != "" {
				l.at(item, fmt.Sprintf("rule %q is there twice (first in line %d)", s.Name, line), "every rule has a name of its own")
			}
			names[s.Name] = s.Line
			sources = append(sources, s)
		}
	}
	each("tickets", func(n *yaml.Node) *Source {
		r := l.ticketRule(n)
		rules.Tickets = append(rules.Tickets, r)
		return &r.Source
	})
	each("elevations", func(n *yaml.Node) *Source {
		r := l.elevationRule(n)
		rules.Elevations = append(rules.Elevations, r)
		return &r.Source
	})
	l.former(sources, names)
	if len(rules.Tickets)+len(rules.Elevations) == 0 && len(l.problems) == 0 {
		l.at(n, "there is no rule in the file", "tickets: or elevations:")
	}
}

// former checks the names that rules had: a link under one must lead to one rule.
func (l *loader) former(sources []*Source, names map[string]int) {
	taken := maps.Clone(names)
	for _, s := range sources {
		for _, was := range s.Was {
			if line, twice := taken[was]; twice {
				l.problem(s.Line, 1, 1, fmt.Sprintf("rule %q: was names %q, which is taken (line %d)", s.Name, was, line), "a former name leads to one rule")
			}
			taken[was] = s.Line
		}
	}
}

// readVars reads the file's vars; null means that bridge.yaml must set it.
func (l *loader) readVars(keys map[string]entry, vars map[string]any) {
	maps.Copy(l.vars, vars)
	e, ok := keys["vars"]
	if !ok {
		return
	}
	for name, v := range l.entries(e.value, "vars", nil) {
		if l.vars[name] != nil {
			continue
		}
		switch {
		case v.value.Kind == yaml.SequenceNode:
			var list []any
			for _, item := range v.value.Content {
				list = append(list, l.text(item, "an item of var "+name))
			}
			l.vars[name] = list
		case v.value.Tag == "!!null":
			l.at(v.key, "var "+name+" must be set in bridge.yaml", "vars: { "+name+": … }")
			l.vars[name] = ""
		default:
			l.vars[name] = l.text(v.value, "var "+name)
		}
	}
}

// table reads a map: texts, or rows of columns. Keys are the text as written.
func (l *loader) table(n *yaml.Node, what string) table {
	t := table{node: n, rows: map[string]map[string]string{}, flat: map[string]string{}}
	seen := map[string]string{}
	entries := l.entries(n, what, nil)
	for _, key := range slices.Sorted(maps.Keys(entries)) {
		e := entries[key]
		folded := strings.ToLower(strings.TrimSpace(key))
		if other, twice := seen[folded]; twice {
			l.at(e.key, fmt.Sprintf("entry %q stands beside %q: keys are compared in any case", key, other), "")
		}
		seen[folded] = key
		if e.value.Kind == yaml.MappingNode {
			row := map[string]string{}
			for column, cell := range l.entries(e.value, "a row of "+what, nil) {
				row[column] = l.text(cell.value, "a cell of "+what)
			}
			t.rows[folded] = row
			continue
		}
		t.flat[folded] = l.text(e.value, "an entry of "+what)
	}
	return t
}

// duration reads 8h, 30m, 7d.
func (l *loader) duration(n *yaml.Node, what string) time.Duration {
	raw := l.text(n, what)
	if days, ok := strings.CutSuffix(raw, "d"); ok {
		if d, err := strconv.ParseFloat(days, 64); err == nil && d > 0 {
			return time.Duration(d * 24 * float64(time.Hour))
		}
	}
	d, err := time.ParseDuration(raw)
	if err != nil || d <= 0 {
		l.at(n, fmt.Sprintf("%s %q is no duration", what, raw), "write 30m, 8h or 7d")
	}
	return d
}

// condition compiles an expression that is true or false.
func (l *loader) condition(n *yaml.Node, side string) *expression {
	before := len(l.problems)
	source := l.text(n, "a condition")
	if len(l.problems) > before {
		return nil
	}
	return l.expression(n, source, side, true)
}

// expression compiles an expression that stands in a node, and places its slips.
func (l *loader) expression(n *yaml.Node, source, side string, condition bool) *expression {
	e, slips := compile(source, condition, language{side: side, table: l.reads, vars: l.vars})
	line, column := l.place(n, source)
	for _, s := range slips {
		l.problem(line, column+s.at, s.width, s.message, s.hint)
		l.problems[len(l.problems)-1].Warning = s.warning
	}
	if e != nil {
		e.line = line
	}
	return e
}

// place finds where a text of a node stands in the file: quoting and blocks move
// it. Columns count characters.
func (l *loader) place(n *yaml.Node, source string) (line, column int) {
	first, _, _ := strings.Cut(source, "\n")
	block := n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0
	for at := n.Line; at <= min(n.Line+40, len(l.lines)); at++ {
		text, from := []rune(l.lines[at-1]), 0
		if at == n.Line {
			from = min(max(n.Column-1, 0), len(text))
		}
		rest := string(text[from:])
		if before, _, found := strings.Cut(rest, first); found {
			return at, from + utf8.RuneCountInString(before) + 1
		}
		if !block && at > n.Line {
			break
		}
	}
	return n.Line, n.Column
}
