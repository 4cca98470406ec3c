package mmd

import (
	"net/http"
	"slices"
	"time"
)

// note is one entry of a ticket's discussion.
type note struct {
	sender, text   string
	made, modified time.Time
}

type noteJSON struct {
	ID         int    `json:"id"`
	Type       string `json:"type"`
	RenderType string `json:"renderType"`
	Created    string `json:"createdDateTime"`
	Modified   string `json:"modifiedDateTime"`
	Text       string `json:"text"`
	Sender     string `json:"sender"`
}

// listNotes numbers notes as they are listed: the id says nothing else.
func (s *Server) listNotes(t *ticket) []noteJSON {
	out := []noteJSON{}
	whole := t.number%2 == 1 // every other ticket has times to the second
	for _, n := range t.notes {
		if whole {
			n.made, n.modified = n.made.Truncate(time.Second), n.modified.Truncate(time.Second)
		}
		out = append(out, noteJSON{len(out), "post", "html", s.stamp(n.made), s.stamp(n.modified), n.text, n.sender})
	}
	if s.switches.NotesNewestFirst {
		slices.Reverse(out)
		for i := range out {
			out[i].ID = i
		}
	}
	return out
}

// discuss is "Get ticket notes" and "Add notes to ticket".
func (s *Server) discuss(q *request, t *ticket, method string) {
	switch {
	case s.switches.NoNotes:
		q.fail(http.StatusNotFound, "Viewing and adding contents to discussions is not currently supported via the API.")
	case method == "/notes" && q.reads():
		type collection struct {
			Context string     `json:"@odata.context"`
			Value   []noteJSON `json:"value"`
		}
		q.json(http.StatusOK, collection{context("Tickets('" + t.id + "')/notes"), s.listNotes(t)})
	case method == "/addNote" && q.Method == http.MethodPost:
		var in struct {
			Text string `json:"text"`
		}
		if !s.read(q, &in) {
			return
		}
		if in.Text == "" {
			q.fail(http.StatusBadRequest, "The text field is required.")
			return
		}
		s.addNote(t, q.who, in.Text)
		q.status = http.StatusNoContent
	case method == "/addNote":
		q.fail(http.StatusMethodNotAllowed, "The requested resource does not support http method '"+q.Method+"'.")
	}
}

func (s *Server) addNote(t *ticket, sender, html string) {
	now := s.cfg.Now().UTC()
	t.notes = append(t.notes, note{sender, html, now, now})
}
