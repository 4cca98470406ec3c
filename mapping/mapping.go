// Package mapping reads mappings.yaml: it loads, checks, compiles and applies the
// rules that an ITSM administrator writes. It is pure: bytes and values come in,
// values and problems go out; it opens nothing, asks nobody and knows no time.
package mapping

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Cell is one field as the desk said it: its raw value and, where it was asked
// for, its label.
type Cell struct {
	Value   string
	Display string `json:",omitempty"`
}

// Row is one object as its side said it, by dotted path. A key that is absent is
// not an empty field: it is a field that was not readable.
type Row map[string]Cell

// Input is what a rule is applied to; what there is none of is nil.
type Input struct {
	Record, Ticket, Note Row
	// TicketOf answers ticket_of(path), by path.
	TicketOf map[string]string
}

// Rules is a compiled mappings.yaml. It is read by many at once and never changes.
type Rules struct {
	Tickets    []*TicketRule
	Elevations []*ElevationRule
	// Hash is of the file and the vars: another one means other rules.
	Hash string
}

// Ticket finds a ticket rule by its name, or by one that it had.
func (r *Rules) Ticket(name string) *TicketRule {
	for _, rule := range r.Tickets {
		if rule.named(name) {
			return rule
		}
	}
	return nil
}

// Elevation finds an elevation rule by its name, or by one that it had.
func (r *Rules) Elevation(name string) *ElevationRule {
	for _, rule := range r.Elevations {
		if rule.named(name) {
			return rule
		}
	}
	return nil
}

// Current is the name that a rule has now, by one that it had; any other name stays.
func (r *Rules) Current(name string) string {
	if rule := r.Ticket(name); rule != nil {
		return rule.Name
	}
	if rule := r.Elevation(name); rule != nil {
		return rule.Name
	}
	return name
}

// Source is what both kinds of rule say about which records they take.
type Source struct {
	Name  string
	Table string
	File  string
	Line  int
	// Was are the names that the rule had.
	Was   []string
	Query Query
	// Fields are the record's fields that the rule names anywhere, and the system's.
	Fields []string
	// Display says that labels are needed too.
	Display bool
	// TicketRefs are the paths in ticket_of(path).
	TicketRefs []string
	// Start leaves out records that were created before it.
	Start time.Time
	// Creates is the rule's own brake; -1: it has none.
	Creates int
	when    *expression
}

func (s *Source) named(name string) bool {
	if s.Name == name {
		return true
	}
	return slices.Contains(s.Was, name)
}

// at is a place in the file, for reasons.
func (s *Source) at(line int) string { return fmt.Sprintf("%s:%d", s.File, line) }

// InQuery evaluates the rule's query on a row, clause by clause.
func (s *Source) InQuery(row Row) (bool, string) { return s.Query.Match(row) }

// Matches says whether the rule takes a record, and why or why not: its query,
// evaluated here on every row whatever the server answered, its start and its when.
func (s *Source) Matches(row Row) (bool, string) {
	if ok, why := s.Query.Match(row); !ok {
		return false, why
	}
	if !s.Start.IsZero() {
		created, err := time.Parse(time.DateTime, row["sys_created_on"].Value)
		if err != nil {
			return false, "sys_created_on was not readable, so start.from cannot be checked"
		}
		if created.Before(s.Start) {
			return false, fmt.Sprintf("created %s, before start.from %s", created.Format(time.DateOnly), s.Start.Format(time.DateOnly))
		}
	}
	if s.when == nil {
		return true, fmt.Sprintf("matches the query of rule %s (%s)", s.Name, s.at(s.Line))
	}
	ok, err := s.when.holds(&scope{in: Input{Record: row}})
	if err != nil {
		return false, fmt.Sprintf("when (%s) cannot be decided: %v", s.at(s.when.line), err)
	}
	if !ok {
		return false, fmt.Sprintf("when (%s) does not hold%s", s.at(s.when.line), s.when.values(row))
	}
	return true, fmt.Sprintf("matches query and when (%s)", s.at(s.when.line))
}

// Undecided says why it cannot be known whether the rule takes a record: a field that
// decides was not readable. Empty: it can.
func (s *Source) Undecided(row Row) string {
	decides := s.Query.Fields()
	if !s.Start.IsZero() {
		decides = append(decides, "sys_created_on")
	}
	if s.when != nil {
		decides = append(decides, s.when.fields()...)
	}
	for _, field := range decides {
		if !readable(row, field) {
			return field + " was not readable, a right is missing: it cannot be decided whether rule " + s.Name + " takes it"
		}
	}
	return ""
}

// TicketRule makes tickets of records.
type TicketRule struct {
	Source
	create []target
	update []target
	// UpdateFields are the record's fields that update sets, TicketFields those of
	// the ticket that it reads: a turn is a change of one of these.
	UpdateFields []string
	TicketFields []string
	NotesTo      NoteIn
	NotesFrom    NoteOut
	// History sends the comments from before the link, too.
	History    bool
	TellTicket []string
	// Owner says, by field, whose word counts when both sides moved.
	Owner  map[string]string
	Reopen string
	Leave  string
}

// NoteIn is where a vendor's notes go.
type NoteIn struct {
	Field string
	when  *expression
}

// NoteOut is which comments go to the vendor.
type NoteOut struct {
	Fields []string
	when   *expression
}

// SendNote says whether a comment goes to the vendor.
func (r *TicketRule) SendNote(in Input) (bool, string) {
	return decide(r.NotesFrom.when, in, "notes.to_ticket.when")
}

// TakeNote says whether a vendor's note goes to the record.
func (r *TicketRule) TakeNote(in Input) (bool, string) {
	return decide(r.NotesTo.when, in, "notes.to_record.when")
}

// decide evaluates a condition that may be missing; one that cannot be decided
// lets through: nothing is lost in silence.
func decide(when *expression, in Input, what string) (bool, string) {
	if when == nil {
		return true, ""
	}
	ok, err := when.holds(&scope{in: in})
	if err != nil {
		return true, fmt.Sprintf("%s (line %d) cannot be decided: %v", what, when.line, err)
	}
	if !ok {
		return false, fmt.Sprintf("%s (line %d) does not hold", what, when.line)
	}
	return true, ""
}

// ElevationRule makes elevation requests of tasks.
type ElevationRule struct {
	Source
	create []target
	// Approved are the approval fields, in the order in which they are looked at.
	Approved []string
	// NotBy are the fields of people whose approval does not count.
	NotBy      []string
	Within     time.Duration
	CloseAfter time.Duration
	// Report is the journal field on which the task hears what happens; empty: none.
	Report  string
	close   *expression
	actions value
}

// Closes says whether the task asks for its elevation to be closed.
func (r *ElevationRule) Closes(in Input) (bool, string) {
	if r.close == nil {
		return false, ""
	}
	ok, err := r.close.holds(&scope{in: in})
	if err != nil {
		return false, fmt.Sprintf("close.when (%s) cannot be decided: %v", r.at(r.close.line), err)
	}
	if !ok {
		return false, fmt.Sprintf("close.when (%s) does not hold%s", r.at(r.close.line), r.close.values(in.Record))
	}
	return true, fmt.Sprintf("close.when holds (%s)%s", r.at(r.close.line), r.close.values(in.Record))
}

// NotByUnknown says why it cannot be known whose approval does not count. Empty: it can. A
// desk may show a field as empty that it keeps back: one of them has to name somebody.
func (r *ElevationRule) NotByUnknown(row Row) string {
	named := len(r.NotBy) == 0
	for _, path := range r.NotBy {
		if !readable(row, path) {
			return path + " was not readable, a right is missing"
		}
		named = named || row[path].Value != ""
	}
	if !named {
		return strings.Join(r.NotBy, " and ") + " name nobody"
	}
	return ""
}

// CloseUndecided says why it cannot be known whether the task asks for that. Empty: it can.
func (r *ElevationRule) CloseUndecided(in Input) string {
	if r.close == nil {
		return ""
	}
	for _, field := range r.close.fields() {
		if !readable(in.Record, field) {
			return field + " was not readable, a right is missing"
		}
	}
	if _, err := r.close.holds(&scope{in: in}); err != nil {
		return err.Error()
	}
	return ""
}

// ActionsTaken is what is said to have been done.
func (r *ElevationRule) ActionsTaken(in Input) string {
	if r.actions == nil {
		return ""
	}
	return r.actions.eval(&scope{in: in}).text
}

// Draft is what a rule makes of one input.
type Draft struct {
	// Body holds text, int, bool, or a map of them, by the API's field names.
	Body map[string]any
	// Lacks are required fields that are empty.
	Lacks []Lack
	// Unmapped are values that met no entry of a map, or that a field cannot take.
	Unmapped []Unmapped
	// Why says, by field, what it came of and the line: "1/2 → matrix (mappings.yaml:36)".
	Why map[string]string
}

// Lack is a required field that is empty.
type Lack struct {
	Rule, File string
	Line       int
	Field      string
	Reason     string
}

// String names rule, place, field and what is wrong.
func (l Lack) String() string {
	return fmt.Sprintf("rule %s (%s:%d): %s %s", l.Rule, l.File, l.Line, l.Field, l.Reason)
}

// Unmapped is a value that met no entry of a map, or that a field cannot take:
// whatever stood in for it, it is shown.
type Unmapped struct {
	Field, Value string
	Line         int
	// Reason is what is wrong; empty: there is no such entry.
	Reason string
}
