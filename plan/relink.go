package plan

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"bridge/mapping"
)

// Origin reads what the bridge wrote into the first line of a description or a
// plan of action: the record's number, and the mark.
func Origin(text string) (number, mark string) {
	mark = MarkOf(text)
	if mark == "" {
		return "", ""
	}
	first, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	words := strings.Split(first, separator)
	if len(words) < 2 {
		return "", mark
	}
	return strings.TrimSpace(words[len(words)-2]), mark
}

// generations is how many objects in turn of one record are recognised.
const generations = 50

// GenerationOf finds which generation of a record's tickets (or elevation requests)
// a mark names; 0: it is not this record's.
func (p Planner) GenerationOf(kind Kind, record, mark string) int {
	for g := 1; g <= generations; g++ {
		if p.Pair.Mark(record, kind, strconv.Itoa(g), "") == mark {
			return g
		}
	}
	return 0
}

// Found is a ticket or elevation request that carries a record's mark.
type Found struct {
	ID         string
	Mark       string
	Generation int
	Created    time.Time
	// Ahead is how far the vendor's clock, by which it was created, is ahead of the bridge's.
	Ahead time.Duration
	// Closed says that an elevation request is closed, Device is the one that it is for.
	Closed bool
	Device string
	Ticket *Ticket
}

// Relinked gives the link of a record whose ledger is lost, from the objects that
// carry its mark, oldest first. What was said on both sides is planned by the polls
// that follow, and looked for before it is sent.
//
//	objects of a generation  result
//	one                      the generation's ticket
//	more                     the one that the record names is it, else the oldest; the others are twins
func (p Planner) Relinked(kind LinkKind, rule *mapping.Source, rec Record, found []Found, now time.Time) Promise {
	link := p.newLink(kind, rule.Name, rec, nil)
	create := TicketCreate
	if kind == ElevationLink {
		create = ElevationCreate
	}
	out := Promise{At: now}
	done := map[int]bool{}
	link.Generation = 0
	named := rec.Row["correlation_id"].Value
	slices.SortStableFunc(found, func(a, b Found) int {
		switch {
		case a.ID == named && b.ID != named:
			return -1
		case a.ID != named && b.ID == named:
			return 1
		}
		return 0
	})
	for _, f := range found {
		if done[f.Generation] {
			link.Twins = append(link.Twins, f.ID)
			continue
		}
		done[f.Generation] = true
		out.Ops = append(out.Ops, Op{
			Key: key(create, link.Record, strconv.Itoa(f.Generation)), Link: link.ID, Rule: rule.Name, Kind: create, State: Done, Mark: f.Mark,
			Frozen: true, Attempt: 1, Why: "found by its mark", Reason: "the link was rebuilt", Fact: f.Created, Promised: now, Begun: f.Created, Ended: now, Result: f.ID,
		})
		if f.Generation < link.Generation {
			continue
		}
		link.Generation, link.MMD, link.Created, link.Linked, link.Ended, link.EndedBy = f.Generation, f.ID, f.Created.Add(-f.Ahead), f.Created, time.Time{}, ""
		if kind == ElevationLink { // close_after counts from here, by the bridge's clock
			link.Device, link.Linked = f.Device, f.Created.Add(-f.Ahead)
		}
		if !p.Aged.IsZero() && link.Created.After(p.Aged) {
			link.Created = p.Aged // it was made before the loss, whatever the vendor's clock says
		}
		if f.Closed {
			link.Ended, link.EndedBy = now, "its elevation request is closed"
		}
	}
	link.Rev, link.Moved, link.NotesDue = "", now, now
	if kind == TicketLink {
		p.relinkedTicket(&link, found, rec)
	}
	p.turnOn(&link)
	out.Links = []Link{link}
	return out
}

// relinkedTicket takes both sides as they stand for baselines. A record that does not
// name its ticket was never told of it: what it is owed follows when the ticket is read.
func (p Planner) relinkedTicket(link *Link, found []Found, rec Record) {
	rule := p.Rules.Ticket(link.Rule)
	if rule == nil {
		return
	}
	p.baselines(rule, link, rec, nil)
	names, shown := rec.Row["correlation_id"]
	untold := shown && names.Value == "" && slices.Contains(rule.UpdateFields, "correlation_id")
	for _, f := range found {
		if f.ID == link.MMD && f.Ticket != nil && !untold {
			for _, field := range rule.TicketFields {
				link.Base["ticket."+field] = Baseline{Value: f.Ticket.Row[field].Value}
			}
			link.Base["ticket"] = Baseline{Turn: 1}
		}
	}
	link.Base["aged.ticket"], link.Base["aged.record"] = Baseline{Value: p.agedMark()}, Baseline{Value: p.agedMark()}
}
