package main

import (
	"context"
	"fmt"
	"iter"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bridge/cmd/bridge/config"
	"bridge/itsm"
)

// newITSM is the desk's table API by hand.
func newITSM(a *app) *cobra.Command {
	cmd := group("itsm", "The desk's tables by hand: get, list and count records")
	cmd.Long = "Reads the desk's tables as the bridge's own user sees them, for admins and for scripts. Nothing is written."
	cmd.Example = "  bridge itsm get incident INC0010001\n  bridge itsm list incident --query active=true --fields number,short_description"
	cmd.AddCommand(newGet(a), newList(a), newCount(a))
	return cmd
}

// deskAlone makes the client of the desk. What is wrong with the vendor's part of
// bridge.yaml, such as a sign-in that is missing, is not in its way.
func (a *app) deskAlone() (*bridge, error) {
	cfg, err := config.Load(a.configPath, a.env)
	if err != nil {
		return nil, err
	}
	b := &bridge{config: cfg, calls: &calls{}}
	if err := a.connect(b); b.desk == nil {
		return nil, &failure{code: exitUsage, err: err}
	}
	return b, nil
}

// asking is what the commands of the desk are asked for.
type asking struct {
	form, query string
	fields      []string
	limit, skip int
	display     bool
	// come are the fields that some record had, rows how many records there were.
	come map[string]bool
	rows int
}

func (q *asking) flags(cmd *cobra.Command) {
	formFlag(cmd, &q.form)
	cmd.Flags().StringSliceVar(&q.fields, "fields", nil, "which fields, by dotted path, such as number,caller_id.email; all: those that the dictionary names")
	cmd.Flags().BoolVar(&q.display, "display", false, "labels beside the raw values; a table shows the labels")
}

// check refuses what would be asked of another table than the one that is meant.
func (q *asking) check(table string) error {
	if err := formKnown(q.form); err != nil {
		return err
	}
	if !regexp.MustCompile(`^[a-z0-9_]+$`).MatchString(table) {
		return misused("%q is not the name of a table", table)
	}
	for _, f := range q.fields {
		if !regexp.MustCompile(`^[a-z0-9_]+(\.[a-z0-9_]+)*$`).MatchString(f) {
			return misused("--fields: %q is not the name of a field", f)
		}
	}
	if _, err := itsm.Encoded(q.query).Encode(); err != nil {
		return misused("--query: %v", err)
	}
	if q.limit < 0 || q.skip < 0 {
		return misused("--limit and --skip are 0 or more")
	}
	return nil
}

func newGet(a *app) *cobra.Command {
	var q asking
	cmd := &cobra.Command{
		Use: "get TABLE SYS_ID|NUMBER", Short: "One record", Args: cobra.ExactArgs(2),
		Long: "Shows one record, by its sys_id or by its number. Without --fields, those that a rule is most often\n" +
			"about; a field that the table does not have, or that may not be read, is left out by the desk.",
		Example: "  bridge itsm get incident INC0010001\n  bridge itsm get incident INC0010001 --fields number,state,caller_id.email --display -o json",
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := q.check(args[0]); err != nil {
				return err
			}
			b, err := a.deskAlone()
			if err != nil {
				return err
			}
			row, err := b.record(cmd.Context(), q, args[0], args[1])
			if err != nil {
				return err
			}
			q.note(row)
			q.doubt(a, args[0], true)
			return a.showOne(q.form, recordObject(row, q, shown(row, q.wanted(itsmDetails()))))
		},
	}
	q.flags(cmd)
	return cmd
}

// page asks for one row more than is shown: it tells whether there are more.
func (q *asking) page() int {
	if q.limit == 0 {
		return 0
	}
	return q.skip + q.limit + 1
}

// note keeps which fields of a record came: a desk leaves out what it does not know,
// and says nothing.
func (q *asking) note(row itsm.Record) {
	if q.come == nil {
		q.come = map[string]bool{}
	}
	q.rows++
	for field := range row {
		q.come[field] = true
	}
}

// heed passes records on, but for those that are passed over, and notes what they have.
func (q *asking) heed(list iter.Seq2[itsm.Record, error]) iter.Seq2[itsm.Record, error] {
	return func(yield func(itsm.Record, error) bool) {
		for row, err := range list {
			if err == nil {
				if q.note(row); q.rows <= q.skip {
					continue
				}
			}
			if !yield(row, err) {
				return
			}
		}
	}
}

// lacking are those of some fields that no record had.
func (q *asking) lacking(fields []string) []string {
	if q.rows == 0 {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(fields), func(f string) bool { return q.come[f] })
}

// sample notes one record with the fields of the query: of those that it found, or of
// all. One shows which fields the desk does not know.
func (b *bridge) sample(ctx context.Context, q *asking, table string, found bool) {
	ask := itsm.Ask{Table: table, Fields: itsm.Encoded(q.query).Fields(), Page: 1}
	if found {
		ask.Query = q.query
	}
	if len(ask.Fields) == 0 {
		return
	}
	for row, err := range b.desk.Changes(ctx, ask, time.Time{}) {
		if err == nil {
			q.note(row)
		}
		return
	}
}

// doubt says what the desk left out in silence: conditions and fields that it does not
// know.
func (q *asking) doubt(a *app, table string, found bool) {
	does := "the desk left that condition out, and finds more than was asked for"
	if !found {
		does = "the desk finds nothing for that"
	}
	if unknown := q.lacking(itsm.Encoded(q.query).Fields()); len(unknown) > 0 {
		a.tell("%s has no field %s, or this user may not read it: %s\n", table, strings.Join(unknown, ", "), does)
	}
	if !found {
		return // nothing shows which of the fields there are
	}
	if none := q.lacking(q.fields); len(none) > 0 && !slices.Equal(q.fields, []string{everyField}) {
		a.tell("%s has no field %s, or this user may not read it\n", table, strings.Join(none, ", "))
	}
}

// itsmDetails are the fields of one record, where nobody says which.
func itsmDetails() []string {
	return []string{
		"number", "short_description", "description", "state", "active", "approval", "priority", "impact", "urgency", "category", "subcategory",
		"caller_id", "requested_for", "opened_by", "assigned_to", "assignment_group", "cmdb_ci", "parent", "request_item", "opened_at", "resolved_at",
		"closed_at", "close_code", "close_notes", "correlation_id", "correlation_display", "name", "user_name", "email",
		"sys_class_name", "sys_created_on", "sys_created_by", "sys_updated_on", "sys_updated_by", "sys_mod_count", "sys_id",
	}
}

// itsmColumns are the fields of a list, where nobody says which.
func itsmColumns() []string {
	return []string{"number", "name", "state", "priority", "short_description", "sys_updated_on", "sys_id"}
}

// record reads one record by its sys_id or by its number. A desk that drops the
// condition answers with other records: they are passed over.
func (b *bridge) record(ctx context.Context, q asking, table, name string) (itsm.Record, error) {
	what := table + " " + name
	fields, err := b.fields(ctx, table, q.wanted(itsmDetails()))
	if err != nil {
		return nil, b.blame(err, "")
	}
	ask := itsm.Ask{Table: table, Fields: fields, Display: q.display, Page: 3}
	if regexp.MustCompile(`^[0-9a-f]{32}$`).MatchString(name) {
		row, err := b.desk.Get(ctx, ask, name)
		return row, b.blame(err, what)
	}
	if ask.Query, err = itsm.Where(itsm.If("number", itsm.Equals, name)).Encode(); err != nil {
		return nil, misused("%v", err)
	}
	if !slices.Contains(ask.Fields, "number") {
		ask.Fields = append(ask.Fields, "number")
	}
	var found []itsm.Record
	for row, err := range b.desk.Changes(ctx, ask, time.Time{}) {
		if err != nil {
			return nil, b.blame(err, what)
		}
		if _, has := row["number"]; !has {
			return nil, &failure{code: exitUnable, err: fmt.Errorf("the records of %s have no number: name one by its sys_id, which bridge itsm list %s shows", table, table)}
		}
		if !strings.EqualFold(row.Value("number"), name) {
			break // the condition was dropped: what follows is the whole table
		}
		found = append(found, row)
	}
	switch len(found) {
	case 0:
		return nil, b.blame(itsm.ErrNotFound, what)
	case 1:
		return found[0], nil
	}
	return nil, &failure{code: exitUnable, err: fmt.Errorf("%d records of %s are called %s: %s and %s among them", len(found), table, name, found[0].Value("sys_id"), found[1].Value("sys_id"))}
}

// everyField is what --fields says for all that the dictionary names.
const everyField = "all"

// fields are those that were asked for; all are looked up.
func (b *bridge) fields(ctx context.Context, table string, asked []string) ([]string, error) {
	if !slices.Equal(asked, []string{everyField}) {
		return asked, nil
	}
	all := itsmDetails() // a table may inherit fields that the dictionary does not tell of
	for c, err := range b.desk.Dictionary(ctx, table) {
		if err != nil {
			return nil, fmt.Errorf("look up the fields of %s: %w", table, err)
		}
		if c.Active && c.Element != "" && !slices.Contains(all, c.Element) {
			all = append(all, c.Element)
		}
	}
	slices.Sort(all)
	return all, nil
}

// wanted are the fields that are asked for.
func (q *asking) wanted(unless []string) []string {
	if len(q.fields) > 0 {
		return slices.Clone(q.fields)
	}
	return unless
}

func newList(a *app) *cobra.Command {
	var q asking
	cmd := &cobra.Command{
		Use: "list TABLE", Short: "Records that a query finds", Args: cobra.ExactArgs(1),
		Long: "Lists the records that an encoded query finds, oldest change first unless the query has an ORDERBY. Without\n" +
			"--fields a table shows those of the usual ones that the records have. A desk leaves out a condition on a\n" +
			"field that it does not know, and finds more: that is said.",
		Example: "  bridge itsm list incident --query active=true --limit 10\n" +
			"  bridge itsm list incident --query \"active=true^ORDERBYDESCnumber\" --fields number,short_description,caller_id.email -o json",
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := q.check(args[0]); err != nil {
				return err
			}
			b, err := a.deskAlone()
			if err != nil {
				return err
			}
			fields, err := b.fields(cmd.Context(), args[0], q.wanted(itsmColumns()))
			if err != nil {
				return b.blame(err, "")
			}
			ask := itsm.Ask{Table: args[0], Query: q.query, Display: q.display, Page: q.page()}
			ask.Fields = slices.Concat(fields, itsm.Encoded(q.query).Fields())
			err = b.blame(showAll(a, q.form, kind[itsm.Record]{
				many: "records", columns: fieldColumns(fields),
				row:    func(r itsm.Record) []string { return recordRow(r, fields, q.display) },
				whole:  func(r itsm.Record) object { return recordObject(r, q, fields) },
				onward: func(shown int) string { return fmt.Sprintf("--skip %d goes on, --limit 0 shows all", q.skip+shown) },
				unused: func(name string) bool { return len(q.fields) == 0 && len(q.lacking([]string{name})) > 0 },
			}, q.heed(b.desk.Changes(cmd.Context(), ask, time.Time{})), q.limit), "")
			if err == nil {
				found := q.rows > 0
				if !found {
					b.sample(cmd.Context(), &q, args[0], false)
				}
				q.doubt(a, args[0], found)
			}
			return err
		},
	}
	q.flags(cmd)
	cmd.Flags().StringVar(&q.query, "query", "", "an encoded query, such as active=true^priority=1; none: all")
	cmd.Flags().IntVar(&q.limit, "limit", someShown, "how many are shown at most; 0: all")
	cmd.Flags().IntVar(&q.skip, "skip", 0, "how many are passed over")
	return cmd
}

// fieldColumns makes a column of each field; what names a record is cut last.
func fieldColumns(fields []string) []column {
	var out []column
	for _, f := range fields {
		enough := enoughText
		if f == "number" || f == "sys_id" {
			enough = 0
		}
		out = append(out, column{f, enough})
	}
	return out
}

func recordRow(r itsm.Record, fields []string, display bool) []string {
	var out []string
	for _, f := range fields {
		value := r[f].Value
		if display && r[f].Display != "" {
			value = r[f].Display
		}
		out = append(out, value)
	}
	return out
}

// shown are the fields of one record that are shown: of all, those that came.
func shown(r itsm.Record, asked []string) []string {
	if slices.Equal(asked, []string{everyField}) {
		return r.Paths()
	}
	return asked
}

// recordObject has the fields that came, in the order in which they were asked for;
// those that only paging needed are left out.
func recordObject(r itsm.Record, q asking, fields []string) object {
	var out object
	for _, f := range fields {
		field, came := r[f]
		switch {
		case !came:
		case q.display && q.form != formTable:
			out = append(out, member{f, object{{"display_value", field.Display}, {"value", field.Value}}})
		case q.display && field.Display != "":
			out = append(out, member{f, field.Display})
		default:
			out = append(out, member{f, field.Value})
		}
	}
	return out
}

func newCount(a *app) *cobra.Command {
	var q asking
	cmd := &cobra.Command{
		Use: "count TABLE", Short: "How many records a query finds", Args: cobra.ExactArgs(1),
		Long: "Counts the records that an encoded query finds (the aggregate API). Access rules of single records do\n" +
			"not narrow the count: a list may be shorter.",
		Example: "  bridge itsm count incident --query active=true\n  bridge itsm count incident -o json",
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := q.check(args[0]); err != nil {
				return err
			}
			b, err := a.deskAlone()
			if err != nil {
				return err
			}
			n, err := b.desk.Count(cmd.Context(), args[0], q.query)
			if err != nil {
				return b.blame(err, "")
			}
			if b.sample(cmd.Context(), &q, args[0], n > 0); q.query != "" {
				q.doubt(a, args[0], n > 0)
			}
			if q.form == formTable {
				a.say("%d\n", n)
				return nil
			}
			return a.showOne(q.form, object{{"table", args[0]}, {"query", q.query}, {"count", n}})
		},
	}
	formFlag(cmd, &q.form)
	cmd.Flags().StringVar(&q.query, "query", "", "an encoded query, such as active=true^priority=1; none: all")
	return cmd
}
