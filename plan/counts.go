package plan

import "errors"

// ErrStale says that what a write was decided on has changed in the ledger since it was read.
var ErrStale = errors.New("the ledger has moved on since this was decided")

// Counts is how the ledger stands: the numbers of a run's summary and of status.
type Counts struct {
	// Owed is all that has not ended.
	Owed int
	// Due could be sent now, Waiting is due later, Unknown may have been done.
	Due, Waiting, Unknown int
	// Parked and Doubt wait for a person.
	Parked, Doubt int
	// Held counts rules whose creates are held.
	Held int
	// Twins and Vanished count links that have any.
	Twins, Vanished int
	// LinksOpen and LinksEnded count links.
	LinksOpen, LinksEnded int
}
