package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
	"gopkg.in/yaml.v3"
)

// The forms in which a command shows what it read.
const (
	formTable = "table"
	formJSON  = "json"
	formYAML  = "yaml"
)

// formFlag adds -o to a command.
func formFlag(cmd *cobra.Command, form *string) {
	cmd.Flags().StringVarP(form, "output", "o", formTable, "table, json (a line an object) or yaml")
}

// formKnown refuses a form that there is not.
func formKnown(form string) error {
	if slices.Contains([]string{formTable, formJSON, formYAML}, form) {
		return nil
	}
	return misused("-o %s is not known: table, json or yaml", form)
}

// misused ends a command that was called wrongly.
func misused(format string, args ...any) error {
	return &failure{code: exitUsage, err: fmt.Errorf(format, args...)}
}

// object is what an API calls an object: its members by the API's names, in order.
type object []member

// member is one of them. A value is a text, a number, a truth, nil, an object, or a
// list of texts or objects.
type member struct {
	name  string
	value any
}

// MarshalJSON keeps the order.
func (o object) MarshalJSON() ([]byte, error) {
	var out bytes.Buffer
	for i, m := range o {
		name, err := plainJSON(m.name)
		if err != nil {
			return nil, err
		}
		value, err := plainJSON(m.value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", m.name, err)
		}
		fmt.Fprintf(&out, "%c%s:%s", "{,"[min(i, 1)], name, value)
	}
	if len(o) == 0 {
		out.WriteByte('{')
	}
	out.WriteByte('}')
	return out.Bytes(), nil
}

// plainJSON leaves < > & as they are: nobody puts this into a web page.
func plainJSON(v any) ([]byte, error) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimRight(out.Bytes(), "\n"), err
}

// MarshalYAML keeps the order.
func (o object) MarshalYAML() (any, error) {
	out := &yaml.Node{Kind: yaml.MappingNode}
	for _, m := range o {
		var name, value yaml.Node
		name.SetString(m.name)
		if err := value.Encode(m.value); err != nil {
			return nil, fmt.Errorf("%s: %w", m.name, err)
		}
		out.Content = append(out.Content, &name, &value)
	}
	return out, nil
}

// objects turns the parts of an object into objects.
func objects[T any](from []T, one func(T) object) []object {
	out := make([]object, 0, len(from))
	for _, v := range from {
		out = append(out, one(v))
	}
	return out
}

// moment is a time as the API writes it; never is null.
func moment(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// clock is a time in a table.
func clock(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// optional is a value that may be null.
func optional[T any](v *T) any {
	if v == nil {
		return nil
	}
	return *v
}

// text is a text that may be null, in a table.
func text(v *string) string {
	if v == nil {
		return ""
	}
	return *v
}

// kind says how objects of one kind are called and shown.
type kind[T any] struct {
	// many is how they are called: tickets.
	many    string
	columns []column
	// row is what a table shows of one, whole all there is to it.
	row   func(T) []string
	whole func(T) object
	// onward says how to get those behind the shown ones.
	onward func(shown int) string
	// unused says that a column is left out of a table; nil: none is.
	unused func(name string) bool
}

// showAll prints a list, as many as wanted; 0 is all. A list that has none says so
// on stderr. JSON and YAML are written while the list is read.
func showAll[T any](a *app, form string, k kind[T], list iter.Seq2[T, error], wanted int) error {
	t := table{columns: k.columns}
	shown, more := 0, false
	for item, err := range list {
		if err != nil {
			return err
		}
		if more = wanted > 0 && shown == wanted; more {
			break
		}
		shown++
		switch form {
		case formTable:
			t.rows = append(t.rows, k.row(item))
			continue
		case formYAML:
			err = a.sayYAML([]object{k.whole(item)})
		default:
			err = a.sayJSON(k.whole(item))
		}
		if err != nil {
			return err
		}
	}
	switch {
	case form == formTable:
		t.without(k.unused).write(a.stdout, a.width())
	case form == formYAML && shown == 0:
		a.say("[]\n")
	}
	switch {
	case more && shown == 1:
		a.tell("1 %s is shown and there are more: %s\n", strings.TrimSuffix(k.many, "s"), k.onward(shown))
	case more:
		a.tell("%d %s are shown and there are more: %s\n", shown, k.many, k.onward(shown))
	case shown == 0:
		a.tell("no %s\n", k.many)
	}
	return nil
}

// showOne prints one object; a table has a line for each of its members.
func (a *app) showOne(form string, o object) error {
	switch form {
	case formJSON:
		return a.sayJSON(o)
	case formYAML:
		return a.sayYAML(o)
	}
	details(a.stdout, o, a.width())
	return nil
}

// showWritten prints what was written to whoever reads JSON or YAML: a person has been
// told, and the API says nothing of it.
func (a *app) showWritten(form string, o object) error {
	if form == formTable {
		return nil
	}
	return a.showOne(form, o)
}

func (a *app) sayJSON(v any) error {
	out, err := plainJSON(v)
	if err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	a.say("%s\n", escaped(out))
	return nil
}

// escaped spells out the control characters that JSON leaves as they are: only texts
// hold them.
func escaped(out []byte) []byte {
	var b bytes.Buffer
	for _, r := range string(out) {
		if unicode.IsControl(r) {
			fmt.Fprintf(&b, "\\u%04x", r)
			continue
		}
		b.WriteRune(r)
	}
	return b.Bytes()
}

func (a *app) sayYAML(v any) error {
	var out bytes.Buffer
	e := yaml.NewEncoder(&out)
	e.SetIndent(2)
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("write YAML: %w", err)
	}
	a.say("%s", out.String())
	return nil
}

// width is how many places a line has: $COLUMNS, else the terminal's; 0 is no end.
func (a *app) width() int {
	if raw, ok := a.env("COLUMNS"); ok {
		if n, err := strconv.Atoi(raw); err == nil && n > 0 {
			return n
		}
	}
	file, ok := a.stdout.(*os.File)
	if !ok {
		return 0
	}
	size, err := unix.IoctlGetWinsize(int(file.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0 // no terminal
	}
	return int(size.Col)
}

// column is one column of a table. One that says how little of it is enough is cut
// before those that do not.
type column struct {
	name   string
	enough int
}

// table is rows under a header.
type table struct {
	columns []column
	rows    [][]string
}

// What is enough of a text, of a time (its date), and of a column that says nothing;
// gap is what stands between two.
const (
	enoughText = 8
	enoughTime = 11
	enoughAny  = 4
	gap        = 2
)

// without gives the table without some of its columns.
func (t table) without(unused func(name string) bool) table {
	if unused == nil {
		return t
	}
	out := table{rows: make([][]string, len(t.rows))}
	for i, c := range t.columns {
		if unused(c.name) {
			continue
		}
		out.columns = append(out.columns, c)
		for r := range t.rows {
			out.rows[r] = append(out.rows[r], t.rows[r][i])
		}
	}
	return out
}

// write prints the table; 0 places are as many as it takes.
func (t table) write(to io.Writer, places int) {
	header := make([]string, len(t.columns))
	for i, c := range t.columns {
		header[i] = c.name
	}
	lines := [][]string{header}
	for _, row := range t.rows {
		line := make([]string, len(t.columns))
		for i, cell := range row {
			line[i] = oneLine(cell)
		}
		lines = append(lines, line)
	}
	widths := t.fit(lines, places)
	for _, line := range lines {
		var out strings.Builder
		for i, cell := range line {
			cell = cut(cell, widths[i])
			out.WriteString(cell)
			if i+1 < len(line) {
				out.WriteString(strings.Repeat(" ", widths[i]-span(cell)+gap))
			}
		}
		_, _ = fmt.Fprintln(to, strings.TrimRight(out.String(), " ")) // a reader that went away has nobody to tell
	}
}

// fit finds the columns' widths. While the table is too wide, the widest of those that
// can be cut gives up a place; when none is left, the widest of all does.
func (t table) fit(lines [][]string, places int) []int {
	widths := make([]int, len(t.columns))
	total := gap * (len(t.columns) - 1)
	for i := range widths {
		for _, line := range lines {
			widths[i] = max(widths[i], span(line[i]))
		}
		total += widths[i]
	}
	for ; places > 0 && total > places; total-- {
		widest := t.widest(widths, func(c column) int { return c.enough })
		if widest < 0 {
			widest = t.widest(widths, func(column) int { return enoughAny })
		}
		if widest < 0 {
			break
		}
		widths[widest]--
	}
	return widths
}

// widest is the widest column that is wider than enough; 0 is never enough to cut.
func (t table) widest(widths []int, enough func(column) int) int {
	widest := -1
	for i, c := range t.columns {
		if e := enough(c); e > 0 && widths[i] > e && (widest < 0 || widths[i] > widths[widest]) {
			widest = i
		}
	}
	return widest
}

// details prints an object, a line for each member; a long text goes on in its column.
func details(to io.Writer, o object, places int) {
	names, values := flat("", o)
	column := len("FIELD")
	for _, name := range names {
		column = max(column, span(name))
	}
	column += gap
	room := 0
	if places > 0 {
		room = max(places-column, 2*enoughText)
	}
	_, _ = fmt.Fprintf(to, "%-*s%s\n", column, "FIELD", "VALUE")
	for i, name := range names {
		for _, line := range wrap(values[i], room) {
			out := name + strings.Repeat(" ", column-span(name)) + line
			_, _ = fmt.Fprintln(to, strings.TrimRight(out, " "))
			name = ""
		}
	}
}

// flat lists what an object holds by its path.
func flat(path string, v any) (names, values []string) {
	add := func(name string, v any) {
		n, w := flat(name, v)
		names, values = append(names, n...), append(values, w...)
	}
	switch v := v.(type) {
	case object:
		for _, m := range v {
			add(strings.TrimPrefix(path+"."+oneLine(m.name), "."), m.value)
		}
		return names, values
	case []object:
		for i, o := range v {
			add(fmt.Sprintf("%s[%d]", path, i), o)
		}
		if len(v) > 0 {
			return names, values
		}
		return []string{path}, []string{"none"}
	case []string:
		return []string{path}, []string{strings.Join(v, ", ")}
	case nil:
		return []string{path}, []string{"null"}
	}
	return []string{path}, []string{fmt.Sprint(v)}
}
