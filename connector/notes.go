package connector

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"bridge/plan"
)

// notes reads the notes of the tickets whose turn it is: soon after something
// happened on their link, and ever more rarely in silence.
func (p *Poller) notes(ctx context.Context, report *Report) error {
	var due, resolved []string
	quiet := map[string]string{} // by ticket
	for link, err := range p.Ledger.Links(ctx, plan.LinkQuery{NotesDueBy: p.soon()}) {
		if err != nil {
			return err
		}
		due = append(due, link.ID)
		if link.Base["ticket.state"].Value == "resolved" {
			resolved, quiet[link.MMD] = append(resolved, link.MMD), link.ID
		}
	}
	if p.before.IsZero() { // another worker lists the tickets
		listed, err := listedBefore(ctx, p.Ledger)
		if err != nil {
			return err
		}
		p.before = listed.Read
	}
	// A resolved ticket is in no list any more: it is read with its notes.
	not, err := p.readTickets(ctx, resolved, report)
	if err != nil {
		return err
	}
	unread, err := p.readNotes(ctx, due, report)
	if err != nil {
		return err
	}
	maps.DeleteFunc(quiet, func(id, _ string) bool { return not[id] || unread[id] })
	return p.endings(ctx, slices.Collect(maps.Values(quiet)))
}

// readNotes reads the notes of links, several at a time, and promises what is new. It gives
// the tickets that were refused.
func (p *Poller) readNotes(ctx context.Context, links []string, report *Report) (not map[string]bool, err error) {
	var refused refused
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(max(p.Readers, 1))
	for start := 0; start < len(links); start += batch {
		stories, err := p.stories(ctx, plan.LinkQuery{IDs: links[start:min(start+batch, len(links))]})
		if err != nil {
			return nil, err
		}
		for _, story := range stories {
			group.Go(func() error { return p.notesOf(ctx, *story, &refused) })
		}
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	report.Unread = append(report.Unread, refused.lines...)
	return refused.ids, nil
}

// unreadNotes begins the notice of a ticket whose notes cannot be read.
const unreadNotes = "the notes of ticket "

// notesOf reads the notes of one ticket. A server without the notes endpoint is
// said on the link, and stops nothing else.
func (p *Poller) notesOf(ctx context.Context, story plan.Story, refused *refused) error {
	rule := p.Planner.Rules.Ticket(story.Link.Rule)
	if rule == nil || story.Link.MMD == "" {
		return nil
	}
	list, err := p.Tickets.Notes(ctx, story.Link.MMD)
	if status := statusOf(err); status == 404 || status == 405 {
		story.Link.Notice = unreadNotes + story.Link.MMD + " cannot be read: the vendor's server answers " + http.StatusText(status)
		list, err = nil, nil
	} else if err == nil && strings.HasPrefix(story.Link.Notice, unreadNotes) {
		story.Link.Notice = ""
	}
	if side := refused.take(story.Link.MMD, err); side != nil || err != nil {
		return side
	}
	var notes []plan.VendorNote
	for _, n := range list {
		notes = append(notes, ticketNote(n))
	}
	_, err = p.promise(ctx, p.Planner.LinkedNotes(rule, story, notes, p.Now()))
	return err
}
