package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bridge/simulator"
)

// elevated approves a task, and has its elevation request opened.
func (s *stage) elevated() (task, number string) {
	s.Helper()
	task, item := s.world.Task(s.users, "")
	s.world.ITSM.Decide("sc_req_item", item, s.users.Bea, "approved")
	s.must(0, "run", "--once")
	if e := s.world.MMD.Elevations(); len(e) != 1 || !e[0].Open {
		s.Fatalf("%+v", e)
	}
	return task, s.world.ITSM.Row("sc_task", task)["number"]
}

// TestEndLinkClosesWhatADropLeftOpenAndSaysSo ends the link after its close was dropped.
func TestEndLinkClosesWhatADropLeftOpenAndSaysSo(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	task, number := s.elevated()
	s.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "PATCH", Path: "elevationRequests", Kind: simulator.TooMany, Times: -1})
	s.world.ITSM.Set("sc_task", task, map[string]string{"state": "3"})
	s.must(4, "run", "--once")
	s.must(0, "drop", number, "--reason", "by mistake")
	s.world.Faults.Clear()
	out := s.must(0, "end-link", number, "--reason", "contract")
	s.run("run", "--once")
	if e := s.world.MMD.Elevations()[0]; !e.Open && (strings.Contains(out, "stays open") || !strings.Contains(out, "closed by the next run")) {
		t.Errorf("it was closed by the next run, and end-link said:\n%s", out)
	}
}

// TestEndLinkSendsAParkedCloseAgain: what is parked is not sent by itself.
func TestEndLinkSendsAParkedCloseAgain(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	task, number := s.elevated()
	s.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "PATCH", Path: "elevationRequests", Kind: simulator.Answer, Status: 400, Body: `{"error":{"code":"400","message":"actionsTaken is not valid"}}`, Times: 1})
	s.world.ITSM.Set("sc_task", task, map[string]string{"state": "3"})
	s.must(3, "run", "--once")
	out := s.must(0, "end-link", number, "--reason", "contract")
	s.run("run", "--once")
	if s.world.MMD.Elevations()[0].Open || !strings.Contains(out, "is closed by the next run") {
		t.Errorf("open: %t, and end-link says only: %s", s.world.MMD.Elevations()[0].Open, out)
	}
}

// TestEndLinkAfterADropThatIsWatchedClosesTheRights loses the answer of a close, has a person
// drop it, and end the link while it is watched.
func TestEndLinkAfterADropThatIsWatchedClosesTheRights(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	task, number := s.elevated()
	s.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "PATCH", Path: "elevationRequests", Kind: simulator.ResetBefore, Times: 1})
	s.world.ITSM.Set("sc_task", task, map[string]string{"state": "3"})
	s.must(4, "run", "--once")
	if !s.world.MMD.Elevations()[0].Open {
		t.Fatal("it is closed")
	}
	s.must(0, "drop", number, "--reason", "by mistake")
	out := s.must(0, "end-link", number, "--reason", "contract")
	var code int
	var said string
	for range 12 {
		code, said, _ = s.run("run", "--once")
		time.Sleep(500 * time.Millisecond)
	}
	if s.world.MMD.Elevations()[0].Open {
		t.Errorf("its link was ended by hand, and its rights stay open; end-link said:\n%s\nrun: %d %s\n%s", out, code, said, s.must(0, "status"))
	}
}

// TestWhoDropsACloseThatWasDoneIsNotToldThatRightsStayOpen loses the answer of a close.
func TestWhoDropsACloseThatWasDoneIsNotToldThatRightsStayOpen(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	task, number := s.elevated()
	s.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "PATCH", Path: "elevationRequests", Kind: simulator.LostAfter, Times: 1})
	s.world.ITSM.Set("sc_task", task, map[string]string{"state": "3"})
	s.must(4, "run", "--once")
	if s.world.MMD.Elevations()[0].Open {
		t.Fatal("it is open")
	}
	if out := s.must(0, "drop", number, "--reason", "by mistake"); strings.Contains(out, "stays open") {
		t.Errorf("it is closed, and drop says: %s", out)
	}
}

// TestTheRunAfterEndLinkIsFine: what the bridge closes itself is nobody's to close by hand.
func TestTheRunAfterEndLinkIsFine(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	_, number := s.elevated()
	s.must(0, "end-link", number, "--reason", "contract")
	code, out, errs := s.run("run", "--once")
	if code != 0 || strings.Contains(out+errs, "close it by hand") {
		t.Errorf("ended with %d, open: %t: %s%s", code, s.world.MMD.Elevations()[0].Open, out, errs)
	}
}

// TestRightsThatStayOpenAreSaidWithoutARule ends the last elevation rule, and has the vendor
// ignore the close that follows.
func TestRightsThatStayOpenAreSaidWithoutARule(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.elevated()
	rules, err := os.ReadFile("../../mappings.yaml")
	if err != nil {
		t.Fatal(err)
	}
	before, _, found := strings.Cut(string(rules), "\nelevations:")
	if !found {
		t.Fatal("no elevations")
	}
	s.env["BRIDGE_MAPPINGS"] = filepath.Join(s.TempDir(), "mappings.yaml")
	if err := os.WriteFile(s.env["BRIDGE_MAPPINGS"], []byte(before+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.must(2, "run", "--once")
	s.must(0, "end-rule", "elevation", "--reason", "contract")
	s.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "PATCH", Path: "elevationRequests", Kind: simulator.Answer, Status: 204, Times: 1})
	said := ""
	code := 0
	for range 3 {
		var out, errs string
		code, out, errs = s.run("run", "--once")
		said += out + errs
	}
	e := s.world.MMD.Elevations()[0]
	if e.Open && code == 0 && !strings.Contains(said, e.ID) {
		t.Errorf("rights are open, nobody closes them, and all is well: %s%s", said, s.must(0, "status"))
	}
}
