package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// reader gathers what bridge.yaml and the environment say, and what is wrong with it.
type reader struct {
	file, dir string
	env       func(string) (string, bool)
	// written holds what the file sets, by path, the _file twins under their own names.
	written map[string]value
	// found holds what each key was set to in the end.
	found map[string]value
	// groups says where each group of keys stands.
	groups   map[string]place
	problems Problems
}

// slip is where a file stops being YAML.
type slip struct {
	line    int
	message string
}

func (s *slip) in(file string) Problem {
	return Problem{File: file, Line: s.line, Column: 1, Message: s.message}
}

// parse gives the file's one mapping; nil for a file that says nothing.
func parse(src []byte) (*yaml.Node, *slip) {
	src = shield(src)
	decoder := yaml.NewDecoder(bytes.NewReader(src))
	var document, second yaml.Node
	err := decoder.Decode(&document)
	if errors.Is(err, io.EOF) {
		return nil, nil
	}
	if err != nil {
		return nil, broken(src, err)
	}
	err = decoder.Decode(&second)
	switch {
	case err == nil:
		return nil, &slip{line: max(second.Line, 1), message: "a second document: nothing after --- would be read"}
	case !errors.Is(err, io.EOF):
		return nil, broken(src, err)
	}
	unshield(&document)
	root := aliased(document.Content[0])
	if isNull(root) {
		return nil, nil
	}
	if root.Kind != yaml.MappingNode {
		return nil, &slip{line: max(root.Line, 1), message: "keys are expected here, such as itsm: and mmd:"}
	}
	return root, nil
}

// broken says where a file stops being YAML. The parser's own line is often
// another: the shortest beginning of the file that is broken, as all longer ones
// are, ends on the right one.
func broken(src []byte, err error) *slip {
	lines := bytes.SplitAfter(src, []byte("\n"))
	n := min(len(lines), maxLines)
	for ; n > 1; n-- {
		var node yaml.Node
		if yaml.Unmarshal(bytes.Join(lines[:n-1], nil), &node) == nil {
			break
		}
	}
	line := lines[n-1]
	if blanks := line[:len(line)-len(bytes.TrimLeft(line, " \t"))]; bytes.Contains(blanks, []byte("\t")) {
		return &slip{line: n, message: "a tab at the beginning of a line: YAML is indented with blanks"}
	}
	message := regexp.MustCompile(`^yaml: (line \d+: )?`).ReplaceAllString(err.Error(), "")
	return &slip{line: n, message: "this is no YAML: " + message}
}

// maxLines is how far a slip is looked for.
const maxLines = 1000

// walk notes what a group of keys sets, and refuses what it does not know.
func (r *reader) walk(group *yaml.Node, path string, keys []key) {
	r.groups[path] = at(group)
	lines := map[string]int{}
	for i := 0; i+1 < len(group.Content); i += 2 {
		name, node := group.Content[i], aliased(group.Content[i+1])
		if line, again := lines[name.Value]; again {
			r.wrong(at(name), "key %q is repeated: it is set in line %d", name.Value, line)
			continue
		}
		lines[name.Value] = name.Line
		r.entry(name, node, path, keys)
	}
}

// entry takes one key of a group.
func (r *reader) entry(name, node *yaml.Node, group string, keys []key) {
	path := join(group, name.Value)
	known := slices.IndexFunc(keys, func(k key) bool {
		return k.path == path || k.secret && k.path+"_file" == path
	})
	isGroup := slices.ContainsFunc(keys, func(k key) bool { return strings.HasPrefix(k.path, path+".") })
	switch {
	case known < 0 && !isGroup:
		r.wrong(at(name), "unknown key %q: %s", name.Value, meant(group, name.Value, keys))
	case isGroup && isNull(node):
	case isGroup && node.Kind == yaml.MappingNode:
		r.walk(node, path, keys)
		r.groups[path] = at(name)
	case known < 0:
		r.wrong(at(node), "%s is a group of keys: %s", path, strings.Join(siblings(path, keys), ", "))
	case isNull(node) && !keys[known].empty:
	case keys[known].deep:
		r.written[path] = value{at: at(node), node: node}
	case node.Kind != yaml.ScalarNode:
		r.wrong(at(node), "%s is one value, not a list or a group", path)
	default:
		r.scalar(path, node)
	}
}

// scalar takes a value with the environment put in.
func (r *reader) scalar(path string, node *yaml.Node) {
	v := value{at: at(node), shown: node.Value}
	if !isNull(node) {
		text, err := r.expand(node.Value)
		if err != nil {
			r.wrong(v.at, "%s: %v", path, err)
			v.node = node // told already: it was set, and is no value
		}
		v.text = text
	}
	r.written[path] = v
}

func at(node *yaml.Node) place { return place{line: max(node.Line, 1), column: max(node.Column, 1)} }

func isNull(node *yaml.Node) bool { return node.Kind == yaml.ScalarNode && node.Tag == "!!null" }

// aliased is the node that an alias stands for.
func aliased(node *yaml.Node) *yaml.Node {
	for node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	return node
}

// maxNodes is more than vars hold; anchors that repeat each other hold more.
const maxNodes = 10_000

// plain turns vars into values: a scalar is its text as written, null is nil.
func (r *reader) plain(node *yaml.Node, seen *int) (any, error) {
	node = aliased(node)
	if *seen++; *seen > maxNodes {
		return nil, fmt.Errorf("more than %d values", maxNodes)
	}
	switch {
	case isNull(node):
		return nil, nil //nolint:nilnil // null is a value here
	case node.Kind == yaml.ScalarNode:
		return r.expand(node.Value)
	case node.Kind == yaml.SequenceNode:
		list := make([]any, 0, len(node.Content))
		for _, item := range node.Content {
			v, err := r.plain(item, seen)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		return list, nil
	}
	group := map[string]any{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		name := node.Content[i].Value
		if _, again := group[name]; again {
			return nil, fmt.Errorf("key %q is repeated", name)
		}
		v, err := r.plain(node.Content[i+1], seen)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		group[name] = v
	}
	return group, nil
}
