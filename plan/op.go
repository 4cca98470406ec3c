package plan

import (
	"cmp"
	"encoding/json"
	"time"

	"bridge/mapping"
)

// Kind says what an op writes.
type Kind string

// The kinds of op. Each is one request to one side.
const (
	TicketCreate    Kind = "ticket.create"
	TicketNote      Kind = "ticket.note"
	RecordNote      Kind = "record.note"
	RecordUpdate    Kind = "record.update"
	ElevationCreate Kind = "elevation.create"
	ElevationClose  Kind = "elevation.close"
)

// Side is where ops of this kind are sent.
func (k Kind) Side() Side {
	if k == RecordNote || k == RecordUpdate {
		return ITSM
	}
	return MMD
}

// Creates says that a second send would make a second object, not a second line in one.
func (k Kind) Creates() bool { return k == TicketCreate || k == ElevationCreate }

// State is where an op stands.
//
//	promised ─> begun ─> done | parked | promised (refused: sent again later)
//	              └────> unknown ─ probe ─> done (found)
//	                                  ├──> promised (absent long enough: sent once more)
//	                                  └──> doubt (sent twice, found never)
//	superseded, cancelled: ended without being sent
type State string

// The states of an op.
const (
	Promised   State = "promised"
	Begun      State = "begun"
	Unknown    State = "unknown"
	Doubt      State = "doubt"
	Parked     State = "parked"
	Done       State = "done"
	Superseded State = "superseded"
	Cancelled  State = "cancelled"
)

// Ended says that nothing is owed any more.
func (s State) Ended() bool { return s == Done || s == Superseded || s == Cancelled }

// Op is one write that the bridge owes to one side.
type Op struct {
	// Key is made of identities, never of text: planning the same twice gives the same key.
	Key  string
	Link string
	Rule string
	Kind Kind
	// Seq is the order of promises, given by the ledger.
	Seq   int64
	State State
	// Mark is the reference that the write carries and is found again by; empty for plain updates.
	Mark string
	// Body is the request's payload, rendered again until begin, frozen from begin until a definite refusal.
	Body   json.RawMessage
	Frozen bool
	// Why it is owed, and Reason why it is in its state, in words.
	Why    string
	Reason string
	Basis  Basis
	// Attempt counts begins, Refused those of which a definite refusal is known; Probes
	// counts looks since the last of them.
	Attempt int
	Refused int `json:",omitempty"`
	Probes  int

	// Fact is when that was written on the other side which the op passes on.
	Fact     time.Time `json:",omitzero"`
	Promised time.Time
	Begun    time.Time
	// Waits is until when absence proves nothing.
	Waits time.Time
	// Due is when it is to be looked at next.
	Due   time.Time
	Ended time.Time
	// From says of each field of the body what it came of, Unmapped which values met
	// no entry of a map. Both are for those who watch a plan, and are not kept.
	From     map[string]string `json:"-"`
	Unmapped []string          `json:"-"`
	// Of is the elevation request that a close is for; empty: its link's own.
	Of string `json:",omitempty"`
	// Result is the id that the other side gave.
	Result string
	// Undo says that a person dropped it after it was begun: it is not sent again, and
	// not silent if it appears. Undone is when that was: it ends when it did not appear.
	Undo   bool      `json:",omitempty"`
	Undone time.Time `json:",omitzero"`
	// Asked says that a person wants what was in doubt to be sent again: it is looked
	// for once more, and then sent.
	Asked bool `json:",omitempty"`
	// Acknowledged says that the side said it was done: it is looked for, and not sent again.
	Acknowledged bool `json:",omitempty"`
	// Unsent says that, as far as the ledger knows, no send of it is on its way: it is
	// only looked for first, and absence has it sent however often it was refused.
	Unsent bool `json:",omitempty"`
}

// Closes is the elevation request that a close is for.
func (o Op) Closes(link Link) string { return cmp.Or(o.Of, link.MMD) }

// Basis is the observation that an op was decided on, as it came.
type Basis struct {
	Seen time.Time
	// Rev is a fingerprint of what was seen and of the rules: another one plans a parked op again.
	Rev    string
	Record mapping.Row `json:",omitempty"`
	Ticket mapping.Row `json:",omitempty"`
	// Before is the ticket as the record was last told of it, Since when it was last seen
	// to be so; none: all of it is news.
	Before mapping.Row `json:",omitempty"`
	Since  time.Time   `json:",omitzero"`
	// Begun is the record's revision, as the ledger knew it, when the op was begun.
	Begun string `json:",omitempty"`
	// TicketOf answers ticket_of(path) as it stood.
	TicketOf map[string]string `json:",omitempty"`
	// Approvals are the rows that approve an elevation.
	Approvals []string `json:",omitempty"`
}
