package connector_test

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"bridge/plan"
	"bridge/simulator"
	"bridge/simulator/itsm"
	"bridge/simulator/mmd"
	"bridge/store"
)

// happening is one line of what the simulation owns.
type happening struct {
	name string
	// from is the first chapter in which it means something.
	from int
	// live: it may happen while a request is answered; others happen between cycles.
	live bool
	do   func(*play)
}

// happenings is the list at the end of the protocol: a row for each of its items.
//
//nolint:funlen // a table
func happenings() []happening {
	return []happening{
		{"a crash after a page was read", 0, false, func(p *play) { p.die("read", "after", 1+p.dice.IntN(8)) }},
		{"a crash after a promise", 0, false, func(p *play) { p.die("promise", "after", 1+p.dice.IntN(4)) }},
		{"a crash after a begin", 0, false, func(p *play) { p.die("begin", "after", 1+p.dice.IntN(4)) }},
		{"a crash after the first byte of a write", 0, false, func(p *play) { p.die("write", "before", 1+p.dice.IntN(4)) }},
		{"a crash after the server committed a write", 0, false, func(p *play) { p.die("write", "after", 1+p.dice.IntN(4)) }},
		{"a crash after the reply of a write was read", 0, false, func(p *play) { p.die("settle", "before", 1+p.dice.IntN(4)) }},
		{"a crash after a settle", 0, false, func(p *play) { p.die("settle", "after", 1+p.dice.IntN(4)) }},
		{"a crash after a follow-up was begun", 0, false, func(p *play) { p.die("follow-up", "after", 1) }},
		{"writes are executed late, within the settle delay", 0, true, func(p *play) { p.late(61 + p.dice.IntN(25)) }},
		{"writes are executed later than the settle delay", 0, true, func(p *play) {
			p.may.twice = true
			p.late(100 + p.dice.IntN(400))
		}},
		{"lists lag, for less than the settle delay", 0, true, func(p *play) { p.lag(time.Duration(5+p.dice.IntN(20)) * time.Second) }},
		{"lists lag, for longer than the settle delay", 0, true, func(p *play) {
			p.may.twice = true
			p.lag(time.Duration(100+p.dice.IntN(300)) * time.Second)
		}},
		{"lists are empty", 0, true, func(p *play) { p.empty() }},
		{"an older copy of the ledger is swapped in", 0, false, func(p *play) {
			older, swapped := copyOf(p.T, p.ledger), false
			p.Cleanup(func() {
				if !swapped {
					older.Close() //nolint:errcheck // nobody needs it any more
				}
			})
			p.after(1+p.dice.IntN(8), "the older copy is there", func(p *play) {
				swapped, p.second = true, nil
				p.forgot()
				p.wasAway(older)
				p.setBack(older)
			})
		}},
		{"the ledger is lost", 1, false, func(p *play) {
			p.second = nil
			p.forgot()
			p.may.unsaid = true // until it is relinked
			p.lose()
		}},
		{"a second worker comes, and the first is frozen between begin and write", 0, false, func(p *play) {
			p.replicate()
			p.freeze(1 + p.dice.IntN(3))
		}},
		{"the rule is renamed", 1, false, func(p *play) { p.rewrite("name: incident", "name: laptops\n    was: [incident]") }},
		{"the template is edited while ops are owed", 0, false, func(p *play) {
			p.rewrite(`title: "{{ number }}: {{ short_description }}"`, `title: "{{ number }} - {{ short_description }} (edited)"`)
		}},
		{"the titles on both sides are edited", 0, true, func(p *play) { p.retitle() }},
		{"a note is deleted", 1, true, func(p *play) { p.removeNote() }},
		{"a note is edited", 1, true, func(p *play) { p.editNote() }},
		{"a note is signed by another", 1, true, func(p *play) { p.signNote() }},
		{"notes are listed the other way round", 0, true, func(p *play) {
			p.world.MMD.Switch(func(s *mmd.Switches) { s.NotesNewestFirst = !s.NotesNewestFirst })
		}},
		{"the right to read journals is taken away and given back", 0, true, func(p *play) { p.noJournals() }},
		{"access rules hide a page", 4, true, func(p *play) { p.hide() }},
		{"the desk drops a condition from each query", 0, false, func(p *play) { p.widen() }},
		{"the approval is withdrawn", 1, true, func(p *play) { p.withdraw() }},
		{"an incident is resolved and closed in one poll", 4, true, func(p *play) {
			p.may.state = true
			p.resolve(p.first, "resolved")
			p.world.ITSM.Set("incident", p.first, map[string]string{"state": "7", "close_code": "Solution provided", "close_notes": "Closed by a person."})
		}},
		{"a ticket is resolved twice", 4, true, func(p *play) {
			p.resolve(p.other, "active")
			p.after(1+p.dice.IntN(3), "resolved again", func(p *play) { p.resolve(p.other, "resolved") })
		}},
		{"an incident is given to another group while notes are owed", 0, true, func(p *play) { p.reassign() }},
		{"503 after the commit", 0, true, func(p *play) { p.spoil(simulator.Error503After) }},
		{"a web page after the commit", 0, true, func(p *play) { p.spoil(simulator.HTMLAfter) }},
		{"a 200 that ignored a field", 0, true, func(p *play) { p.ignore() }},
	}
}

// newcomers bring something new at a bad moment. They do not meet with a ledger that was lost: where nothing is
// known to exist, empty lists are believed in the end.
func newcomers() []happening {
	return []happening{
		{"an incident comes, its create is lost, and the list of tickets is empty", 1, false, func(p *play) {
			p.bare()
			p.comes()
			p.unlisted("tickets$", "tickets$")
		}},
		{"a comment comes, its note is lost, and the ticket shows no notes", 2, false, func(p *play) {
			p.bare()
			p.comment(p.someone())
			p.unlisted("/addNote", "/notes")
		}},
		{"an incident comes behind a page that access rules hide", 1, false, func(p *play) { p.hide() }},
	}
}

// comes is one more incident.
func (p *play) comes() {
	id := p.world.Incident(p.users, "The screen flickers", nil)
	p.more = append(p.more, id)
	p.say("%s comes", p.numberOf(id))
}

// bare notes that a ledger knows of no ticket, or of no note on one: of a list that
// stays empty there, the third is believed.
func (p *play) bare() {
	for _, incident := range []string{p.first, p.other} {
		link, ok := p.linked(incident)
		notes, err := p.ledger.Notes(context.Background(), []string{link.ID})
		if err != nil {
			p.Fatal(err)
		}
		p.may.twice = p.may.twice || !ok || link.MMD == "" || !slices.ContainsFunc(notes, func(n plan.Note) bool { return n.Side == plan.MMD })
	}
}

// unlisted has a write lost, and a list empty for some time.
func (p *play) unlisted(write, list string) {
	p.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "POST", Path: write, Kind: simulator.ResetAfter})
	p.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "GET", Path: list, Kind: simulator.EmptyList, Times: 15 + p.dice.IntN(15)})
}

// someone draws one of both incidents.
func (p *play) someone() string { return []string{p.first, p.other}[p.dice.IntN(2)] }

// forgot notes that a ledger was lost: what moved before that was noticed is taken as
// it stands, and what is on its way then may come twice.
func (p *play) forgot() {
	p.may.forgotten, p.may.baseline = true, true
	p.may.twice = p.may.twice || slices.ContainsFunc(p.scenes, func(s *scene) bool { return strings.Contains(s.name, "late") || strings.Contains(s.name, "lag") })
}

// wasAway takes down that an older copy knows the first incident to be with another
// group: what was written on it since then may not be passed on, and the link says so.
func (p *play) wasAway(older *store.Ledger) {
	now := p.ledger
	p.ledger = older
	defer func() { p.ledger = now }()
	if link, ok := p.linked(p.first); ok && !link.Left.IsZero() {
		for _, w := range p.comments[p.first] {
			w.loose = w.loose || w.at.After(link.Left)
		}
	}
}

// late has some of the next writes executed when nobody waits any more.
func (p *play) late(seconds int) {
	p.say("  by %d s", seconds)
	p.behind(time.Duration(seconds) * time.Second)
	for _, method := range []string{"POST", "PATCH"} {
		p.world.Faults.Add(simulator.Rule{Method: method, Path: "/odata/", Kind: simulator.Late, Delay: time.Duration(seconds) * time.Second, Times: 1 + p.dice.IntN(2)})
		p.world.Faults.Add(simulator.Rule{Method: method, Path: "/api/", Kind: simulator.Late, Delay: time.Duration(seconds) * time.Second, Times: 1 + p.dice.IntN(2)})
	}
}

// behind counts what is done late and shown late: together they may take longer than
// the send budget and the settle delay, and then absence proved nothing.
func (p *play) behind(d time.Duration) {
	p.delays += d
	p.may.twice = p.may.twice || p.delays >= time.Minute+p.settle
}

// lag keeps what is new out of the vendor's lists for a while.
func (p *play) lag(d time.Duration) {
	p.say("  by %s", d)
	p.behind(d)
	p.world.MMD.Switch(func(s *mmd.Switches) { s.Lag = d })
	p.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "POST", Kind: simulator.ResetAfter, Times: 2})
	p.after(3+p.dice.IntN(9), "lists show at once again", func(p *play) { p.world.MMD.Switch(func(s *mmd.Switches) { s.Lag = 0 }) })
}

// empty answers some of the next reads with nothing.
func (p *play) empty() {
	side := []string{simulator.SideITSM, simulator.SideMMD}[p.dice.IntN(2)]
	p.say("  of %s", side)
	// Where nothing is known to exist yet, no ticket or no note on it, empty lists are all
	// that can be shown, and the third one is believed in the end.
	p.may.twice = p.may.twice || side == simulator.SideMMD && p.beat == 0
	// Not for so long that the third empty look at a ticket without notes is to be believed.
	p.world.Faults.Add(simulator.Rule{Side: side, Method: "GET", Kind: simulator.EmptyList, Times: 4 + p.dice.IntN(12)})
	for _, method := range []string{"POST", "PATCH"} {
		p.world.Faults.Add(simulator.Rule{Side: side, Method: method, Kind: simulator.ResetAfter, Times: 2})
	}
}

// spoil spoils the answers of some of the next writes, after they were done.
func (p *play) spoil(kind simulator.Kind) {
	for _, method := range []string{"POST", "PATCH"} {
		p.world.Faults.Add(simulator.Rule{Method: method, Path: "/odata/", Kind: kind, Times: 1 + p.dice.IntN(3)})
		p.world.Faults.Add(simulator.Rule{Method: method, Path: "/api/", Kind: kind, Times: 1 + p.dice.IntN(3)})
	}
}

// ignore answers 200 and leaves a field as it was, for a while.
func (p *play) ignore() {
	field := []string{"incident.state", "incident.correlation_id", "incident.close_notes"}[p.dice.IntN(3)]
	p.say("  %s", field)
	p.world.ITSM.Switch(func(s *itsm.Switches) { s.ReadOnly = map[string]bool{field: true} })
	p.after(2+p.dice.IntN(8), field+" is taken again", func(p *play) { p.world.ITSM.Switch(func(s *itsm.Switches) { s.ReadOnly = nil }) })
}

// hide hides rows of a table from the bridge, and fills pages with rows that it
// never sees.
func (p *play) hide() {
	hidden := map[string]bool{}
	maps.Copy(hidden, p.hidden)
	p.hidden = hidden
	for range 7 {
		hidden[p.world.Incident(p.users, "Of no concern", nil)] = true
	}
	p.world.ITSM.Switch(func(s *itsm.Switches) { s.Hide = func(_, id string) bool { return hidden[id] } })
	time.Sleep(time.Second)
	p.comes()
	p.comment(p.someone())
}

// widen drops a condition from each query, as an instance does whose user lost a right.
func (p *play) widen() {
	p.wide.Store(true)
	p.world.Incident(p.users, "Another group's", map[string]string{"assignment_group": ""})
	p.after(2+p.dice.IntN(9), "queries mean what they say again", func(p *play) { p.wide.Store(false) })
}

// noJournals closes the journals for a while.
func (p *play) noJournals() {
	how := []string{"empty", "refuse"}[p.dice.IntN(2)]
	p.say("  they are answered with: %s", how)
	p.world.ITSM.Switch(func(s *itsm.Switches) { s.Journals = how })
	p.after(1+p.dice.IntN(8), "journals can be read again", func(p *play) { p.world.ITSM.Switch(func(s *itsm.Switches) { s.Journals = "" }) })
}

// retitle edits what people see of both incidents and their tickets.
func (p *play) retitle() {
	for _, incident := range []string{p.first, p.other} {
		p.world.ITSM.Set("incident", incident, map[string]string{"short_description": "Edited by a person"})
		if ticket, ok := p.world.MMD.Ticket(p.ticketBy(incident)); ok {
			p.world.MMD.Edit(ticket.ID, "Edited by the vendor", ticket.Description)
		}
	}
}

// vendorNote finds a note of the vendor's on the ticket of an incident, drawn among them.
func (p *play) vendorNote(incident string) (ticket string, n int, said *words) {
	ticket = p.ticketBy(incident)
	if len(p.notes[incident]) == 0 {
		return ticket, 0, nil
	}
	said = p.notes[incident][p.dice.IntN(len(p.notes[incident]))]
	for n, note := range p.world.MMD.Notes(ticket) {
		if note.Text == said.text {
			return ticket, n, said
		}
	}
	return ticket, 0, nil
}

func (p *play) removeNote() {
	if ticket, n, said := p.vendorNote(p.someone()); said != nil {
		p.say("  %q", said.text)
		said.loose = true
		p.world.MMD.RemoveNote(ticket, n)
	}
}

func (p *play) editNote() {
	incident := p.someone()
	if ticket, n, said := p.vendorNote(incident); said != nil {
		p.say("  %q", said.text)
		now := &words{text: "Corrected: " + said.text[:len(said.text)-1] + ", really.", edited: true, loose: p.may.forgotten || said.loose, signed: said.signed, ticket: ticket}
		said.loose = true
		p.notes[incident] = append(p.notes[incident], now)
		p.world.MMD.EditNote(ticket, n, now.text)
	}
}

func (p *play) signNote() {
	if ticket, n, said := p.vendorNote(p.someone()); said != nil {
		p.say("  %q", said.text)
		said.signed = true
		p.world.MMD.SignNote(ticket, n, "victor@vendor.example")
	}
}

// withdraw takes the approval back; from then on nothing is opened, and what is open
// is closed.
func (p *play) withdraw() {
	p.mu.Lock()
	p.withdrawn = time.Now()
	p.mu.Unlock()
	p.may.none = true
	p.world.ITSM.Withdraw(p.item)
}

// reassign gives the first incident to another group, and back some time later.
func (p *play) reassign() {
	group := p.world.ITSM.Row("incident", p.first)["assignment_group"]
	p.comment(p.first)
	p.away, p.may.stopped = true, true
	p.world.ITSM.Set("incident", p.first, map[string]string{"assignment_group": ""})
	p.after(2+p.dice.IntN(10), "the incident is given back", func(p *play) {
		p.away = false
		p.world.ITSM.Set("incident", p.first, map[string]string{"assignment_group": group})
	})
}
