package connector

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"bridge/itsm"
	"bridge/plan"
)

// proof is what both sides show of notes that the bridge wrote, where a ledger that was
// set back would write them again: on links that owe one, and on those whose record
// moved since the ledger read it.
type proof struct {
	*Poller
	stories map[string]*plan.Story
	// since is up to when the ledger has seen every row.
	since time.Time
	// marks are those found, with where that was.
	marks map[string]string
}

// notesSince gathers the marks of such notes, but of those that the ledger has seen, and
// keeps which tickets hide what they are known to have.
func (p *Poller) notesSince(ctx context.Context) (map[string]string, error) {
	f := &proof{Poller: p, marks: map[string]string{}}
	if err := f.links(ctx); err != nil {
		return nil, ofDesk(err)
	}
	if err := f.records(ctx); err != nil {
		return nil, ofDesk(err)
	}
	if err := f.tickets(ctx); err != nil {
		return nil, err
	}
	for _, story := range f.stories {
		for _, n := range story.Notes {
			delete(f.marks, n.Mark)
		}
	}
	return f.marks, nil
}

// links finds the links in question. A table that was never read is in question from
// when the ledger was rebuilt on, and in no way if it was born just now.
func (f *proof) links(ctx context.Context) error {
	rebuilt, err := aged(ctx, f.Ledger)
	if err != nil {
		return err
	}
	var ids []string
	for op, err := range f.Ledger.Ops(ctx, plan.OpQuery{States: []plan.State{plan.Promised}, Kinds: []plan.Kind{plan.TicketNote, plan.RecordNote}}) {
		if err != nil {
			return err
		}
		if op.Attempt == 0 && !slices.Contains(ids, op.Link) {
			ids = append(ids, op.Link)
		}
	}
	for _, t := range f.tables() {
		cursor, err := f.Ledger.Cursor(ctx, "moved/"+t.name)
		if err != nil {
			return err
		}
		read, seen := cursor.Read, cursor.Read
		if read.IsZero() {
			read, seen = rebuilt, rebuilt.Add(skew) // what is older was there when it was rebuilt
		}
		if read.IsZero() {
			continue
		}
		if f.since.IsZero() || seen.Before(f.since) {
			f.since = seen
		}
		moved, err := f.moves(ctx, t, read)
		if status := statusOf(err); status == http.StatusForbidden || status == http.StatusNotFound || status == http.StatusBadRequest {
			continue // it is said where its records are read
		}
		if err != nil {
			return err
		}
		ids = union(ids, moved)
	}
	if len(ids) == 0 {
		return nil // a query without ids would select every link
	}
	f.stories, err = f.Poller.stories(ctx, plan.LinkQuery{IDs: ids})
	return err
}

// moves finds the links of a table whose record moved since it was read. A table that
// shows nothing is asked again, when it is known to show something.
func (f *proof) moves(ctx context.Context, t table, since time.Time) (ids []string, err error) {
	linked, err := f.anyLink(ctx, t.name)
	if err != nil || !linked {
		return nil, err
	}
	ids, shown, err := f.movedSince(ctx, t, since)
	if err != nil || shown {
		return ids, err
	}
	if err := f.sees(ctx, t); err != nil {
		return nil, err
	}
	ids, _, err = f.movedSince(ctx, t, since)
	return ids, err
}

func (f *proof) movedSince(ctx context.Context, t table, since time.Time) (ids []string, shown bool, err error) {
	for records, err := range batches(f.Desk.Changes(ctx, moveOf(t), since), batch) {
		if err != nil {
			return nil, false, err
		}
		shown = true
		for link, err := range f.Ledger.Links(ctx, plan.LinkQuery{Records: idsOf(records), Kind: plan.TicketLink}) {
			if err != nil {
				return nil, false, err
			}
			if i := slices.IndexFunc(records, func(rec itsm.Record) bool { return rec.Value("sys_id") == link.Record }); link.Rev != records[i].Value("sys_mod_count") {
				ids = append(ids, link.ID)
			}
		}
	}
	return ids, shown, nil
}

// errBlind says that a desk shows nothing that is known to exist.
var errBlind = errors.New("it shows no record that is known to exist: what it does not show proves nothing")

// sees wants a table that shows nothing new to show a record that is known, or to say
// that it is not there, which an empty list does not say.
func (f *proof) sees(ctx context.Context, t table) error {
	var known []string
	for link, err := range f.Ledger.Links(ctx, plan.LinkQuery{Kind: plan.TicketLink, Table: t.name, Open: true, Brief: true, Limit: batch}) {
		if err != nil {
			return err
		}
		known = append(known, link.Record)
	}
	if len(known) == 0 {
		return nil
	}
	for _, err := range f.Desk.Records(ctx, moveOf(t), known) {
		if err != nil {
			return &sideError{err: err}
		}
		return nil
	}
	if _, err := f.Desk.Get(ctx, moveOf(t), known[0]); err == nil || errors.Is(err, itsm.ErrNotFound) {
		return nil
	}
	return &sideError{err: fmt.Errorf("table %s: %w", t.name, errBlind)}
}

// records reads what was written on the records.
func (f *proof) records(ctx context.Context) error {
	var ids, elements []string
	for id := range f.stories {
		ids = append(ids, id)
	}
	for _, rule := range f.Planner.Rules.Tickets {
		elements = union(elements, append([]string{rule.NotesTo.Field}, rule.NotesFrom.Fields...))
	}
	for _, rule := range f.Planner.Rules.Elevations {
		elements = union(elements, []string{rule.Report})
	}
	elements = slices.DeleteFunc(elements, func(name string) bool { return name == "" })
	if len(ids) == 0 || len(elements) == 0 {
		return nil
	}
	entries, err := f.journals(ctx, ids, elements)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if mark := plan.MarkOf(entry.Text); f.Planner.Pair.Owns(mark) {
			f.marks[mark] = "record " + entry.Record
		}
	}
	return nil
}

// journals reads the journals of records as rows and, where there are none, as text: the
// rows may be closed, and a copy may be from before it was decided how to read them.
func (f *proof) journals(ctx context.Context, ids, elements []string) ([]itsm.Entry, error) {
	way, err := f.Ledger.Meta(ctx, metaJournal)
	if err != nil {
		return nil, err
	}
	if way != journalText {
		entries, err := gather(f.Desk.Journal(ctx, ids, elements, f.back()))
		if err != nil && !errors.Is(err, itsm.ErrAccess) { // that is said where comments are read
			return nil, &sideError{err: err}
		}
		if len(entries) > 0 {
			return entries, nil
		}
		// No rows prove nothing: they may be closed.
	}
	return f.shown(ctx, elements)
}

// shown reads the journals of records by what they show as text.
func (f *proof) shown(ctx context.Context, elements []string) ([]itsm.Entry, error) {
	of := map[string][]string{}
	for id, story := range f.stories {
		of[story.Link.Table] = append(of[story.Link.Table], id)
	}
	var out []itsm.Entry
	for name, ids := range of {
		h, err := f.texts(ctx, table{name: name, journals: elements}, ids)
		if err != nil {
			return nil, err
		}
		for _, entry := range h.entries {
			if !entry.Created.Before(f.back()) {
				out = append(out, entry)
			}
		}
	}
	return out, nil
}

// tickets reads what was written on the tickets.
func (f *proof) tickets(ctx context.Context) error {
	f.hiding = map[string]time.Time{}
	for _, story := range f.stories {
		if story.Link.MMD == "" || story.Link.Kind != plan.TicketLink {
			continue
		}
		list, err := f.Tickets.Notes(ctx, story.Link.MMD)
		if status := statusOf(err); status == 404 || status == 405 {
			continue // it is said when its notes are read
		}
		if err != nil {
			return &sideError{err: err}
		}
		if len(list) == 0 && slices.ContainsFunc(story.Notes, func(n plan.Note) bool { return n.Side == plan.MMD && !n.Seen.Before(story.Link.Linked) }) {
			f.hiding[story.Link.ID] = f.Now()
		}
		for _, n := range list {
			note := ticketNote(n)
			if mark := plan.MarkOfNote(note); f.Planner.Pair.Owns(mark) && !note.At.Before(f.back()) {
				f.marks[mark] = "ticket " + story.Link.MMD
			}
		}
	}
	return nil
}

// ofDesk says that an error is the desk's, if it is one of a side.
func ofDesk(err error) error {
	if of, ok := errors.AsType[*sideError](err); ok {
		return &sideError{of.err, plan.ITSM}
	}
	return err
}

// back is from when on notes count: before that, the ledger has seen them.
func (f *proof) back() time.Time {
	if f.since.IsZero() {
		return f.since
	}
	return f.since.Add(-2 * skew) // the desk's clock, and the vendor's
}
