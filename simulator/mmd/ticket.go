package mmd

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// contact is a CaseContact.
type contact struct {
	ID        string `json:"id"`
	GivenName string `json:"givenName"`
	Surname   string `json:"surname"`
	Email     string `json:"email"`
	Phone     string `json:"phoneNumber"`
	Language  string `json:"preferredLanguageId"`
}

// newTicket is the body of "Create ticket".
type newTicket struct {
	Title           string      `json:"title"`
	Description     string      `json:"description"`
	Type            string      `json:"type"`
	Category        string      `json:"category"`
	Subcategory     string      `json:"subcategory"`
	Impacted        *int32      `json:"usersOrDevicesImpacted"`
	Impact          *string     `json:"businessImpact"`
	Noticed         *time.Time  `json:"issueFirstNoticed"`
	Reproduced      *bool       `json:"issueReproduced"`
	Engaged         *bool       `json:"endUserSupportEngaged"`
	Troubleshooting *string     `json:"troubleshootingSteps"`
	Repro           *string     `json:"reproSteps"`
	Severity        *int32      `json:"severity"`
	Contact         *newContact `json:"contact"`
}

type newContact struct {
	GivenName string `json:"givenName"`
	Surname   string `json:"surname"`
	Email     string `json:"email"`
	Phone     string `json:"phoneNumber"`
}

// ticket is a CustomerTicket.
type ticket struct {
	newTicket
	id       string
	number   int
	state    string
	made     time.Time
	resolved time.Time
	notes    []note
}

// ticketJSON is a ticket on the wire, in the document's order.
type ticketJSON struct {
	Context         string     `json:"@odata.context,omitempty"`
	Title           string     `json:"title"`
	Description     string     `json:"description"`
	IsPartner       bool       `json:"isPartner"`
	Type            string     `json:"type"`
	Category        string     `json:"category"`
	Subcategory     string     `json:"subcategory"`
	Compromise      *string    `json:"compromiseIndicator"`
	Impacted        *int32     `json:"usersOrDevicesImpacted"`
	Alerts          *string    `json:"relatedAlerts"`
	Impact          *string    `json:"businessImpact"`
	Noticed         *string    `json:"issueFirstNoticed"`
	Reproduced      *bool      `json:"issueReproduced"`
	Engaged         *bool      `json:"endUserSupportEngaged"`
	Troubleshooting *string    `json:"troubleshootingSteps"`
	NextOwner       string     `json:"nextActionOwner"`
	NextTime        *string    `json:"nextActionTime"`
	Repro           *string    `json:"reproSteps"`
	ID              string     `json:"id"`
	Severity        int32      `json:"severity"`
	State           string     `json:"state"`
	Created         string     `json:"createdDateTime"`
	Resolved        *string    `json:"resolvedDateTime"`
	Contact         contact    `json:"contact"`
	Emails          []string   `json:"emails"`
	Attachments     []string   `json:"attachments"`
	Notes           []noteJSON `json:"notes"`
}

func (s *Server) wire(t *ticket) ticketJSON {
	out := ticketJSON{
		Title: t.Title, Description: t.Description, IsPartner: true, Type: t.Type, Category: t.Category, Subcategory: t.Subcategory,
		Impacted: t.Impacted, Impact: t.Impact, Reproduced: t.Reproduced, Engaged: t.Engaged, Troubleshooting: t.Troubleshooting,
		NextOwner: "Microsoft", Repro: t.Repro, ID: t.id, Severity: *t.Severity, State: t.state, Created: s.made(t), Resolved: s.stamped(t.resolved),
		Contact: contact{fmt.Sprintf("00000000-0000-4000-9000-%012d", t.number), t.Contact.GivenName, t.Contact.Surname, t.Contact.Email, t.Contact.Phone, ""},
		Emails:  []string{}, Attachments: []string{}, Notes: []noteJSON{},
	}
	if t.Noticed != nil {
		out.Noticed = s.stamped(t.Noticed.UTC())
	}
	if s.switches.NotesInList {
		out.Notes = s.listNotes(t)
	}
	return out
}

// made is when a ticket was created: every other one to the second, as in the document.
func (s *Server) made(t *ticket) string {
	if t.number%2 == 1 {
		return s.stamp(t.made.Truncate(time.Second))
	}
	return s.stamp(t.made)
}

// ticketFields are what $filter and $orderby may name.
func ticketFields() fields {
	return fields{
		"title": text, "description": text, "isPartner": truth, "type": text, "category": text, "subcategory": text, "usersOrDevicesImpacted": number,
		"businessImpact": text, "issueFirstNoticed": moment, "issueReproduced": truth, "endUserSupportEngaged": truth, "troubleshootingSteps": text,
		"reproSteps": text, "id": text, "severity": number, "state": text, "createdDateTime": moment, "resolvedDateTime": moment,
		"contact/givenName": text, "contact/surname": text, "contact/email": text, "contact/phoneNumber": text,
	}
}

func (t *ticket) field(name string) value {
	switch name {
	case "title":
		return textOf(t.Title)
	case "description":
		return textOf(t.Description)
	case "type":
		return textOf(t.Type)
	case "category":
		return textOf(t.Category)
	case "subcategory":
		return textOf(t.Subcategory)
	case "id":
		return textOf(t.id)
	case "state":
		return textOf(t.state)
	case "severity":
		return numberOf(t.Severity)
	case "createdDateTime":
		return momentOf(t.made)
	case "resolvedDateTime":
		return momentOf(t.resolved)
	case "isPartner":
		return value{kind: truth, truth: true}
	}
	return t.rarely(name)
}

// rarely gives the fields that are seldom asked for.
func (t *ticket) rarely(name string) value {
	switch name {
	case "usersOrDevicesImpacted":
		return numberOf(t.Impacted)
	case "businessImpact":
		return textAt(t.Impact)
	case "troubleshootingSteps":
		return textAt(t.Troubleshooting)
	case "reproSteps":
		return textAt(t.Repro)
	case "issueReproduced":
		return truthAt(t.Reproduced)
	case "endUserSupportEngaged":
		return truthAt(t.Engaged)
	case "issueFirstNoticed":
		if t.Noticed != nil {
			return momentOf(*t.Noticed)
		}
	case "contact/givenName":
		return textOf(t.Contact.GivenName)
	case "contact/surname":
		return textOf(t.Contact.Surname)
	case "contact/email":
		return textOf(t.Contact.Email)
	case "contact/phoneNumber":
		return textOf(t.Contact.Phone)
	}
	return value{kind: null}
}

// allTickets is "List tickets" and "Create ticket".
func (s *Server) allTickets(q *request) {
	if q.Method == http.MethodPost {
		s.create(q)
		return
	}
	if !q.reads() {
		return
	}
	o, err := options(q, ticketFields(), "filter", "skip", "top", "orderby")
	if err != nil {
		q.fail(http.StatusBadRequest, err.Error())
		return
	}
	if !s.shuffled && len(o.order) > 0 && o.order[0] == (ordering{"createdDateTime", true}) {
		o.order = nil // they are kept in that order
	}
	o.about = context("Tickets")
	page(q, s.cap(o), func(yield func(*ticket) bool) {
		for _, t := range slices.Backward(s.tickets) {
			if s.visible(t.made) && !yield(t) {
				return
			}
		}
	}, func(t *ticket) any {
		out := s.wire(t)
		if out.Type == "ChangeRequest" {
			out.Type = "Change Request" // as the document's lists have it
		}
		return out
	})
}

// create is "Create ticket": all that is required, and an answer with 200.
func (s *Server) create(q *request) {
	var in newTicket
	if !s.read(q, &in) {
		return
	}
	if missing := in.missing(); missing != "" {
		q.fail(http.StatusBadRequest, "The "+missing+" field is required.")
		return
	}
	if *in.Severity < 1 || *in.Severity > 4 {
		q.fail(http.StatusBadRequest, "severity is not valid: 1 to 4.")
		return
	}
	if !slices.Contains([]string{"Incident", "ChangeRequest", "RequestForInformation"}, in.Type) {
		q.fail(http.StatusBadRequest, "type is not valid: Incident, ChangeRequest or RequestForInformation.")
		return
	}
	t := s.add(in)
	out := s.wire(t)
	out.Context = context("Tickets/$entity")
	status := http.StatusOK
	if s.switches.Created {
		status = http.StatusCreated
	}
	q.json(status, out)
}

func (s *Server) add(in newTicket) *ticket {
	s.serial++
	t := &ticket{newTicket: in, number: s.serial, id: fmt.Sprintf("MMD-%d-%s", 1465000+s.serial, code(s.serial)), state: "active", made: s.now()}
	s.tickets = append(s.tickets, t)
	s.byID[t.id] = t
	return t
}

// missing names a required field that is not there.
func (in newTicket) missing() string {
	c := newContact{}
	if in.Contact != nil {
		c = *in.Contact
	}
	for _, f := range [][2]string{
		{"title", in.Title},
		{"description", in.Description},
		{"type", in.Type},
		{"category", in.Category},
		{"subcategory", in.Subcategory},
		{"contact.givenName", c.GivenName},
		{"contact.surname", c.Surname},
		{"contact.email", c.Email},
		{"contact.phoneNumber", c.Phone},
	} {
		if strings.TrimSpace(f[1]) == "" {
			return f[0]
		}
	}
	if in.Severity == nil {
		return "severity"
	}
	return ""
}

// code is the five letters at the end of a ticket's id.
func code(n int) string {
	const letters = "ABCDEFGHJKLMNPQRSTVWXYZ23456789"
	out := make([]byte, 5)
	for i := range out {
		out[i] = letters[(n*7+i*11+n/(i+3))%len(letters)]
	}
	return string(out)
}

// oneTicket is "Get ticket by ID", its notes, and "Add notes to ticket": what follows
// tickets( in the path.
func (s *Server) oneTicket(q *request, rest string) {
	key, method, closed := strings.Cut(rest, ")")
	id, quoted := strings.CutPrefix(key, "'")
	id, ended := strings.CutSuffix(id, "'")
	if !closed || !quoted || !ended {
		q.fail(http.StatusBadRequest, "The key in the path is not valid: tickets('ID').")
		return
	}
	t := s.byID[strings.ReplaceAll(id, "''", "'")]
	switch {
	case t == nil:
		q.fail(http.StatusNotFound, "This ticket does not exist.")
	case method == "" && q.reads():
		out := s.wire(t)
		out.Context = context("Tickets/$entity")
		q.json(http.StatusOK, out)
	case method == "/notes" || method == "/addNote":
		s.discuss(q, t, method)
	case method != "":
		q.fail(http.StatusNotFound, "This resource does not exist.")
	}
}
