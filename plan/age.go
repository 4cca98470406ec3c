package plan

import "time"

// The sides of a link, as the ledger may be behind them.
const (
	OfRecord = "record"
	OfTicket = "ticket"
)

// Behind says that a side of a link was not seen since the ledger was set back: it
// has to be looked at even if it did not move, so that what moves later is news.
func (p Planner) Behind(link Link, side string) bool {
	return !p.Aged.IsZero() && !link.Created.After(p.Aged) && link.Base["aged."+side].Value != p.agedMark()
}

// old says that a side of a link is seen for the first time since the ledger was
// set back: what it says now is a baseline, since the ledger that is lost may have
// dealt with it. It says so once.
func (p Planner) old(link *Link, side string) bool {
	if !p.Behind(*link, side) {
		return false
	}
	link.Base["aged."+side] = Baseline{Value: p.agedMark()}
	p.turnOn(link)
	return true
}

// Skew is how far apart the clocks of the bridge and of the two sides may be.
const Skew = 5 * time.Minute

// lost is until when a ledger that is lost may have dealt with things, by any clock;
// zero: none was lost.
func (p Planner) lost() time.Time {
	if p.Aged.IsZero() {
		return p.Aged
	}
	return p.Aged.Add(Skew)
}

// agedMark names the loss that a baseline was taken after.
func (p Planner) agedMark() string { return p.Aged.UTC().Format(time.RFC3339Nano) }

// Doubted makes what is promised from facts that a lost ledger, or a link that was
// forgotten, may have dealt with unknown: it is looked for before it is sent.
//
//	fact                                   op        result
//	written before the loss, by any clock  promised  unknown: looked for until absence counts
//	written after it                       any       as it is
//	–                                      update    as it is: only what differs is sent
func (p Planner) Doubted(ops []Op, timing Timing, now time.Time) []Op {
	lost := p.lost()
	if p.Forgotten.After(lost) {
		lost = p.Forgotten
	}
	if lost.IsZero() {
		return ops
	}
	for i := range ops {
		op := &ops[i]
		fact := op.Fact
		if fact.IsZero() {
			fact = op.Promised
		}
		if op.State != Promised || op.Kind == RecordUpdate || op.Kind == ElevationClose || fact.After(lost) {
			continue
		}
		op.State, op.Begun, op.Due, op.Waits, op.Unsent = Unknown, fact, now, now.Add(timing.Budget+timing.settle()), true
		op.Reason = "a ledger that is lost, or a link that was forgotten, may have sent it: it is looked for first"
	}
	return ops
}

// turnOn counts the turns of a link from where no lost ledger can have been.
func (p Planner) turnOn(link *Link) {
	if p.Aged.IsZero() {
		return
	}
	for name, base := range link.Base {
		base.Turn = max(base.Turn, int(p.Aged.Unix()))
		link.Base[name] = base
	}
}
