package mapping

import (
	"fmt"
	"slices"

	"github.com/expr-lang/expr/ast"
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

// checker walks an expression's tree, allows what the language has and nothing
// else, and turns field names into look-ups: so no field is shadowed by a
// function, and no missing one is nil.
type checker struct {
	language
	out   *expression
	slips []slip
}

func (c *checker) add(at ast.Node, width int, message, hint string) {
	c.slips = append(c.slips, slip{at: at.Location().From, width: width, message: message, hint: hint})
}

func (c *checker) warn(at, width int, message, hint string) {
	c.slips = append(c.slips, slip{at: at, width: width, message: message, hint: hint, warning: true})
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
		return c.unary(n)
	case *ast.BinaryNode:
		return c.binary(n)
	case *ast.ConditionalNode:
		return c.conditional(n)
	case *ast.ArrayNode:
		for i := range n.Nodes {
			n.Nodes[i], _ = c.check(n.Nodes[i])
		}
		return n, listed
	case *ast.NilNode:
		c.add(n, 3, "nothing is nil here: an empty field is \"\"", `write ""`)
		return n, anything
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

func (c *checker) unary(n *ast.UnaryNode) (ast.Node, kind) {
	given := n.Node
	inner, k := c.check(n.Node)
	n.Node = inner
	if n.Operator == "-" || n.Operator == "+" {
		if k != numeric && k != anything {
			c.add(given, 1, "a number is needed here, this is "+k.String(), "write int_of(…, 0)")
		}
		return n, numeric
	}
	c.needs(given, k)
	return n, boolean
}

func (c *checker) conditional(n *ast.ConditionalNode) (ast.Node, kind) {
	given := n.Cond
	var test, yes, no kind
	n.Cond, test = c.check(n.Cond)
	c.needs(given, test)
	n.Exp1, yes = c.check(n.Exp1)
	n.Exp2, no = c.check(n.Exp2)
	if yes != no {
		return n, anything
	}
	return n, yes
}

// needs adds a slip where a condition is made of something else.
func (c *checker) needs(at ast.Node, is kind) {
	if is != boolean && is != anything {
		c.add(at, 1, fmt.Sprintf("%s is needed here, this is %s", boolean, is), truthHint(at))
	}
}

// truthHint says how a field becomes a condition.
func truthHint(at ast.Node) string {
	name, ok := chain(at)
	if !ok {
		return `compare it: … == "…", or yes(…)`
	}
	return fmt.Sprintf(`write yes(%s), or %s == "…"`, name, name)
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
		c.sysID(left, right)
		c.sysID(right, left)
		return n, boolean
	case "<", "<=", ">", ">=":
		c.ordered(n.Operator, left, l, right, r)
		return n, boolean
	case "in":
		c.members(left, right, r)
		return n, boolean
	case "contains", "startsWith", "endsWith", "matches":
		c.texts(n, left, l)
		c.texts(n, right, r)
		return n, boolean
	case "+":
		if l != r && l != anything && r != anything {
			c.add(right, 1, fmt.Sprintf("%s cannot be added to %s", r, l), "write it as one text: {{ … }} {{ … }}")
		}
		return n, l
	case "-", "*", "/", "%":
		return n, numeric
	case "??":
		c.warn(n.Location().From, 2, `?? never helps, an empty field is ""`, "use default:, or a list")
		return n, textual
	}
	c.add(n, len(n.Operator), "the operator "+n.Operator+" is not part of the rules' language", "")
	return n, anything
}

// texts adds a slip where an operator on texts is given something else.
func (c *checker) texts(n *ast.BinaryNode, at ast.Node, is kind) {
	if is == textual || is == anything {
		return
	}
	hint := ""
	if is == numeric {
		hint = "every ITSM value is text: write \"" + at.String() + "\""
	}
	c.add(at, 1, n.Operator+" compares texts, this is "+is.String(), hint)
}

// ordered refuses an order between texts: "10" stands before "3".
func (c *checker) ordered(operator string, left ast.Node, l kind, right ast.Node, r kind) {
	if l == numeric && r == numeric || l == anything && r != textual || r == anything && l != textual {
		return
	}
	field, hint := left, "write int_of(…, 0) "+operator+" 3"
	if l == numeric {
		field = right
	}
	if name, ok := chain(field); ok {
		hint = "write int_of(" + name + ", 0) in place of " + name
	}
	c.add(field, 1, `texts have no order here: "10" comes before "3"`, hint)
}

// alike adds a slip where text meets a number or a truth value.
func (c *checker) alike(left ast.Node, l kind, right ast.Node, r kind) {
	if l == anything || r == anything || l == r {
		return
	}
	odd, field, other := right, left, r
	if l != textual {
		odd, field, other = left, right, l
	}
	literal := "\"…\""
	switch odd.(type) {
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		literal = `"` + odd.String() + `"`
	}
	hint := "every ITSM value is text: write " + literal
	if name, ok := chain(field); ok && other == boolean {
		hint = "every ITSM value is text: write yes(" + name + "), or " + literal
	}
	width := 1
	if literal != "\"…\"" {
		width = len(odd.String())
	}
	c.add(odd, width, "text compared with "+other.String(), hint)
}

// members checks what stands behind in: a list, and every ITSM value is text.
func (c *checker) members(left, right ast.Node, is kind) {
	list, ok := right.(*ast.ArrayNode)
	if !ok {
		if is != listed && is != anything {
			c.add(right, 1, "in looks into a list, this is "+is.String(), `write in ["…", "…"], or contains`)
		}
		return
	}
	for _, item := range list.Nodes {
		switch item.(type) {
		case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
			given := item.String()
			c.add(item, len(given), "text compared with "+kindOf(item).String(), "every ITSM value is text: write \""+given+"\"")
		}
		c.sysID(left, item)
	}
}

func kindOf(item ast.Node) kind {
	if _, ok := item.(*ast.BoolNode); ok {
		return boolean
	}
	return numeric
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
		c.add(n, len(name), fmt.Sprintf("%s takes %d, not %d", name, want, len(args)), usage(name))
		return n, anything
	}
	if name == "label_of" || name == "ticket_of" {
		return c.reference(n, name, args[0])
	}
	for i, given := range args {
		var k kind
		args[i], k = c.check(given)
		needed := textual
		if name == "int_of" && i == 1 {
			needed = numeric
		}
		if k != needed && k != anything {
			c.add(given, 1, fmt.Sprintf("%s takes %s here, this is %s", name, needed, k), usage(name))
		}
	}
	return n, map[string]kind{"yes": boolean, "int_of": numeric, "utc": textual}[name]
}

// usage shows how a function is written.
func usage(name string) string {
	return "write " + map[string]string{
		"yes": "yes(active)", "int_of": "int_of(priority, 5): the second is for an empty field", "utc": "utc(opened_at)",
		"label_of": "label_of(state)", "ticket_of": "ticket_of(parent)",
	}[name]
}

// reference checks a function that takes a field, not its value.
func (c *checker) reference(n *ast.CallNode, function string, arg ast.Node) (ast.Node, kind) {
	name, ok := chain(arg)
	if !ok {
		c.add(n, len(function), function+" takes a field, not a value", usage(function))
		return n, textual
	}
	side, path := c.resolve(name)
	if function == "ticket_of" {
		if side != "record" {
			c.add(arg, len(name), "ticket_of takes a field of the record", usage(function))
		}
		if !slices.Contains(c.out.tickets, path) {
			c.out.tickets = append(c.out.tickets, path)
		}
		c.read(arg, side, path)
		return look(n, "__ticket", path), textual
	}
	c.out.labels = append(c.out.labels, path)
	c.read(arg, side, path)
	return look(n, "__label", side+"/"+path), textual
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
