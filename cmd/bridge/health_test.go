package main_test

import (
	"bytes"
	"context"
	"database/sql"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	main "bridge/cmd/bridge"
	"bridge/simulator"
)

// serve starts the service, listening, until the test ends.
func (s *stage) serve() {
	s.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.Fatal(err)
	}
	s.env["BRIDGE_LISTEN"] = l.Addr().String()
	_ = l.Close()
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan int, 1)
	go func() {
		var out bytes.Buffer
		ended <- main.Run(ctx, &out, &out, s.env, "run", "--config", s.config)
	}()
	s.Cleanup(func() {
		stop()
		<-ended
	})
}

func TestAServiceThatSendsALotIsWell(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "POST", Path: "tickets$", Kind: simulator.Slow, Delay: 400 * time.Millisecond, Times: -1})
	const many = 200 // the pass takes twice as long as a loop may stand still
	s.env["BRIDGE_LIMITS_CREATES"] = "0"
	for range many {
		s.world.Incident(s.users, "Laptop does not start", nil)
	}
	s.serve()
	sent := 0
	for deadline := time.Now().Add(40 * time.Second); time.Now().Before(deadline) && sent < many; time.Sleep(200 * time.Millisecond) {
		was := sent
		sent = len(s.world.MMD.Tickets())
		if code, _, errs := s.run("health"); code != 0 && sent > 0 && sent < many {
			t.Errorf("%d tickets were opened, %d just now, and it is not well: %s", sent, sent-was, errs)
			break
		}
	}
	if sent < many {
		t.Errorf("%d tickets were opened", sent)
	}
}

// TestAServiceThatHangsIsNotWell has a side take a call and never answer it.
func TestAServiceThatHangsIsNotWell(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "GET", Path: "tickets$", Kind: simulator.Slow, Delay: 25 * time.Second, Times: -1})
	s.serve()
	well := false
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		code, _, _ := s.run("health")
		if code != 0 && well {
			return
		}
		well = well || code == 0
	}
	t.Error("nothing moves, and it is well")
}

// TestALoopThatStandsStillIsNotWellWhenTheClockWasSetBack by a day, an hour ago.
func TestALoopThatStandsStillIsNotWellWhenTheClockWasSetBack(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	if main.Turns(noon, noon.Add(-24*time.Hour+time.Hour)) {
		t.Error("the loop has stood still for an hour, and is well for 23 more")
	}
}

// TestAServiceThatCannotUseItsLedgerIsNotWell has every cycle fail.
func TestAServiceThatCannotUseItsLedgerIsNotWell(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.must(0, "run", "--once")
	s.serve()
	for range 100 {
		if code, _, _ := s.run("health"); code == 0 {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	files, err := filepath.Glob(filepath.Join(filepath.Dir(s.config), "*.db"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	db, err := sql.Open("sqlite", files[0])
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // it was broken on purpose
	if _, err := db.Exec("DROP TABLE cursors"); err != nil {
		t.Fatal(err)
	}
	incident := s.world.Incident(s.users, "Laptop does not start", nil)
	for deadline := time.Now().Add(15 * time.Second); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) { // 3 intervals and 2 budgets are 5 s
		if code, _, errs := s.run("health"); code != 0 {
			if !strings.Contains(errs, "cannot use its ledger") {
				t.Errorf("it says %s", errs)
			}
			return
		}
	}
	t.Errorf("nothing was sent of %s for 15 s, each cycle fails on the ledger, and it is well (%d tickets)", incident, len(s.world.MMD.Tickets()))
}
