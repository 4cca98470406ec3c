package mapping

import (
	"regexp"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

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
	column, hint := guess(line, message)
	l.problem(at, column, 1, "this is not YAML: "+message, hint)
}

// guess looks at a line that YAML does not take as an administrator would: what
// was meant, and where does it begin?
func guess(line, message string) (column int, hint string) {
	outside := unquoted(line)
	value := `^(\s*(?:- +)*[\w.-]+:\s+)`
	for _, known := range []struct{ pattern, hint string }{
		{`^( *)\t`, "YAML takes blanks, not tabs"},
		{`^([^\t]*)\t`, "YAML takes blanks, not tabs"},
		{`^([^"{]*:\s*)\{\{`, "text with {{ }} needs quotes"},
		{`^(.*\{.*when:\s*)[^"'\s][^},]*[\[{]`, "an expression with [ ] { } , needs quotes inside { }"},
		{value + `"[^"]*" *[^\s#,]`, "put all of it into single quotes: '…'"},
		{value + "[@`%]", "a text that begins with @ ` or % needs quotes"},
		{value + `\*`, "an alias needs its anchor: &NAME; a text that begins with * needs quotes"},
		{value + `[^"'\[{&*|>#\s].*: `, "a text with a colon in it needs quotes"},
		{`^( *(?:- +)*)[\w.-]+:[^\s]`, "a blank is missing behind the colon: KEY: VALUE"},
	} {
		if m := regexp.MustCompile(known.pattern).FindStringSubmatch(outside); m != nil {
			return utf8.RuneCountInString(m[1]) + 1, known.hint
		}
	}
	column = len(line) - len(strings.TrimLeft(line, " ")) + 1
	switch {
	case strings.Count(outside, `"`)%2 == 1:
		return utf8.RuneCountInString(line[:strings.LastIndex(outside, `"`)]) + 1, "a quote is not closed"
	case strings.Contains(message, "escape"):
		return utf8.RuneCountInString(line[:max(strings.Index(line, `\`), 0)]) + 1, `a \ in double quotes is written \\, or use single quotes`
	case strings.Count(outside, "[") != strings.Count(outside, "]"):
		return utf8.RuneCountInString(line[:max(strings.LastIndexAny(outside, "[]"), 0)]) + 1, "a [ or ] is missing"
	case strings.Count(outside, "{") != strings.Count(outside, "}"):
		return utf8.RuneCountInString(line[:max(strings.LastIndexAny(outside, "{}"), 0)]) + 1, "a { or } is missing"
	case strings.ContainsAny(outside, "[{"):
		return column, "a comma is missing between two entries, or a text needs quotes"
	case strings.TrimSpace(line) != "" && !strings.Contains(outside, ":"):
		return column, "write KEY: VALUE"
	}
	return column, "look at the blanks before it: entries of one set begin in the same column"
}

// unquoted blanks out what stands in quotes that are closed, and the comment: the
// same length, without what YAML does not look into.
func unquoted(line string) string {
	out := []byte(line)
	for i := 0; i < len(out); i++ {
		if out[i] == '#' && i > 0 && out[i-1] == ' ' {
			return string(out[:i])
		}
		if out[i] != '"' && out[i] != '\'' {
			continue
		}
		end := quoteEnd(line, i)
		if end < 0 || out[i] == '\'' && i > 0 && out[i-1] != ' ' && out[i-1] != '[' && out[i-1] != '{' {
			continue
		}
		for j := i + 1; j < end; j++ {
			out[j] = '_'
		}
		i = end
	}
	return string(out)
}

// quoteEnd finds the end of the quotes that begin at a place; -1: they stay open.
func quoteEnd(line string, from int) int {
	for i := from + 1; i < len(line); i++ {
		if line[i] == '\\' && line[from] == '"' {
			i++
			continue
		}
		if line[i] == line[from] {
			return i
		}
	}
	return -1
}

// broken finds the line of a slip: the shortest beginning of the file such that it
// and all longer ones fail. The parser's own line is wrong about every other time.
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
