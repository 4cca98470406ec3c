package plan

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"bridge/mapping"
)

// Task is what the ITSM desk said about one task that asks for elevation.
type Task struct {
	Record
	// Approvals are the approval rows of every object that the rule's fields belong to.
	Approvals []Approval
	// Now is the desk's time when they were read.
	Now time.Time
	// ParentOwes says that a record named by ticket_of still owes its ticket.
	ParentOwes bool
}

// Elevation is an elevation request as the vendor shows it.
type Elevation struct {
	ID, Device string
	// Created is when it was opened, by the bridge's clock; zero: just now.
	Created time.Time
}

// MatchElevation finds the elevation rule that takes a task: the first in file order.
func (p Planner) MatchElevation(table string, row mapping.Row) (*mapping.ElevationRule, string) {
	why := "no elevation rule reads " + table
	for _, r := range p.Rules.Elevations {
		if r.Table != table {
			continue
		}
		ok, reason := r.Matches(row)
		if ok {
			return r, reason
		}
		why = r.Name + ": " + reason
	}
	return nil, why
}

// NewTask promises the elevation request of an approved task, and nothing before
// it is approved.
//
//	consent    parent's ticket  result
//	approved   there, or none   elevation.create
//	approved   still owed       nothing yet: it waits for its ticket, and its link keeps for what
//	too late   any              parked, and said on the task
//	elsewhere  any              parked, and said on the task
//	unproven   any              parked, and said on the task: fail closed
//	other      any              nothing
//	approved   so long ago that its elevation may be forgotten: nothing
//	any        close.when holds: nothing
//	any        a person dropped it or ended its link: nothing, until a new approval after a drop
func (p Planner) NewTask(rule *mapping.ElevationRule, task Task, story *Story) (Promise, string) {
	device := deviceOf(rule, task.Row)
	d := approvals(rule, task.Row, task.Approvals, task.Now)
	given := d.given(givenTo(rule, story), device)
	out, why := p.newTask(rule, task, story, d.as(rule, given, device, task.Now))
	switch {
	case len(out.Links) > 0:
		out.Links[0].Given = given
	case story != nil && !given.equal(story.Link.Given):
		link := story.Link.clone()
		link.Given = given
		out.Links, out.At = []Link{link}, task.Seen
	case story == nil && given != nil && !p.forgot(d.at):
		link := p.newLink(ElevationLink, rule.Name, task.Record, nil)
		link.Given, link.Ended, link.EndedBy = given, task.Seen, why
		out.Links, out.At = []Link{link}, task.Seen
	}
	return out, why
}

// givenTo is what approved a task when that was first seen. A request that was promised by
// a version that kept nothing on its link says what it was promised on.
func givenTo(rule *mapping.ElevationRule, story *Story) *Given {
	if story == nil {
		return nil
	}
	promised := waitingCreates(story)
	if story.Link.Given != nil || len(promised) == 0 {
		return story.Link.Given
	}
	op := promised[0]
	was := &Given{Device: deviceOf(rule, op.Basis.Record), Rows: map[string]time.Time{}}
	for _, id := range op.Basis.Approvals {
		was.Rows[id] = op.Fact
	}
	return was
}

func (p Planner) newTask(rule *mapping.ElevationRule, task Task, story *Story, d decided) (Promise, string) {
	if kept, why := keepDropped(story, d, task); why != "" {
		return Promise{Links: kept, At: task.Seen}, why
	}
	if d.withdrawn() {
		out := Promise{At: task.Seen}
		if story != nil && d.denied {
			out.Links = forgetConsent(story.Link)
		}
		return out, d.why
	}
	if story != nil && (story.Link.MMD != "" || d.consent == Approved) && !d.anew(story.Link, task, p.Aged) {
		return Promise{Links: keepConsent(story.Link, d), Ops: p.used(rule, task, *story, d), At: task.Seen}, "had its elevation for the approval that it has, or has one that was too old: it needs a new one"
	}
	if why := p.notNow(rule, task, story, d); why != "" {
		return Promise{}, why
	}
	link := p.newLink(ElevationLink, rule.Name, task.Record, story)
	if droppedCreate(story) != nil && story.Link.MMD == "" {
		link.Generation++
	}
	op := p.elevate(rule, link, task, d)
	for _, missed := range missConsent(link, d) {
		link = missed
	}
	if known(story, op) {
		return Promise{}, d.why
	}
	out := Promise{Links: []Link{link}, Ops: []Op{op}, At: task.Seen}
	if op.State == Parked {
		said := p.report(rule.Report, link, "parked"+d.consent.event(), "No elevation request was opened: "+op.Reason, task.Seen)
		out.Ops = append(out.Ops, since(said, op.Fact)...)
	}
	return out, d.why
}

// used says once on an approved task why it gets no elevation: the one that it had was
// closed for a reason that is over. What the vendor or close_after closed was said then.
func (p Planner) used(rule *mapping.ElevationRule, task Task, story Story, d decided) []Op {
	over := slices.ContainsFunc(standing(story.Link), func(r reason) bool { return r.name != "close_after" })
	closed, _ := rule.Closes(mapping.Input{Record: task.Row, TicketOf: task.TicketOf})
	if story.Link.MMD == "" || !over || closed || undecided(rule, task, d) != "" {
		return nil
	}
	said := p.report(rule.Report, story.Link, "used", "No other elevation request was opened: the approval that it has was used for "+story.Link.MMD+", it needs a new one.", task.Seen)
	if len(said) == 0 || slices.ContainsFunc(story.Ops, func(op Op) bool { return op.Key == said[0].Key }) {
		return nil
	}
	return since(said, story.Link.Ended)
}

// notNow says why an approved task gets no elevation now.
func (p Planner) notNow(rule *mapping.ElevationRule, task Task, story *Story, d decided) string {
	if story == nil && p.forgot(d.at) {
		return "was approved so long ago that its elevation may be forgotten: it needs a new approval"
	}
	if closed, why := rule.Closes(mapping.Input{Record: task.Row, TicketOf: task.TicketOf}); closed {
		return "is to be closed: " + why
	}
	for _, op := range waitingCreates(story) {
		if op.State != Promised {
			return "may have its elevation: it is looked for, or a person looks"
		}
	}
	if task.ParentOwes {
		return "waits for the ticket of its parent"
	}
	return ""
}

// droppedCreate is the elevation request of a link that a person dropped.
func droppedCreate(story *Story) *Op {
	if story == nil {
		return nil
	}
	for _, op := range story.Ops {
		if op.State == Cancelled && op.Key == key(ElevationCreate, story.Link.Record, strconv.Itoa(story.Link.Generation)) {
			return &op
		}
	}
	return nil
}

// keepDropped says that a task waits for a new approval, since a person dropped its
// elevation, and has its link keep what that was to be opened on.
//
//	the dropped one rested on  approved now by     kept
//	any                        rows from before    these rows, and its own
//	any                        rows since          its own: they are new
//	none that could be read    none                nothing yet: it waits
//	any                        nobody: withdrawn   none: what comes is new
func keepDropped(story *Story, d decided, task Task) (kept []Link, why string) {
	if story != nil && story.Link.ByHand {
		return nil, "its link was ended by hand"
	}
	was := droppedCreate(story)
	if was == nil || story.Link.MMD != "" || story.Link.Base[droppedOf].Value == was.Key {
		return nil, ""
	}
	why = "was dropped by hand: it needs a new approval"
	by, dropped := was.Basis.Approvals, was.Ended
	if !was.Undone.IsZero() {
		dropped = was.Undone
	}
	switch {
	case d.denied:
		by = nil
	case len(by) == 0 && len(d.by) == 0:
		return nil, why
	default:
		by = union(slices.Clone(by), slices.DeleteFunc(slices.Clone(d.by), func(id string) bool {
			return !d.said[id].Before(dropped.Add(task.Now.Sub(task.Seen)).Truncate(time.Second)) // the desk's dates are in seconds
		}))
	}
	link := story.Link.clone()
	consented(&link, by)
	link.Base[droppedOf] = Baseline{Value: was.Key}
	return []Link{link}, why
}

// droppedOf is where a link keeps the request whose drop it has taken in.
const droppedOf = "dropped"

// waitingCreates are the elevation requests of a task that are not sent yet.
func waitingCreates(story *Story) (out []Op) {
	if story == nil {
		return nil
	}
	for _, op := range story.Ops {
		if op.Kind == ElevationCreate && !op.State.Ended() && op.State != Parked {
			out = append(out, op)
		}
	}
	return out
}

// forgetConsent gives a link whose approval was seen withdrawn: the next one is anew,
// also by the same row.
func forgetConsent(link Link) []Link {
	if link.Base[consentOf].Value == "" {
		return nil
	}
	link = link.clone()
	consented(&link, nil)
	return []Link{link}
}

// keepConsent gives a link that does not know what its elevation was opened on.
func keepConsent(link Link, d decided) []Link {
	if _, known := link.Base[consentOf]; known || len(d.by) == 0 {
		return nil
	}
	link = link.clone()
	consented(&link, d.by)
	return []Link{link}
}

// missConsent gives a link whose approval was too old when it was read, or for another
// device: a row of it that is written to afterwards looks new, and is not.
func missConsent(link Link, d decided) []Link {
	if d.consent != TooLate && d.consent != Elsewhere {
		return nil
	}
	link = link.clone()
	consented(&link, d.by)
	return []Link{link}
}

func (p Planner) elevate(rule *mapping.ElevationRule, link Link, task Task, d decided) Op {
	generation := strconv.Itoa(link.Generation)
	op := Op{
		Key: key(ElevationCreate, link.Record, generation), Link: link.ID, Rule: rule.Name, Kind: ElevationCreate, State: Promised,
		Mark: p.Pair.Mark(link.Record, ElevationCreate, generation, ""), Why: d.why, Fact: d.at, Promised: task.Seen, Due: task.Seen, Basis: p.basis(task.Record),
	}
	op.Basis.Rev, op.Basis.Approvals = hash(op.Basis.Rev+strconv.Itoa(int(d.consent))+d.at.String()), d.by
	if d.consent != Approved {
		op.State, op.Reason = Parked, task.Number()+": "+d.why
		return op
	}
	draft := rule.Create(mapping.Input{Record: task.Row, TicketOf: task.TicketOf})
	p.fill(&op, draft, "planOfAction", task.Number())
	return op
}

// Opened says what follows from an elevation request that was opened: said on the task.
func (p Planner) Opened(rule *mapping.ElevationRule, link Link, create Op, is Elevation, now time.Time) Promise {
	link = link.with(is.ID, now)
	link.Moved, link.Notice, link.Device = now, "", is.Device
	if !is.Created.IsZero() && is.Created.Before(now) {
		link.Linked = is.Created // it is as old as that, however late it was found
	}
	if sent := deviceIn(create); sent != "" {
		link.Device = sent
	}
	delete(link.Base, closeOf)
	if len(create.Basis.Approvals) > 0 {
		consented(&link, create.Basis.Approvals)
	}
	device := create.Basis.Record["cmdb_ci.name"].Value
	text := "Elevation request " + is.ID + " was opened"
	if device != "" {
		text += " for " + device
	}
	return Promise{Links: []Link{link}, Ops: p.report(rule.Report, link, "opened", text+".", now), At: now}
}

// deviceIn is the device that an elevation request names; empty: its body is not kept any more.
func deviceIn(create Op) string {
	var body struct {
		Device string `json:"deviceName"`
	}
	if json.Unmarshal(create.Body, &body) != nil {
		return ""
	}
	return body.Device
}

// Undone says what follows from an elevation request that a person dropped and that
// was opened all the same: it is closed.
func (p Planner) Undone(rule *mapping.ElevationRule, link Link, create Op, is Elevation, now time.Time) Promise {
	out := p.Opened(rule, link, create, is, now)
	closed := p.closeFor(rule, &out.Links[0], []reason{notWanted()}, now)
	out.Ops = append(out.Ops, since(closed, now)...)
	return out
}

// Refused says on the task that no elevation request could be opened.
func (p Planner) Refused(rule *mapping.ElevationRule, link Link, reason string, now time.Time) Promise {
	return Promise{Ops: p.report(rule.Report, link, "refused", "No elevation request was opened: "+reason, now), At: now}
}

// Closed says what follows from an elevation request that was closed: its link
// ends, and the task hears of it if it is there.
func (p Planner) Closed(rule *mapping.ElevationRule, link Link, how string, now time.Time) Promise {
	link = link.clone()
	link.Ended, link.Moved, link.Notice = now, now, ""
	out := Promise{Links: []Link{link}, At: now}
	if link.Left.IsZero() { // else there is no task to say it on
		said := p.report(rule.Report, link, "closed", fmt.Sprintf("Elevation request %s was closed: %s", link.MMD, how), now)
		out.Ops = since(said, link.Created)
	}
	return out
}

// since dates reports by what they are about: a ledger that is lost may have made them
// from then on.
func since(reports []Op, fact time.Time) []Op {
	for i := range reports {
		reports[i].Fact = fact
	}
	return reports
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
