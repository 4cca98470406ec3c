//go:build known

package connector_test

import (
	"testing"
	"testing/synctest"
	"time"
)

// These fail: each is a defect that docs/known.md names. One that is mended goes to the
// tests of what it is about.

// A reopening that waits for a person ends when the record is closed again.
func TestAHoldOfAReopeningEndsWhenTheRecordIsClosedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.rule("reopen: note", "reopen: hold")
		incident := r.ended()
		r.world.ITSM.Set("incident", incident, map[string]string{"state": "2"})
		r.rest()
		r.world.ITSM.Set("incident", incident, map[string]string{"state": "7", "close_code": "Solution provided", "close_notes": "Done."})
		r.rest()
		r.scanned()
		time.Sleep(10 * 24 * time.Hour)
		r.rest()
		if holds, err := r.ledger.Holds(t.Context()); err != nil || len(holds) != 0 {
			t.Errorf("closed for ten days, and status says %v, %v", holds, err)
		}
	})
}
