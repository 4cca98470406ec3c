package connector

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

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
