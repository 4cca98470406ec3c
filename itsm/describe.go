package itsm

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"bridge/rest"
)

// Column is what sys_dictionary says of one field.
type Column struct {
	// Table is where the field is defined: the table itself or one that it extends.
	Table   string
	Element string
	Label   string
	// Type is the internal type, such as string, glide_date_time or reference.
	Type string
	// Reference is the table that a reference points to.
	Reference string
	// MaxLength is 0 where the instance does not say.
	MaxLength           int
	Mandatory, ReadOnly bool
	Active              bool
	Default             string
}

// Choice is one row of sys_choice: a value that a field takes, and its label.
type Choice struct {
	// Table is where the choice is defined: the table itself or one that it extends.
	Table    string
	Element  string
	Value    string
	Label    string
	Language string
	// Dependent is the value of the other field under which this choice is offered.
	Dependent string
	Sequence  int
	Inactive  bool
}

// Attachment names a file of a record. Its content is not read.
type Attachment struct {
	ID      string
	Table   string
	Record  string
	Name    string
	Type    string
	Size    int64
	By      string
	Created time.Time
}

// depth is how many tables one may extend; more is a circle.
const depth = 16

// Extends lists a table and those that it extends, nearest first. Where
// sys_db_object may not be read, the list is the table alone.
func (c *Client) Extends(ctx context.Context, table string) ([]string, error) {
	line := []string{table}
	ask := Ask{Table: "sys_db_object", Fields: []string{"sys_id", "name", "super_class.name"}}
	for len(line) < depth {
		parent := ""
		for row, err := range c.all(ctx, ask, Where(If("name", Equals, line[len(line)-1])).OrderBy("sys_id")) {
			if closed(err) {
				return line, nil
			}
			if err != nil {
				return nil, err
			}
			if row.Value("name") == line[len(line)-1] {
				parent = row.Value("super_class.name")
				break
			}
		}
		if parent == "" || slices.Contains(line, parent) {
			break
		}
		line = append(line, parent)
	}
	return line, nil
}

// closed says that a table may not be read by this user, or is not there for it.
func closed(err error) bool {
	status := rest.StatusOf(err)
	return status == http.StatusForbidden || status == http.StatusNotFound || status == http.StatusBadRequest
}

// Dictionary lists the fields of a table, its own before those of the tables that it
// extends; of a field that several define, the nearest. A user that may not read
// sys_dictionary sees none, or an error: that says nothing about the table.
func (c *Client) Dictionary(ctx context.Context, table string) iter.Seq2[Column, error] {
	ask := Ask{Table: "sys_dictionary", Fields: []string{
		"sys_id", "name", "element", "column_label", "internal_type", "reference", "max_length", "mandatory", "read_only", "active", "default_value",
	}}
	return func(yield func(Column, error) bool) {
		line, err := c.Extends(ctx, table)
		if err != nil {
			yield(Column{}, err)
			return
		}
		told := map[string]bool{}
		for _, name := range line {
			query := Where(If("name", Equals, name), If("element", IsNotEmpty)).OrderBy("element", "sys_id")
			for row, err := range c.all(ctx, ask, query) {
				if err != nil {
					yield(Column{}, err)
					return
				}
				col := column(row)
				if col.Table != name || col.Element == "" || told[col.Element] {
					continue
				}
				told[col.Element] = true
				if !yield(col, nil) {
					return
				}
			}
		}
	}
}

func column(row Record) Column {
	length, _ := strconv.Atoi(row.Value("max_length")) // unreadable: 0, not known
	return Column{
		Table: row.Value("name"), Element: row.Value("element"), Label: row.Value("column_label"), Type: row.Value("internal_type"),
		Reference: row.Value("reference"), MaxLength: length, Mandatory: row.Value("mandatory") == "true", ReadOnly: row.Value("read_only") == "true",
		Active: row.Value("active") == "true", Default: row.Value("default_value"),
	}
}

// Choices lists the values of a field in their order, in every language, those that
// are no longer offered among them. A table's own choices stand instead of those of
// the tables that it extends. None may mean that this user may not read them.
func (c *Client) Choices(ctx context.Context, table, element string) iter.Seq2[Choice, error] {
	ask := Ask{Table: "sys_choice", Fields: []string{"sys_id", "name", "element", "value", "label", "language", "dependent_value", "sequence", "inactive"}}
	return func(yield func(Choice, error) bool) {
		line, err := c.Extends(ctx, table)
		if err != nil {
			yield(Choice{}, err)
			return
		}
		for _, name := range line {
			found := false
			query := Where(If("name", Equals, name), If("element", Equals, element)).OrderBy("sequence", "sys_id")
			for row, err := range c.all(ctx, ask, query) {
				if err != nil {
					yield(Choice{}, err)
					return
				}
				one := choice(row)
				if one.Table != name || one.Element != element {
					continue
				}
				found = true
				if !yield(one, nil) {
					return
				}
			}
			if found {
				return
			}
		}
	}
}

func choice(row Record) Choice {
	sequence, _ := strconv.Atoi(row.Value("sequence")) // unreadable: 0, first
	return Choice{
		Table: row.Value("name"), Element: row.Value("element"), Value: row.Value("value"), Label: row.Value("label"),
		Language: row.Value("language"), Dependent: row.Value("dependent_value"), Sequence: sequence, Inactive: row.Value("inactive") == "true",
	}
}

// Attachments lists the files of a record by name, oldest first. Their content is not
// read, and the download links that come with them are not followed.
func (c *Client) Attachments(ctx context.Context, table, id string) iter.Seq2[Attachment, error] {
	text, err := Where(If("table_name", Equals, table), If("table_sys_id", Equals, id)).OrderBy("sys_created_on", "sys_id").Encode()
	rows := c.byOffset(err, func(offset int) (page, error) {
		q := url.Values{"sysparm_query": {text}, "sysparm_limit": {strconv.Itoa(c.page)}}
		if offset > 0 {
			q.Set("sysparm_offset", strconv.Itoa(offset))
		}
		return c.pageOf(ctx, rest.Request{Path: "api/now/v1/attachment", Name: "attachment", Query: q})
	})
	return func(yield func(Attachment, error) bool) {
		for row, err := range rows {
			if err != nil {
				yield(Attachment{}, err)
				return
			}
			size, _ := strconv.ParseInt(row.Value("size_bytes"), 10, 64) // unreadable: 0, not known
			a := Attachment{
				ID: row.Value("sys_id"), Table: row.Value("table_name"), Record: row.Value("table_sys_id"), Name: row.Value("file_name"),
				Type: row.Value("content_type"), Size: size, By: row.Value("sys_created_by"), Created: rowTime(row.Value("sys_created_on")),
			}
			if a.Table == table && a.Record == id && !yield(a, nil) {
				return
			}
		}
	}
}
