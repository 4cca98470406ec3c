package mapping

import (
	"errors"
	"fmt"
	"strings"

	"github.com/expr-lang/expr"
	exprcheck "github.com/expr-lang/expr/checker"
	"github.com/expr-lang/expr/compiler"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/vm"
)

// scope is what an expression is evaluated in.
type scope struct {
	in   Input
	vars map[string]any
	// unmapped collects values that met no map entry.
	unmapped []Unmapped
	field    string
}

// at gives a field; one that is not there is empty.
func (s *scope) at(path string) string {
	side, field, _ := strings.Cut(path, "/")
	switch side {
	case "record":
		return s.in.Record[field].Value
	case "ticket":
		return s.in.Ticket[field].Value
	case "note":
		return s.in.Note[field].Value
	}
	return ""
}

// expression is one compiled expression.
type expression struct {
	source  string
	line    int
	program *vm.Program
	// paths are the fields that it names, "side/path".
	paths []string
	vars  map[string]any
	// tickets are the paths in ticket_of, labels those in label_of.
	tickets, labels []string
}

// run evaluates an expression. A compiled program is read by many at once.
func (e *expression) run(s *scope) (any, error) {
	s.vars = e.vars
	out, err := expr.Run(e.program, s)
	if where, ok := errors.AsType[*file.Error](err); ok {
		return nil, errors.New(where.Message)
	}
	return out, err
}

// holds evaluates a condition.
func (e *expression) holds(s *scope) (bool, error) {
	out, err := e.run(s)
	if err != nil {
		return false, fmt.Errorf("%s: %w", e.source, err)
	}
	ok, _ := out.(bool)
	return ok, nil
}

// fields are those of the record that it looks at.
func (e *expression) fields() (out []string) {
	for _, path := range e.paths {
		if field, ours := strings.CutPrefix(path, "record/"); ours {
			out = append(out, field)
		}
	}
	return out
}

// values tells a condition's fields as they stand, for reasons: ": state = 8".
func (e *expression) values(row Row) string {
	var out []string
	for _, path := range e.paths {
		if field, ok := strings.CutPrefix(path, "record/"); ok {
			cell, readable := row[field]
			if !readable {
				out = append(out, field+" was not readable")
				continue
			}
			out = append(out, fmt.Sprintf("%s = %s", field, orEmpty(cell.Value)))
		}
	}
	if len(out) == 0 {
		return ""
	}
	return ": " + strings.Join(out, ", ")
}

func orEmpty(s string) string {
	if s == "" {
		return "empty"
	}
	return s
}

// slip is a problem inside an expression, by its offset in characters.
type slip struct {
	at, width int
	message   string
	hint      string
	warning   bool
}

// language is what an expression may name: bare names are the side's fields, those
// of record are the table's columns.
type language struct {
	side, table string
	vars        map[string]any
}

// compile checks an expression by the language of the rules and compiles it.
func compile(source string, condition bool, in language) (*expression, []slip) {
	c := &checker{language: in, out: &expression{source: source, vars: in.vars}}
	if at := strings.IndexAny(source, "“”„‘’"); at >= 0 {
		return nil, []slip{{at: len([]rune(source[:at])), width: 1, message: "a typographic quote", hint: `write "`}}
	}
	tree, err := parser.Parse(source)
	if err != nil {
		return nil, []slip{parseSlip(source, err)}
	}
	root, kind := c.check(tree.Node)
	if condition && kind != boolean && kind != anything {
		c.add(tree.Node, 1, "a condition is true or false, this is "+kind.String(), truthHint(tree.Node))
	}
	for _, s := range c.slips {
		if !s.warning {
			return nil, c.slips
		}
	}
	tree.Node = root
	if c.out.program, err = link(tree); err != nil {
		return nil, append(c.slips, parseSlip(source, err))
	}
	return c.out, c.slips
}

// link compiles the checked tree itself: printing it and reading it again could
// change what it means.
func link(tree *parser.Tree) (*vm.Program, error) {
	config := conf.New(&scope{})
	for _, f := range functions() {
		f(config)
	}
	if _, err := exprcheck.Check(tree, config); err != nil {
		return nil, err
	}
	return compiler.Compile(tree, config)
}

// parseSlip says in an administrator's words what the parser did not like.
func parseSlip(source string, err error) slip {
	s := slip{width: 1, message: "the expression is not understood: " + strings.SplitN(err.Error(), "\n", 2)[0]}
	if where, ok := errors.AsType[*file.Error](err); ok {
		s.at, s.message = where.Column, "the expression is not understood: "+where.Message
	}
	bare := strings.NewReplacer("==", "", "!=", "", ">=", "", "<=", "").Replace(source)
	switch {
	case strings.Contains(bare, "="):
		s.hint = "write =="
	case strings.Contains(source, " like "):
		s.hint = "write contains"
	case strings.Contains(source, "'"):
		s.hint = "texts stand in double quotes"
	}
	return s
}

// functions are the language's own, and the few of expr's that it lets in.
func functions() []expr.Option {
	own := func(name string, f func(s *scope, args []any) any, types ...any) expr.Option {
		return expr.Function(name, func(params ...any) (any, error) {
			s, ok := params[0].(*scope)
			if !ok {
				return nil, fmt.Errorf("%s is called without a scope", name)
			}
			return f(s, params[1:]), nil
		}, types...)
	}
	return []expr.Option{
		own("__at", func(s *scope, a []any) any { return s.at(text(a[0])) }, new(func(any, string) string)),
		own("__var", func(s *scope, a []any) any { return flat(s.vars[text(a[0])]) }, new(func(any, string) string)),
		own("__list", func(s *scope, a []any) any { return items(s.vars[text(a[0])]) }, new(func(any, string) []any)),
		own("__label", func(s *scope, a []any) any { return s.label(text(a[0])) }, new(func(any, string) string)),
		own("__ticket", func(s *scope, a []any) any { return s.in.TicketOf[text(a[0])] }, new(func(any, string) string)),
		expr.Function("yes", func(p ...any) (any, error) { return yes(text(p[0])), nil }, new(func(string) bool)),
		expr.Function("int_of", func(p ...any) (any, error) { return intOf(text(p[0]), p[1]) }, new(func(string, int) int)),
		expr.Function("utc", func(p ...any) (any, error) { return utc(text(p[0])) }, new(func(string) string)),
	}
}

// label gives a field's label, or its value where there is none.
func (s *scope) label(path string) string {
	side, field, _ := strings.Cut(path, "/")
	row := map[string]Row{"record": s.in.Record, "ticket": s.in.Ticket, "note": s.in.Note}[side]
	if cell := row[field]; cell.Display != "" {
		return cell.Display
	}
	return row[field].Value
}

func text(v any) string {
	s, _ := v.(string)
	return s
}

// flat writes a var as text: a list is joined by commas.
func flat(v any) string {
	var parts []string
	for _, item := range items(v) {
		parts = append(parts, fmt.Sprint(item))
	}
	return strings.Join(parts, ",")
}

// items gives a var as a list of texts: one that is no list is a list of one.
func items(v any) []any {
	switch v := v.(type) {
	case nil:
		return nil
	case []string:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = item
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = fmt.Sprint(item)
		}
		return out
	}
	return []any{fmt.Sprint(v)}
}

// isList tells whether a var is a list.
func isList(v any) bool {
	switch v.(type) {
	case []any, []string:
		return true
	}
	return false
}
