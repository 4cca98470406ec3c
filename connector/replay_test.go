package connector_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"bridge/plan"
	"bridge/simulator"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestReplay plays recorded days: what the desk and the vendor said, step by step.
// The golden file is every write that it led to, and every op with its reason; a
// changed golden is reviewed like code.
func TestReplay(t *testing.T) {
	t.Parallel()
	days, err := filepath.Glob("../testdata/replay/*.json")
	if err != nil || len(days) == 0 {
		t.Fatal(days, err)
	}
	for _, day := range days {
		t.Run(filepath.Base(day), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { replay(t, day) })
		})
	}
}

// step is one thing that someone did.
type step struct {
	// Do is incident, comment, set, vendor_note, ticket_state, task or decide.
	Do string `json:"do"`
	// Of names what an earlier step made, As what this one makes.
	Of     string            `json:"of"`
	As     string            `json:"as"`
	By     string            `json:"by"`
	Text   string            `json:"text"`
	Fields map[string]string `json:"fields"`
}

func replay(t *testing.T, day string) {
	t.Helper()
	raw, err := os.ReadFile(day)
	if err != nil {
		t.Fatal(err)
	}
	var steps []step
	if err := json.Unmarshal(raw, &steps); err != nil {
		t.Fatalf("%s: %v", day, err)
	}
	r := newRig(t)
	r.world.Faults.Keep()
	made := map[string]string{}
	for _, s := range steps {
		r.act(s, made)
		r.cycles(3)
	}
	r.rest()
	golden := strings.TrimSuffix(day, ".json") + ".golden"
	got := r.writes() + r.opsTold()
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", golden, diff)
	}
}

// act does one step as the person who did it.
func (r *rig) act(s step, made map[string]string) {
	r.Helper()
	ticket := func() string { return r.world.ITSM.Row("incident", made[s.Of])["correlation_id"] }
	switch s.Do {
	case "incident":
		made[s.As] = r.world.Incident(r.users, s.Text, s.Fields)
	case "comment":
		r.world.ITSM.Comment("incident", made[s.Of], s.By, s.Text)
	case "set":
		name := "incident"
		if _, isTask := made[s.Of+" item"]; isTask {
			name = "sc_task"
		}
		r.world.ITSM.Set(name, made[s.Of], s.Fields)
	case "vendor_note":
		r.world.MMD.AddNote(ticket(), s.By, s.Text)
	case "ticket_state":
		r.world.MMD.SetState(ticket(), s.Text)
	case "task":
		made[s.As], made[s.As+" item"] = r.world.Task(r.users, made[s.Of])
	case "decide":
		r.world.ITSM.Decide("sc_req_item", made[s.Of+" item"], map[string]string{"ada": r.users.Ada, "bea": r.users.Bea}[s.By], s.Text)
	default:
		r.Fatalf("step %q is not known", s.Do)
	}
}

// writes lists the requests that changed something, each with its body.
func (r *rig) writes() string {
	var out []string
	for _, call := range r.world.Faults.Log() {
		if call.Method == http.MethodGet || call.Side == simulator.SideAuthority {
			continue
		}
		var body bytes.Buffer
		if err := json.Indent(&body, []byte(call.Body), "", "  "); err != nil {
			body.WriteString(call.Body)
		}
		out = append(out, fmt.Sprintf("%s %s\n%s\n", call.Method, call.Path, body.String()))
	}
	return strings.Join(out, "\n") + "\n"
}

// opsTold lists the ops, by link and in order, with their reasons.
func (r *rig) opsTold() string {
	var out []string
	for op, err := range r.ledger.Ops(r.Context(), plan.OpQuery{}) {
		if err != nil {
			r.Fatal(err)
		}
		out = append(out, fmt.Sprintf("%-18s %-10s %s\n%31s%s\n", op.Kind, op.State, op.Key, "", strings.TrimSpace(op.Why+"  "+op.Reason)))
	}
	slices.SortStableFunc(out, strings.Compare)
	return strings.Join(out, "")
}
