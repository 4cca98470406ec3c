package mapping

import (
	"fmt"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/parser"
)

// kind is what an expression gives.
type kind int

const (
	anything kind = iota
	textual
	numeric
	boolean
	listed
)

func (k kind) String() string {
	return [...]string{"anything", "text", "a number", "true or false", "a list"}[k]
}

func parse(source string) (ast.Node, error) {
	tree, err := parser.Parse(source)
	if err != nil {
		return nil, err
	}
	return tree.Node, nil
}

// checker walks an expression's tree, allows what the language has and nothing
// else, and turns field names into look-ups: so no field is shadowed by a
// function, and no missing one is nil.
type checker struct {
	side  string
	vars  map[string]any
	out   *expression
	slips []slip
}

func (c *checker) add(at ast.Node, width int, message, hint string) {
	c.slips = append(c.slips, slip{at: at.Location().From, width: width, message: message, hint: hint})
}

// check gives the node that stands for another one, and what it gives.
func (c *checker) check(node ast.Node) (ast.Node, kind) {
	switch n := node.(type) {
	case *ast.StringNode:
		return n, textual
	case *ast.IntegerNode, *ast.FloatNode:
		return n, numeric
	case *ast.BoolNode:
		return n, boolean
	case *ast.IdentifierNode:
		return c.name(n, n.Value)
	case *ast.ChainNode:
		return c.check(n.Node)
	case *ast.MemberNode:
		if name, ok := chain(n); ok {
			return c.name(n, name)
		}
	case *ast.UnaryNode:
		inner, k := c.check(n.Node)
		n.Node = inner
		if n.Operator == "-" || n.Operator == "+" {
			return n, numeric
		}
		c.needs(n, k)
		return n, boolean
	case *ast.BinaryNode:
		return c.binary(n)
	case *ast.ConditionalNode:
		var k kind
		n.Cond, k = c.check(n.Cond)
		c.needs(n, k)
		n.Exp1, k = c.check(n.Exp1)
		n.Exp2, _ = c.check(n.Exp2)
		return n, k
	case *ast.ArrayNode:
		for i := range n.Nodes {
			n.Nodes[i], _ = c.check(n.Nodes[i])
		}
		return n, listed
	case *ast.CallNode:
		if callee, ok := n.Callee.(*ast.IdentifierNode); ok {
			return c.call(n, callee.Value, n.Arguments)
		}
	case *ast.BuiltinNode:
		return c.builtin(n)
	}
	c.add(node, 1, "this is not part of the rules' language", "use: and or not in ?: contains startsWith endsWith matches trim lower upper replace split len yes int_of utc label_of ticket_of")
	return node, anything
}

// needs adds a slip where a condition is made of something else.
func (c *checker) needs(at ast.Node, is kind) {
	if is != boolean && is != anything {
		c.add(at, 1, fmt.Sprintf("%s is needed here, this is %s", boolean, is), `compare it: … == "…", or yes(…)`)
	}
}

// chain gives the dotted name of a.b.c.
func chain(n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.IdentifierNode:
		return n.Value, true
	case *ast.ChainNode:
		return chain(n.Node)
	case *ast.MemberNode:
		base, ok := chain(n.Node)
		property, text := n.Property.(*ast.StringNode)
		return base + "." + textOf(property), ok && text
	}
	return "", false
}

func textOf(n *ast.StringNode) string {
	if n == nil {
		return ""
	}
	return n.Value
}

// name turns a field's name into a look-up on the side that it means.
func (c *checker) name(at ast.Node, name string) (ast.Node, kind) {
	first, rest, dotted := strings.Cut(name, ".")
	switch {
	case first == "vars":
		if _, known := c.vars[rest]; !known {
			c.add(at, len(name), "var "+rest+" is not set", "set it under vars: here or in bridge.yaml")
		}
		return look("__var", rest), textual
	case dotted && slices.Contains([]string{"record", "ticket", "note"}, first):
		return c.field(first, rest), textual
	}
	return c.field(c.side, name), textual
}

func (c *checker) field(side, path string) ast.Node {
	full := side + "/" + path
	if !slices.Contains(c.out.paths, full) {
		c.out.paths = append(c.out.paths, full)
	}
	return look("__at", full)
}

func look(function, name string) ast.Node {
	return &ast.CallNode{Callee: &ast.IdentifierNode{Value: function}, Arguments: []ast.Node{&ast.IdentifierNode{Value: "$env"}, &ast.StringNode{Value: name}}}
}

// binary checks an operator: text is compared with text, and has no order.
func (c *checker) binary(n *ast.BinaryNode) (ast.Node, kind) {
	var l, r kind
	left, right := n.Left, n.Right
	n.Left, l = c.check(n.Left)
	n.Right, r = c.check(n.Right)
	switch n.Operator {
	case "and", "or", "&&", "||":
		c.needs(left, l)
		c.needs(right, r)
		return n, boolean
	case "==", "!=":
		c.alike(left, l, right, r)
		return n, boolean
	case "<", "<=", ">", ">=":
		if l == textual && r == textual {
			c.add(n, 1, "texts have no order here: \"10\" comes before \"3\"", "write int_of("+left.String()+", 5) "+n.Operator+" 3")
		} else {
			c.alike(left, l, right, r)
		}
		return n, boolean
	case "in":
		c.members(right)
		return n, boolean
	case "contains", "startsWith", "endsWith", "matches":
		return n, boolean
	case "+":
		return n, max(l, r)
	case "-", "*", "/", "%":
		return n, numeric
	case "??":
		c.slips = append(c.slips, slip{at: n.Location().From, width: 2, warning: true, message: `?? never helps, an empty field is ""`, hint: "use default:, or a list"})
		return n, textual
	}
	c.add(n, len(n.Operator), "the operator "+n.Operator+" is not part of the rules' language", "")
	return n, anything
}

// alike adds a slip where text meets a number or a truth value.
func (c *checker) alike(left ast.Node, l kind, right ast.Node, r kind) {
	if l == textual && r == textual || l == anything || r == anything || l == r {
		return
	}
	odd := right
	other := r
	if l != textual {
		odd, other = left, l
	}
	hint := "every ITSM value is text: write \"" + odd.String() + "\""
	if other == boolean {
		hint = "every ITSM value is text: write yes(…), or \"" + odd.String() + "\""
	}
	c.add(odd, len(odd.String()), "text compared with "+other.String(), hint)
}

// members checks the list behind in: every ITSM value is text.
func (c *checker) members(n ast.Node) {
	list, ok := n.(*ast.ArrayNode)
	if !ok {
		return
	}
	for _, item := range list.Nodes {
		if number, ok := item.(*ast.IntegerNode); ok {
			c.add(number, len(number.String()), "text compared with a number", "every ITSM value is text: write \""+number.String()+"\"")
		}
	}
}

// call checks one of the language's own functions.
func (c *checker) call(n *ast.CallNode, name string, args []ast.Node) (ast.Node, kind) {
	arguments := map[string]int{"yes": 1, "int_of": 2, "utc": 1, "label_of": 1, "ticket_of": 1}
	want, known := arguments[name]
	if !known {
		c.add(n, len(name), "function "+name+" is not known", didYouMean(name, []string{"yes", "int_of", "utc", "label_of", "ticket_of", "trim", "lower", "upper", "replace", "split", "len"}))
		return n, anything
	}
	if len(args) != want {
		c.add(n, len(name), fmt.Sprintf("%s takes %d, not %d", name, want, len(args)), "")
		return n, anything
	}
	if name == "label_of" || name == "ticket_of" {
		return c.reference(n, name, args[0])
	}
	for i := range args {
		args[i], _ = c.check(args[i])
	}
	return n, map[string]kind{"yes": boolean, "int_of": numeric, "utc": textual}[name]
}

// reference checks a function that takes a field, not its value.
func (c *checker) reference(n *ast.CallNode, function string, arg ast.Node) (ast.Node, kind) {
	name, ok := chain(arg)
	if !ok {
		c.add(n, len(function), function+" takes a field, not a value", "write "+function+"(parent)")
		return n, textual
	}
	side, path := c.side, name
	if first, rest, dotted := strings.Cut(name, "."); dotted && (first == "record" || first == "ticket") {
		side, path = first, rest
	}
	c.field(side, path)
	if function == "ticket_of" {
		c.out.tickets = append(c.out.tickets, path)
		return look("__ticket", path), textual
	}
	c.out.labels = append(c.out.labels, path)
	return look("__label", side+"/"+path), textual
}

// builtin lets in the few of expr's functions that have no clock and no end.
func (c *checker) builtin(n *ast.BuiltinNode) (ast.Node, kind) {
	kinds := map[string]kind{"trim": textual, "lower": textual, "upper": textual, "replace": textual, "split": listed, "len": numeric}
	k, ok := kinds[n.Name]
	if !ok {
		c.add(n, len(n.Name), "function "+n.Name+" is not part of the rules' language", "use trim lower upper replace split len")
		return n, anything
	}
	for i := range n.Arguments {
		n.Arguments[i], _ = c.check(n.Arguments[i])
	}
	return n, k
}
