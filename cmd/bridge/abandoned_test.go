package main_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"bridge/plan"
	"bridge/simulator"
	"bridge/store"
)

// worker opens the ledger as a service does that sends.
func (s *stage) worker() *store.Ledger {
	s.Helper()
	files, err := filepath.Glob(filepath.Join(filepath.Dir(s.config), "*.db"))
	if err != nil || len(files) != 1 {
		s.Fatal(files, err)
	}
	l, err := store.Open(s.Context(), store.Config{URL: "sqlite://" + files[0], Worker: true, Holder: "the test's worker"})
	if err != nil {
		s.Fatal(err)
	}
	return l
}

// begin has a worker begin what is owed of some kind; it is killed with the test's word.
func (s *stage) begin(kind plan.Kind) (killed func()) {
	s.Helper()
	l := s.worker()
	for op, err := range l.Ops(s.Context(), plan.OpQuery{Owed: true, Kinds: []plan.Kind{kind}}) {
		if err != nil {
			s.Fatal(err)
		}
		if _, err := l.Begin(s.Context(), op, time.Now()); err != nil {
			s.Fatal(err)
		}
	}
	return func() {
		if err := l.Close(); err != nil {
			s.Fatal(err)
		}
	}
}

// without takes a rule out of the file by giving it another name.
func (s *stage) without(rule string) {
	s.Helper()
	rules, err := os.ReadFile("../../mappings.yaml")
	if err != nil {
		s.Fatal(err)
	}
	s.env["BRIDGE_MAPPINGS"] = filepath.Join(s.TempDir(), "mappings.yaml")
	if err := os.WriteFile(s.env["BRIDGE_MAPPINGS"], []byte(strings.Replace(string(rules), "- name: "+rule, "- name: trouble", 1)), 0o600); err != nil {
		s.Fatal(err)
	}
}

// refusing has the vendor take no tickets.
func (s *stage) refusing() {
	s.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "POST", Path: "tickets$", Kind: simulator.TooMany, Times: -1})
}

func TestARuleCanBeEndedAfterACrash(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.refusing()
	s.world.Incident(s.users, "Laptop does not start", nil)
	s.must(4, "run", "--once")
	s.begin(plan.TicketCreate)()
	s.without("incident")
	s.says(2, "bridge end-rule incident", "run", "--once")
	code, out, errs := s.run("end-rule", "incident", "--reason", "contract")
	if code != 0 {
		t.Errorf("run wants it, no worker is there, and it is refused: %d %s%s", code, out, errs)
	}
	s.says(0, "unknown  INC0010001", "status") // it may have been done: it is watched
	s.settled()
}

// TestWhatIsBeingSentIsLeftToItsWorker has an operator end, skip and drop beside a service
// that is sending: all of it stands as it did, and goes when the send has ended.
func TestWhatIsBeingSentIsLeftToItsWorker(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"end-link", "INC0010001"}, {"end-rule", "incident"}, {"skip", "INC0010001"}, {"drop", "INC0010001"}} {
		t.Run(args[0], func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			s.refusing()
			for range 3 { // the comments of the first are owed behind its ticket
				s.world.ITSM.Comment("incident", s.world.Incident(s.users, "Laptop does not start", nil), "ada.byron", "Please help.")
			}
			s.must(4, "run", "--once")
			l := s.worker()
			op := s.owed("INC0010001")[0]
			if _, err := l.Begin(t.Context(), op, time.Now()); err != nil {
				t.Fatal(err)
			}
			out := s.must(1, append(args, "--reason", "contract")...)
			if !strings.Contains(out, op.Key+" is being sent right now") {
				t.Errorf("says %s", out)
			}
			if left := s.owed("INC0010001"); len(left) != 2 || slices.ContainsFunc(left, func(op plan.Op) bool { return op.Undo }) {
				t.Errorf("half of it was done: %+v", left)
			}
			if args[0] == "end-rule" && (!strings.Contains(out, "INC0010001 is still linked") || !strings.Contains(out, "2 of 3 links")) {
				t.Errorf("it does not say what was done: %s", out)
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			s.must(0, append(args, "--reason", "contract")...)
		})
	}
}

// owed is what is owed to a record, as the ledger has it.
func (s *stage) owed(number string) (out []plan.Op) {
	s.Helper()
	files, err := filepath.Glob(filepath.Join(filepath.Dir(s.config), "*.db"))
	if err != nil || len(files) != 1 {
		s.Fatal(files, err)
	}
	l, err := store.Open(s.Context(), store.Config{URL: "sqlite://" + files[0]})
	if err != nil {
		s.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // it was only read
	for link, err := range l.Links(s.Context(), plan.LinkQuery{}) {
		if err != nil {
			s.Fatal(err)
		}
		for op, err := range l.Ops(s.Context(), plan.OpQuery{Owed: true, Links: []string{link.ID}}) {
			if err != nil {
				s.Fatal(err)
			}
			if link.Number == number {
				out = append(out, op)
			}
		}
	}
	return out
}

// TestAnElevationWhoseLinkIsEndedIsClosed ends the link, or the rule, of an elevation
// request that is open: rights stay open for nobody.
func TestAnElevationWhoseLinkIsEndedIsClosed(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"end-link", "SCTASK"}, {"end-rule", "elevation"}} {
		t.Run(args[0], func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			task, item := s.world.Task(s.users, "")
			s.world.ITSM.Decide("sc_req_item", item, s.users.Bea, "approved")
			s.must(0, "run", "--once")
			if e := s.world.MMD.Elevations(); len(e) != 1 || !e[0].Open {
				t.Fatalf("%+v", e)
			}
			if args[0] == "end-rule" {
				s.without("elevation")
			} else {
				args[1] = s.world.ITSM.Row("sc_task", task)["number"]
			}
			out := s.must(0, append(args, "--reason", "contract")...)
			if !strings.Contains(out, "is closed by the next run") {
				t.Errorf("nothing is said of the rights that are open: %s", out)
			}
			s.run("run", "--once")
			if e := s.world.MMD.Elevations(); e[0].Open {
				t.Errorf("its rights stay open: %+v\n%s", e, s.must(0, "status"))
			}
			s.settled()
		})
	}
}

// TestWhoDropsACloseIsToldOfTheRights drops the close of an elevation, and ends its link.
func TestWhoDropsACloseIsToldOfTheRights(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	task, item := s.world.Task(s.users, "")
	number := s.world.ITSM.Row("sc_task", task)["number"]
	s.world.ITSM.Decide("sc_req_item", item, s.users.Bea, "approved")
	s.must(0, "run", "--once")
	s.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "PATCH", Path: "elevationRequests", Kind: simulator.TooMany, Times: -1})
	s.world.ITSM.Set("sc_task", task, map[string]string{"state": "3"})
	s.must(4, "run", "--once")
	s.says(0, "stays open", "drop", number, "--reason", "by mistake")
	s.world.Faults.Clear()
	out := s.must(0, "end-link", number, "--reason", "contract")
	s.run("run", "--once")
	if s.world.MMD.Elevations()[0].Open && !strings.Contains(out, "stays open") {
		t.Errorf("nothing is said of the rights that are open: %s", out)
	}
}

// TestADroppedTicketThatAppearsIsTold drops a ticket whose answer was lost.
func TestADroppedTicketThatAppearsIsTold(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.world.Incident(s.users, "Known", nil)
	s.must(0, "run", "--once")
	s.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "POST", Path: "tickets$", Kind: simulator.LostAfter})
	incident := s.world.Incident(s.users, "Laptop does not start", nil)
	s.must(4, "run", "--once")
	s.says(0, "told as a twin if it appears", "skip", "INC0010002", "--reason", "solved by phone")
	s.says(0, "unknown  INC0010002", "status")
	var out string
	for range 10 {
		time.Sleep(500 * time.Millisecond)
		if _, out, _ = s.run("run", "--once"); strings.Contains(out, " unknown=0 ") {
			break
		}
	}
	if !strings.Contains(out, " twins=1 ") || !strings.Contains(out, " exit=3") {
		t.Errorf("the ticket that nobody wants is there: %s", out)
	}
	s.says(0, "was opened although it was dropped", "status")
	if row := s.world.ITSM.Row("incident", incident); row["correlation_id"] != "" || row["state"] != "1" {
		t.Errorf("a record that a person skipped was linked: %v", row)
	}
}
