package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	main "bridge/cmd/bridge"
	"bridge/plan"
	"bridge/simulator"
	"bridge/store"
)

// stage is a world over TLS, and a bridge.yaml that leads to it.
type stage struct {
	*testing.T
	world   *simulator.World
	running *simulator.Running
	users   simulator.Users
	config  string
	url     string
	env     map[string]string
}

func newStage(t *testing.T) *stage {
	t.Helper()
	return newStageIn(t, simulator.Config{})
}

func newStageIn(t *testing.T, cfg simulator.Config) *stage {
	t.Helper()
	s := &stage{T: t, world: simulator.New(cfg), env: map[string]string{
		"BRIDGE_SEND_BUDGET": "1s", "BRIDGE_SEND_SETTLE": "1s", "BRIDGE_POLL_INTERVAL": "1s", "BRIDGE_POLL_NOTES_MAX_INTERVAL": "1s", "BRIDGE_LISTEN": "",
	}}
	s.users = s.world.Populate()
	running, err := s.world.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.url = running.URL
	t.Cleanup(func() { _ = running.Close() })
	rules, err := filepath.Abs("../../mappings.yaml")
	if err != nil {
		t.Fatal(err)
	}
	s.running = running
	if s.config, err = running.WriteConfig(t.TempDir(), rules); err != nil {
		t.Fatal(err)
	}
	return s
}

// run runs one command in this process.
func (s *stage) run(args ...string) (code int, out, errs string) {
	s.Helper()
	var o, e bytes.Buffer
	code = main.Run(context.Background(), &o, &e, s.env, append(args, "--config", s.config)...)
	return code, o.String(), e.String()
}

// must runs a command that must end with a code.
func (s *stage) must(want int, args ...string) string {
	s.Helper()
	code, out, errs := s.run(args...)
	if code != want {
		s.Fatalf("bridge %s ended with %d, want %d\n%s%s", strings.Join(args, " "), code, want, out, errs)
	}
	return out + errs
}

func TestRunOnceEndsWithACodeAndASummary(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.world.Incident(s.users, "Laptop does not start", nil)
	out := s.must(0, "run", "--once")
	for _, want := range []string{"run=", " created=1 ", " updated=1 ", " owed=0 ", " calls=", " calls_itsm=", " calls_mmd=7 ", " exit=0"} {
		if !strings.Contains(out, want) {
			t.Errorf("the summary lacks %q: %s", want, out)
		}
	}
	s.world.Faults.Keep()
	if out := s.must(0, "run", "--once"); !strings.Contains(out, " created=0 ") || !strings.Contains(out, " updated=0 ") {
		t.Errorf("a second run did something: %s", out)
	}
	for _, call := range s.world.Faults.Log() {
		if call.Method != http.MethodGet && call.Side != simulator.SideAuthority {
			t.Errorf("a second run wrote: %s %s", call.Method, call.Path)
		}
	}
}

func TestRunOnceSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		before func(s *stage)
		code   int
		says   string
	}{
		"a record that cannot be mapped is parked": {func(s *stage) {
			s.world.Incident(s.users, "No caller", map[string]string{"caller_id": ""})
		}, 3, "1 parked"},
		"more creates than the limit hold the rule": {func(s *stage) {
			for range 101 {
				s.world.Incident(s.users, "Storm", nil)
			}
		}, 3, "rule incident is held: 101 creates in one cycle"},
		"a lost answer is looked for, not sent again": {func(s *stage) {
			s.world.Incident(s.users, "Lost", nil)
			s.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "POST", Path: "tickets", Kind: simulator.LostAfter})
		}, 4, "unknown=1"},
		"a rate limit waits": {func(s *stage) {
			s.world.Incident(s.users, "Slow down", nil)
			s.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "POST", Path: "tickets", Kind: simulator.TooMany, RetryAfter: 3600, Times: -1})
		}, 4, "waiting=1"},
		"a desk that does not answer": {func(s *stage) {
			s.world.Faults.Add(simulator.Rule{Side: simulator.SideITSM, Kind: simulator.Error500, Times: -1})
		}, 1, "records of rule incident could not be read"},
		"a desk that hibernates": {func(s *stage) {
			s.world.Faults.Add(simulator.Rule{Side: simulator.SideITSM, Kind: simulator.HTML, Times: -1})
		}, 1, "text/html instead of JSON"},
		"credentials that the desk refuses": {func(s *stage) {
			if err := os.WriteFile(filepath.Join(filepath.Dir(s.config), "itsm.secret"), []byte("canary-wrong"), 0o600); err != nil {
				s.Fatal(err)
			}
		}, 1, "refused the credentials"},
		"a secret that the authority refuses": {func(s *stage) {
			s.world.Incident(s.users, "No token", nil)
			if err := os.WriteFile(filepath.Join(filepath.Dir(s.config), "mmd.secret"), []byte("canary-wrong"), 0o600); err != nil {
				s.Fatal(err)
			}
		}, 1, "mmd refused the credentials"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			tt.before(s)
			out := s.must(tt.code, "run", "--once")
			if !strings.Contains(out, tt.says) || !strings.Contains(out, fmt.Sprintf("exit=%d", tt.code)) {
				t.Errorf("it says\n%s, want %q", out, tt.says)
			}
			if strings.Contains(out, "canary") || strings.Contains(out, simulator.ClientSecret) || strings.Contains(out, simulator.Password) {
				t.Errorf("a secret shows:\n%s", out)
			}
			if tt.code > 2 {
				s.must(0, "run", "--once", "--ok-exit", "3,4")
			}
		})
	}
}

func TestAnOperatorsDay(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	bad := s.world.Incident(s.users, "No caller", map[string]string{"caller_id": ""})
	s.must(3, "run", "--once")
	number := s.world.ITSM.Row("incident", bad)["number"]
	for _, want := range []string{"PARKED", number, "contact.email is empty and required", "bridge retry"} {
		if out := s.must(0, "status"); !strings.Contains(out, want) {
			t.Errorf("status lacks %q:\n%s", want, out)
		}
	}
	if out := s.must(0, "plan"); !strings.Contains(out, "! parked ticket.create") || !strings.Contains(out, "GET only") {
		t.Errorf("plan says\n%s", out)
	}
	if n := len(s.world.MMD.Tickets()); n != 0 {
		t.Fatalf("%d tickets", n)
	}
	s.world.ITSM.Set("sys_user", s.users.Ada, map[string]string{"email": "ada@acme.example"})
	s.world.ITSM.Set("incident", bad, map[string]string{"caller_id": s.users.Ada})
	s.must(0, "retry", number, "--reason", "has a caller now")
	s.must(0, "run", "--once")
	if out := s.must(0, "status", "-o", "json"); !strings.Contains(out, `"owed":0`) {
		t.Errorf("status says\n%s", out)
	}
	s.must(1, "retry", "INC9999999")
	s.must(1, "resume", "incident", "--accept", "1")
}

func TestTheBrakeIsReleasedByHand(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.env["BRIDGE_LIMITS_CREATES"] = "2"
	for range 4 {
		s.world.Incident(s.users, "Storm", nil)
	}
	s.must(3, "run", "--once")
	ledger, err := store.Open(t.Context(), store.Config{URL: "sqlite:bridge.db", Dir: filepath.Dir(s.config)})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(ledger.Hold(t.Context(), plan.Hold{Rule: "incident", What: plan.HoldsAll, Reason: "refused alike"}), ledger.Close()); err != nil {
		t.Fatal(err)
	}
	s.must(1, "resume", "incident", "--accept", "3")
	for _, want := range []string{"refused alike", "the limit is 2"} {
		if out := s.must(0, "status"); !strings.Contains(out, want) {
			t.Errorf("status lacks %q:\n%s", want, out)
		}
	}
	s.must(0, "resume", "incident", "--accept", "4")
	s.must(0, "run", "--once")
	if n := len(s.world.MMD.Tickets()); n != 4 {
		t.Errorf("%d tickets, want 4", n)
	}
}

// TestTheBrakeOfARenamedRule counts what waits under both of its names.
func TestTheBrakeOfARenamedRule(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.env["BRIDGE_LIMITS_CREATES"] = "2"
	for range 4 {
		s.world.Incident(s.users, "Storm", nil)
	}
	s.must(3, "run", "--once")
	rules, err := os.ReadFile("../../mappings.yaml")
	if err != nil {
		t.Fatal(err)
	}
	s.env["BRIDGE_MAPPINGS"] = filepath.Join(t.TempDir(), "mappings.yaml")
	renamed := strings.Replace(string(rules), "- name: incident", "- name: trouble\n    was: [incident]", 1)
	if err := os.WriteFile(s.env["BRIDGE_MAPPINGS"], []byte(renamed), 0o600); err != nil {
		t.Fatal(err)
	}
	s.world.Incident(s.users, "One more", nil)
	s.must(3, "run", "--once")
	for _, name := range []string{"incident", "trouble"} {
		s.says(1, "5 creates of rule "+name+" wait, 4 were accepted", "resume", name, "--accept", "4")
	}
	s.must(0, "resume", "trouble", "--accept", "5")
	s.must(0, "run", "--once")
	if n := len(s.world.MMD.Tickets()); n != 5 {
		t.Errorf("%d tickets, want 5", n)
	}
}

func TestTheBrakeOfElevationsIsReleasedByHand(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.env["BRIDGE_LIMITS_CREATES"] = "1"
	for _, device := range []string{"MMD-1", "MMD-2"} {
		task, item := s.world.Task(s.users, "")
		s.world.ITSM.Set("sc_task", task, map[string]string{"cmdb_ci": s.world.ITSM.Device(device)})
		s.world.MMD.AssignDevice(device, "Ada Byron", "ada@acme.example")
		s.world.ITSM.Decide("sc_req_item", item, s.users.Bea, "approved")
	}
	s.must(3, "run", "--once")
	s.must(1, "resume", "elevation", "--accept", "1")
	if n := len(s.world.MMD.Elevations()); n != 0 {
		t.Errorf("%d elevation requests of a rule that is held", n)
	}
	s.must(0, "resume", "elevation", "--accept", "2")
	s.must(0, "run", "--once")
	if n := len(s.world.MMD.Elevations()); n != 2 {
		t.Errorf("%d elevation requests, want 2", n)
	}
}

func TestALedgerOfAnotherPairIsRefused(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.must(0, "run", "--once")
	text, err := os.ReadFile(s.config)
	if err != nil {
		t.Fatal(err)
	}
	other := strings.Replace(string(text), simulator.Tenant, "11111111-1111-4111-8111-111111111111", 1)
	if err := os.WriteFile(s.config, []byte(other), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := s.must(2, "run", "--once"); !strings.Contains(out, "cannot serve") {
		t.Errorf("it says %s", out)
	}
}

// settleDoubts does what a person does with what was begun twice and never found:
// has it sent again. Were it there after all, the counts below would show it.
func (s *stage) settleDoubts() {
	s.Helper()
	var status struct {
		Needs []struct {
			What string `json:"what"`
			Op   string `json:"op"`
		} `json:"needs_you"`
	}
	if err := json.Unmarshal([]byte(s.must(0, "status", "-o", "json")), &status); err != nil {
		s.Fatal(err)
	}
	for _, need := range status.Needs {
		if need.What == "DOUBT" {
			s.must(0, "retry", need.Op, "--reason", "looked for it")
		}
	}
}
