package connector_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"bridge/simulator/itsm"
)

func TestAFullScanOfManyRecordsIsSpreadOverItsInterval(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.rule(`when: state != "8"`, `when: state == "2"`)
		const records = 3500
		for i := range records { // found by the query, and not meant
			r.world.Incident(r.users, fmt.Sprintf("Laptop %d does not start", i), nil)
		}
		if read := r.cycle().Records; read != records {
			t.Fatalf("the first cycle read %d records, want all %d", read, records)
		}
		time.Sleep(2 * time.Minute)
		r.cycle() // past the lag of reading: what changed has been read for good
		sum, most, busy := 0, 0, 0
		for range 60 {
			read := r.cycle().Records
			time.Sleep(time.Minute)
			sum, most = sum+read, max(most, read)
			if read > 0 {
				busy++
			}
		}
		if sum < records || sum > records*5/4 || most > records/3 || busy < 4 {
			t.Errorf("an hour of cycles read %d records, at most %d at once, in %d cycles; want all %d, spread", sum, most, busy, records)
		}
	})
}

func TestARecordThatWasHiddenWhenItChangedIsFoundByAPartOfTheFullScan(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.rule(`when: state != "8"`, `when: state == "2"`)
		hidden := map[string]bool{}
		for i := range 2500 {
			r.world.Incident(r.users, fmt.Sprintf("Laptop %d does not start", i), nil)
		}
		for i := range 20 { // of all ranges of sys_ids
			hidden[r.world.Incident(r.users, fmt.Sprintf("Screen %d is dark", i), map[string]string{"state": "2"})] = true
		}
		r.world.ITSM.Switch(func(s *itsm.Switches) { s.Hide = func(_, id string) bool { return hidden[id] } })
		r.cycle()
		time.Sleep(10 * time.Minute)
		r.cycle()
		r.world.ITSM.Switch(func(s *itsm.Switches) { s.Hide = nil })
		for range 75 {
			r.cycle()
			time.Sleep(time.Minute)
		}
		if n := len(r.world.MMD.Tickets()); n != len(hidden) {
			t.Errorf("%d tickets, want %d", n, len(hidden))
		}
	})
}
