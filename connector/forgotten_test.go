package connector_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"bridge/plan"
)

// forget lets go of all that ended, as after a long time, and starts anew.
func (r *rig) forget(want int) {
	r.Helper()
	time.Sleep(time.Hour)
	if n, err := r.ledger.Forget(r.Context(), time.Now()); err != nil || n != want {
		r.Fatalf("%d links were forgotten, want %d: %v", n, want, err)
	}
	r.start()
}

func TestARecordThatOpensAgainAfterItsLinkWasForgottenFollowsItsRule(t *testing.T) {
	t.Parallel()
	before := []string{"Any news?", "State: Closed, was Resolved"}
	for _, tt := range []struct {
		reopen string
		found  string
		told   []string // on the first ticket
		second []string
		said   string // the last work note
	}{
		{"note", "correlation_id", append(before, "INC0010001 was opened again (matches query and when (mappings.yaml:14)).", "Once more, please."), nil, ""},
		{"new", "correlation_id", before, []string{"Any news?", "Once more, please."}, ""}, // notes.history: all
		{"hold", "correlation_id", before, nil, "a person decides"},
		{"note", "its mark", append(before, "Once more, please.", "INC0010001 was opened again (matches query and when (mappings.yaml:14))."), nil, ""},
		{"hold", "its mark", append(before, "Once more, please."), nil, "a person decides"},
	} {
		t.Run("reopen: "+tt.reopen+", found by "+tt.found, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				r.rule("reopen: note", "reopen: "+tt.reopen)
				incident := r.world.Incident(r.users, "Laptop does not start", nil)
				r.world.ITSM.Comment("incident", incident, "ada.byron", "Any news?")
				r.endOf(incident)
				first := r.linkOf(incident).MMD
				r.forget(1)
				r.rest()
				again := map[string]string{"state": "2"}
				if tt.found == "its mark" {
					again["correlation_id"] = ""
				}
				r.world.ITSM.Set("incident", incident, again)
				r.world.ITSM.Comment("incident", incident, "ada.byron", "Once more, please.")
				r.rest()
				time.Sleep(time.Hour) // a full scan
				r.rest()
				if diff := cmp.Diff(tt.told, r.told(first)); diff != "" {
					t.Errorf("the first ticket was told (-want +got):\n%s", diff)
				}
				link, tickets := r.linkOf(incident), len(r.world.MMD.Tickets())
				if want := map[bool]int{true: 1, false: 2}[tt.second == nil]; tickets != want || len(link.Twins) > 0 {
					t.Errorf("%d tickets, want %d: %+v\n%s", tickets, want, link, r.story())
				}
				if tt.second != nil {
					if diff := cmp.Diff(tt.second, r.told(link.MMD)); diff != "" || link.MMD == first {
						t.Errorf("the second ticket was told (-want +got):\n%s", diff)
					}
				}
				if said := r.said(incident); tt.said != "" && (len(said) == 0 || !strings.Contains(said[len(said)-1], tt.said)) {
					t.Errorf("the record was told %q", said)
				}
				if state := r.world.ITSM.Row("incident", incident)["state"]; state != "2" {
					t.Errorf("the record that a person opened again has the state %s", state)
				}
			})
		})
	}
}

func TestALedgerThatHasForgottenAllIsNoLostLedger(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.ended()
		r.forget(1)
		next := r.world.Incident(r.users, "No sound", nil)
		r.rest()
		r.ticketOf(next)
		r.start()
		r.rest()
		if aged, err := r.ledger.Meta(t.Context(), "aged"); aged != "" || err != nil || len(r.world.MMD.Tickets()) != 2 {
			t.Errorf("the ledger was taken for an older copy at %q, %v", aged, err)
		}
	})
}

func TestARecordThatStaysClosedIsForgottenForGood(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.rule("query: [active=true, assignment_group", "query: [assignment_group")
		incident := r.ended()
		r.forget(1)
		r.world.ITSM.Set("incident", incident, map[string]string{"correlation_id": "", "short_description": "An editor was here"})
		time.Sleep(time.Hour)
		r.rest()
		if links, err := count(r, plan.LinkQuery{}); err != nil || links != 0 || len(r.world.MMD.Tickets()) != 1 {
			t.Errorf("%d links, %v\n%s", links, err, r.story())
		}
	})
}

func TestAnElevationThatWasForgottenIsNotOpenedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.rule("approval: { not_by: [opened_by, request_item.requested_for], within: 24h }", "approval: { not_by: [opened_by, request_item.requested_for] }")
		_, item := r.world.Task(r.users, "")
		r.world.ITSM.Decide("sc_req_item", item, r.users.Bea, "approved")
		r.rest()
		time.Sleep(9 * time.Hour) // past close_after
		r.rest()
		r.forget(1)
		r.rest()
		all := r.world.MMD.Elevations()
		if links, err := count(r, plan.LinkQuery{}); err != nil || links != 0 || len(all) != 1 || all[0].Open {
			t.Errorf("elevation requests %+v, %d links, %v\n%s", all, links, err, r.story())
		}
		if why := slices.Collect(maps.Keys(r.report.Skipped)); !slices.ContainsFunc(why, func(s string) bool { return strings.Contains(s, "needs a new approval") }) {
			t.Errorf("the task was passed over: %q", why)
		}
	})
}

func count(r *rig, q plan.LinkQuery) (n int, err error) {
	for _, err := range r.ledger.Links(r.Context(), q) {
		if err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}
