package connector

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"bridge/mapping"
	"bridge/mmd"
	"bridge/plan"
)

// tickets lists the tickets that can still change, newest first, and plans what
// moved. A linked ticket that is absent from the list is read by its id in the
// same cycle: absence alone says nothing.
func (p *Poller) tickets(ctx context.Context, report *Report) error {
	ever, err := p.anyTicket(ctx)
	if err != nil || !ever {
		return err
	}
	before, err := listedBefore(ctx, p.Ledger)
	if err != nil {
		return err
	}
	p.before = before.Read
	began := p.Now()
	listed, err := p.listTickets(ctx, report)
	if err != nil {
		return err
	}
	absent, linked, err := p.absent(ctx)
	if err != nil {
		return err
	}
	seen, _, err := p.getTickets(ctx, absent, report)
	if err != nil {
		return err
	}
	if before.Read = began; !listed { // an empty list is no late one
		err = before.keep(ctx, p.Ledger)
	} else {
		err = p.lagging(ctx, began, seen, linked)
	}
	if err != nil {
		return err
	}
	return p.observeTickets(ctx, seen, nil, report)
}

// anyTicket says whether there was ever a ticket: one whose link has ended can be opened again.
func (p *Poller) anyTicket(ctx context.Context) (bool, error) {
	for _, err := range p.Ledger.Links(ctx, plan.LinkQuery{Kind: plan.TicketLink, Brief: true, Limit: 1}) {
		return err == nil, err
	}
	return false, nil
}

// listTickets lists the tickets that can still change, and plans what moved. any: the
// list was not empty.
func (p *Poller) listTickets(ctx context.Context, report *Report) (any bool, err error) {
	began := p.Now()
	watched := shown{since: p.listed}
	p.calm.begin(began, p.FullScan)
	options := mmd.ListOptions{Filter: mmd.Ne("state", "resolved"), OrderBy: "createdDateTime desc"}
	for page, err := range batches(p.Tickets.List(ctx, options), batch) {
		if err != nil {
			return false, err
		}
		any = true
		var seen []plan.Ticket
		for _, t := range page {
			if !p.calm.same(t) {
				seen = append(seen, ticket(t, p.Now()))
			}
		}
		report.Tickets += len(page) - len(seen)
		if err := p.observeTickets(ctx, seen, &watched, report); err != nil {
			return false, err
		}
	}
	p.calm.end()
	if err := p.keep(ctx, watched); err != nil {
		return false, err
	}
	p.listed = began
	return any, nil
}

// shown measures how long our own creates can have taken to show in the list: those
// that were made since it was listed before are shown for the first time.
type shown struct {
	since   time.Time
	n       int
	longest time.Duration
}

func (s *shown) saw(link plan.Link, now time.Time) {
	if s == nil || s.since.IsZero() || link.Linked.Before(s.since) {
		return
	}
	s.n++
	s.longest = max(s.longest, now.Sub(link.Linked))
}

// keep adds to what the ledger knows of how soon creates are shown.
func (p *Poller) keep(ctx context.Context, s shown) error {
	if s.n == 0 {
		return nil
	}
	n, longest, err := appeared(ctx, p.Ledger)
	if err != nil {
		return err
	}
	return p.Ledger.SetMeta(ctx, metaAppeared, fmt.Sprintf("%d %s", n+s.n, max(longest, s.longest)))
}

// metaAppeared is where the ledger keeps how many creates were watched, and the
// longest that one can have taken to show.
const metaAppeared = "appeared"

func appeared(ctx context.Context, ledger Ledger) (n int, longest time.Duration, err error) {
	text, err := ledger.Meta(ctx, metaAppeared)
	if err != nil || text == "" {
		return 0, 0, err
	}
	var word string
	if _, err := fmt.Sscan(text, &n, &word); err != nil {
		return 0, 0, fmt.Errorf("read %q of the ledger: %w", metaAppeared, err)
	}
	longest, err = time.ParseDuration(word)
	return n, longest, err
}

// lagging measures how long a ticket of our own is missing from the list that should
// show it: what is not found so soon proves nothing. A list is read page by page, and
// leaves one out when another ends meanwhile: that one is not late.
//
//	the ticket was linked  the list before  missing
//	since the list before  –                counts
//	earlier                missed it too    counts
//	earlier                showed it        does not
func (p *Poller) lagging(ctx context.Context, began time.Time, seen []plan.Ticket, linked map[string]time.Time) error {
	most, err := Lag(ctx, p.Ledger)
	if err != nil {
		return err
	}
	before, err := listedBefore(ctx, p.Ledger)
	if err != nil {
		return err
	}
	longest, now := most, listing{At: began, Read: began}
	for _, t := range seen {
		missing := t.Seen.Sub(linked[t.ID])
		late := !linked[t.ID].Before(before.At) || slices.Contains(before.Missed, t.ID)
		if late && t.Row["state"].Value != "resolved" && missing < longestLag { // an old one is missing for another reason
			longest, now.Missed = max(longest, missing), append(now.Missed, t.ID)
		}
	}
	if err := now.keep(ctx, p.Ledger); err != nil || longest == most {
		return err
	}
	return p.Ledger.SetMeta(ctx, metaLag, longest.String())
}

// listing is when the tickets were listed, and which of our own were late; Read counts also
// if the list was empty, and each ticket was read by its id.
type listing struct {
	At     time.Time `json:"at"`
	Read   time.Time `json:"read"`
	Missed []string  `json:"missed,omitempty"`
}

// metaListed is where the ledger keeps the listing before.
const metaListed = "listed"

func listedBefore(ctx context.Context, ledger Ledger) (l listing, err error) {
	text, err := ledger.Meta(ctx, metaListed)
	if err != nil || text == "" {
		return l, err
	}
	if err := json.Unmarshal([]byte(text), &l); err != nil {
		return l, fmt.Errorf("read %q of the ledger: %w", metaListed, err)
	}
	return l, nil
}

func (l listing) keep(ctx context.Context, ledger Ledger) error {
	text, err := json.Marshal(l)
	if err != nil {
		return err
	}
	return ledger.SetMeta(ctx, metaListed, string(text))
}

// longestLag is the longest that is taken for a lag.
const longestLag = time.Hour

// metaLag is where the ledger keeps the longest measured lag.
const metaLag = "lag"

// Lag is the longest that a ticket of this bridge was seen to be missing from the list
// that should show it.
func Lag(ctx context.Context, ledger Ledger) (time.Duration, error) {
	text, err := ledger.Meta(ctx, metaLag)
	if err != nil || text == "" {
		return 0, err
	}
	return time.ParseDuration(text)
}

// absent finds the open links whose ticket should have been listed and was not.
func (p *Poller) absent(ctx context.Context) (out []string, linked map[string]time.Time, err error) {
	var missing []string
	for link, err := range p.Ledger.Links(ctx, plan.LinkQuery{Kind: plan.TicketLink, Open: true, Brief: true}) {
		if err != nil {
			return nil, nil, err
		}
		if link.MMD != "" && !p.calm.listed(link.MMD) {
			missing = append(missing, link.ID)
		}
	}
	linked = map[string]time.Time{}
	if len(missing) == 0 {
		return nil, linked, nil
	}
	for link, err := range p.Ledger.Links(ctx, plan.LinkQuery{IDs: missing}) {
		if err != nil {
			return nil, nil, err
		}
		if link.Base["ticket.state"].Value != "resolved" {
			out = append(out, link.MMD)
			linked[link.MMD] = link.Linked
		}
	}
	return out, linked, nil
}

// readTickets reads tickets by id and plans what moved. It gives those that were refused.
func (p *Poller) readTickets(ctx context.Context, ids []string, report *Report) (map[string]bool, error) {
	seen, not, err := p.getTickets(ctx, ids, report)
	if err != nil {
		return not, err
	}
	return not, p.observeTickets(ctx, seen, nil, report)
}

// getTickets reads tickets by id; one that is gone is said on its link, one that is
// refused in the report.
func (p *Poller) getTickets(ctx context.Context, ids []string, report *Report) (seen []plan.Ticket, not map[string]bool, err error) {
	var refused refused
	for _, id := range ids {
		t, err := p.Tickets.Get(ctx, id)
		if statusOf(err) == 404 {
			if err := p.notice(ctx, id, plan.TicketGone); err != nil {
				return nil, nil, err
			}
			continue
		}
		if err := refused.take(id, err); err != nil {
			return nil, nil, err
		}
		if err == nil {
			seen = append(seen, ticket(t, p.Now()))
		}
	}
	report.Unread = append(report.Unread, refused.lines...)
	return seen, refused.ids, nil
}

// notice says something about the link of a ticket, once.
func (p *Poller) notice(ctx context.Context, id, text string) error {
	for link, err := range p.Ledger.Links(ctx, plan.LinkQuery{MMD: []string{id}, Kind: plan.TicketLink}) {
		if err != nil {
			return err
		}
		if link.Notice == text {
			return nil
		}
		link.Notice = text
		_, err := p.promise(ctx, plan.Promise{Links: []plan.Link{link}, At: p.Now()})
		return err
	}
	return nil
}

// change is a ticket that moved, with its link.
type change struct {
	rule   *mapping.TicketRule
	link   plan.Link
	ticket plan.Ticket
}

// observeTickets finds which of the listed tickets are linked and moved, and looks
// at those that carry our mark and are nobody's ticket.
func (p *Poller) observeTickets(ctx context.Context, seen []plan.Ticket, watched *shown, report *Report) error {
	report.Tickets += len(seen)
	byID := map[string]plan.Ticket{}
	for _, t := range seen {
		byID[t.ID] = t
	}
	delete(byID, "") // it is no ticket, and no link's whose ticket is still owed
	if len(byID) == 0 {
		return nil // a query without ids would select every link
	}
	changes, opened, err := p.changed(ctx, byID, watched)
	if err != nil {
		return err
	}
	if !opened.Empty() {
		if _, err := p.promise(ctx, opened); err != nil {
			return err
		}
	}
	if err := p.twins(ctx, byID); err != nil {
		return err
	}
	return p.turns(ctx, changes, report)
}

// changed finds the links of tickets that moved, and those that go on since their ticket
// was opened again; the others are left in byID.
func (p *Poller) changed(ctx context.Context, byID map[string]plan.Ticket, watched *shown) (changes []change, opened plan.Promise, err error) {
	opened.At = p.Now()
	for link, err := range p.Ledger.Links(ctx, plan.LinkQuery{MMD: keysOf(byID), Kind: plan.TicketLink}) {
		if err != nil {
			return nil, opened, err
		}
		t := byID[link.MMD]
		delete(byID, link.MMD)
		watched.saw(link, t.Seen)
		rule := p.Planner.Rules.Ticket(link.Rule)
		if rule == nil {
			continue
		}
		if again := p.Planner.OpenedAgain(rule, link, t); !again.Empty() {
			opened.Add(again)
		} else if !link.Ended.IsZero() {
			continue
		}
		moved := plan.Moved(rule, link, t) || p.Planner.Behind(link, plan.OfTicket)
		if shown := plan.ShownAgain(link); !moved && shown.Notice != link.Notice {
			opened.Add(plan.Promise{Links: []plan.Link{shown}})
		}
		if moved {
			t.Since = p.before
			changes = append(changes, change{rule, link, t})
		}
		p.calm.set(link.MMD, !moved && watched != nil)
	}
	return changes, opened, nil
}

// twins writes down the tickets that carry a link's mark and are not its ticket. One
// whose create is in doubt was in doubt for it: the create is looked for once more.
func (p *Poller) twins(ctx context.Context, strangers map[string]plan.Ticket) error {
	marks := map[string][]string{}
	for _, id := range keysOf(strangers) {
		if mark := plan.MarkOf(strangers[id].Description); p.Planner.Pair.Owns(mark) {
			marks[mark] = append(marks[mark], id)
		}
	}
	if len(marks) == 0 {
		return nil
	}
	var sent []plan.Op
	for op, err := range p.Ledger.Ops(ctx, plan.OpQuery{Marks: keys(marks), Kinds: []plan.Kind{plan.TicketCreate}}) {
		if err != nil {
			return err
		}
		if op.State != plan.Begun && op.State != plan.Unknown {
			sent = append(sent, op) // else it is being looked for
		}
	}
	for _, op := range sent {
		if op.State == plan.Doubt || op.State == plan.Promised {
			if err := p.lookAgain(ctx, op); err != nil {
				return err
			}
			continue
		}
		for _, id := range marks[op.Mark] {
			if err := p.twin(ctx, op, id); err != nil {
				return err
			}
		}
	}
	return nil
}

// lookAgain looks once more for a write that was to be sent again, or was in doubt, and
// that is listed now.
func (p *Poller) lookAgain(ctx context.Context, op plan.Op) error {
	now := p.Now()
	if op.Begun.IsZero() {
		op.Begun = op.Promised
	}
	op.State, op.Due, op.Reason = plan.Unknown, now, "it is listed now, and is looked for before it is sent"
	_, err := p.Ledger.Settle(ctx, op, plan.Promise{At: now})
	if errors.Is(err, plan.ErrStale) {
		return nil // somebody is at it
	}
	return err
}

func (p *Poller) twin(ctx context.Context, op plan.Op, twin string) error {
	for link, err := range p.Ledger.Links(ctx, plan.LinkQuery{IDs: []string{op.Link}}) {
		if err != nil {
			return err
		}
		switch {
		case link.MMD == twin || slices.Contains(link.Twins, twin):
			return nil
		case op.Result == twin && (link.MMD == "" || link.Notice != ""):
			return nil
		case op.Result == twin: // the record has another one since
			link.Notice = fmt.Sprintf("ticket %s, which %s had before %s, is open: nothing that is written there is passed on", twin, link.Number, link.MMD)
		default:
			link.Twins = append(link.Twins, twin)
		}
		_, err := p.promise(ctx, plan.Promise{Links: []plan.Link{link}, At: p.Now()})
		return err
	}
	return nil
}

func keysOf(m map[string]plan.Ticket) []string { return slices.Sorted(maps.Keys(m)) }

// soon is the time by which something counts as due now.
func (p *Poller) soon() time.Time { return p.Now().Add(p.Ahead) }
