package plan

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"bridge/mapping"
)

// ErrBegun says that a write is being sent: nobody can say yet whether it was done.
var ErrBegun = errors.New("is being sent right now")

// Dropped cancels an op on a person's word. What was begun may have been done: it is
// not sent again, but watched, and what comes of it is not silent.
//
//	op                       result
//	not begun, parked        cancelled
//	in doubt                 cancelled: a person has looked
//	unknown                  watched until absence counts, then cancelled
//	unknown, and found       an elevation is closed, a ticket is a twin, anything else stays
//	begun                    refused: it is being sent
//	ended                    refused
func Dropped(op Op, reason string, now time.Time) (Op, error) {
	switch op.State {
	case Promised, Parked, Doubt:
		op.State, op.Ended, op.Frozen, op.Reason = Cancelled, now, true, "dropped: "+reason
	case Unknown:
		found := "not sent again"
		switch op.Kind { //nolint:exhaustive // a line that was written stays
		case ElevationCreate:
			found += ", and closed if it appears"
		case TicketCreate:
			found += ", and told as a twin if it appears"
		}
		op.Undo, op.Undone, op.Asked, op.Reason = true, now, false, "dropped: "+reason+"; it may have been done: it is "+found
	case Begun:
		return op, fmt.Errorf("%s %w: try again when it has ended", op.Key, ErrBegun)
	case Done, Superseded, Cancelled:
		return op, fmt.Errorf("%s is %s already: %s", op.Key, op.State, op.Reason)
	}
	return op, nil
}

// DropByHand drops what is owed under a link, all of it or those of some keys. Behind a
// ticket that is dropped nothing can be sent: its link ends.
func DropByHand(story Story, keys []string, reason string, now time.Time) ([]Op, Promise, error) {
	var out, rest []Op
	ends := false
	for _, op := range story.Ops {
		named := slices.Contains(keys, op.Key)
		if !named && (keys != nil || op.State.Ended() || op.Undo) {
			rest = append(rest, op)
			continue
		}
		dropped, err := Dropped(op, reason, now)
		if err != nil {
			return nil, Promise{}, err
		}
		out, ends = append(out, dropped), ends || op.Kind == TicketCreate
	}
	if !ends {
		return out, Promise{At: now}, nil
	}
	more, promise, err := EndByHand(Story{Link: story.Link, Ops: rest}, "its ticket was dropped: "+reason, now)
	return append(out, more...), promise, err
}

// EndByHand ends a link for good, on a person's word.
//
//	under it                             result
//	a write that is owed                 dropped
//	a close, due or being sent           sent all the same
//	a close, parked                      sent again
//	a close, in doubt or dropped         looked for once more, and sent again
//	an elevation request that is open    closed: rights stay open for nobody
//	a write that is being sent           refused, and nothing is changed
//	what is held of it                   nothing is left to let go on
func EndByHand(story Story, why string, now time.Time) ([]Op, Promise, error) {
	var out []Op
	open := story.Link.Kind == ElevationLink && story.Link.MMD != "" && story.Link.Ended.IsZero()
	for _, op := range story.Ops {
		if op.Kind == ElevationClose && !op.State.Ended() {
			open = false
			if wanted, changed := wantedAgain(op, why, now); changed {
				out = append(out, wanted)
			}
			continue
		}
		if op.State.Ended() || op.Undo {
			continue
		}
		dropped, err := Dropped(op, why, now)
		if err != nil {
			return nil, Promise{}, err
		}
		out = append(out, dropped)
	}
	link := story.Link.clone()
	if link.Ended.IsZero() {
		link.Ended = now
	}
	link.EndedBy, link.ByHand, link.Notice, link.Unheard = why, true, "", ""
	promise := Promise{Freed: []Hold{{Rule: link.ID, What: HoldsNotes}, {Rule: link.ID, What: HoldsReopened}}, At: now}
	if open {
		ended := reason{"ended", "Not wanted any more", "its link was ended: " + why}
		promise.Ops = Planner{}.closeFor(RuleGone(link.Rule), &link, append(standing(link), ended), now)
	}
	promise.Links = []Link{link}
	return out, promise, nil
}

// wantedAgain has a close sent that waits for a person, or that one dropped while it may
// have been done: who ends its link wants the rights to be closed.
func wantedAgain(op Op, why string, now time.Time) (Op, bool) {
	switch {
	case op.State == Parked:
		op.State, op.Frozen = Promised, false
	case op.State == Doubt || op.Undo:
		op.State, op.Undo, op.Asked = Unknown, false, true
	default:
		return op, false
	}
	op.Due, op.Waits, op.Reason = now, time.Time{}, "wanted again: "+why
	return op, true
}

// RuleGone stands for an elevation rule that is not in the file any more, or need not be:
// it says nothing on tasks.
func RuleGone(name string) *mapping.ElevationRule {
	return &mapping.ElevationRule{Source: mapping.Source{Name: name}}
}

// Unwanted says what follows from a ticket that a person dropped and that was opened all
// the same: the vendor's API cannot take it back, so it is told as a twin. Nothing is
// passed on.
func Unwanted(link Link, id string, now time.Time) Promise {
	link = link.clone()
	if id != link.MMD && !slices.Contains(link.Twins, id) {
		link.Twins = append(link.Twins, id)
	}
	return Promise{Links: []Link{link}, At: now}
}
