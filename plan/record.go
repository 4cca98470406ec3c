package plan

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"bridge/mapping"
)

// Record is what the ITSM desk said about one record, as it came.
type Record struct {
	Table string
	Row   mapping.Row
	Seen  time.Time
	// Ahead is how far the desk's clock is ahead of the bridge's.
	Ahead time.Duration
	// Comments are its journal rows in the fields that its rule mirrors, oldest first.
	Comments []Comment
	// Correlated is the ticket that correlation_id names, looked up for a record without a link.
	Correlated *Ticket
	// Undecided says that what decides on the record could not be read.
	Undecided bool
	// Unsure says that the comments are not all: the record is looked at again.
	Unsure bool
	// Unheard says why comments of it are not passed on.
	Unheard string
	// Lacking counts comments that were seen before and were not read.
	Lacking int
	// TicketOf answers ticket_of(path): the ticket of the newest link of that record.
	TicketOf map[string]string
}

// Comment is one entry of a journal: a row, or a part of what the record shows as text.
type Comment struct {
	ID      string
	Element string
	By      string
	Text    string
	At      time.Time
}

// ID is the record's sys_id, Number what people call it.
func (r Record) ID() string { return r.Row["sys_id"].Value }

// Number is what people call the record; its sys_id where it has no number.
func (r Record) Number() string {
	if n := r.Row["number"].Value; n != "" {
		return n
	}
	return r.ID()
}

// Rev is the record's sys_mod_count: it rises with each change.
func (r Record) Rev() string { return r.Row["sys_mod_count"].Value }

// Story is what the ledger knows of one link.
type Story struct {
	Link  Link
	Notes []Note
	Ops   []Op
}

// Match finds the rule that takes a record: the first in file order whose query
// and when hold. The reason says why that one, or why none; also names the rules
// behind it that would have taken the record too.
//
//	first rule  second rule   taken by
//	holds       –             first
//	holds       holds too     first, the second is named
//	fails       holds         second
//	fails       fails         none, with each rule's reason
func (p Planner) Match(table string, row mapping.Row) (rule *mapping.TicketRule, why string, also []string) {
	var no []string
	for _, r := range p.Rules.Tickets {
		if r.Table != table {
			continue
		}
		ok, reason := r.Matches(row)
		switch {
		case !ok:
			no = append(no, r.Name+": "+reason)
		case rule == nil:
			rule, why = r, reason
		default:
			also = append(also, r.Name)
		}
	}
	if rule == nil {
		return nil, strings.Join(no, "; "), nil
	}
	return rule, why, also
}

// NewRecord promises the ticket of a record that has none, and behind it, in the
// same transaction, its earlier comments. old is the record's link if it had one
// before that never got a ticket.
//
//	correlation_id        ticket it names         result
//	empty                 –                       ticket.create
//	a ticket's id         carries our mark        adopted: linked, updated, nothing created
//	a ticket's id         ours, resolved and so   reopened as its rule says: its link ended
//	                      old that its link may   and was forgotten
//	                      be forgotten
//	anything else         –                       held: it is somebody else's
func (p Planner) NewRecord(rule *mapping.TicketRule, why string, rec Record, story *Story) Promise {
	if story != nil && story.Link.ByHand {
		return Promise{}
	}
	link := p.newLink(TicketLink, rule.Name, rec, story)
	link.Unheard = rec.Unheard
	p.baselines(rule, &link, rec, nil)
	p.turnOn(&link)
	op := p.create(rule, link, rec)
	op.Why, op.Fact = why, instanceTime(rec.Row["sys_created_on"].Value, rec.Seen)
	out := Promise{At: rec.Seen}
	if named := rec.Row["correlation_id"].Value; named != "" && !p.formerly(story, link, named, rec) {
		if back, is := p.returned(link, rule.TicketFields, rec); story == nil && is {
			return p.Reopened(rule, why, Story{Link: back}, rec)
		}
		if t := rec.Correlated; t != nil && MarkOf(t.Description) == op.Mark {
			return p.adopt(rule, link, op, rec)
		}
		op.State, op.Body = Parked, nil
		op.Reason = fmt.Sprintf("correlation_id %q is not this bridge's: another integration seems to own %s", named, rec.Number())
	}
	if known(story, op) {
		return p.waiting(rule, *story, rec)
	}
	sentBefore(&op, story)
	out.Links, out.Ops = []Link{link}, []Op{op}
	out.Add(p.comments(rule, p.before(story, link), rec, true))
	return out
}

// before is what is known of a record that gets a ticket: its own notes, and what was
// taken down and not passed on.
func (p Planner) before(story *Story, link Link) Story {
	out := Story{Link: link}
	if story == nil {
		return out
	}
	owed := map[string]bool{}
	for _, op := range story.Ops {
		owed[op.Key] = true
		if op.Kind == RecordNote {
			out.Ops = append(out.Ops, op)
		}
	}
	for _, n := range story.Notes {
		if n.Side == ITSM && (n.Mark != "" || !owed[key(TicketNote, link.Record, n.ID, "1")]) {
			out.Notes = append(out.Notes, n)
		}
	}
	return out
}

// Lost says that the ticket that a record names, for which the ledger knows none, was
// made by this bridge: only a ledger that was set back can have forgotten that.
func (p Planner) Lost(rec Record, story *Story, t Ticket) bool {
	generation := p.GenerationOf(TicketCreate, rec.ID(), MarkOf(t.Description))
	if story != nil && (story.Link.MMD != "" || story.Link.Generation != generation) {
		return false // it names the ticket of an earlier generation, as it should
	}
	return generation > 0 && t.Created.After(p.lost()) && !p.forgot(instanceTime(rec.Row["sys_created_on"].Value, rec.Seen))
}

// formerly says that a record names the ticket of an earlier generation of its link.
func (p Planner) formerly(story *Story, link Link, named string, rec Record) bool {
	if story != nil && story.Link.MMD == named {
		return true
	}
	if rec.Correlated == nil {
		return false
	}
	mark := MarkOf(rec.Correlated.Description)
	for g := 1; g < link.Generation; g++ {
		if mark == p.Pair.Mark(link.Record, TicketCreate, strconv.Itoa(g), "") {
			return true
		}
	}
	return false
}

// adopt links a record to the ticket that it names and that carries its mark. What
// was said on both sides before is looked for if a ledger was lost, and else taken
// down and not sent: it was, by the ledger that knew of it.
func (p Planner) adopt(rule *mapping.TicketRule, link Link, create Op, rec Record) Promise {
	t := rec.Correlated
	out := p.Linked(rule, link, create, *t)
	// Its create is known as done: a later one with that mark is a twin.
	create.State, create.Frozen, create.Attempt, create.Body, create.Result = Done, true, 1, nil, t.ID
	create.Begun, create.Ended, create.Basis = t.Created, rec.Seen, Basis{Rev: "adopted " + t.ID, Seen: rec.Seen}
	create.Reason = "the record names the ticket, which carries its mark"
	out.Ops = append([]Op{create}, out.Ops...)
	if !t.Created.IsZero() {
		out.Links[0].Linked = t.Created // the newest ticket that the ledger knows is not newer for that
	}
	if p.Aged.IsZero() {
		out.Links[0].Adopted = true
		out.Add(p.comments(rule, Story{Link: link}, rec, false))
		return out
	}
	out.Add(p.comments(rule, Story{Link: link}, rec, rule.History))
	return out
}

// Unwanted ends what is owed to a record that no rule takes any more and that has
// no ticket yet. What was begun may be there already, and stays; so does what cannot be
// decided since a right is missing.
func (p Planner) Unwanted(story Story, rec Record, why string) Promise {
	if rule := p.Rules.Ticket(story.Link.Rule); rule != nil && rule.Undecided(rec.Row) != "" {
		return Promise{}
	}
	out := Promise{At: rec.Seen}
	for _, op := range story.Ops {
		if op.State.Ended() {
			continue
		}
		if op.Frozen {
			return Promise{}
		}
		op.State, op.Ended, op.Reason, op.Basis.Rev = Cancelled, rec.Seen, "its ticket is not wanted any more: "+why, unwantedRev+p.rev(rec.Row)
		out.Ops = append(out.Ops, op)
	}
	if len(out.Ops) == 0 {
		return Promise{}
	}
	link := story.Link.clone()
	link.Ended, link.EndedBy, link.Rev = rec.Seen, "no ticket is wanted: "+why, rec.Rev()
	out.Links = []Link{link}
	return out
}

// known says that the ledger holds an op that was decided on the same.
func known(story *Story, op Op) bool {
	return story != nil && slices.ContainsFunc(story.Ops, func(o Op) bool {
		return o.Key == op.Key && o.Basis.Rev == op.Basis.Rev && (!o.State.Ended() || o.Frozen)
	})
}

// waiting promises the comments that came while a create is owed, and nothing when there are none.
func (p Planner) waiting(rule *mapping.TicketRule, story Story, rec Record) Promise {
	out := p.comments(rule, story, rec, true)
	out.At = rec.Seen
	return out
}

// newLink gives the link that a create is promised under: a new one, the one that
// still has no MMD id, or a further generation of one that ended.
func (p Planner) newLink(kind LinkKind, rule string, rec Record, story *Story) Link {
	if story != nil {
		link := story.Link.clone()
		link.Rule, link.Ended, link.EndedBy, link.Moved, link.Rev = rule, time.Time{}, "", rec.Seen, rec.rev()
		link.Left, link.Held, link.Untold = time.Time{}, nil, nil
		if link.MMD != "" {
			link.Generation, link.MMD, link.Device, link.Linked = link.Generation+1, "", "", time.Time{}
		}
		return link
	}
	return Link{
		ID: LinkID(kind, rec.ID()), Kind: kind, Rule: rule, Table: rec.Table, Record: rec.ID(), Number: rec.Number(),
		Generation: 1, Created: rec.Seen, Moved: rec.Seen, Rev: rec.rev(), Base: map[string]Baseline{},
	}
}

// create gives the op that owes a record's ticket; parked when a required field is empty.
func (p Planner) create(rule *mapping.TicketRule, link Link, rec Record) Op {
	generation := strconv.Itoa(link.Generation)
	op := Op{
		Key: key(TicketCreate, link.Record, generation), Link: link.ID, Rule: rule.Name, Kind: TicketCreate, State: Promised,
		Mark: p.Pair.Mark(link.Record, TicketCreate, generation, ""), Promised: rec.Seen, Due: rec.Seen, Basis: p.basis(rec),
	}
	draft := rule.Create(mapping.Input{Record: rec.Row, TicketOf: rec.TicketOf})
	p.fill(&op, draft, "description", rec.Number())
	return op
}

// fill gives an op its body, with the bridge's first line before one field; an op
// that lacks a required field is parked instead.
func (p Planner) fill(op *Op, draft mapping.Draft, field, number string) {
	explain(op, draft)
	if len(draft.Lacks) > 0 {
		var lacks []string
		for _, l := range draft.Lacks {
			lacks = append(lacks, l.String())
		}
		op.State, op.Body, op.Reason = Parked, nil, number+": "+strings.Join(lacks, "; ")
		return
	}
	if text, ok := draft.Body[field].(string); ok {
		draft.Body[field] = withMark(number, op.Mark, text)
	}
	op.Body = marshal(draft.Body)
}

// explain says of an op where its fields came from, and what met no map entry.
func explain(op *Op, draft mapping.Draft) {
	op.From, op.Unmapped = draft.Why, nil
	for _, u := range draft.Unmapped {
		text := fmt.Sprintf("rule %s, %s: %q met no entry of its map (line %d)", op.Rule, u.Field, u.Value, u.Line)
		if u.Reason != "" {
			text = fmt.Sprintf("rule %s, %s: %q: %s (line %d)", op.Rule, u.Field, u.Value, u.Reason, u.Line)
		}
		op.Unmapped = append(op.Unmapped, text)
	}
}

// basis keeps the observation that an op was decided on.
func (p Planner) basis(rec Record) Basis {
	return Basis{Seen: rec.Seen, Rev: p.rev(rec.Row), Record: rec.Row, TicketOf: rec.TicketOf}
}

// rev is a fingerprint of an observation and of the rules: another one decides anew.
func (p Planner) rev(row mapping.Row) string {
	return hash(string(marshal(row)) + p.Rules.Hash)
}

func key(kind Kind, identities ...string) string {
	return string(kind) + "/" + strings.Join(identities, "/")
}

// marshal cannot fail on the plain values that it is given; a map's keys are sorted.
func marshal(v any) json.RawMessage {
	out, err := json.Marshal(v)
	if err != nil {
		return json.RawMessage(strconv.Quote(err.Error()))
	}
	return out
}

func hash(text string) string { return digest(text)[:16] }

func label(c mapping.Cell) string {
	if c.Display != "" {
		return c.Display
	}
	return c.Value
}

// instanceTime reads a raw ITSM time, which is UTC; an unreadable one is the time of reading.
func instanceTime(raw string, otherwise time.Time) time.Time {
	t, err := time.Parse(time.DateTime, raw)
	if err != nil {
		return otherwise.UTC()
	}
	return t
}
