package mmd

import (
	"fmt"
	"slices"
	"time"
)

// Ticket is a ticket as a person of the vendor looks at it.
type Ticket struct {
	ID, Title, Description, State, Type string
	Category, Subcategory               string
	Severity                            int
	Contact                             map[string]string
	Created                             time.Time
}

func look(t *ticket) Ticket {
	return Ticket{
		t.id, t.Title, t.Description, t.state, t.Type, t.Category, t.Subcategory, int(*t.Severity),
		map[string]string{"givenName": t.Contact.GivenName, "surname": t.Contact.Surname, "email": t.Contact.Email, "phoneNumber": t.Contact.Phone},
		t.made,
	}
}

// Tickets lists all tickets, oldest first.
func (s *Server) Tickets() []Ticket {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Ticket, 0, len(s.tickets))
	for _, t := range s.tickets {
		out = append(out, look(t))
	}
	return out
}

// Ticket gives one ticket.
func (s *Server) Ticket(id string) (Ticket, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.byID[id]; t != nil {
		return look(t), true
	}
	return Ticket{}, false
}

// AddTicket opens a ticket that did not come through the API, and gives its id.
func (s *Server) AddTicket(title, description string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	severity := int32(3)
	return s.add(newTicket{
		Title: title, Description: description, Type: "Incident", Category: "Devices", Subcategory: "Other ", Severity: &severity,
		Contact: &newContact{"Vera", "Vendor", "vera@vendor.example", "+1 888"},
	}).id
}

// SetState changes a ticket's state: active or resolved.
func (s *Server) SetState(id, state string) {
	s.change(id, func(t *ticket) {
		t.state, t.resolved = state, time.Time{}
		if state == "resolved" {
			t.resolved = s.cfg.Now().UTC()
		}
	})
}

// SetSeverity changes a ticket's severity.
func (s *Server) SetSeverity(id string, severity int) {
	s.change(id, func(t *ticket) {
		n := int32(severity) //nolint:gosec // one to four
		t.Severity = &n
	})
}

// Edit changes what a ticket says of itself.
func (s *Server) Edit(id, title, description string) {
	s.change(id, func(t *ticket) { t.Title, t.Description = title, description })
}

// Remove takes a ticket away.
func (s *Server) Remove(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.byID, id)
	s.tickets = slices.DeleteFunc(s.tickets, func(t *ticket) bool { return t.id == id })
}

func (s *Server) change(id string, do func(*ticket)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.byID[id]; t != nil {
		do(t)
	}
}

// Note is a note as a person of the vendor looks at it.
type Note struct {
	Sender, Text string
	Created      time.Time
}

// Notes lists the notes of a ticket, oldest first.
func (s *Server) Notes(id string) []Note {
	var out []Note
	s.change(id, func(t *ticket) {
		for _, n := range t.notes {
			out = append(out, Note{n.sender, n.text, n.made})
		}
	})
	return out
}

// AddNote writes a note as the vendor's engineer.
func (s *Server) AddNote(id, sender, html string) {
	s.change(id, func(t *ticket) { s.addNote(t, sender, html) })
}

// EditNote changes the text of the nth note, counted from 0.
func (s *Server) EditNote(id string, n int, html string) {
	s.change(id, func(t *ticket) { t.notes[n].text, t.notes[n].modified = html, s.cfg.Now().UTC() })
}

// SignNote changes the sender of the nth note.
func (s *Server) SignNote(id string, n int, sender string) {
	s.change(id, func(t *ticket) { t.notes[n].sender = sender })
}

// RemoveNote takes the nth note away; those after it move up.
func (s *Server) RemoveNote(id string, n int) {
	s.change(id, func(t *ticket) { t.notes = slices.Delete(t.notes, n, n+1) })
}

// Elevation is an elevation request as a person of the vendor looks at it.
type Elevation struct {
	ID, Device, Ticket, Title, Plan, Actions string
	Open                                     bool
}

// Elevations lists all elevation requests, oldest first.
func (s *Server) Elevations() []Elevation {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Elevation
	for _, e := range s.elevations {
		out = append(out, Elevation{e.id, e.Device, e.Ticket, e.Title, e.Plan, e.actions, e.open()})
	}
	return out
}

// CopyElevation opens one more elevation request that says the same, as a late request does.
func (s *Server) CopyElevation(id string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	again := *s.elevation(id)
	s.serial++
	again.closed = time.Time{}
	again.id, again.made = fmt.Sprintf("00000000-0000-4000-8000-%012d", s.serial), s.now()
	s.elevations = append(s.elevations, &again)
	return again.id
}

// CloseElevation closes one as the vendor.
func (s *Server) CloseElevation(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.elevation(id); e != nil && e.open() {
		s.close(e, "vera@vendor.example", "")
	}
}

// Secrets gives all elevation passwords that there ever were: what must be found nowhere else.
func (s *Server) Secrets() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.handed)
}
