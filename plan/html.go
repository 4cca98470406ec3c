package plan

import (
	"strconv"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// readable turns the HTML of a vendor's note into text that a person reads in a
// journal field: paragraphs, lists, tables and links keep their sense; scripts,
// styles and every tag go.
func readable(source string) string {
	root, err := html.Parse(strings.NewReader(source))
	if err != nil { // only a reader can fail, and this one does not
		return strings.TrimSpace(source)
	}
	var w textWriter
	w.node(root)
	return w.text()
}

// textWriter collects lines. It knows how deep a list it is in, and whether
// blanks are kept as they stand.
type textWriter struct {
	lines []string
	line  strings.Builder
	lists []list
	pre   bool
}

// list is one list that is open: its next number, or 0 for bullets.
type list struct{ next int }

func (w *textWriter) node(n *html.Node) {
	switch n.Type {
	case html.TextNode:
		w.write(n.Data)
		return
	case html.ElementNode:
		if w.element(n) {
			return
		}
	case html.CommentNode, html.DoctypeNode:
		return
	case html.DocumentNode, html.ErrorNode, html.RawNode:
	}
	w.children(n)
}

func (w *textWriter) children(n *html.Node) {
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		w.node(c)
	}
}

// element writes the elements that mean more than their text; the rest it leaves to its caller.
func (w *textWriter) element(n *html.Node) bool {
	switch n.DataAtom { //nolint:exhaustive // all other elements are their text
	case atom.Script, atom.Style, atom.Head, atom.Template, atom.Noscript, atom.Iframe, atom.Object:
	case atom.Br:
		w.end()
	case atom.A:
		w.link(n)
	case atom.Img:
		if alt := attribute(n, "alt"); alt != "" {
			w.write("[" + alt + "]")
		}
	case atom.Ul, atom.Ol:
		w.list(n)
	case atom.Li:
		w.item(n)
	case atom.Tr:
		w.row(n)
	case atom.Pre:
		w.block(func() { w.pre = true; w.children(n); w.pre = false })
	case atom.P, atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6, atom.Blockquote:
		w.block(func() { w.children(n) })
		w.gap()
	case atom.Div, atom.Section, atom.Article, atom.Header, atom.Footer, atom.Table, atom.Hr, atom.Dt, atom.Dd:
		w.block(func() { w.children(n) })
	default:
		return false
	}
	return true
}

func (w *textWriter) block(inside func()) {
	w.close()
	inside()
	w.close()
}

func (w *textWriter) list(n *html.Node) {
	first := 0
	if n.DataAtom == atom.Ol {
		first = 1
	}
	w.lists = append(w.lists, list{next: first})
	w.block(func() { w.children(n) })
	w.lists = w.lists[:len(w.lists)-1]
}

func (w *textWriter) item(n *html.Node) {
	w.close()
	bullet := "- "
	if deep := len(w.lists); deep > 0 {
		open := &w.lists[deep-1]
		if open.next > 0 {
			bullet = strconv.Itoa(open.next) + ". "
			open.next++
		}
		bullet = strings.Repeat("  ", deep-1) + bullet
	}
	w.line.WriteString(bullet)
	w.children(n)
	w.close()
}

func (w *textWriter) row(n *html.Node) {
	w.close()
	first := true
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		if c.DataAtom != atom.Td && c.DataAtom != atom.Th {
			continue
		}
		if !first {
			w.line.WriteString(" | ")
		}
		first = false
		var cell textWriter
		cell.children(c)
		w.line.WriteString(strings.Join(strings.Fields(cell.text()), " "))
	}
	w.close()
}

// link keeps where a link leads, unless the text says it already.
func (w *textWriter) link(n *html.Node) {
	var inner textWriter
	inner.children(n)
	text, href := strings.Join(strings.Fields(inner.text()), " "), strings.TrimSpace(attribute(n, "href"))
	lower := strings.ToLower(href)
	useful := strings.HasPrefix(lower, "http:") || strings.HasPrefix(lower, "https:") || strings.HasPrefix(lower, "mailto:")
	switch {
	case !useful || href == text || strings.TrimPrefix(lower, "mailto:") == strings.ToLower(text):
		w.write(text)
	case text == "":
		w.write(href)
	default:
		w.write(text + " (" + href + ")")
	}
}

func attribute(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

// write adds text to the line; outside of <pre>, runs of blanks are one blank.
func (w *textWriter) write(text string) {
	if w.pre {
		for i, l := range strings.Split(text, "\n") {
			if i > 0 {
				w.end()
			}
			w.line.WriteString(l)
		}
		return
	}
	text = strings.ReplaceAll(text, "\u00a0", " ")
	words := strings.Fields(text)
	if len(words) == 0 {
		w.blank(text)
		return
	}
	if strings.TrimLeft(text, " \t\r\n") != text {
		w.blank(" ")
	}
	w.line.WriteString(strings.Join(words, " "))
	if strings.TrimRight(text, " \t\r\n") != text {
		w.blank(" ")
	}
}

func (w *textWriter) blank(text string) {
	if text != "" && w.line.Len() > 0 && !strings.HasSuffix(w.line.String(), " ") {
		w.line.WriteByte(' ')
	}
}

// end ends the line, be it empty.
func (w *textWriter) end() {
	line := w.line.String()
	if !w.pre {
		line = strings.TrimRight(line, " ")
	}
	w.lines = append(w.lines, line)
	w.line.Reset()
}

// close ends the line if there is one.
func (w *textWriter) close() {
	if strings.TrimSpace(w.line.String()) != "" {
		w.end()
		return
	}
	w.line.Reset()
}

// gap asks for an empty line before what follows.
func (w *textWriter) gap() {
	if len(w.lines) > 0 && w.lines[len(w.lines)-1] != "" {
		w.lines = append(w.lines, "")
	}
}

// text gives what was written, without empty lines at its ends or two in a row.
func (w *textWriter) text() string {
	w.close()
	var out []string
	for _, l := range w.lines {
		if l == "" && (len(out) == 0 || out[len(out)-1] == "") {
			continue
		}
		out = append(out, l)
	}
	return strings.TrimRight(strings.Join(out, "\n"), "\n ")
}
