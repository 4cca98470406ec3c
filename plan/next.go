package plan

import (
	"strings"
	"time"
)

// NoteBlocks is how long a parked note holds back those behind it: a line takes its
// place then, which says what is missing.
const NoteBlocks = time.Hour

// Next finds what a link has to do now, in the order in which its ops were
// promised. Nothing overtakes within a link, but the close of an elevation.
//
//	op                       what is behind it
//	promised, due            is sent first
//	promised, not yet due    waits
//	begun                    waits: it is being sent
//	unknown                  waits: it is looked for when due
//	doubt                    waits for a person
//	parked create            waits for a person
//	parked note              its own direction waits for an hour, the other goes on
//	parked update            goes on
//	update, a newer behind   is superseded by the newer one
//	close of an elevation    is sent before all of them: what a task is told may wait, open rights may not
//
// linked says that the link has its MMD id; without it only its create goes out.
// The ops that ended on the way are returned to be written down.
func Next(ops []Op, linked bool, now time.Time) (next *Op, superseded []Op) {
	if op := dueClose(ops, linked, now); op != nil {
		return op, nil
	}
	blocked := map[Side]bool{}
	for i := range ops {
		op := ops[i]
		if op.State.Ended() {
			continue
		}
		if newer := newerUpdate(ops[i+1:], op); newer != nil {
			op.State, op.Ended, op.Reason = Superseded, now, "superseded by "+newer.Key
			superseded = append(superseded, op)
			continue
		}
		switch op.State { //nolint:exhaustive // ended ops were passed over above
		case Parked:
			if op.Kind.Creates() {
				return reports(ops[i+1:], linked, now), superseded
			}
			if op.Kind != RecordUpdate && now.Sub(op.Due) < NoteBlocks {
				blocked[op.Kind.Side()] = true
			}
			continue
		case Promised, Unknown:
			if blocked[op.Kind.Side()] {
				continue
			}
			if op.Due.After(now) || !sendable(op, linked) {
				return nil, superseded
			}
			return &op, superseded
		default:
			return nil, superseded
		}
	}
	return nil, superseded
}

// dueClose finds the close of an elevation that is to be sent, or looked for.
func dueClose(ops []Op, linked bool, now time.Time) *Op {
	for i := range ops {
		op := ops[i]
		if op.Kind == ElevationClose && (op.State == Promised || op.State == Unknown) && !op.Due.After(now) && sendable(op, linked) {
			return &op
		}
	}
	return nil
}

// newerUpdate finds a later update of the same record that makes an unsent one pointless.
func newerUpdate(behind []Op, op Op) *Op {
	if op.Kind != RecordUpdate || op.Frozen || (op.State != Promised && op.State != Parked) {
		return nil
	}
	for i := range behind {
		if behind[i].Kind == RecordUpdate && !behind[i].State.Ended() {
			return &behind[i]
		}
	}
	return nil
}

// reports finds what may be said on the record although its create is parked.
func reports(behind []Op, linked bool, now time.Time) *Op {
	for i := range behind {
		op := behind[i]
		if op.Kind == RecordNote && (op.State == Promised || op.State == Unknown) && !op.Due.After(now) && sendable(op, linked) {
			return &op
		}
	}
	return nil
}

// sendable says that an op has what its call needs: a ticket to write to.
func sendable(op Op, linked bool) bool {
	return linked || op.Kind.Creates() || op.Kind == RecordNote || op.Of != ""
}

// Missing gives the lines that take the places of notes that have been parked for
// too long, each with the parked op, which is spoken for from then on.
func (p Planner) Missing(link Link, ops []Op, now time.Time) (spoken, lines []Op) {
	for _, op := range ops {
		note := op.Kind == TicketNote || op.Kind == RecordNote
		if !note || op.State != Parked || op.Frozen || now.Sub(op.Due) < NoteBlocks || strings.HasSuffix(op.Key, missing) {
			continue
		}
		line := op
		line.Key, line.State, line.Promised, line.Due, line.Basis = op.Key+missing, Promised, now, now, Basis{Seen: now}
		line.Mark = p.Pair.Mark(link.Record, op.Kind, op.Key+missing, "1")
		line.Seq, line.Attempt, line.Refused, line.Reason, line.Why = 0, 0, 0, "", "takes the place of "+op.Key
		text := "A note could not be copied (" + op.Why + "): " + op.Reason
		line.Body = marshal(map[string]string{"text": forTicket(head("bridge", now, link.Number, line.Mark), text)})
		if op.Kind == RecordNote {
			line.Body = nil
			if fields := FieldsOf(op); len(fields) == 1 {
				line.Body = marshal(map[string]string{fields[0]: forRecord(head("bridge", now, link.MMD, line.Mark), text)})
			}
		}
		op.Frozen = true
		spoken, lines = append(spoken, op), append(lines, line)
	}
	return spoken, lines
}

// missing ends the key of a line that takes a note's place.
const missing = "/missing"
