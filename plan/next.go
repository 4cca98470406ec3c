package plan

import "time"

// noteBlocks is how long a parked note holds back those behind it.
const noteBlocks = time.Hour

// Next finds what a link has to do now, in the order in which its ops were
// promised. Nothing overtakes within a link.
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
//
// linked says that the link has its MMD id; without it only its create goes out.
// The ops that ended on the way are returned to be written down.
func Next(ops []Op, linked bool, now time.Time) (next *Op, superseded []Op) {
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
			if op.Kind != RecordUpdate && now.Sub(op.Due) < noteBlocks {
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
	return linked || op.Kind.Creates() || op.Kind == RecordNote
}
