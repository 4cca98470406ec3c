package connector_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"bridge/simulator"
)

// TestTheNotesOfAQuietTicketAreReadEverMoreRarely counts the calls: as many in silence
// as its logarithm, up to the longest interval, and from the beginning after a word.
func TestTheNotesOfAQuietTicketAreReadEverMoreRarely(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		const tickets = 20
		var first string
		for i := range tickets {
			id := r.world.Incident(r.users, fmt.Sprintf("Laptop %d does not start", i), nil)
			if first == "" {
				first = id
			}
		}
		r.cycles(2)
		var notes atomic.Int64
		r.world.Faults.Watch(func(q simulator.Request) {
			if q.Method == http.MethodGet && strings.HasSuffix(q.Path, "/notes") {
				notes.Add(1)
			}
		}, nil)
		silence := func(d time.Duration) (calls int) {
			was := notes.Load()
			r.cycles(int(d / (30 * time.Second)))
			return int(notes.Load() - was)
		}
		for _, tt := range []struct {
			name        string
			silence     time.Duration
			least, most int // calls a ticket
		}{
			{"a quarter of an hour of silence doubles the wait five times", 15 * time.Minute, 4, 5},
			{"its rest is one call in each longest interval", 45 * time.Minute, 3, 4},
			{"and so is an hour", time.Hour, 4, 4},
			{"and six of them", 6 * time.Hour, 24, 24},
		} {
			calls := silence(tt.silence)
			t.Logf("%s: %d calls for %d tickets in %s", tt.name, calls, tickets, tt.silence)
			if calls < tt.least*tickets || calls > tt.most*tickets {
				t.Errorf("%s: %d calls for %d tickets, want %d to %d a ticket", tt.name, calls, tickets, tt.least, tt.most)
			}
		}
		r.world.ITSM.Comment("incident", first, "ada.byron", "Any news?")
		if calls := silence(15 * time.Minute); calls < tickets-1+4 || calls > tickets+8 {
			t.Errorf("after a word on one of them, %d calls for %d tickets in a quarter of an hour", calls, tickets)
		}
	})
}
