package connector

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"bridge/itsm"
	"bridge/plan"
)

// turns plans the tickets that moved: notes are read and planned before a state,
// and the records are read now, since the rules look at them too.
func (p *Poller) turns(ctx context.Context, changes []change, report *Report) error {
	byTable := map[string][]change{}
	for _, c := range changes {
		byTable[c.link.Table] = append(byTable[c.link.Table], c)
	}
	for _, t := range p.tables() {
		for some := range slices.Chunk(byTable[t.name], batch) {
			if err := p.turn(ctx, t, some, report); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *Poller) turn(ctx context.Context, t table, changes []change, report *Report) error {
	var records, links []string
	for _, c := range changes {
		records, links = append(records, c.link.Record), append(links, c.link.ID)
	}
	not, err := p.readNotes(ctx, links, report)
	if err != nil {
		return err
	}
	seen := p.Now()
	rows, err := p.recordsNow(ctx, t, records)
	if err != nil {
		return err
	}
	stories, err := p.stories(ctx, plan.LinkQuery{IDs: links})
	if err != nil {
		return err
	}
	promise := plan.Promise{At: seen}
	for _, c := range changes {
		rec, shown := rows[c.link.Record]
		story := stories[c.link.Record]
		switch {
		case story == nil || not[c.ticket.ID]: // its notes cannot be read: its turn comes when they can
		case shown:
			promise.Add(p.Planner.LinkedTicket(c.rule, *story, c.ticket, rec))
		default:
			report.Unread = append(report.Unread, fmt.Sprintf("ticket %s moved, and its record %s is not shown: its turn comes when it is", c.ticket.ID, c.link.Number))
			gone, err := p.recordGone(ctx, story.Link)
			if err != nil {
				return err
			}
			promise.Add(gone)
		}
	}
	if promise.Empty() {
		return nil
	}
	_, err = p.promise(ctx, promise)
	return err
}

// recordsNow reads records as they are, with the tickets of those that they refer to.
func (p *Poller) recordsNow(ctx context.Context, t table, ids []string) (map[string]plan.Record, error) {
	var found []plan.Record
	ask := itsm.Ask{Table: t.name, Fields: t.fields, Display: t.display}
	for rec, err := range p.Desk.Records(ctx, ask, ids) {
		if err != nil {
			return nil, &sideError{err: err}
		}
		found = append(found, plan.Record{Table: t.name, Row: row(rec), Seen: p.Now()})
	}
	rows := map[string]plan.Record{}
	err := p.ticketsOf(ctx, t.rules, found)
	for _, rec := range found {
		rows[rec.ID()] = rec
	}
	return rows, err
}

// recordGone says on a link that its record is not there any more, if the desk says so.
func (p *Poller) recordGone(ctx context.Context, link plan.Link) (plan.Promise, error) {
	const gone = "its record cannot be read any more (404): bridge end-link ends it"
	_, err := p.Desk.Get(ctx, itsm.Ask{Table: link.Table, Fields: []string{"sys_id"}}, link.Record)
	if err != nil && !errors.Is(err, itsm.ErrNotFound) {
		return plan.Promise{}, &sideError{err: err}
	}
	if err == nil || link.Notice != "" {
		return plan.Promise{}, nil
	}
	link.Notice = gone
	return plan.Promise{Links: []plan.Link{link}}, nil
}
