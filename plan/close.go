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
	link.remember(d, len(reasons) > 0 || story.Closing())
	link.Given = d.given(link.Given, deviceOf(rule, task.Row))
	hidden := undecided(rule, task, d)
	if len(reasons) == 0 || hidden == "" {
		link.Notice = unsure(link, hidden)
	}
	link.takeOver(story, reasons)
	if hidden != "" {
		reasons = append(reasons, standing(link)...)
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
		gone := reason{"gone", "The task " + link.Number + " is gone", "the task cannot be read any more"}
		link.takeOver(story, []reason{gone})
		out.Ops = p.closeFor(rule, &link, append([]reason{gone}, standing(link)...), now)
	}
	out.Links = changed(link, story.Link)
	return out
}

// Closing says that the bridge itself owes the close of a link's own elevation, whatever is seen of it.
func (s Story) Closing() bool {
	return slices.ContainsFunc(s.Ops, func(op Op) bool { return op.Kind == ElevationClose && op.Of == "" && !op.State.Ended() })
}

// changed gives the link of an open elevation if something of it was learnt.
func changed(link, was Link) []Link {
	if link.Left.Equal(was.Left) && link.Notice == was.Notice && maps.Equal(link.Base, was.Base) && link.Given.equal(was.Given) {
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
// what is parked, was for the others. Reasons that only stand close nothing anew.
func (p Planner) closeFor(rule *mapping.ElevationRule, link *Link, reasons []reason, now time.Time) []Op {
	base := link.Base[closeOf]
	before := strings.Fields(base.Value)
	first := -1
	var names []string
	for i, r := range reasons {
		names = union(names, []string{r.name})
		if first < 0 && !slices.Contains(before, r.name) {
			first = i
			base.Turn++
		}
	}
	base.Value = strings.Join(names, " ")
	if base != link.Base[closeOf] {
		link.Base[closeOf] = base
	}
	if len(reasons) == 0 || reasons[max(first, 0)].why == "" {
		return nil
	}
	r, rev := reasons[max(first, 0)], strconv.Itoa(base.Turn)
	if base.Turn == 0 { // it was promised by a version that kept no reasons
		rev = ""
	}
	return []Op{{
		Key: key(ElevationClose, link.Record, strconv.Itoa(link.Generation)), Link: link.ID, Rule: rule.Name, Kind: ElevationClose, State: Promised,
		Why: r.why, Promised: now, Due: now, Body: marshal(map[string]string{"actionsTaken": r.actions}), Basis: Basis{Seen: now, Rev: rev},
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
// one that it was opened for, and nobody approved the other one. As long as the task is
// kept as it was then, a rule that is edited since makes no other device of it.
func moved(rule *mapping.ElevationRule, story Story, task Task) []reason {
	was, is := story.Link.Device, deviceOf(rule, task.Row)
	for _, op := range story.Ops {
		if op.Kind == ElevationCreate && op.Result == story.Link.MMD && op.Basis.Record != nil {
			was = deviceOf(rule, op.Basis.Record)
		}
	}
	if was == "" || is == "" || strings.EqualFold(was, is) {
		return nil
	}
	return []reason{{"device", "The task names another device", fmt.Sprintf("it was opened for %s, and the task names %s now", was, is)}}
}

// takeOver takes reasons for standing ones if the close was promised by a version of the
// bridge that kept none: what a person dropped since stays dropped.
func (l Link) takeOver(story Story, reasons []reason) {
	if !l.untaken(story) {
		return
	}
	var names []string
	for _, r := range reasons {
		names = append(names, r.name)
	}
	l.Base[closeOf] = Baseline{Value: strings.Join(names, " ")}
}

// untaken says that such a version promised the close, and its reasons are not known yet.
func (l Link) untaken(story Story) bool {
	_, kept := l.Base[closeOf]
	return !kept && slices.ContainsFunc(story.Ops, func(op Op) bool {
		return op.Key == key(ElevationClose, l.Record, strconv.Itoa(l.Generation)) && op.Basis.Rev == ""
	})
}

// undecided says why it cannot be known whether an elevation is to be closed; empty: it can.
func undecided(rule *mapping.ElevationRule, task Task, d decided) string {
	why := rule.CloseUndecided(mapping.Input{Record: task.Row, TicketOf: task.TicketOf})
	if why == "" && d.consent == Unproven {
		why = d.why
	}
	return why
}

// unsure is the notice of a link while that cannot be known; one of something else stays.
func unsure(link Link, why string) string {
	const begins = "it cannot be known whether its elevation request is to be closed: "
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
func (p Planner) Overdue(rule *mapping.ElevationRule, story Story, now time.Time) Promise {
	link := story.Link.clone()
	due := overdue(rule, link, now)
	if link.MMD == "" || !link.Ended.IsZero() || len(due) == 0 || slices.Contains(standing(link), reason{name: due[0].name}) || link.untaken(story) {
		return Promise{}
	}
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
