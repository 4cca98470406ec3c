package itsm

import (
	"slices"
	"strings"
	"time"
)

// Entry is one entry of a journal.
type Entry struct {
	Element, By, Text string
	At                time.Time
}

// Comment adds a customer-visible comment as a person.
func (s *Server) Comment(table, sysID, by, text string) { s.note(table, sysID, "comments", by, text) }

// WorkNote adds a work note as a person.
func (s *Server) WorkNote(table, sysID, by, text string) {
	s.note(table, sysID, "work_notes", by, text)
}

func (s *Server) note(table, sysID, element, by, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.records[sysID]
	if r == nil || !r.table.is(table) {
		return
	}
	given := map[string]string{element: text}
	if element == "comments" && r.fields["state"] == "3" && r.fields["hold_reason"] == "1" && r.fields["caller_id"] == s.userID(by) {
		given["state"] = "2" // the caller has answered
	}
	s.update(r, given, by)
}

// Journal gives the journal of a record, oldest first.
func (s *Server) Journal(sysID, element string) []Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Entry
	for _, r := range s.journals[sysID] {
		if r.fields["element"] == element {
			at, _ := time.Parse(time.DateTime, r.fields["sys_created_on"])
			out = append(out, Entry{element, r.fields["sys_created_by"], r.fields["value"], at})
		}
	}
	return out
}

// Erase takes the oldest entry with a text out of the journal of a record, as an
// administrator does. The record does not move.
func (s *Server) Erase(sysID, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.IndexFunc(s.journals[sysID], func(r *record) bool { return r.fields["value"] == text }); i >= 0 {
		s.delete(s.journals[sysID][i], person)
	}
}

// write adds an entry to a journal of a record.
func (s *Server) write(of *record, element, by, text string) {
	t := s.tables["sys_journal_field"]
	r := &record{table: t, fields: map[string]string{
		"sys_id": s.newID(), "name": of.table.name, "element": element, "element_id": of.id(), "value": text,
		"sys_created_on": s.now(), "sys_created_by": by,
	}}
	s.records[r.id()] = r
	s.journals[of.id()] = append(s.journals[of.id()], r)
	t.place(r)
	s.hold(r, nil)
}

// shown is the display form of a journal: newest first, with a header that a person
// can forge.
func (s *Server) shown(r *record, element string) string {
	var b strings.Builder
	for _, e := range slices.Backward(s.journals[r.id()]) {
		e = s.seen(e)
		if e == nil || element != "comments_and_work_notes" && e.fields["element"] != element {
			continue
		}
		b.WriteString(s.local(e.fields["sys_created_on"]))
		b.WriteString(" - ")
		b.WriteString(s.author(e.fields["sys_created_by"]))
		b.WriteString(" (")
		b.WriteString(r.table.column(e.fields["element"]).label)
		b.WriteString(")\n")
		b.WriteString(e.fields["value"])
		b.WriteString("\n\n")
	}
	return b.String()
}

// latest is the newest entry alone.
func (s *Server) latest(r *record, element string) string {
	for _, e := range slices.Backward(s.journals[r.id()]) {
		if e = s.seen(e); e != nil && (element == "comments_and_work_notes" || e.fields["element"] == element) {
			return e.fields["value"]
		}
	}
	return ""
}

// author is the name of a user, or the user name of somebody unknown.
func (s *Server) author(userName string) string {
	if u := s.user(userName); u != nil && u.fields["name"] != "" {
		return u.fields["name"]
	}
	return userName
}

// local writes a time in the user's zone.
func (s *Server) local(utc string) string {
	t, err := time.Parse(time.DateTime, utc)
	if err != nil || s.switches.ZoneHours == 0 {
		return utc
	}
	return t.Add(time.Duration(s.switches.ZoneHours) * time.Hour).Format(time.DateTime)
}
