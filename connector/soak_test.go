package connector_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"bridge/simulator"
)

// TestSoak lives a working week of a busy desk in a few minutes of virtual time: tokens
// expire, each side is away for an hour, the bridge is started anew twice, and what is
// closed is archived on both sides and forgotten by the ledger. BRIDGE_SOAK=1 plays all
// of it, and else a quarter of a day of it is played.
func TestSoak(t *testing.T) {
	t.Parallel()
	week := soak{days: 0.25, incidents: 40, elevations: 3}
	switch {
	case os.Getenv("BRIDGE_SOAK") != "":
		week = soak{days: 7, incidents: 2000, elevations: 50}
	case testing.Short():
		week = soak{days: 0.25, incidents: 20, elevations: 2}
	}
	if week.days >= 7 {
		runtime.MemProfileRate = 4096 // by default too coarse for some MB
	}
	began := time.Now()
	synctest.Test(t, func(t *testing.T) { week.live(t) })
	t.Logf("it took %s", time.Since(began).Round(time.Second))
}

// soak is how long it takes, and how much happens.
type soak struct {
	days                  float64
	incidents, elevations int

	*rig
	dice *rand.Rand
	// due is what people do, by the cycle in which they do it.
	due map[int][]func()
	// now is the number of the cycle, open how many incidents are open, most how many were.
	now, open, most, checked, notes int
}

const (
	// every is the poll interval.
	every = 5 * time.Minute
	// life is how many cycles an incident is open at most: twelve hours.
	life = 144
)

func (s *soak) live(t *testing.T) {
	t.Helper()
	s.rig = newRigOn(t, simulator.New(simulator.Config{Seed: 1}))
	s.dice, s.due = rand.New(rand.NewPCG(1, 2)), map[int][]func(){}
	s.restart()
	cycles := int(s.days * 24 * float64(time.Hour/every))
	for n := range s.incidents {
		s.at(n*cycles/s.incidents, func() { s.incident(n) })
	}
	for n := range s.elevations {
		s.at(n*cycles/s.elevations, s.elevate)
	}
	s.away(cycles/4, simulator.SideITSM)
	s.away(cycles*5/8, simulator.SideMMD)
	s.at(cycles/3, s.restart)
	s.at(cycles*3/4, s.restart)
	type size struct{ heap, ledger int64 }
	var half, end size
	measure := func() size {
		bytes, err := s.ledger.Size(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return size{bridgeHeap(), bytes}
	}
	s.at(cycles/2, func() { half = measure() })
	s.at(cycles-1, func() { end = measure() })
	for len(s.due) > 0 {
		s.turn()
	}
	s.rest()
	if c := s.counts(); c.Owed+c.Twins+c.Vanished+c.Doubt+c.Parked > 0 {
		t.Errorf("in the end the ledger counts %+v\n%s", c, s.story())
	}
	if s.checked != s.incidents {
		t.Errorf("%d incidents were checked, want %d", s.checked, s.incidents)
	}
	t.Logf("%d incidents, at most %d open at once, %d notes, %d elevations, %d cycles", s.incidents, s.most, s.notes, s.elevations, s.now)
	t.Logf("at half time the heap without both sides was about %d kB and the ledger %d kB, at the end %d kB and %d kB", half.heap>>10, half.ledger>>10, end.heap>>10, end.ledger>>10)
	if s.days >= 7 && (end.ledger > half.ledger*5/4 || end.heap > half.heap*5/4+256<<10) {
		t.Errorf("it grew")
	}
}

// bridgeHeap estimates from samples what is in use that neither the simulated sides nor
// the people in this test have made.
func bridgeHeap() (bytes int64) {
	runtime.GC()
	runtime.GC() // the profile is of the collection before
	n, _ := runtime.MemProfile(nil, false)
	records := make([]runtime.MemProfileRecord, n+100)
	n, _ = runtime.MemProfile(records, false)
	for _, r := range records[:n] {
		theirs := false
		for frames, more := runtime.CallersFrames(r.Stack()), true; more && !theirs; {
			var frame runtime.Frame
			frame, more = frames.Next()
			theirs = strings.Contains(frame.Function, "bridge/simulator") || strings.Contains(frame.Function, "(*soak).incident") || strings.Contains(frame.Function, "(*soak).at")
		}
		if !theirs {
			bytes += r.InUseBytes()
		}
	}
	return bytes
}

// at has something done in a cycle, or in the next one.
func (s *soak) at(cycle int, do func()) {
	cycle = max(cycle, s.now+1)
	s.due[cycle] = append(s.due[cycle], do)
}

// turn is one cycle, and what people do before it.
func (s *soak) turn() {
	s.Helper()
	s.now++
	for _, do := range s.due[s.now] {
		do()
		time.Sleep(time.Second) // ties of one second have no order
	}
	delete(s.due, s.now)
	s.cycle()
	if s.now%12 == 0 {
		s.prune()
	}
	time.Sleep(every)
}

// prune lets go of what the service would let go of, with short retentions.
func (s *soak) prune() {
	s.Helper()
	if _, err := s.ledger.Prune(s.Context(), time.Now().Add(-12*time.Hour)); err != nil {
		s.Fatal(err)
	}
	if _, err := s.ledger.Forget(s.Context(), time.Now().Add(-12*time.Hour)); err != nil {
		s.Fatal(err)
	}
}

// restart starts the bridge anew, with links that end after six quiet hours.
func (s *soak) restart() {
	s.start()
	s.loop.Poller.Planner.EndAfter = 6 * time.Hour
	s.loop.Sender.Planner.EndAfter = 6 * time.Hour
}

// away takes a side away for an hour.
func (s *soak) away(cycle int, side string) {
	s.at(cycle, func() {
		s.world.Faults.Add(simulator.Rule{Side: side, Kind: simulator.RefusedBefore, Times: -1})
	})
	s.at(cycle+int(time.Hour/every), s.world.Faults.Clear)
}

// incident is the life of one: three notes, resolved by the vendor, closed, archived.
func (s *soak) incident(n int) {
	id := s.world.Incident(s.users, fmt.Sprintf("Laptop %d does not start", n), nil)
	s.open++
	s.most = max(s.most, s.open)
	end := s.now + 12 + s.dice.IntN(life-12)
	var asked, answered []string
	for k := range 3 {
		s.at(s.now+1+s.dice.IntN(end-s.now-1), func() {
			s.notes++
			ticket := s.world.ITSM.Row("incident", id)["correlation_id"]
			if k == 0 || ticket == "" {
				asked = append(asked, fmt.Sprintf("Word %d.", s.notes))
				s.world.ITSM.Comment("incident", id, "ada.byron", asked[len(asked)-1])
				return
			}
			answered = append(answered, fmt.Sprintf("Word %d.", s.notes))
			s.world.MMD.AddNote(ticket, "vera@vendor.example", answered[len(answered)-1])
		})
	}
	s.at(end, func() { s.resolve(id) })
	// A side may be away for an hour; what was owed then has crossed in the next.
	s.at(end+30, func() { s.check(id, asked, answered) })
	s.at(end+30+12*20, func() {
		s.world.MMD.Remove(s.world.ITSM.Row("incident", id)["correlation_id"])
		s.world.ITSM.Delete("incident", id)
	})
}

func (s *soak) resolve(id string) {
	ticket := s.world.ITSM.Row("incident", id)["correlation_id"]
	if ticket == "" { // the desk was away
		s.at(s.now+1, func() { s.resolve(id) })
		return
	}
	s.world.MMD.SetState(ticket, "resolved")
}

// check checks an incident at its end, and closes it.
func (s *soak) check(id string, asked, answered []string) {
	s.Helper()
	row := s.world.ITSM.Row("incident", id)
	ticket := s.ticketOf(id)
	if row["state"] != "6" || row["correlation_id"] != ticket.ID {
		s.Errorf("%s has the state %s and names the ticket %q, want 6 and %q", row["number"], row["state"], row["correlation_id"], ticket.ID)
	}
	var told, said []string
	for _, n := range s.world.MMD.Notes(ticket.ID) {
		if _, text, ours := strings.Cut(n.Text, "<br>"); ours {
			told = append(told, text)
		}
	}
	said = s.said(id)
	if fmt.Sprint(told) != fmt.Sprint(asked) || fmt.Sprint(said) != fmt.Sprint(answered) {
		s.Errorf("%s: the ticket was told %q, want %q; the record was told %q, want %q", row["number"], told, asked, said, answered)
	}
	s.world.ITSM.Set("incident", id, map[string]string{"state": "7"})
	s.open--
	s.checked++
}

// elevate is the life of one elevation: approved, open for two hours, closed with its task.
func (s *soak) elevate() {
	device := s.world.ITSM.Device(fmt.Sprintf("LAPTOP-%d", s.now))
	s.world.MMD.AddDevice(fmt.Sprintf("LAPTOP-%d", s.now))
	task, item := s.world.Task(s.users, "")
	s.world.ITSM.Set("sc_task", task, map[string]string{"cmdb_ci": device})
	before := len(s.world.MMD.Elevations())
	s.world.ITSM.Decide("sc_req_item", item, s.users.Bea, "approved")
	s.at(s.now+24, func() {
		s.world.ITSM.Set("sc_task", task, map[string]string{"state": "3", "close_notes": "Done."})
	})
	s.at(s.now+48, func() {
		all := s.world.MMD.Elevations()
		if len(all) <= before || all[before].Open {
			s.Errorf("elevation %d of %+v", before, all)
		}
	})
}
