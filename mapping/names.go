package mapping

import (
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
)

// ticketNames are the fields of a ticket that rules can read, as the API names them.
func ticketNames() []string {
	return []string{
		"id", "title", "description", "type", "category", "subcategory", "severity", "state", "createdDateTime", "resolvedDateTime", "nextActionOwner",
	}
}

// noteNames are the fields of a note, of either side.
func noteNames() []string { return []string{"text", "author", "sender", "field", "at"} }

// name turns a field's name into a look-up on the side that it means.
func (c *checker) name(at ast.Node, name string) (ast.Node, kind) {
	if first, rest, _ := strings.Cut(name, "."); first == "vars" {
		v, known := c.vars[rest]
		if !known {
			c.add(leftmost(at), len(name), "var "+rest+" is not set", didYouMeanVar(rest, c.vars))
		}
		if isList(v) {
			return look(at, "__list", rest), listed
		}
		return look(at, "__var", rest), textual
	}
	side, path := c.resolve(name)
	if side == "ticket" && path == name && slices.Contains([]string{"description", "type", "category", "subcategory", "severity", "state"}, name) {
		c.warn(at.Location().From, len(name), name+" is the ticket's here, and the record has one too", "write ticket."+name+" or record."+name)
	}
	c.read(at, side, path)
	return look(at, "__at", side+"/"+path), textual
}

// resolve splits a name into the side that it means and the path there.
func (c *checker) resolve(name string) (side, path string) {
	first, rest, dotted := strings.Cut(name, ".")
	if dotted && slices.Contains([]string{"record", "ticket", "note"}, first) {
		return first, rest
	}
	return c.side, name
}

// read notes that the expression reads a field, and checks that there is one.
func (c *checker) read(at ast.Node, side, path string) {
	if full := side + "/" + path; !slices.Contains(c.out.paths, full) {
		c.out.paths = append(c.out.paths, full)
	}
	start := leftmost(at)
	if id, ok := start.(*ast.IdentifierNode); ok && id.Value == side && strings.Contains(at.String(), ".") {
		start = after(at, side)
	}
	switch side {
	case "ticket":
		c.known(start, path, ticketNames(), "a ticket")
	case "note":
		c.known(start, path, noteNames(), "a note")
	case "record":
		if odd, found := stranger(c.table, path); found {
			c.warn(start.Location().From+odd.at, len(odd.column), odd.table+" has no column "+odd.column, odd.hint)
		}
	}
}

// known adds a slip for a field that its side does not have.
func (c *checker) known(at ast.Node, path string, names []string, what string) {
	if slices.Contains(names, path) {
		return
	}
	hint := didYouMean(path, names)
	if what != "a note" && meant(path, names) == "" || c.side == "note" && slices.Contains(columnsOf("task"), path) {
		hint = "the record's: write record." + path
	}
	c.add(at, len(path), what+" has no field "+path, hint)
}

// sysID warns where a reference, whose value is a sys_id, is compared with a name.
func (c *checker) sysID(field, with ast.Node) {
	name, ok := chain(field)
	literal, text := with.(*ast.StringNode)
	if !ok || !text || literal.Value == "" || isSysID(literal.Value) {
		return
	}
	side, path := c.resolve(name)
	if better, known := references()[path]; known && side == "record" {
		c.warn(leftmost(field).Location().From, len(name), path+" is a reference: its value is a sys_id", "did you mean "+better+"?")
	}
}

// isSysID tells a sys_id: 32 hexadecimal digits.
func isSysID(s string) bool {
	return len(s) == 32 && strings.Trim(strings.ToLower(s), "0123456789abcdef") == ""
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
		if !ok || !text {
			return "", false
		}
		return base + "." + property.Value, true
	}
	return "", false
}

// leftmost is where a.b.c begins.
func leftmost(n ast.Node) ast.Node {
	switch inner := n.(type) {
	case *ast.ChainNode:
		return leftmost(inner.Node)
	case *ast.MemberNode:
		return leftmost(inner.Node)
	}
	return n
}

// after is the place behind the side in side.path.
func after(n ast.Node, side string) ast.Node {
	at := leftmost(n).Location()
	at.From += len(side) + 1
	place := &ast.IdentifierNode{}
	place.SetLocation(at)
	return place
}

// look is a call that looks a name up where the expression is evaluated.
func look(at ast.Node, function, name string) ast.Node {
	callee, env, key := &ast.IdentifierNode{Value: function}, &ast.IdentifierNode{Value: "$env"}, &ast.StringNode{Value: name}
	call := &ast.CallNode{Callee: callee, Arguments: []ast.Node{env, key}}
	for _, n := range []ast.Node{callee, env, key, call} {
		n.SetLocation(at.Location())
	}
	return call
}

func didYouMeanVar(name string, vars map[string]any) string {
	known := make([]string, 0, len(vars))
	for have := range vars {
		known = append(known, have)
	}
	slices.Sort(known)
	if k := meant(name, known); k != "" {
		return "did you mean vars." + k + "?"
	}
	return "set it under vars: here or in bridge.yaml"
}
