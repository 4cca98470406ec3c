package connector

import (
	"context"
	"fmt"
	"slices"
	"time"

	"bridge/mmd"
	"bridge/plan"
)

// strangers are open elevation requests that carry this bridge's mark and are no link's:
// a ledger that was lost asked for them, or a request that nobody waited for any more
// was executed late. Rights that nobody knows of would stay open, so each is taken back.
type strangers struct {
	*relinking
	open []stranger
	// known are those that the ledger asked for, by the link of their task.
	known map[string][]stranger
	// dropped are those that a person dropped, by the link of their task.
	dropped map[string][]late
	began   time.Time
}

// stranger is an open request, with the mark that it carries.
type stranger struct {
	mmd.Elevation
	mark string
}

// late is an open request that was dropped, with its create.
type late struct {
	stranger
	create plan.Op
}

func (p *Poller) newStrangers() *strangers {
	return &strangers{
		relinking: &relinking{Poller: p, kind: plan.ElevationLink, found: map[string][]plan.Found{}, linked: map[string]bool{}, over: beside},
		known:     map[string][]stranger{}, dropped: map[string][]late{}, began: p.Now(),
	}
}

// seek says that it is time to read the list of elevation requests whole: at the start,
// after a loss, and once in the time of a full scan.
func (p *Poller) seek(now time.Time) bool {
	return p.sought.IsZero() || p.sought.Before(p.Planner.Aged) || p.FullScan > 0 && now.Sub(p.sought) >= p.FullScan
}

// saw takes down an open request that carries this bridge's mark.
func (s *strangers) saw(e mmd.Elevation) {
	if mark := plan.MarkOf(e.PlanOfAction); e.Closed.IsZero() && !e.IsDeleted && s.Planner.Pair.Owns(mark) {
		s.open = append(s.open, stranger{e, mark})
	}
}

// settle finds out which of them the ledger does not know, and what becomes of them.
//
//	its create, in the ledger      the link of its task  result
//	done, with this id             is open               known
//	done, with this id             ended                 its close had no effect: closed again
//	done, with this id             ended by hand         said
//	done, with this id             has a later one       a twin
//	begun, unknown                 any                   it is being looked for
//	promised, in doubt             any                   looked for once more
//	cancelled: a person dropped it has, or owes, another closed
//	cancelled: a person dropped it ended by hand         closed
//	any other, or none             without a request     linked: closed when its task says so
//	of a later generation, none    has an older, closed  linked, too
//	any other, or none             has, or owes, another a twin
//	none, and no such task         –                     said
func (s *strangers) settle(ctx context.Context, report *Report) error {
	if len(s.open) == 0 {
		return nil // a query without marks would select every create
	}
	sent := map[string]plan.Op{}
	for _, e := range s.open {
		sent[e.mark] = plan.Op{}
	}
	for op, err := range s.Ledger.Ops(ctx, plan.OpQuery{Marks: keys(sent), Kinds: []plan.Kind{plan.ElevationCreate}}) {
		if err != nil {
			return err
		}
		sent[op.Mark] = op
	}
	for _, e := range s.open {
		op := sent[e.mark]
		switch {
		case op.State == plan.Begun || op.State == plan.Unknown:
		case op.State == plan.Done && op.Result == e.ID:
			s.known[op.Link] = append(s.known[op.Link], e)
		case op.State == plan.Promised || op.State == plan.Doubt:
			if err := s.lookAgain(ctx, op); err != nil {
				return err
			}
		case op.State == plan.Cancelled:
			s.dropped[op.Link] = append(s.dropped[op.Link], late{e, op})
		default:
			s.keep(e.PlanOfAction, plan.Found{ID: e.ID, Created: e.Created, Device: e.DeviceName})
		}
	}
	if err := s.stillOpen(ctx, report); err != nil {
		return err
	}
	if err := s.undo(ctx); err != nil {
		return err
	}
	return s.adopt(ctx, report)
}

// undo closes those that a person dropped, and leaves to the tasks what their links take
// for their own, or for a twin.
func (s *strangers) undo(ctx context.Context) error {
	if len(s.dropped) == 0 {
		return nil
	}
	stories, err := s.stories(ctx, plan.LinkQuery{IDs: keys(s.dropped)})
	if err != nil {
		return err
	}
	known, promise := map[string]*plan.Story{}, plan.Promise{At: s.began}
	for _, story := range stories {
		known[story.Link.ID] = story
	}
	for id, some := range s.dropped {
		for _, e := range some {
			closed, taken := plan.Promise{}, true // also if its link is forgotten
			if story := known[id]; story != nil {
				closed, taken = s.Planner.Late(*story, e.create, e.ID, s.began)
			}
			if promise.Add(closed); taken {
				s.keep(e.PlanOfAction, plan.Found{Device: e.DeviceName, Created: e.Created, ID: e.ID})
			}
		}
	}
	if promise.Empty() {
		return nil
	}
	_, err = s.promise(ctx, promise)
	return err
}

// stillOpen looks for links that ended although their request is open.
func (s *strangers) stillOpen(ctx context.Context, report *Report) error {
	if len(s.known) == 0 {
		return nil
	}
	promise := plan.Promise{At: s.began}
	closes := map[string]plan.Op{}
	for op, err := range s.Ledger.Ops(ctx, plan.OpQuery{Links: keys(s.known), Kinds: []plan.Kind{plan.ElevationClose}, Brief: true}) {
		if err != nil {
			return err
		}
		closes[op.Link] = op // the last one
	}
	for link, err := range s.Ledger.Links(ctx, plan.LinkQuery{IDs: keys(s.known)}) {
		if err != nil {
			return err
		}
		for _, e := range s.known[link.ID] {
			rule := s.Planner.Rules.Elevation(link.Rule)
			switch {
			case link.MMD == "" || link.MMD == e.ID && link.Ended.IsZero():
			case link.MMD != e.ID:
				s.keep(e.PlanOfAction, plan.Found{Device: e.DeviceName, Created: e.Created, ID: e.ID})
			case rule == nil || link.ByHand:
				report.Unread = append(report.Unread, s.byHand(e, link, closes[link.ID])...)
			default:
				promise.Add(s.Planner.StillOpen(rule, link, s.Timing, s.began))
			}
		}
	}
	if promise.Empty() {
		return nil
	}
	_, err := s.promise(ctx, promise)
	return err
}

// byHand says of a request that is open, and whose link ended for good, what a person has
// to do: nothing while the bridge owes its close itself, or that has yet to show.
func (s *strangers) byHand(e stranger, link plan.Link, closing plan.Op) []string {
	if closing.Key != "" && !closing.State.Ended() {
		return nil
	}
	if closing.State == plan.Done && s.began.Sub(closing.Ended) < s.Timing.Wait() {
		return []string{fmt.Sprintf("elevation request %s of %s was closed, and still shows as open: it is looked at again", e.ID, link.Number)}
	}
	return []string{fmt.Sprintf("elevation request %s is open, and the link of %s was ended (%s): close it by hand unless it is needed", e.ID, link.Number, link.EndedBy)}
}

// adopt links what is left to the tasks whose marks they carry.
func (s *strangers) adopt(ctx context.Context, report *Report) error {
	if len(s.found) == 0 {
		return nil
	}
	if err := s.tasks(ctx); err != nil {
		return err
	}
	report.Unread = append(report.Unread, s.strangers()...)
	return nil
}

// beside keeps a link that has a request of its own: the one that was found is its twin.
// Also when its own is closed: a generation is closed once, and not a second time. One that
// a person ended stays ended.
func beside(is, now plan.Link) plan.Link {
	if !is.ByHand && (is.MMD == "" && is.Generation <= now.Generation || !is.Ended.IsZero() && is.Generation < now.Generation) {
		now.Version = is.Version
		return now
	}
	for _, id := range append([]string{now.MMD}, now.Twins...) {
		if id != is.MMD && !slices.Contains(is.Twins, id) {
			is.Twins = append(is.Twins, id)
		}
	}
	is.Notice = fmt.Sprintf("elevation request %s carries this bridge's mark too, and is open: close it by hand unless it is needed", now.MMD)
	return is
}
