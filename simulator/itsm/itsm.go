// Package itsm stands in for an IT service desk with ServiceNow's table API. It is
// written from the documents and shares nothing with the bridge's client, so that
// a misreading shows. It keeps its rows in memory and is no desk for people.
package itsm

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Config says who may sign in.
type Config struct {
	Username, Password     string
	ClientID, ClientSecret string
	Key                    string
	Now                    func() time.Time
}

// Server is the desk. Its switches are what real instances differ by.
type Server struct {
	cfg Config

	mu     sync.Mutex
	tables map[string]*table
	serial int
	tokens map[string]time.Time
	// journals are the rows of sys_journal_field by record.
	journals map[string][]row

	// Hide leaves rows out of pages after the limit, as access rules do.
	Hide func(table, sysID string) bool
	// JournalRows false: sys_journal_field answers with no rows.
	JournalRows bool
	// UnknownFields is what a query on an unknown field does: ignore, no_rows or refuse.
	UnknownFields string
	// Unwritable fields are ignored in a body, with 200.
	Unwritable map[string]bool
}

type row map[string]string

type table struct {
	rows    map[string]row
	columns map[string]bool
}

// New makes an empty desk.
func New(cfg Config) *Server {
	s := &Server{cfg: cfg, tables: map[string]*table{}, tokens: map[string]time.Time{}, journals: map[string][]row{}, JournalRows: true, UnknownFields: "ignore"}
	for _, name := range []string{
		"incident", "sc_task", "sc_req_item", "sc_request", "change_request", "problem", "task", "sys_user", "sys_user_group", "cmdb_ci",
		"sys_journal_field", "sysapproval_approver", "sys_choice", "sys_dictionary",
	} {
		s.tables[name] = &table{rows: map[string]row{}, columns: columnsOf(name)}
	}
	return s
}

// columnsOf are the columns that a fresh instance has, as far as rules ask for them.
func columnsOf(name string) map[string]bool {
	out := map[string]bool{}
	add := func(columns string) {
		for c := range strings.FieldsSeq(columns) {
			out[c] = true
		}
	}
	add("sys_id sys_created_on sys_created_by sys_updated_on sys_updated_by sys_mod_count sys_class_name active")
	switch name {
	case "incident", "sc_task", "sc_req_item", "sc_request", "change_request", "problem", "task":
		add("number short_description description state priority impact urgency category subcategory caller_id opened_by opened_at assigned_to assignment_group cmdb_ci " +
			"location company parent request_item requested_for approval close_code close_notes correlation_id correlation_display comments work_notes risk start_date end_date backout_plan type hold_reason")
	case "sys_user":
		add("user_name name first_name last_name email phone mobile_phone vip")
	case "sys_user_group", "cmdb_ci":
		add("name")
	case "sys_journal_field":
		add("name element element_id value")
	case "sysapproval_approver":
		add("approver state sysapproval document_id source_table group comments")
	case "sys_choice":
		add("name element value label inactive")
	case "sys_dictionary":
		add("name element internal_type mandatory max_length reference")
	}
	return out
}

// references say where a column leads.
func reference(column string) []string {
	switch column {
	case "caller_id", "opened_by", "assigned_to", "requested_for", "approver", "manager":
		return []string{"sys_user"}
	case "assignment_group":
		return []string{"sys_user_group"}
	case "cmdb_ci":
		return []string{"cmdb_ci"}
	case "request_item":
		return []string{"sc_req_item"}
	case "parent", "sysapproval", "document_id":
		return []string{"incident", "sc_req_item", "sc_task", "change_request", "sc_request", "problem"}
	}
	return nil
}

// id makes a sys_id: 32 lower-case hex digits, the same for the same seed and order.
func (s *Server) id() string {
	s.serial++
	sum := sha256.Sum256([]byte("row " + strconv.Itoa(s.serial)))
	return hex.EncodeToString(sum[:16])
}

func (s *Server) now() string { return s.cfg.Now().UTC().Format(time.DateTime) }

// Insert adds a row as a person would, and gives its sys_id.
func (s *Server) Insert(name string, fields map[string]string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.insert(name, fields, "person")
}

func (s *Server) insert(name string, fields map[string]string, by string) string {
	t := s.table(name)
	r := row{"sys_id": s.id(), "sys_created_on": s.now(), "sys_created_by": by, "sys_updated_on": s.now(), "sys_updated_by": by, "sys_mod_count": "0", "sys_class_name": name, "active": "true"}
	maps.Copy(r, defaults(name))
	if r["number"] != "" {
		r["number"] += fmt.Sprintf("%07d", 10000+len(t.rows)+1)
	}
	id := r["sys_id"]
	t.rows[id] = r
	s.set(name, r, fields, by)
	r["sys_mod_count"] = "0"
	return id
}

func defaults(name string) row {
	switch name {
	case "incident":
		return row{"number": "INC", "state": "1", "impact": "3", "urgency": "3", "priority": "5", "category": "inquiry", "approval": "not requested"}
	case "sc_task":
		return row{"number": "SCTASK", "state": "1", "approval": "not requested"}
	case "sc_req_item":
		return row{"number": "RITM", "state": "1", "approval": "requested"}
	case "change_request":
		return row{"number": "CHG", "state": "-5", "approval": "not requested"}
	}
	return nil
}

func (s *Server) table(name string) *table {
	t := s.tables[name]
	if t == nil {
		t = &table{rows: map[string]row{}, columns: columnsOf(name)}
		s.tables[name] = t
	}
	return t
}

// Set changes fields of a row as a person would.
func (s *Server) Set(name, id string, fields map[string]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.update(name, s.table(name).rows[id], fields, "person")
}

// update changes a row and counts it, if anything changes.
func (s *Server) update(name string, r row, fields map[string]string, by string) {
	if !s.set(name, r, fields, by) {
		return
	}
	n, _ := strconv.Atoi(r["sys_mod_count"])
	r["sys_mod_count"] = strconv.Itoa(n + 1)
	r["sys_updated_on"], r["sys_updated_by"] = s.now(), by
}

// set writes fields: journals append, priority follows impact and urgency, closing
// states end active. It says whether anything changed.
func (s *Server) set(name string, r row, fields map[string]string, by string) bool {
	changed := false
	for _, field := range slices.Sorted(maps.Keys(fields)) {
		value := fields[field]
		switch {
		case field == "comments" || field == "work_notes":
			if value != "" {
				s.journal(name, r["sys_id"], field, by, value)
				changed = true
			}
		case r[field] != value:
			r[field] = value
			s.table(name).columns[field] = true
			changed = true
		}
	}
	if name == "incident" && changed {
		if _, given := fields["priority"]; !given || fields["impact"] != "" {
			r["priority"] = priority(r["impact"], r["urgency"], r["priority"])
		}
	}
	if state, given := fields["state"]; given {
		r["active"] = strconv.FormatBool(!closed(name, state))
	}
	return changed
}

// priority is the default lookup of impact and urgency.
func priority(impact, urgency, is string) string {
	i, err1 := strconv.Atoi(impact)
	u, err2 := strconv.Atoi(urgency)
	if err1 != nil || err2 != nil || i == 3 && u == 3 {
		return is
	}
	return strconv.Itoa(i + u - 1)
}

// closed says which states end a record: a resolved incident stays active.
func closed(name, state string) bool {
	switch name {
	case "incident":
		return state == "7" || state == "8"
	case "change_request":
		return state == "3" || state == "4"
	}
	return state == "3" || state == "4" || state == "7"
}

func (s *Server) journal(name, record, element, by, text string) {
	r := row{"sys_id": s.id(), "name": name, "element": element, "element_id": record, "value": text, "sys_created_on": s.now(), "sys_created_by": by, "sys_tags": ""}
	s.journals[record] = append(s.journals[record], r)
	s.table("sys_journal_field").rows[r["sys_id"]] = r
}

// Comment adds a customer-visible comment as a person.
func (s *Server) Comment(name, id, by, text string) { s.note(name, id, "comments", by, text) }

// WorkNote adds a work note as a person.
func (s *Server) WorkNote(name, id, by, text string) { s.note(name, id, "work_notes", by, text) }

func (s *Server) note(name, id, element, by, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.update(name, s.table(name).rows[id], map[string]string{element: text}, by)
}

// Delete takes a row away without a trace.
func (s *Server) Delete(name, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.table(name).rows, id)
}

// Decide writes one person's word on an object, and rolls it up on the object.
func (s *Server) Decide(name, id, approver, state string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.insert("sysapproval_approver", map[string]string{"sysapproval": id, "document_id": id, "source_table": name, "approver": approver, "state": state}, approver)
	s.update(name, s.table(name).rows[id], map[string]string{"approval": state}, approver)
}

// Row gives a copy of a row.
func (s *Server) Row(name, id string) map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.table(name).rows[id])
}

// Entry is one journal row.
type Entry struct{ Element, By, Text string }

// Journal gives the journal of a record, oldest first.
func (s *Server) Journal(id, element string) []Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Entry
	for _, r := range s.journals[id] {
		if r["element"] == element {
			out = append(out, Entry{r["element"], r["sys_created_by"], r["value"]})
		}
	}
	return out
}
