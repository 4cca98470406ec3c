package config

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"gopkg.in/yaml.v3"
)

// Braces of a ${NAME} while the file is parsed. Without them an administrator
// would have to know that { } has YAML's own meaning inside { }.
const opening, closing = "\ue000", "\ue001"

// shield hides the braces of each ${NAME} from YAML, and keeps every column.
func shield(src []byte) []byte {
	return regexp.MustCompile(`\$\$|\$\{[^{}\s"',]*\}`).ReplaceAllFunc(src, func(found []byte) []byte {
		name, braced := strings.CutPrefix(string(found), "${")
		if !braced {
			return found
		}
		return []byte("$" + opening + strings.TrimSuffix(name, "}") + closing)
	})
}

// unshield gives the values of a parsed file their braces back.
func unshield(node *yaml.Node) {
	node.Value = strings.NewReplacer(opening, "{", closing, "}").Replace(node.Value)
	for _, child := range node.Content {
		unshield(child)
	}
}

// expand puts the environment's values where ${NAME} stands. $$ is a dollar; a
// dollar before anything else is one too, since passwords are full of them.
func (r *reader) expand(text string) (string, error) {
	var out strings.Builder
	for {
		before, after, found := strings.Cut(text, "$")
		out.WriteString(before)
		switch {
		case !found:
			return out.String(), nil
		case strings.HasPrefix(after, "$"):
			out.WriteByte('$')
			text = after[1:]
		case strings.HasPrefix(after, "{"):
			name, rest, closed := strings.Cut(after[1:], "}")
			if !closed {
				return "", errors.New("${ has no closing }: a dollar sign itself is $$")
			}
			set, err := r.variable(name)
			if err != nil {
				return "", err
			}
			out.WriteString(set)
			text = rest
		default:
			out.WriteByte('$')
			text = after
		}
	}
}

func (r *reader) variable(name string) (string, error) {
	if !isName(name) {
		return "", fmt.Errorf("${%s} is no name of a variable", name)
	}
	set, ok := r.env(name)
	if !ok {
		return "", fmt.Errorf("${%s} is not set in the environment", name)
	}
	return set, nil
}

func isName(s string) bool {
	for i, c := range s {
		letter := c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}
