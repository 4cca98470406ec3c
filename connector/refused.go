package connector

import (
	"fmt"
	"net/http"
	"sync"

	"bridge/plan"
)

// refused are tickets or tasks that a side refuses to show, each for itself: the others go on.
// Three in a row that it fails at are the side's trouble.
type refused struct {
	mu  sync.Mutex
	row int
	ids map[string]bool
	// lines say so, for the report.
	lines []string
}

// take takes in how a ticket was read. The error that it gives is the side's.
func (r *refused) take(id string, err error) error { return r.takeOne(plan.MMD, "ticket "+id, err) }

// takeOne takes in how a thing of a side was read.
func (r *refused) takeOne(side plan.Side, id string, err error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil {
		r.row = 0
		return nil
	}
	r.row++
	err = &sideError{fmt.Errorf("%s: %w", id, err), side}
	switch status := statusOf(err); {
	case status == 0, status == http.StatusUnauthorized, status == http.StatusTooManyRequests, status >= 500 && r.row >= strikesOut:
		return err
	}
	if r.ids == nil {
		r.ids = map[string]bool{}
	}
	r.ids[id] = true
	r.lines = append(r.lines, fmt.Sprintf("%v; the others were read", err))
	return nil
}
