package store_test

import (
	"testing"
	"time"

	"bridge/plan"
	"bridge/store"
	"bridge/store/pgtest"
)

// TestAHandCommandThatIsCutOffStopsNoWorker has a hand command lose its network (or
// be stopped) between two statements of its one write.
func TestAHandCommandThatIsCutOffStopsNoWorker(t *testing.T) {
	t.Parallel()
	address := pgtest.URL(t)
	worker := open(t, store.Config{URL: address, Worker: true, Silence: 2 * time.Second})
	links := []plan.Link{aLink(1), aLink(2)}
	promise(t, worker, plan.Promise{Links: links})
	hand := open(t, store.Config{URL: address, Silence: 2 * time.Second})
	gone := make(chan error, 1)
	go func() { gone <- hand.FreezeOn(t.Context(), links[0].ID, 12*time.Second) }()
	time.Sleep(500 * time.Millisecond)
	links[0].Version = 1
	began := time.Now()
	wrote := make(chan error, 1)
	go func() {
		_, err := worker.Promise(t.Context(), plan.Promise{Links: links[:1]})
		wrote <- err
	}()
	select {
	case err := <-wrote:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(8 * time.Second):
		t.Errorf("the worker writes nothing since %s", time.Since(began))
		if err := <-wrote; err != nil {
			t.Error(err)
		}
	}
	if err := <-gone; err == nil {
		t.Error("the write of the command that was cut off was kept")
	}
}
