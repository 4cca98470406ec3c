package plan

import "time"

// MetaForgotten is where the ledger keeps when the newest of the links ended that it
// has let go of: what is older and unknown to it may be something that it did.
const MetaForgotten = "forgotten"

// forgot says that something of that time may be known to no link any more, although
// the bridge has dealt with it.
func (p Planner) forgot(fact time.Time) bool {
	return !p.Forgotten.IsZero() && !fact.IsZero() && !fact.After(p.Forgotten)
}

// Over says of a record without a link that its story may have been dealt with and
// forgotten, and that nothing is owed to it now: it is closed.
func (p Planner) Over(rec Record) bool {
	return rec.Row["active"].Value == "false" && p.forgot(instanceTime(rec.Row["sys_created_on"].Value, rec.Seen))
}

// remembered gives a link back that ended and was forgotten, as far as its ticket
// tells: both sides are taken as they stand, so that what moves from now on is news.
func (p Planner) remembered(link Link, fields []string, t Ticket) Link {
	link.MMD, link.Created, link.Linked = t.ID, t.Created, t.Created
	link.Ended, link.EndedBy, link.Rev = p.Forgotten, "it was forgotten (retention.links) and came back", ""
	for _, field := range fields {
		link.Base["ticket."+field] = Baseline{Value: t.Row[field].Value}
	}
	link.Base["ticket"] = Baseline{Turn: int(p.Forgotten.Unix())}
	return link
}

// returned finds the forgotten link of a record that came back: its correlation_id
// names a ticket of its own that was resolved.
func (p Planner) returned(link Link, fields []string, rec Record) (Link, bool) {
	t := rec.Correlated
	if t == nil || t.Row["state"].Value != "resolved" || !p.forgot(instanceTime(rec.Row["sys_created_on"].Value, rec.Seen)) {
		return link, false
	}
	generation := p.GenerationOf(TicketCreate, rec.ID(), MarkOf(t.Description))
	if generation == 0 {
		return link, false
	}
	link.Generation = generation
	return p.remembered(link, fields, *t), true
}
