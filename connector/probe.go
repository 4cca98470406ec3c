package connector

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"bridge/itsm"
	"bridge/mapping"
	"bridge/mmd"
	"bridge/plan"
)

// skew is how far apart the clocks may be: a probe looks so far back behind begin.
const skew = plan.Skew

// probe looks for an op whose outcome is unknown. A hit settles it at once;
// absence counts only if the read is known to see, and only after the wait.
func (p *pass) probe(ctx context.Context, story plan.Story, op plan.Op) error {
	began := p.Now() // what an answer shows may be as old as its question
	look, r, err := p.look(ctx, story, op)
	switch {
	case errors.Is(err, errGone):
		look = plan.Look{Gone: true, Blind: err.Error()}
	case err != nil:
		look = plan.Look{Failed: true, Blind: "the look itself failed: " + err.Error()}
		p.count(op.Kind.Side(), op.Kind, p.failed(err))
	}
	look.At, look.Began = p.Now(), began
	after := p.timing.Looked(op, look)
	if after.State == plan.Promised && look.Bare && !look.Sees && op.Kind.Creates() && !p.mayTry(op.Kind) {
		look.Bare, look.Blind = false, "nothing is known to exist there, and another create is tried first"
		after = p.timing.Looked(op, look)
	}
	follow := plan.Promise{At: look.At}
	if after.State == plan.Done {
		r.id, r.reply = look.ID, plan.Reply{Outcome: plan.WasDone, At: look.At}
		p.count(op.Kind.Side(), op.Kind, r)
		if follow = p.followFound(story.Link, op, after, r); !look.Found {
			link := story.Link
			link.Vanished = append(slices.Clone(link.Vanished), op.Mark)
			follow.Links = []plan.Link{link}
		}
	}
	p.Log.LogAttrs(ctx, slog.LevelInfo, "looked for a write whose outcome is unknown", slog.String("op", op.Key),
		slog.String("number", story.Link.Number), slog.Bool("found", look.Found), slog.String("state", string(after.State)), slog.String("reason", after.Reason))
	if _, err := p.Ledger.Settle(context.WithoutCancel(ctx), after, follow); err != nil {
		return fmt.Errorf("settle: %w", err)
	}
	return nil
}

// followFound returns what follows from an op, settled as after, that a look found.
func (p *pass) followFound(link plan.Link, op, after plan.Op, r result) plan.Promise {
	now := r.reply.At
	follow := p.follow(link, after, r)
	fact := op.Begun
	if op.Attempt == 0 {
		fact = op.Fact
		if note, edited := p.Planner.SaidOtherwise(op, r.text, now); r.text != "" && edited {
			follow.Notes = append(follow.Notes, note)
		}
	}
	if op.Attempt == 0 || !op.Begun.After(p.Planner.Aged) { // a lost ledger knew of it, and may have gone on
		for i := range follow.Ops {
			follow.Ops[i].Fact = fact
		}
	}
	follow.Ops = p.Planner.Doubted(follow.Ops, p.timing, now)
	switch {
	case op.Begun.Before(p.born):
		said(follow.Ops, now, "follows from what was begun before the start: it is looked for first")
	case op.Kind == plan.ElevationClose: // what is closed does not tell which close it was
		said(follow.Ops, now, "follows from what may have been done before: it is looked for first")
	}
	return follow
}

// said has the notes looked for that follow from what an earlier process began, or was
// done already: this ledger may be an older copy of one that knew it, and said so.
func said(ops []plan.Op, now time.Time, why string) {
	for i, op := range ops {
		if op.State == plan.Promised && (op.Kind == plan.RecordNote || op.Kind == plan.TicketNote) {
			ops[i] = firstLook(op, now, why)
		}
	}
}

// mayTry lets one create of a kind go on that was looked for where nothing is known to
// exist. When it is there, the list shows whether it sees.
func (p *pass) mayTry(kind plan.Kind) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.trying[kind] {
		return false
	}
	p.trying[kind] = true
	return true
}

func (p *pass) look(ctx context.Context, story plan.Story, op plan.Op) (plan.Look, result, error) {
	switch op.Kind {
	case plan.TicketCreate:
		return p.lookForTicket(ctx, story, op)
	case plan.TicketNote:
		return p.lookForNote(ctx, story, op)
	case plan.RecordNote:
		return p.lookForWorkNote(ctx, story, op)
	case plan.RecordUpdate:
		return p.lookAtRecord(ctx, story, op)
	case plan.ElevationCreate, plan.ElevationClose:
		return p.lookForElevation(ctx, story, op)
	}
	return plan.Look{Blind: "unknown kind of op " + string(op.Kind)}, result{}, nil
}

// lookForTicket lists the tickets, newest first, back to begin, and matches the
// mark: never the record number, and never text alone.
func (p *pass) lookForTicket(ctx context.Context, story plan.Story, op plan.Op) (plan.Look, result, error) {
	sight, err := p.sight(ctx, plan.TicketLink)
	if err != nil {
		return plan.Look{}, result{}, err
	}
	var found []mmd.Ticket
	theirs := ""
	since := op.Begun.Add(-skew)
	if op.Attempt > 1 { // an earlier send may show late
		since = op.Promised.Add(-skew)
	}
	for t, err := range p.Tickets.List(ctx, mmd.ListOptions{OrderBy: "createdDateTime desc"}) {
		if err != nil {
			return plan.Look{}, result{}, err
		}
		if carries(op.Mark, t.Description, t.Title) {
			taken, err := p.taken(ctx, story.Link, t.ID)
			if err != nil {
				return plan.Look{}, result{}, err
			}
			if theirs = cmp.Or(taken, theirs); taken == "" {
				found = append(found, t)
			}
		}
		sight.saw(t.ID)
		if t.Created.Before(since) && (sight.seen || len(found) > 0) {
			break
		}
	}
	if len(found) == 0 {
		look, err := p.blind(ctx, plan.TicketLink, sight, "the list of tickets shows none that is known to exist")
		look.Unclear = theirs
		return look, result{}, err
	}
	is, err := p.ofTwins(ctx, story, found)
	t := ticket(is, p.Now())
	return plan.Look{Found: true, ID: is.ID}, result{ticket: &t}, err
}

// taken says that an object with the mark of a link's create is another link's: two never
// share one, and a person has to look.
func (p *pass) taken(ctx context.Context, link plan.Link, id string) (string, error) {
	for other, err := range p.Ledger.Links(ctx, plan.LinkQuery{MMD: []string{id}, Kind: link.Kind}) {
		if err != nil {
			return "", err
		}
		if other.ID != link.ID {
			return id + " carries its mark, and is linked to " + other.Number + ": look on the other side, then retry or drop it", nil
		}
	}
	return "", nil
}

// ofTwins chooses between tickets with one mark: the one that the record names, else
// the newest. The poll tells of the others.
func (p *pass) ofTwins(ctx context.Context, story plan.Story, found []mmd.Ticket) (mmd.Ticket, error) {
	if len(found) == 1 {
		return found[0], nil
	}
	rec, err := p.readRecord(ctx, story.Link)
	if err != nil && !errors.Is(err, errGone) {
		return found[0], err
	}
	named := rec.Row["correlation_id"].Value
	return found[max(slices.IndexFunc(found, func(t mmd.Ticket) bool { return t.ID == named }), 0)], nil
}

// carries says that a text has a mark at the end of its first line. Where that has none,
// it counts anywhere in a title: beside a mark of its own, a title quotes.
func carries(mark, text, title string) bool {
	own := plan.MarkOf(text)
	return mark != "" && (own == mark || own == "" && strings.Contains(strings.ToLower(title), mark))
}

// sight tells whether a list is known to see: it must show something that is
// known to exist.
type sight struct {
	known map[string]bool
	// newest is the one that the ledger knows last.
	newest string
	seen   bool
}

func (s *sight) saw(id string) { s.seen = s.seen || s.known[id] }

// look says what a list proves that did not show what was looked for. Where the
// ledger knows of nothing at all, an empty list is all that an empty tenant can show.
func (s *sight) look(blind string) plan.Look {
	return plan.Look{Sees: s.seen, Bare: len(s.known) == 0, Blind: blind}
}

// blind ends a look that found nothing. Where nothing was known to exist when it began,
// something may be by now.
func (p *pass) blind(ctx context.Context, kind plan.LinkKind, s *sight, why string) (plan.Look, error) {
	look := s.look(why)
	if look.Bare {
		now, err := p.sight(ctx, kind)
		if err != nil {
			return plan.Look{}, err
		}
		look.Bare = len(now.known) == 0
	}
	return look, nil
}

// enoughKnown is how many known objects, the newest, are enough to recognise a list by.
const enoughKnown = 1000

func (p *pass) sight(ctx context.Context, kind plan.LinkKind) (*sight, error) {
	return newestKnown(ctx, p.Ledger, kind)
}

func newestKnown(ctx context.Context, ledger Ledger, kind plan.LinkKind) (*sight, error) {
	s := &sight{known: map[string]bool{}}
	for link, err := range ledger.Links(ctx, plan.LinkQuery{Kind: kind, Newest: true, Brief: true, Limit: enoughKnown}) {
		if err != nil {
			return nil, err
		}
		s.known[link.MMD], s.newest = true, cmp.Or(s.newest, link.MMD)
	}
	return s, nil
}

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

// lookAtRecord reads the record: an update is done when nothing differs any more, or when
// it shows what only that update can have written.
func (p *pass) lookAtRecord(ctx context.Context, story plan.Story, op plan.Op) (plan.Look, result, error) {
	rec, err := p.readRecord(ctx, story.Link)
	if err != nil {
		return plan.Look{}, result{}, err
	}
	shows := plan.Shows(op, story.Link, rec)
	if !shows && p.Planner.Differs(op, story.Link, rec) {
		return plan.Look{Sees: true, Unclear: p.Planner.Unclear(op, story.Link, rec)}, result{}, nil
	}
	var set map[string]string
	if err := json.Unmarshal(op.Body, &set); err != nil {
		return plan.Look{}, result{}, err
	}
	after := mapping.Row{} // what else the record shows is others' word: it stays news
	for field, value := range set {
		if cell, shown := rec.Row[field]; shown && cell.Value == value {
			after[field] = cell
		} else if shown && shows { // it was written, and is another's word by now
			after[field] = mapping.Cell{Value: value}
		}
	}
	return plan.Look{Found: true}, result{after: after}, nil
}

// lookForElevation lists the elevation requests, unfiltered: for one that carries
// the mark, or for the state of one that is to be closed.
func (p *pass) lookForElevation(ctx context.Context, story plan.Story, op plan.Op) (plan.Look, result, error) {
	sight, err := p.sight(ctx, plan.ElevationLink)
	if err != nil {
		return plan.Look{}, result{}, err
	}
	theirs := ""
	for e, err := range p.Elevations.List(ctx, mmd.ListOptions{}) {
		if err != nil {
			return plan.Look{}, result{}, err
		}
		sight.saw(e.ID)
		switch {
		case op.Kind == plan.ElevationClose && e.ID == op.Closes(story.Link):
			return plan.Look{Found: !e.Closed.IsZero() || e.IsDeleted, ID: e.ID, Sees: true}, result{}, nil
		case op.Kind == plan.ElevationCreate && carries(op.Mark, e.PlanOfAction, e.Title):
			taken, err := p.taken(ctx, story.Link, e.ID)
			if err != nil {
				return plan.Look{}, result{}, err
			}
			if theirs = cmp.Or(taken, theirs); taken == "" {
				return plan.Look{Found: true, ID: e.ID}, result{elevation: p.opened(e)}, nil
			}
		}
	}
	look, err := p.blind(ctx, plan.ElevationLink, sight, "the list of elevation requests shows none that is known to exist")
	look.Unclear = theirs
	return look, result{}, err
}

// opened is when and for what device a request was opened, by the bridge's clock.
func (p *pass) opened(e mmd.Elevation) plan.Elevation {
	is := plan.Elevation{Device: e.DeviceName}
	if ahead, _ := p.Tickets.Clock(); !e.Created.IsZero() {
		is.Created = e.Created.Add(-ahead)
	}
	return is
}
