package connector

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"slices"
	"time"

	"bridge/itsm"
	"bridge/plan"
)

// The ways in which journals are read.
const (
	journalRows = "rows"
	journalText = "text"
)

// closedJournal is what is wrong where the desk refuses the rows.
const closedJournal = "the desk refuses sys_journal_field to this user, who needs a right to read it"

// metaJournal is where the ledger keeps in which way journals are read.
const metaJournal = "journals"

// observed are records of one table, and those of them whose journals matter.
type observed struct {
	table   table
	news    []plan.Record
	ids     []string
	stories map[string]*plan.Story
}

// heard is what was read of the journals of some records.
type heard struct {
	entries []itsm.Entry
	// closed is how the desk refused the rows of all of them.
	closed error
	// failed says of a record why its journal cannot be read.
	failed map[string]string
}

// comments reads the journals of records in batches, as rows of sys_journal_field or,
// for a desk that closes those to the bridge's user, as the text that each record
// shows. A comment has another identity in each, so the first way that showed one is
// the way of this ledger, whatever is opened or closed later.
//
//	so far     rows        text    result
//	undecided  some        –       rows from now on
//	undecided  none, 403   some    text from now on
//	undecided  none, 403   none    undecided
//	rows       none, 403   –       said, and nothing is passed on
//	text       –           any     text
func (p *Poller) comments(ctx context.Context, o observed, report *Report) error {
	t, ids, news := o.table, o.ids, o.news
	if len(ids) == 0 || len(t.journals) == 0 {
		return nil
	}
	way, err := p.Ledger.Meta(ctx, metaJournal)
	if err != nil {
		return fmt.Errorf("read how journals are read: %w", err)
	}
	var h heard
	switch way {
	case journalText:
		h, err = p.texts(ctx, t, ids)
	case journalRows:
		if h, err = p.rows(ctx, t, ids); h.closed != nil && p.FullScan <= 0 {
			err = &sideError{err: h.closed} // nothing but the next poll would read them again
		}
	default:
		h, err = p.eitherWay(ctx, t, ids)
	}
	if err != nil {
		return err
	}
	at := map[string]int{}
	for i, rec := range news {
		at[rec.ID()] = i
	}
	for _, entry := range h.entries {
		if i, ok := at[entry.Record]; ok {
			news[i].Comments = append(news[i].Comments, comment(entry))
		}
	}
	if h.closed != nil {
		report.Unread = append(report.Unread, "comments on "+t.name+": "+closedJournal)
	}
	o.doubt(h, report)
	return nil
}

// rows reads the rows of sys_journal_field.
func (p *Poller) rows(ctx context.Context, t table, ids []string) (heard, error) {
	entries, err := gather(p.Desk.Journal(ctx, ids, t.journals, time.Time{}))
	if statusOf(err) == http.StatusForbidden {
		return heard{closed: err}, nil
	}
	if err != nil {
		return heard{}, &sideError{err: err}
	}
	return heard{entries: entries}, nil
}

// texts reads what the records show. One that cannot be read is nobody else's trouble.
func (p *Poller) texts(ctx context.Context, t table, ids []string) (heard, error) {
	entries, err := gather(p.Desk.JournalText(ctx, t.name, ids, t.journals, itsm.Dates{}))
	switch {
	case errors.Is(err, itsm.ErrDisplay) && len(ids) == 1:
		return heard{failed: map[string]string{ids[0]: err.Error() + ": the time zone of the bridge's user has to be GMT"}}, nil
	case errors.Is(err, itsm.ErrDisplay):
		out := heard{failed: map[string]string{}}
		for _, id := range ids {
			one, err := p.texts(ctx, t, []string{id})
			if err != nil {
				return heard{}, err
			}
			out.entries = append(out.entries, one.entries...)
			if why, failed := one.failed[id]; failed {
				out.failed[id] = why
			}
		}
		return out, nil
	case err != nil:
		return heard{}, &sideError{err: err}
	}
	return heard{entries: entries}, nil
}

// eitherWay reads journals before it is known in which way, and writes the way down
// before anything is made of what was read. Rows that are none are asked for twice: a
// list that is empty by mistake decides nothing.
func (p *Poller) eitherWay(ctx context.Context, t table, ids []string) (heard, error) {
	var texts heard
	for range 2 {
		rows, err := p.rows(ctx, t, ids)
		if err != nil {
			return heard{}, err
		}
		if len(rows.entries) > 0 {
			return rows, p.Ledger.SetMeta(ctx, metaJournal, journalRows)
		}
		if len(texts.entries) > 0 {
			break
		}
		if texts, err = p.texts(ctx, t, ids); err != nil || len(texts.entries) == 0 {
			return texts, err
		}
	}
	return texts, p.Ledger.SetMeta(ctx, metaJournal, journalText)
}

// doubt marks the records whose journal cannot be all.
func (o observed) doubt(h heard, report *Report) {
	for i := range o.news {
		rec := &o.news[i]
		if !slices.Contains(o.ids, rec.ID()) {
			continue
		}
		story := o.stories[rec.ID()]
		rec.Unheard = o.unheard(rec, story, h)
		switch {
		case h.closed != nil: // said once for all
			rec.Unsure = true
		case rec.Unheard != "":
			rec.Unsure = true
			report.Unread = append(report.Unread, rec.Number()+": "+rec.Unheard)
		case rec.Lacks(story) > 0:
			rec.Lacking = rec.Lacks(story)
			if rec.Deleted(story) {
				rec.Unheard = fmt.Sprintf("%d of its comments that were seen before are not in its journal any more: somebody deleted them, or a right to read them is missing", rec.Lacking)
				continue
			}
			rec.Unsure = true
			report.Unread = append(report.Unread, rec.Number()+": its journal did not show all comments that are known; it is read again")
		}
	}
}

// unheard says why comments of a record are not passed on, and takes those out that
// may have been passed on under another identity: nothing is sent twice by itself.
func (o observed) unheard(rec *plan.Record, story *plan.Story, h heard) string {
	fresh := rec.Fresh(story)
	switch failed := h.failed[rec.ID()]; {
	case h.closed != nil:
		return closedJournal
	case failed != "":
		return "its comments cannot be read as text: " + failed
	case rec.Hidden(o.table.journals):
		return "it has comments that cannot be read: sys_journal_field is closed to this user, who needs a right to read it"
	case rec.Mixed(story):
		rec.Comments = nil
		return "its comments are read in another way than those that were passed on before (journal rows or text): none is passed on"
	case len(fresh) < len(rec.Comments):
		rec.Comments = fresh
		return "comments that are known show another time than before: they are not passed on again"
	}
	return ""
}

// gather takes a list whole.
func gather[T any](list iter.Seq2[T, error]) ([]T, error) {
	var out []T
	for item, err := range list {
		if err != nil {
			return nil, err
		}
		out = append(out, item)
	}
	return out, nil
}
