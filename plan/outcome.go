package plan

import (
	"fmt"
	"time"
)

// Outcome is how a call ended, in words: what it means for the op.
type Outcome string

// The outcomes of a call.
const (
	// WasDone: the reply shows it.
	WasDone Outcome = "done"
	// WasRefused: it was certainly not done, and may be tried again.
	WasRefused Outcome = "refused"
	// WasUnknown: it may have been done; it is looked for before it is sent again.
	WasUnknown Outcome = "unknown"
	// WasImpossible: it will never succeed as it was sent.
	WasImpossible Outcome = "impossible"
)

// Reply is what came of one send.
type Reply struct {
	Outcome Outcome
	// Reason says it in words; never with a secret.
	Reason string
	// After is how long the side asked to be left alone.
	After time.Duration
	// Complete says that a whole reply came, so that nothing can still be on its way.
	Complete bool
	// Acknowledged says that the side said it was done, and nothing shows it.
	Acknowledged bool
	At           time.Time
}

// Timing holds the delays of the protocol.
type Timing struct {
	// Budget is B: how long a call may take from begin, its inner retries included.
	Budget time.Duration
	// Settle is D: how long an effect may take to show.
	Settle time.Duration
	// Lag is the longest that one of our own creates was seen to be missing from a list.
	Lag time.Duration
	// Appeared is the longest that one of our own creates can have taken to show,
	// and Creates how many were watched.
	Appeared time.Duration
	Creates  int
	// Resend are the kinds of which an op that was sent twice and found never is sent
	// again by itself, each time after absence counts.
	Resend map[Kind]bool
}

// The bounds of waiting.
const (
	leastWait  = 30 * time.Second
	firstRetry = 2 * time.Second
	lastRetry  = 15 * time.Minute
)

// enough is how many of our own creates have to be watched before D may fall.
const enough = 20

// settle is D. Neither guess is trusted for longer than it takes to measure.
//
//	measured                               D
//	a lag                                  at least three times the lag
//	twenty creates, each shown in time t   three times the longest t, at least 30s, at most as configured
func (t Timing) settle() time.Duration {
	d := t.Settle
	if t.Creates >= enough {
		d = min(d, max(leastWait, 3*t.Appeared))
	}
	return max(d, 3*t.Lag)
}

// Wait is how long after a begin its effect may still not show: B + D.
func (t Timing) Wait() time.Duration { return t.Budget + t.settle() }

// wait is until when absence proves nothing: from begin B + D; from a complete
// reply the shorter of D and 30s or three times the lag.
func (t Timing) wait(op Op, r Reply) time.Time {
	if r.Complete {
		return r.At.Add(min(t.settle(), max(leastWait, 3*t.Lag)))
	}
	return op.Begun.Add(t.Budget + t.settle())
}

// probe is when to look next: after D/60, then at twice the distance each time,
// and once when absence begins to count.
func (t Timing) probe(op Op, now time.Time) time.Time {
	next := now.Add(t.settle() / 60 << min(op.Probes, 6))
	if now.Before(op.Waits) && next.After(op.Waits) {
		return op.Waits
	}
	return next
}

// After gives an op that was sent its next state.
//
//	outcome      state     due
//	done         done      –
//	refused      promised  when the side says, else after 2s, 4s … 15m
//	impossible   parked    when a person, its record or its rule says
//	unknown      unknown   the first look
func (t Timing) After(op Op, r Reply) Op {
	op.Reason = r.Reason
	if op.State == Begun && (r.Outcome == WasRefused || r.Outcome == WasImpossible) {
		op.Refused++
	}
	switch r.Outcome {
	case WasDone:
		op.State, op.Ended = Done, r.At
	case WasRefused:
		op.State, op.Frozen = Promised, false
		op.Due = r.At.Add(max(r.After, backoff(op.Attempt)))
	case WasImpossible:
		op.State, op.Frozen, op.Due = Parked, false, r.At
	case WasUnknown:
		op.State, op.Probes, op.Acknowledged = Unknown, 0, r.Acknowledged
		op.Waits = t.wait(op, r)
		op.Due = t.probe(op, r.At)
	}
	return op
}

// Unread gives an op its next state that could not be decided once more, since what it is
// decided on could not be read: it is put off, for longer each time.
func (t Timing) Unread(op Op, r Reply) Op {
	op.Probes++
	op.Due, op.Reason = r.At.Add(max(r.After, backoff(op.Probes))), r.Reason
	return op
}

// Look is what a probe saw.
type Look struct {
	// Found says that the write was done; ID is what it made.
	Found bool
	ID    string
	// Mark is the one that was found, if it is not the op's own.
	Mark string
	// Sees says that the read is known to see: it shows something that is known to exist.
	Sees bool
	// Bare says that nothing is known to exist there: an empty read is all that can
	// be shown, and only several of them are believed.
	Bare bool
	// Blind says why it is not.
	Blind string
	// Unclear says why it cannot be told whether it was done and undone by a person.
	Unclear string
	// Failed says that there was no answer at all.
	Failed bool
	// Gone says that the record or ticket that was written to is not there any more, as
	// its side says: nothing can be found there.
	Gone bool
	// Began is when the read was begun, At when it was answered.
	Began, At time.Time
}

// Looked gives an op that was looked for its next state.
//
//	Where nothing is known to exist, a read sees when it is the third one that showed
//	nothing, and twice the settle delay has passed.
//
//	found  sees  waited  sends so far        state
//	yes    –     –       –                   done
//	no     any   any     any, a person asked promised: a person has looked too
//	no     no    yes     acknowledged        done, and said on the link
//	no     yes   yes     acknowledged        doubt: a person decides
//	no     no    a day   –                   doubt: a person decides
//	no     no    less    –                   unknown, looked for again
//	no     yes   no      –                   unknown, looked for again
//	no     yes   yes     one (not elevation) promised: sent once more
//	no     yes   yes     two, or elevation   doubt: a person decides (on_doubt: hold)
//	no     yes   yes     any, and unclear    doubt: a person may have undone it
//	no     yes   yes     none but refused    promised
//	no     yes   yes     any, and dropped    cancelled: it was watched for long enough
//	what was written to is gone:
//	no     –     yes     any, and dropped    cancelled
//	no     –     an hour any                 doubt: a right may be lost that comes back
//	no     –     less    any                 unknown, looked for again
func (t Timing) Looked(op Op, look Look) Op {
	after := t.looked(op, look)
	if op.Undo && after.State == Unknown {
		after.Reason = op.Reason // a person's word
	}
	return after
}

func (t Timing) looked(op Op, look Look) Op {
	op.Probes++
	if op.Waits.IsZero() {
		op.Waits = op.Begun.Add(t.Budget + t.settle())
	}
	look.Sees = look.Sees || (look.Bare && op.Probes >= bareLooks && !look.Began.Before(op.Begun.Add(t.Budget+2*t.settle())))
	switch {
	case look.Found:
		op.State, op.Ended, op.Result, op.Reason = Done, look.At, look.ID, "found by its mark; not sent again"
		if look.Mark != "" {
			op.Mark, op.Reason = look.Mark, "its words were found under another mark of this bridge; not sent again"
		}
		return op
	case op.Asked && !look.Failed:
		op.State, op.Due, op.Waits, op.Asked = Promised, look.At, time.Time{}, false
		op.Reason = "not found; sent again, since a person asked for it"
		return op
	case look.Gone:
		return t.lookedGone(op, look)
	case op.Acknowledged && !look.Failed && !look.Began.Before(op.Waits):
		return lookedAcknowledged(op, look)
	case !look.Sees:
		return t.lookedBlindly(op, look)
	case look.Began.Before(op.Waits):
		op.Reason = fmt.Sprintf("not found; absence counts from %s", op.Waits.UTC().Format(time.RFC3339))
	case op.Undo:
		op.State, op.Ended, op.Frozen = Cancelled, look.At, true
		op.Reason += "; it did not appear"
		return op
	case look.Unclear != "" && (op.sent() > 0 || op.Kind.Creates()):
		op.State, op.Due, op.Reason = Doubt, look.At, look.Unclear
		return op
	case op.sent() >= sends(op.Kind) && !t.Resend[op.Kind] && !op.Unsent:
		op.State, op.Due = Doubt, look.At
		op.Reason = fmt.Sprintf("sent %d×, found never: look on the other side, then retry or drop it", op.sent())
		return op
	default:
		op.State, op.Due, op.Waits, op.Unsent = Promised, look.At, time.Time{}, false
		op.Reason = "absent for the settle delay: sent once more"
		return op
	}
	op.State, op.Due = Unknown, t.probe(op, look.At)
	return op
}

// lookedAcknowledged gives an op its next state that was acknowledged, and is not to be
// seen when absence counts: it is not sent again.
func lookedAcknowledged(op Op, look Look) Op {
	if look.Sees {
		op.State, op.Due, op.Reason = Doubt, look.At, "acknowledged, and not to be seen among others: look on the other side, then retry or drop it"
		return op
	}
	op.State, op.Ended, op.Reason = Done, look.At, "acknowledged, and not to be seen: "+look.Blind
	return op
}

// lookedBlindly gives an op its next state when the read is not known to see.
func (t Timing) lookedBlindly(op Op, look Look) Op {
	op.State, op.Due, op.Reason = Unknown, t.probe(op, look.At), "not found, but that proves nothing: "+look.Blind
	if !look.Failed && !look.Began.Before(op.Waits.Add(unseenAfter)) {
		op.State, op.Due = Doubt, look.At
		op.Reason += fmt.Sprintf(", for %s: look on the other side, then retry or drop it", unseenAfter)
	}
	return op
}

// lookedGone gives an op its next state when what it was written to is gone.
func (t Timing) lookedGone(op Op, look Look) Op {
	switch {
	case op.Undo && !look.Began.Before(op.Waits):
		op.State, op.Ended, op.Frozen = Cancelled, look.At, true
		op.Reason += "; what it was written to is gone"
	case !look.Began.Before(op.Waits.Add(goneAfter)):
		op.State, op.Due = Doubt, look.At
		op.Reason = look.Blind + ": whether it was written cannot be known; retry it when that is back, or drop it"
	default:
		op.State, op.Due, op.Reason = Unknown, t.probe(op, look.At), "not found, but that proves nothing: "+look.Blind
	}
	return op
}

// unseenAfter is for how long a look may see nothing before a person is asked.
const unseenAfter = 24 * time.Hour

// bareLooks is how many looks have to show nothing where nothing is known to exist.
const bareLooks = 3

// sent is how many sends may have been done: those that were refused were not.
func (o Op) sent() int { return o.Attempt - o.Refused }

// sends is how often an op is sent by itself before a person is asked: an
// elevation grants rights, so once.
func sends(k Kind) int {
	if k == ElevationCreate {
		return 1
	}
	return 2
}

// backoff doubles from two seconds to a quarter of an hour.
func backoff(attempt int) time.Duration {
	wait := firstRetry << min(max(attempt-1, 0), 12)
	return min(wait, lastRetry)
}
