package store_test

import (
	"errors"
	"slices"
	"sync"
	"testing"

	"bridge/plan"
	"bridge/store"
	"bridge/store/pgtest"
)

// TestTwoWorkersThatWaitForEachOtherLoseNothing has two workers write the same links,
// from both ends: in the middle each waits for what the other has.
func TestTwoWorkersThatWaitForEachOtherLoseNothing(t *testing.T) {
	t.Parallel()
	address := pgtest.URL(t) + "&deadlock_timeout=20ms"
	workers := []*store.Ledger{open(t, store.Config{URL: address, Worker: true}), open(t, store.Config{URL: address, Worker: true})}
	var links []plan.Link
	for n := range 300 {
		links = append(links, aLink(n))
	}
	promise(t, workers[0], plan.Promise{Links: links})
	for round := range 2 {
		for i := range links {
			links[i].Version = int64(round + 1)
		}
		backwards := slices.Clone(links)
		slices.Reverse(backwards)
		errs := make([]error, 2)
		var both sync.WaitGroup
		for i, some := range [][]plan.Link{links, backwards} {
			both.Go(func() { _, errs[i] = workers[i].Promise(t.Context(), plan.Promise{Links: some}) })
		}
		both.Wait()
		if (errs[0] == nil) == (errs[1] == nil) || !errors.Is(errors.Join(errs...), plan.ErrStale) {
			t.Fatalf("round %d: one is to be written and the other one stale, it is %v and %v", round, errs[0], errs[1])
		}
	}
}
