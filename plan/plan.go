// Package plan decides what the bridge owes, and does nothing. It compares what
// a side said about one object with what the ledger knows of its link, under the
// rules of mappings.yaml, and returns the ops, baselines and notes to promise.
// It reads no clock, opens nothing and logs nothing: same input, same ops, in
// the same order.
package plan

import (
	"time"

	"bridge/mapping"
)

// Side is one of the two servers that the bridge stands between.
type Side string

// The two sides.
const (
	ITSM Side = "itsm"
	MMD  Side = "mmd"
)

// Planner holds what every decision needs and nothing that changes between two of them.
type Planner struct {
	Rules *mapping.Rules
	Pair  Pair
	// NotesEvery is the poll interval: a ticket's notes are due one interval after
	// something happened on either side, then after 2, 4, 8 … intervals of silence.
	NotesEvery time.Duration
	// NotesMax bounds that silence.
	NotesMax time.Duration
	// Settle is how long an effect may take to show: D of the protocol.
	Settle time.Duration
	// EndAfter is how long both sides of a link are quiet before it ends.
	EndAfter time.Duration
	// NotesPerHour is how many notes a link may mirror in an hour; 0: any.
	NotesPerHour int
	// Aged is until when this ledger may have forgotten what was done: it was set
	// back then. Zero: never.
	Aged time.Time
	// Forgotten is until when links ended that the ledger has let go of: a record, or an
	// approval, that is older and has no link may have had one. Zero: never.
	Forgotten time.Time
}

// Promise is what one transaction writes: what is owed, what was learnt, and how
// far the feed was read. All of it, or nothing.
type Promise struct {
	Links  []Link
	Ops    []Op
	Notes  []Note
	Cursor *Cursor
	// Holds stop what runs away.
	Holds []Hold
	// Freed are holds that end: of each, its rule and what it holds.
	Freed []Hold
	// At is when it was decided.
	At time.Time
}

// Add appends what another decision of the same transaction promises.
func (p *Promise) Add(more Promise) {
	p.Links = append(p.Links, more.Links...)
	p.Ops = append(p.Ops, more.Ops...)
	p.Notes = append(p.Notes, more.Notes...)
	p.Holds = append(p.Holds, more.Holds...)
	p.Freed = append(p.Freed, more.Freed...)
}

// Empty says that there is nothing to write.
func (p *Promise) Empty() bool {
	return len(p.Links) == 0 && len(p.Ops) == 0 && len(p.Notes) == 0 && len(p.Holds)+len(p.Freed) == 0 && p.Cursor == nil
}

// Cursor is how far a feed was read. Another fingerprint (of table, query, when
// and fields) makes it worthless: the feed is read from the start.
type Cursor struct {
	Feed        string
	Fingerprint string
	// Read is the instance's time up to which every row has been seen.
	Read time.Time
	// Full is when the full scan began that goes on, and Scanned the sys_id up to which
	// it has read.
	Full    time.Time
	Scanned string `json:",omitzero"`
	// Rows is how many rows the full scan before it read, and Counted how many this one
	// has read so far.
	Rows    int `json:",omitzero"`
	Counted int `json:",omitzero"`
	// Creates is how many creates each rule was promised by a reading that has not ended:
	// one that is begun anew counts on.
	Creates map[string]int `json:",omitempty"`
	// Undecided are the records that were read and could not be decided on: they are read
	// again with the next poll, whether they move or not.
	Undecided []string `json:",omitempty"`
}

// Hold stops something until an operator accepts it: what a rule creates, all
// that a rule sends, or the notes of one link.
type Hold struct {
	// Rule is the name of the rule, or the id of the link.
	Rule string `json:"rule"`
	// What is held; empty: creates.
	What   string    `json:"what,omitempty"`
	Reason string    `json:"reason"`
	Since  time.Time `json:"since"`
}

// What a hold stops, besides creates.
const (
	HoldsAll      = "all"
	HoldsNotes    = "notes"
	HoldsReopened = "reopened"
)

// Stops says that an op is not to be sent while the hold stands. What was begun is
// looked for all the same.
func (h Hold) Stops(op Op) bool {
	switch {
	case op.State != Promised || op.Kind == ElevationClose:
		return false // rights are open for nobody
	case h.What == HoldsReopened:
		return false // nothing was promised
	case h.What == HoldsNotes:
		return h.Rule == op.Link && (op.Kind == TicketNote || op.Kind == RecordNote)
	case h.Rule != op.Rule:
		return false
	}
	return h.What == HoldsAll || op.Kind.Creates()
}
