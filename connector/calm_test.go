package connector_test

import (
	"context"
	"fmt"
	"iter"
	"testing"
	"testing/synctest"
	"time"

	"bridge/connector"
	"bridge/plan"
)

// compared is a ledger that counts the links that are read because their tickets were listed.
type compared struct {
	connector.Ledger
	links int
}

func (l *compared) Links(ctx context.Context, q plan.LinkQuery) iter.Seq2[plan.Link, error] {
	if q.MMD != nil {
		l.links += len(q.MMD)
	}
	return l.Ledger.Links(ctx, q)
}

func TestAServiceComparesAQuietTicketWithItsLedgerOnceInTheTimeOfAFullScan(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		var incidents []string
		for i := range 20 {
			incidents = append(incidents, r.world.Incident(r.users, fmt.Sprintf("Laptop %d does not start", i), nil))
		}
		r.rest()
		var ledger *compared
		r.wrap = func(l connector.Ledger) connector.Ledger {
			ledger = &compared{Ledger: l}
			return ledger
		}
		r.start()
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		cycle, before := 0, 0
		err := r.loop.Run(ctx, 30*time.Second, func(_ connector.Report, err error) {
			if err != nil {
				t.Error(err)
			}
			switch cycle++; cycle {
			case 1, 1 + 120, 1 + 240: // the end of the first cycle, and of each hour after it
				most := map[int]int{1: 20, 121: 20, 241: 20 + 10}[cycle] // a resolved one is read with its notes
				if n := ledger.links - before; n < 20 || n > most {
					t.Errorf("up to cycle %d, %d tickets were compared, want 20 to %d", cycle, n, most)
				}
				before = ledger.links
			case 130: // one that was quiet for so long is seen at once when it moves
				r.world.MMD.SetState(r.ticketOf(incidents[3]).ID, "resolved")
			case 134:
				if state := r.world.ITSM.Row("incident", incidents[3])["state"]; state != "6" {
					t.Errorf("the incident of a resolved ticket has the state %s", state)
				}
			case 242:
				stop()
			}
		})
		if err != nil && ctx.Err() == nil {
			t.Fatal(err)
		}
	})
}
