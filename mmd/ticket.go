package mmd

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"net/http"
	"net/url"
	"strings"
	"time"

	"bridge/rest"
)

// Ticket is a CustomerTicket: see "Tickets, Properties" in the document.
type Ticket struct {
	ID          string
	Title       string
	Description string
	// Type is one of the three; lists write "Change Request" for ChangeRequest.
	Type        string
	Category    string
	Subcategory string
	// Severity is 1 to 4; 0: none, or a word (Unlisted).
	Severity        int
	State           string
	NextActionOwner string
	// Created and Resolved; zero: null or never.
	Created  time.Time
	Resolved time.Time
	Contact  Contact
	Notes    []Note

	// What the creator said of it; nil: null, which is not the same as empty.
	UsersOrDevicesImpacted *int
	BusinessImpact         *string
	IssueReproduced        *bool
	EndUserSupportEngaged  *bool
	TroubleshootingSteps   *string
	ReproSteps             *string
	IssueFirstNoticed      time.Time

	IsPartner           bool
	CompromiseIndicator *string
	RelatedAlerts       *string
	NextActionTime      time.Time
	// Emails and Attachments are as they came: the document shows them empty.
	Emails      []json.RawMessage
	Attachments []json.RawMessage

	// severity is what the server says where that is no number.
	severity string
	missing  gaps
}

// Missing names the fields that may be null and are not even that: the reply does not
// have them.
func (t Ticket) Missing() []string {
	return t.missing.of("usersOrDevicesImpacted", "businessImpact", "issueReproduced", "endUserSupportEngaged", "troubleshootingSteps", "reproSteps", "compromiseIndicator", "relatedAlerts")
}

// Contact is a CaseContact.
type Contact struct {
	ID          string `json:"id,omitempty"`
	GivenName   string `json:"givenName"`
	Surname     string `json:"surname"`
	Email       string `json:"email"`
	PhoneNumber string `json:"phoneNumber"`

	PreferredLanguageID string `json:"preferredLanguageId,omitempty"`
}

// contact is a Contact as servers write it.
type contact struct{ ID, GivenName, Surname, Email, PhoneNumber, PreferredLanguageID text }

func (c contact) read() Contact {
	return Contact{
		ID: string(c.ID), GivenName: string(c.GivenName), Surname: string(c.Surname), Email: string(c.Email), PhoneNumber: string(c.PhoneNumber),
		PreferredLanguageID: string(c.PreferredLanguageID),
	}
}

// UnmarshalJSON reads a ticket as the server writes it; words that it does not
// know are kept as they are.
func (t *Ticket) UnmarshalJSON(raw []byte) error {
	var wire struct {
		ID, Title, Description, Type, Category, Subcategory, State, NextActionOwner text

		Severity         text
		CreatedDateTime  moment
		ResolvedDateTime moment
		Contact          contact
		Notes            []Note

		UsersOrDevicesImpacted                 optional[number, *number]
		IssueReproduced, EndUserSupportEngaged optional[flag, *flag]
		IsPartner                              flag
		IssueFirstNoticed, NextActionTime      moment
		Emails, Attachments                    []json.RawMessage

		BusinessImpact, TroubleshootingSteps, ReproSteps, CompromiseIndicator, RelatedAlerts optional[text, *text]
	}
	if err := json.Unmarshal(raw, &wire); err != nil {
		return err
	}
	*t = Ticket{
		ID: string(wire.ID), Title: string(wire.Title), Description: string(wire.Description),
		Type: strings.ReplaceAll(string(wire.Type), " ", ""), Category: strings.TrimSpace(string(wire.Category)),
		Subcategory: strings.TrimSpace(string(wire.Subcategory)), State: string(wire.State),
		NextActionOwner: string(wire.NextActionOwner), Created: wire.CreatedDateTime.Time, Resolved: wire.ResolvedDateTime.Time, Contact: wire.Contact.read(), Notes: wire.Notes,
		UsersOrDevicesImpacted: (*int)(wire.UsersOrDevicesImpacted.value), BusinessImpact: (*string)(wire.BusinessImpact.value), IssueReproduced: (*bool)(wire.IssueReproduced.value),
		EndUserSupportEngaged: (*bool)(wire.EndUserSupportEngaged.value), TroubleshootingSteps: (*string)(wire.TroubleshootingSteps.value), ReproSteps: (*string)(wire.ReproSteps.value),
		IssueFirstNoticed: wire.IssueFirstNoticed.Time, IsPartner: bool(wire.IsPartner), CompromiseIndicator: (*string)(wire.CompromiseIndicator.value),
		RelatedAlerts: (*string)(wire.RelatedAlerts.value), NextActionTime: wire.NextActionTime.Time, Emails: wire.Emails, Attachments: wire.Attachments,
		missing: missing(wire.UsersOrDevicesImpacted.came, wire.BusinessImpact.came, wire.IssueReproduced.came, wire.EndUserSupportEngaged.came, wire.TroubleshootingSteps.came, wire.ReproSteps.came, wire.CompromiseIndicator.came, wire.RelatedAlerts.came),
	}
	var severity number
	if severity.UnmarshalJSON([]byte(wire.Severity)) != nil {
		t.severity = string(wire.Severity)
	}
	t.Severity = int(severity)
	return nil
}

// NewTicket is the body of "Create ticket": the required fields, and those that
// may be left out.
type NewTicket struct {
	Title       string  `json:"title"`
	Description string  `json:"description"`
	Type        string  `json:"type"`
	Category    string  `json:"category"`
	Subcategory string  `json:"subcategory"`
	Severity    int     `json:"severity"`
	Contact     Contact `json:"contact"`

	UsersOrDevicesImpacted *int    `json:"usersOrDevicesImpacted,omitempty"`
	BusinessImpact         *string `json:"businessImpact,omitempty"`
	IssueFirstNoticed      *string `json:"issueFirstNoticed,omitempty"`
	IssueReproduced        *bool   `json:"issueReproduced,omitempty"`
	EndUserSupportEngaged  *bool   `json:"endUserSupportEngaged,omitempty"`
	TroubleshootingSteps   *string `json:"troubleshootingSteps,omitempty"`
	ReproSteps             *string `json:"reproSteps,omitempty"`
}

// Note is one note of a ticket. Its id looks like an index: a hint, no identity.
type Note struct {
	ID         string
	Type       string
	RenderType string
	Text       string
	Sender     string
	Created    time.Time
	Modified   time.Time
	// CreatedRaw is the time as it was written.
	CreatedRaw string
}

// UnmarshalJSON reads a note as the server writes it.
func (n *Note) UnmarshalJSON(raw []byte) error {
	var wire struct {
		ID, Type, RenderType, Text, Sender text

		CreatedDateTime, ModifiedDateTime moment
	}
	if err := json.Unmarshal(raw, &wire); err != nil {
		return err
	}
	*n = Note{
		ID: string(wire.ID), Type: string(wire.Type), RenderType: string(wire.RenderType), Text: string(wire.Text), Sender: string(wire.Sender),
		Created: wire.CreatedDateTime.Time, Modified: wire.ModifiedDateTime.Time, CreatedRaw: wire.CreatedDateTime.raw,
	}
	return nil
}

// errNoID says that a create was answered without saying what was made.
var errNoID = errors.New("the reply names no id")

// ErrNotes says that this server does not give notes: "viewing and adding
// contents to discussions is not currently supported" (Create ticket).
var ErrNotes = errors.New("this server does not offer the notes of a ticket")

// List lists tickets: see "List tickets".
func (s *Tickets) List(ctx context.Context, o ListOptions) iter.Seq2[Ticket, error] {
	return list(ctx, s.service, place{path: "tickets", name: "tickets"}, o, func(t Ticket) string { return t.ID })
}

// Get reads one ticket: see "Get ticket by ID".
func (s *Tickets) Get(ctx context.Context, id string) (Ticket, error) {
	return one[Ticket](ctx, s.service, ticketPath(id), "tickets('ID')", func(t Ticket) string { return t.ID })
}

// Create opens a ticket: see "Create ticket". The document says GET; it is a POST
// that answers 200 or 201.
func (s *Tickets) Create(ctx context.Context, t NewTicket) (Ticket, error) {
	var made Ticket
	out, err := s.rest.Do(ctx, rest.Request{Method: http.MethodPost, Path: "tickets", Name: "tickets", Body: t, Into: &made})
	if err == nil && made.ID == "" {
		err = &rest.Error{Method: http.MethodPost, Path: "tickets", Status: out.Status, Outcome: rest.Unknown, Complete: true, Err: errNoID}
	}
	return made, err
}

// Notes reads the notes of a ticket: see "Get ticket notes".
func (s *Tickets) Notes(ctx context.Context, id string) ([]Note, error) {
	at := place{path: ticketPath(id) + "/notes", name: "tickets('ID')/notes"}
	var notes []Note
	asked := map[string]bool{}
	for q := (url.Values{}); ; { // the document has no $skip here: the server says how it goes on
		page, next, err := read[Note](ctx, s.service, at, q)
		if err != nil {
			return nil, notesError(err)
		}
		notes = append(notes, page...)
		if next == nil {
			return notes, nil
		}
		if asked[q.Encode()] = true; asked[next.Encode()] {
			return nil, unsure(at.name, ErrRepeats)
		}
		q = next
	}
}

// AddNote adds a note: see "Add notes to ticket". It answers 204 and says nothing
// of what it made.
func (s *Tickets) AddNote(ctx context.Context, id, note string) error {
	_, err := s.rest.Do(ctx, rest.Request{
		Method: http.MethodPost, Path: ticketPath(id) + "/addNote", Name: "tickets('ID')/addNote", Body: map[string]string{"text": note},
	})
	return notesError(err)
}

// notesError names the one refusal of notes that is about the server.
func notesError(err error) error {
	var e *rest.Error
	if errors.As(err, &e) && (e.Status == http.StatusNotFound || e.Status == http.StatusMethodNotAllowed) && e.Err == nil {
		e.Err = ErrNotes
	}
	return err
}

// ticketPath is a key in parentheses: a quote inside it is doubled.
func ticketPath(id string) string {
	return "tickets('" + segment(strings.ReplaceAll(id, "'", "''")) + "')"
}
