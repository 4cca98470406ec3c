package connector

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"bridge/itsm"
	"bridge/mapping"
	"bridge/mmd"
	"bridge/plan"
)

// tasks reads the tasks that an elevation rule matches, and those with an open
// elevation: in each cycle and not by cursor, since an approval on the request
// item does not move the task.
func (p *Poller) tasks(ctx context.Context, rule *mapping.ElevationRule, report *Report) error {
	ask := itsm.Ask{Table: rule.Table, Query: rule.Query.String(), Fields: p.taskFields(rule), Display: rule.Display}
	r, err := p.beginTasks(ctx, rule)
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for records, err := range batches(p.Desk.Changes(ctx, ask, time.Time{}), batch) {
		if err != nil {
			return err
		}
		for _, rec := range records {
			seen[rec.Value("sys_id")] = true
		}
		if err := p.observeTasks(ctx, rule, records, &r, report); err != nil {
			return err
		}
	}
	if err := p.endTasks(ctx, r); err != nil {
		return err
	}
	left := map[string]*unlisted{rule.Table: {sees: len(seen) > 0}}
	for link, err := range p.Ledger.Links(ctx, plan.LinkQuery{Kind: plan.ElevationLink, Open: true, Brief: true}) {
		if err != nil {
			return err
		}
		if seen[link.Record] || link.MMD == "" || p.Planner.Rules.Elevation(link.Rule) != rule {
			continue
		}
		if left[link.Table] == nil { // the rule read another table when it was opened
			left[link.Table] = &unlisted{}
		}
		left[link.Table].ids = append(left[link.Table].ids, link.Record)
	}
	for _, table := range slices.Sorted(maps.Keys(left)) {
		ask.Table = table
		if err := p.openTasks(ctx, rule, ask, *left[table], report); err != nil {
			return err
		}
	}
	return nil
}

// beginTasks begins a reading of a rule's tasks. Its cursor keeps how many creates one that
// was cut off has promised, and nothing else: tasks are read whole.
func (p *Poller) beginTasks(ctx context.Context, rule *mapping.ElevationRule) (reading, error) {
	feed := "tasks/" + rule.Name
	cursor, err := p.Ledger.Cursor(ctx, feed)
	return reading{cursor: plan.Cursor{Feed: feed, Creates: cursor.Creates}, began: p.Now()}, err
}

// endTasks lets the next reading count anew.
func (p *Poller) endTasks(ctx context.Context, r reading) error {
	if len(r.cursor.Creates) == 0 {
		return nil
	}
	r.cursor.Creates = nil
	_, err := p.Ledger.Promise(ctx, plan.Promise{Cursor: &r.cursor, At: r.began})
	return err
}

// unlisted are the tasks of open elevations that the query finds no more, and whether
// it found others.
type unlisted struct {
	ids  []string
	sees bool
}

// taskFields are the rule's fields, and the objects that its approvals belong to.
func (p *Poller) taskFields(rule *mapping.ElevationRule) []string {
	fields := slices.Clone(rule.Fields)
	for _, path := range rule.Approved {
		fields = union(fields, []string{path})
		if object := plan.ApprovalPath(path); object != "" {
			fields = union(fields, []string{object})
		}
	}
	return fields
}

// openTasks reads the tasks of open elevations that were not listed. A list may leave
// one out for many reasons: that it is gone is asked of the desk by its id.
func (p *Poller) openTasks(ctx context.Context, rule *mapping.ElevationRule, ask itsm.Ask, left unlisted, report *Report) error {
	if len(left.ids) == 0 {
		return nil
	}
	ask.Query = ""
	found := map[string]bool{}
	for records, err := range batches(p.Desk.Records(ctx, ask, left.ids), batch) {
		if err != nil {
			return err
		}
		for _, rec := range records {
			found[rec.Value("sys_id")] = true
		}
		if err := p.observeTasks(ctx, rule, records, nil, report); err != nil {
			return err
		}
	}
	gone, more, unread := p.askedByID(ctx, ask, slices.DeleteFunc(left.ids, func(id string) bool { return found[id] }), report)
	if err := p.observeTasks(ctx, rule, more, nil, report); err != nil {
		return err
	}
	if err := p.goneTasks(ctx, rule, gone, left.sees || len(found)+len(more) > 0); err != nil {
		return err
	}
	return unread
}

// askedByID reads rows one by one, and gives those that the desk says are not there. One
// that it refuses to show stops no other one.
func (p *Poller) askedByID(ctx context.Context, ask itsm.Ask, ids []string, report *Report) (gone []string, found []itsm.Record, err error) {
	var names refused
	for _, id := range ids {
		rec, err := p.Desk.Get(ctx, ask, id)
		if errors.Is(err, itsm.ErrNotFound) {
			gone = append(gone, id)
			err = nil
		} else if err == nil {
			found = append(found, rec)
		}
		if err := names.takeOne(plan.ITSM, "task "+id, err); err != nil {
			return gone, found, err
		}
	}
	report.Unread = append(report.Unread, names.lines...)
	return gone, found, nil
}

// goneTasks plans the tasks that the desk says are not there. sees: it shows another
// task of that table, so the right to read it is not lost.
func (p *Poller) goneTasks(ctx context.Context, rule *mapping.ElevationRule, gone []string, sees bool) error {
	if len(gone) == 0 {
		return nil
	}
	stories, err := p.stories(ctx, plan.LinkQuery{Records: gone, Kind: plan.ElevationLink})
	if err != nil {
		return err
	}
	promise := plan.Promise{At: p.Now()}
	for _, id := range gone {
		if story := stories[id]; story != nil {
			promise.Add(p.Planner.GoneTask(rule, *story, sees, promise.At))
		}
	}
	if promise.Empty() {
		return nil
	}
	_, err = p.promise(ctx, promise)
	return err
}

// observeTasks plans one batch of tasks. r is the reading that they are of, if it is one
// that may bring creates.
func (p *Poller) observeTasks(ctx context.Context, rule *mapping.ElevationRule, records []itsm.Record, r *reading, report *Report) error {
	if len(records) == 0 {
		return nil
	}
	report.Records += len(records)
	stories, err := p.stories(ctx, plan.LinkQuery{Records: idsOf(records), Kind: plan.ElevationLink})
	if err != nil {
		return err
	}
	tasks, err := p.withApprovals(ctx, rule, records)
	if err != nil {
		return err
	}
	promise := plan.Promise{At: p.Now()}
	for _, task := range tasks {
		promise.Add(p.decideTask(rule, task, stories[task.ID()], report))
	}
	if r != nil {
		p.brake(r, &promise, stories)
	}
	if promise.Empty() {
		return nil
	}
	added, err := p.promise(ctx, promise)
	report.unmapped(promise.Ops, added)
	if err == nil {
		report.held(promise.Holds)
	}
	return err
}

// decideTask plans one task: one with an open elevation for its own rule, another one for
// the first that takes it.
func (p *Poller) decideTask(rule *mapping.ElevationRule, task plan.Task, story *plan.Story, report *Report) plan.Promise {
	if story != nil && story.Link.MMD != "" && story.Link.Ended.IsZero() {
		if p.Planner.Rules.Elevation(story.Link.Rule) == rule {
			return p.Planner.LinkedTask(rule, *story, task)
		}
		return plan.Promise{}
	}
	if taker, why := p.Planner.MatchElevation(rule.Table, task.Row); taker != rule {
		report.skip(why)
		return plan.Promise{}
	}
	decided, why := p.Planner.NewTask(rule, task, story)
	if decided.Empty() {
		report.skip(rule.Name + ": " + why)
	}
	return decided
}

// withApprovals adds the approval rows of every object that an approval field
// that says approved belongs to, and the tickets of referenced records.
func (p *Poller) withApprovals(ctx context.Context, rule *mapping.ElevationRule, records []itsm.Record) ([]plan.Task, error) {
	var tasks []plan.Task
	var objects []string
	seen := p.Now()
	for _, rec := range records {
		task := plan.Task{Record: plan.Record{Table: rule.Table, Row: row(rec), Seen: seen}}
		for _, path := range rule.Approved {
			if object := plan.ApprovalObject(task.Row, path); object != "" && task.Row[path].Value == "approved" {
				objects = union(objects, []string{object})
			}
		}
		of, owed, err := p.ticketOf(ctx, rule.TicketRefs, task.Row)
		if err != nil {
			return nil, err
		}
		task.TicketOf, task.ParentOwes = of, owed
		tasks = append(tasks, task)
	}
	var rows []plan.Approval
	if len(objects) > 0 {
		for a, err := range p.Desk.Approvals(ctx, objects) {
			if err != nil {
				return nil, &sideError{err: err}
			}
			rows = append(rows, approval(a))
		}
	}
	offset, _ := p.Desk.Clock()
	for i := range tasks {
		tasks[i].Approvals, tasks[i].Now = rows, p.Now().Add(offset)
	}
	return tasks, nil
}

// elevations lists the elevation requests while one is open, to hear of those that the
// vendor closed or let expire, and now and then to find those that nobody knows of.
func (p *Poller) elevations(ctx context.Context, report *Report) error {
	stories, err := p.stories(ctx, plan.LinkQuery{Kind: plan.ElevationLink, Open: true})
	if err != nil {
		return err
	}
	began := p.Now()
	open, err := p.inTime(ctx, stories, began)
	if err != nil {
		return err
	}
	shows := p.closesShow(stories, began)
	whole := shows || p.seek(began)
	if len(open) == 0 && !whole {
		return nil
	}
	others := p.newStrangers()
	for e, err := range p.Elevations.List(ctx, mmd.ListOptions{}) {
		if err != nil {
			return &sideError{err: err}
		}
		story := open[e.ID]
		if story == nil {
			others.saw(e)
			continue
		}
		delete(open, e.ID)
		if err := p.closedByVendor(ctx, story.Link, e); err != nil {
			return err
		}
		if len(open) == 0 && !whole {
			break
		}
	}
	if err := others.settle(ctx, report); err != nil || !whole {
		return err
	}
	p.sought = began
	if shows {
		p.closing = time.Time{}
	}
	return nil
}

// closesShow says that a close that was sent has to show by now: what the vendor answers
// does not prove that rights were taken back.
func (p *Poller) closesShow(stories map[string]*plan.Story, now time.Time) bool {
	for _, story := range stories {
		if story.Closing() && p.closing.IsZero() {
			p.closing = now
		}
	}
	return !p.closing.IsZero() && now.Sub(p.closing) > p.Timing.Wait()+p.Timing.Budget
}

// inTime closes the elevations that are open for too long, whether the desk answers or
// not, and gives the others that are open, by their ids.
func (p *Poller) inTime(ctx context.Context, stories map[string]*plan.Story, now time.Time) (map[string]*plan.Story, error) {
	open, promise := map[string]*plan.Story{}, plan.Promise{At: now}
	for _, story := range stories {
		var due plan.Promise
		if rule := p.Planner.Rules.Elevation(story.Link.Rule); rule != nil {
			due = p.Planner.Overdue(rule, *story, now)
		}
		promise.Add(due)
		if story.Link.MMD != "" && !story.Closing() && due.Empty() {
			open[story.Link.MMD] = story
		}
	}
	if promise.Empty() {
		return open, nil
	}
	_, err := p.promise(ctx, promise)
	return open, err
}

// closedByVendor says on the task that its elevation request was closed by somebody
// else, if it was. Who knows of no close may have an older ledger, that forgot its own.
func (p *Poller) closedByVendor(ctx context.Context, link plan.Link, e mmd.Elevation) error {
	rule := p.Planner.Rules.Elevation(link.Rule)
	if rule == nil || e.Closed.IsZero() && !e.IsDeleted {
		return nil
	}
	closed := p.Planner.Closed(rule, link, "not by this bridge", p.Now())
	said(closed.Ops, p.Now(), "a ledger that was set back may have said so already: it is looked for first")
	_, err := p.promise(ctx, closed)
	return err
}

// task reads one task with its approvals.
func (p *Poller) task(ctx context.Context, rule *mapping.ElevationRule, id string) (plan.Task, error) {
	ask := itsm.Ask{Table: rule.Table, Fields: p.taskFields(rule), Display: rule.Display}
	rec, err := p.Desk.Get(ctx, ask, id)
	if errors.Is(err, itsm.ErrNotFound) {
		return plan.Task{}, fmt.Errorf("task %s: %w", id, errGone)
	}
	if err != nil {
		return plan.Task{}, err
	}
	tasks, err := p.withApprovals(ctx, rule, []itsm.Record{rec})
	if err != nil {
		return plan.Task{}, err
	}
	return tasks[0], nil
}
