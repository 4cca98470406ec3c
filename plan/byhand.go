package plan

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
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
			open = open && op.Of != ""
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

// Late says what follows from an elevation request that a person dropped and that is open
// (id) when nobody looks for it any more. taken: its link takes it, for its own or a twin.
//
//	its link                      its close          result
//	owes, or has, no other one    –                  taken for its own, and closed with its task's next sight
//	was ended by hand             not promised yet   closed, and the link is left as it is
//	has, or waits for, a later    not promised yet   closed, and the link is left as it is
//	any of these                  owed               nothing more
//	any of these                  done, or dropped   a twin: it is open all the same
func (p Planner) Late(story Story, create Op, id string, now time.Time) (out Promise, taken bool) {
	link := story.Link
	if !link.ByHand && link.MMD == "" && create.Key == key(ElevationCreate, link.Record, strconv.Itoa(link.Generation)) {
		return Promise{}, true
	}
	r := notWanted()
	op := Op{
		Key: strings.Replace(create.Key, string(ElevationCreate), string(ElevationClose), 1), Link: link.ID, Rule: create.Rule, Kind: ElevationClose, State: Promised,
		Of: id, Why: r.why, Promised: now, Due: now, Body: marshal(map[string]string{"actionsTaken": r.actions}), Basis: Basis{Seen: now, Rev: r.name},
	}
	for _, was := range story.Ops {
		if was.Key == op.Key {
			return Promise{}, was.State.Ended()
		}
	}
	return Promise{Ops: []Op{op}, At: now}, false
}

// LateClosed says on the task that such a request was closed: its link goes on as it is.
func (p Planner) LateClosed(rule *mapping.ElevationRule, link Link, id string, now time.Time) Promise {
	said := p.report(rule.Report, link, "late/"+id, "Elevation request "+id+" was dropped and opened all the same: it was closed.", now)
	return Promise{Ops: said, At: now}
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
