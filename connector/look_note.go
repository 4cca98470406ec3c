package connector

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"bridge/itsm"
	"bridge/plan"
)

// lookForNote reads the notes of the ticket and matches the mark.
func (p *pass) lookForNote(ctx context.Context, story plan.Story, op plan.Op) (plan.Look, result, error) {
	notes, err := p.Tickets.Notes(ctx, story.Link.MMD)
	if status := statusOf(err); status == http.StatusNotFound || status == http.StatusMethodNotAllowed {
		err = fmt.Errorf("%s%s: %w (%d)", unreadNotes, story.Link.MMD, errGone, status)
	}
	if err != nil {
		return plan.Look{}, result{}, err
	}
	again := ""
	for _, n := range notes {
		if plan.CarriesMark(ticketNote(n), op.Mark) {
			return plan.Look{Found: true}, result{text: plan.PlainText(ticketNote(n))}, nil
		}
		if mark := p.Planner.SaysAgain(ticketNote(n), op); mark != "" && op.Attempt == 0 {
			again = mark
		}
	}
	if again != "" {
		return plan.Look{Found: true, Mark: again}, result{}, nil
	}
	known, err := p.known(ctx, story.Link, plan.MMD)
	return plan.Look{Sees: len(notes) > 0, Bare: !known, Blind: "the ticket shows no notes"}, result{}, err
}

// lookForWorkNote reads the journal of the record and matches the mark.
func (p *pass) lookForWorkNote(ctx context.Context, story plan.Story, op plan.Op) (plan.Look, result, error) {
	rows, own := 0, 0
	for entry, err := range p.Desk.Journal(ctx, []string{story.Link.Record}, journalsOf(op), time.Time{}) {
		if statusOf(err) == http.StatusForbidden {
			break // the rows are closed to us: what the record shows is left
		}
		if err != nil {
			return plan.Look{}, result{}, err
		}
		rows++
		if plan.MarkOf(entry.Text) == op.Mark {
			return plan.Look{Found: true}, result{text: entry.Text}, nil
		}
		if slices.Contains(plan.FieldsOf(op), entry.Element) {
			own++
		}
	}
	if rows > 0 {
		wrote, err := p.wrote(ctx, story.Link, plan.RecordNote)
		return plan.Look{Sees: own > 0 || !wrote && !op.Acknowledged, Blind: "the journal shows none of our own notes, and there are some"}, result{}, err
	}
	return p.lookAtDisplay(ctx, story, op)
}

// journalsOf is where a work note is looked for: comments show that the journal can be
// read, where there is no work note yet.
func journalsOf(op plan.Op) []string {
	return union(plan.FieldsOf(op), []string{"comments", "work_notes"})
}

// lookAtDisplay looks for a work note in the text that the record itself shows: a
// journal without rows may be empty, or closed, or a list that is empty by mistake.
func (p *pass) lookAtDisplay(ctx context.Context, story plan.Story, op plan.Op) (plan.Look, result, error) {
	known, err := p.known(ctx, story.Link, plan.ITSM)
	if err != nil {
		return plan.Look{}, result{}, err
	}
	way, err := p.Ledger.Meta(ctx, metaJournal)
	if err != nil {
		return plan.Look{}, result{}, fmt.Errorf("read how journals are read: %w", err)
	}
	for rec, err := range p.Desk.Records(ctx, itsm.Ask{Table: story.Link.Table, Fields: journalsOf(op), Display: true}, []string{story.Link.Record}) {
		if err != nil {
			return plan.Look{}, result{}, err
		}
		if look, r := lookAtText(op, rec, known, way == journalText); look.Found || look.Sees {
			return look, r, nil
		}
	}
	if _, err := p.readRecord(ctx, story.Link); err != nil {
		return plan.Look{}, result{}, err
	}
	return plan.Look{Blind: "the journal shows no rows, and it has some or cannot be read"}, result{}, nil
}

// lookAtText looks for a work note in the journals that a record shows as text.
func lookAtText(op plan.Op, rec itsm.Record, known, texts bool) (plan.Look, result) {
	look := plan.Look{}
	for _, field := range journalsOf(op) {
		cell, shown := rec[field]
		if strings.Contains(strings.ToLower(cell.Display), op.Mark) {
			return plan.Look{Found: true}, result{text: shownUnder(op.Mark, cell.Display)}
		}
		// The text of the field that was to be written shows all of it. Another one's proves
		// that text is shown, where it is all that ever was.
		own := shown && slices.Contains(plan.FieldsOf(op), field)
		switch {
		case cell.Display != "":
			look.Sees = look.Sees || own || texts && !op.Acknowledged
		case own && !known:
			look.Sees = look.Sees || !op.Acknowledged
		}
	}
	return look, result{}
}

// shownUnder is the entry that carries a mark in the text of a journal; none where the
// text cannot be told apart.
func shownUnder(mark, text string) string {
	entries, err := itsm.ParseJournal(text, itsm.Dates{})
	if err != nil {
		return ""
	}
	for _, e := range entries {
		if plan.MarkOf(e.Text) == mark {
			return e.Text
		}
	}
	return ""
}

// known says that the ledger knows of notes on one side of a link, of its ticket if that is
// the vendor's: those of a ticket that the record had before are not to be seen on it.
func (p *pass) known(ctx context.Context, link plan.Link, side plan.Side) (bool, error) {
	notes, err := p.Ledger.Notes(ctx, []string{link.ID})
	if err != nil {
		return false, fmt.Errorf("read the notes of link %s: %w", link.ID, err)
	}
	for _, n := range notes {
		if n.Side == side && (side == plan.ITSM || !n.Seen.Before(link.Linked)) {
			return true, nil
		}
	}
	if side == plan.ITSM {
		return p.wrote(ctx, link, plan.RecordNote)
	}
	return p.wrote(ctx, link, plan.TicketNote)
}

// wrote says that the bridge has written notes of a kind under a link, to the ticket that it
// has now.
func (p *pass) wrote(ctx context.Context, link plan.Link, kind plan.Kind) (bool, error) {
	for op, err := range p.Ledger.Ops(ctx, plan.OpQuery{Links: []string{link.ID}, Kinds: []plan.Kind{kind}, States: []plan.State{plan.Done}}) {
		if err != nil {
			return false, err
		}
		if kind == plan.RecordNote || !op.Ended.Before(link.Linked) {
			return true, nil
		}
	}
	return false, nil
}
