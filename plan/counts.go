package plan

import "errors"

// ErrClaimed says that another worker has what was to be claimed.
var ErrClaimed = errors.New("another worker has it")

// ErrStale says that what a write was decided on has changed in the ledger since it was read.
var ErrStale = errors.New("the ledger has moved on since this was decided")

// Counts is how the ledger stands: the numbers of a run's summary and of status.
type Counts struct {
	// Owed is all that has not ended.
	Owed int `json:"owed"`
	// Due could be sent now, Waiting is due later, Unknown may have been done.
	Due     int `json:"due"`
	Waiting int `json:"waiting"`
	Unknown int `json:"unknown"`
	// Parked and Doubt wait for a person.
	Parked int `json:"parked"`
	Doubt  int `json:"doubt"`
	// Held counts what is held until a person lets it go on.
	Held int `json:"held"`
	// Twins and Vanished count links that have any.
	Twins    int `json:"twins"`
	Vanished int `json:"vanished"`
	// Noticed counts open links that status has a notice of, Unheard those whose record's
	// comments are not passed on.
	Noticed int `json:"noticed"`
	Unheard int `json:"unheard"`
	// LinksOpen and LinksEnded count links.
	LinksOpen  int `json:"links_open"`
	LinksEnded int `json:"links_ended"`
}
