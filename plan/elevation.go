package plan

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
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

// Elevation is what the MMD side said about one elevation request.
type Elevation struct {
	ID     string
	Closed time.Time
	By     string
	Gone   bool
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
//	approved   still owed       nothing yet: it waits for its ticket
//	too late   any              parked, and said on the task
//	elsewhere  any              parked, and said on the task
//	unproven   any              parked, and said on the task: fail closed
//	other      any              nothing
//	approved   so long ago that its elevation may be forgotten: nothing
//	any        close.when holds: nothing
//	any        a person dropped it or ended its link: nothing, until a new approval after a drop
func (p Planner) NewTask(rule *mapping.ElevationRule, task Task, story *Story) (Promise, string) {
	d := approvals(rule, task.Row, task.Approvals, task.Now)
	for _, op := range waitingCreates(story) {
		d = d.asPromised(rule, op, task.Now).forDevice(rule, op, task)
	}
	if kept, why := keepDropped(story, d, task); why != "" {
		return Promise{Links: kept, At: task.Seen}, why
	}
	if d.withdrawn() {
		out := Promise{At: task.Seen}
		if story != nil && d.consent == Forbidden {
			out.Links = forgetConsent(story.Link)
		}
		return out, d.why
	}
	if story != nil && (story.Link.MMD != "" || d.consent == Approved) && !d.anew(story.Link, task, p.Aged) {
		return Promise{Links: keepConsent(story.Link, d), At: task.Seen}, "had its elevation for the approval that it has, or has one that was too old: it needs a new one"
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
//	rows                       any                 those rows
//	none that could be read    none                nothing yet: it waits
//	none that could be read    rows from before    these rows
//	none that could be read    rows since          none: they are new
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
	by := was.Basis.Approvals
	switch {
	case d.consent == Forbidden:
		by = nil
	case len(by) > 0:
	case len(d.by) == 0:
		return nil, why
	case !d.at.After(was.Ended.Add(task.Now.Sub(task.Seen))):
		by = d.by
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

// LinkedTask decides whether an open elevation is to be closed. Each reason closes it
// once: a close that a person drops stays dropped until another reason comes up, or the
// same one comes up anew.
//
//	task             approval     age               result
//	close.when holds any          any               close with what was done
//	open             withdrawn    any               close
//	open             taken back   any               close
//	open             any          any, dropped      close
//	another device   any          any               close
//	open             stands       over close_after  close
//	open             stands       below             nothing
func (p Planner) LinkedTask(rule *mapping.ElevationRule, story Story, task Task) Promise {
	link := story.Link
	if link.MMD == "" || !link.Ended.IsZero() {
		return Promise{}
	}
	link = link.clone()
	if !link.Left.IsZero() { // it was not to be read, and is again
		link.Left, link.Notice = time.Time{}, ""
	}
	d := approvals(rule, task.Row, task.Approvals, task.Now)
	reasons := append(p.closes(rule, link, task, d), moved(rule, story, task)...)
	if droppedCreate(&story) != nil { // it was opened when nobody looked for it any more
		reasons = append(reasons, notWanted())
	}
	link.remember(d, story.Closing())
	if len(reasons) == 0 {
		link.Notice = unsure(rule, link, task, d)
	}
	out := Promise{Ops: p.closeFor(rule, &link, reasons, task.Seen), At: task.Seen}
	out.Links = changed(link, story.Link)
	return out
}

// goneAfter is how long a task has to be gone while no other task is to be seen: a
// right may be lost that comes back.
const goneAfter = time.Hour

// GoneTask decides on an open elevation whose task is not there, as the desk says.
//
//	the desk shows other tasks  since       result
//	yes                         any         close
//	no                          goneAfter   close: rights stay open for nobody
//	no                          below       said on the link
func (p Planner) GoneTask(rule *mapping.ElevationRule, story Story, sees bool, now time.Time) Promise {
	link := story.Link
	if link.MMD == "" || !link.Ended.IsZero() {
		return Promise{}
	}
	link = link.clone()
	out := Promise{At: now}
	if link.Left.IsZero() {
		link.Left, link.Notice = now, fmt.Sprintf("its task cannot be read: the elevation request is closed at once while other tasks can be read, and else after %s", goneAfter)
	}
	if sees || now.Sub(link.Left) >= goneAfter {
		out.Ops = p.closeFor(rule, &link, []reason{{"gone", "The task " + link.Number + " is gone", "the task cannot be read any more"}}, now)
	}
	out.Links = changed(link, story.Link)
	return out
}

// Closing says that the bridge itself owes the close of an elevation, whatever is seen of it.
func (s Story) Closing() bool {
	return slices.ContainsFunc(s.Ops, func(op Op) bool { return op.Kind == ElevationClose && !op.State.Ended() })
}

// changed gives the link of an open elevation if something of it was learnt.
func changed(link, was Link) []Link {
	if link.Left.Equal(was.Left) && link.Notice == was.Notice && maps.Equal(link.Base, was.Base) {
		return nil
	}
	return []Link{link}
}

// reason is one reason to close an elevation: its name, what is said to the vendor, and
// why in words.
type reason struct{ name, actions, why string }

// closeOf is where a link keeps the reasons to close its elevation that hold, and how
// often one came up.
const closeOf = "close"

// closeFor closes an elevation for the first new one of some reasons, and keeps all that
// hold. One that did not hold before is another turn of the close: what a person dropped, or
// what is parked, was for the others.
func (p Planner) closeFor(rule *mapping.ElevationRule, link *Link, reasons []reason, now time.Time) []Op {
	base := link.Base[closeOf]
	before := strings.Fields(base.Value)
	first := -1
	var names []string
	for i, r := range reasons {
		if names = append(names, r.name); first < 0 && !slices.Contains(before, r.name) {
			first = i
			base.Turn++
		}
	}
	base.Value = strings.Join(names, " ")
	if base != link.Base[closeOf] {
		link.Base[closeOf] = base
	}
	if len(reasons) == 0 {
		return nil
	}
	r := reasons[max(first, 0)]
	return []Op{{
		Key: key(ElevationClose, link.Record, strconv.Itoa(link.Generation)), Link: link.ID, Rule: rule.Name, Kind: ElevationClose, State: Promised,
		Why: r.why, Promised: now, Due: now, Body: marshal(map[string]string{"actionsTaken": r.actions}), Basis: Basis{Seen: now, Rev: strconv.Itoa(base.Turn)},
	}}
}

// closes gives the reasons to close an elevation that a task and its approvals are.
func (p Planner) closes(rule *mapping.ElevationRule, link Link, task Task, d decided) (out []reason) {
	in := mapping.Input{Record: task.Row, TicketOf: task.TicketOf}
	if ok, why := rule.Closes(in); ok {
		out = append(out, reason{"closed", orElse(rule.ActionsTaken(in), "Closed with the task "+link.Number), orElse(why, "close.when holds")})
	}
	if d.withdrawn() || d.takenBack(link) {
		out = append(out, reason{"withdrawn", "The approval was withdrawn", "the approval was withdrawn: " + d.why})
	}
	return append(out, overdue(rule, link, task.Seen)...)
}

// moved is another device as a reason to close an elevation: its task has no need of the
// one that it was opened for, and nobody approved the other one.
func moved(rule *mapping.ElevationRule, story Story, task Task) []reason {
	for _, op := range story.Ops {
		if op.Kind != ElevationCreate || op.Result != story.Link.MMD {
			continue
		}
		if was, is := deviceOf(rule, op.Basis.Record), deviceOf(rule, task.Row); was != "" && is != "" && !strings.EqualFold(was, is) {
			return []reason{{"device", "The task names another device", fmt.Sprintf("it was opened for %s, and the task names %s now", was, is)}}
		}
	}
	return nil
}

// unsure is the notice of a link while it cannot be known whether its elevation is to be
// closed; one of something else stays.
func unsure(rule *mapping.ElevationRule, link Link, task Task, d decided) string {
	const begins = "it cannot be known whether its elevation request is to be closed: "
	why := rule.CloseUndecided(mapping.Input{Record: task.Row, TicketOf: task.TicketOf})
	if why == "" && d.consent == Unproven {
		why = d.why
	}
	switch {
	case link.Notice != "" && !strings.HasPrefix(link.Notice, begins):
		return link.Notice
	case why == "":
		return ""
	}
	return begins + why
}

// notWanted is the reason to close an elevation that a person dropped.
func notWanted() reason {
	return reason{"dropped", "Not wanted any more", "it was dropped by hand and opened all the same"}
}

// overdue is the age of an elevation as a reason to close it.
func overdue(rule *mapping.ElevationRule, link Link, now time.Time) []reason {
	if rule.CloseAfter <= 0 || now.Sub(link.Linked) <= rule.CloseAfter {
		return nil
	}
	return []reason{{"close_after", fmt.Sprintf("Closed after %s", rule.CloseAfter), fmt.Sprintf("open for longer than close_after %s", rule.CloseAfter)}}
}

// standing are the reasons to close an elevation that a link keeps; a new one joins them.
func standing(link Link) (out []reason) {
	for name := range strings.FieldsSeq(link.Base[closeOf].Value) {
		out = append(out, reason{name: name})
	}
	return out
}

// Overdue closes an open elevation that is older than close_after, whether its task can
// be read or not.
func (p Planner) Overdue(rule *mapping.ElevationRule, link Link, now time.Time) Promise {
	due := overdue(rule, link, now)
	if link.MMD == "" || !link.Ended.IsZero() || len(due) == 0 || slices.Contains(standing(link), reason{name: due[0].name}) {
		return Promise{}
	}
	link = link.clone()
	ops := p.closeFor(rule, &link, append(standing(link), due...), now)
	return Promise{Links: []Link{link}, Ops: ops, At: now}
}

// StillOpen closes an elevation again that the vendor shows as open (seen) after its link
// ended. It asks for that once by itself.
//
//	ended                result
//	just now             nothing yet: a list may lag
//	before, first time   closed again, and said on its task
//	before, again        in doubt: a person looks
func (p Planner) StillOpen(rule *mapping.ElevationRule, link Link, timing Timing, seen time.Time) Promise {
	if link.Ended.IsZero() || seen.Sub(link.Ended) < timing.Wait() {
		return Promise{}
	}
	link = link.clone()
	link.Ended, link.EndedBy, link.Notice = time.Time{}, "", "the vendor shows its elevation request as open after it was closed"
	ops := p.closeFor(rule, &link, append(standing(link), reason{"still_open", "Closed again: it was still open", link.Notice}), seen)
	base := link.Base[closeOf]
	if base.Label != "" {
		ops[0].State, ops[0].Reason = Doubt, link.Notice+", twice: look on the other side, then retry or drop it"
	}
	base.Value, base.Label = strings.TrimSuffix(base.Value, " still_open"), "closed again"
	link.Base[closeOf] = base
	if link.Left.IsZero() {
		said := p.report(rule.Report, link, "still", fmt.Sprintf("Elevation request %s is still open although it was closed; it is closed again.", link.MMD), seen)
		ops = append(ops, since(said, link.Created)...)
	}
	return Promise{Links: []Link{link}, Ops: ops, At: seen}
}

// Opened says what follows from an elevation request that was opened: said on the task.
func (p Planner) Opened(rule *mapping.ElevationRule, link Link, create Op, id string, now time.Time) Promise {
	link = link.with(id, now)
	link.Moved, link.Notice = now, ""
	delete(link.Base, closeOf)
	if len(create.Basis.Approvals) > 0 {
		consented(&link, create.Basis.Approvals)
	}
	device := create.Basis.Record["cmdb_ci.name"].Value
	text := "Elevation request " + id + " was opened"
	if device != "" {
		text += " for " + device
	}
	return Promise{Links: []Link{link}, Ops: p.report(rule.Report, link, "opened", text+".", now), At: now}
}

// Undone says what follows from an elevation request that a person dropped and that
// was opened all the same: it is closed.
func (p Planner) Undone(rule *mapping.ElevationRule, link Link, create Op, id string, now time.Time) Promise {
	out := p.Opened(rule, link, create, id, now)
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
