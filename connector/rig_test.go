package connector_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"bridge/connector"
	"bridge/itsm"
	"bridge/mapping"
	"bridge/mmd"
	"bridge/plan"
	"bridge/simulator"
	"bridge/store"
)

// rig is the whole bridge against both simulators, in one process and without
// sockets: real clients, real rules, a real ledger.
type rig struct {
	*testing.T
	world  *simulator.World
	users  simulator.Users
	rules  *mapping.Rules
	ledger *store.Ledger
	loop   *connector.Connector
	report connector.Report
	// wrap puts something between the loop and its ledger.
	wrap func(connector.Ledger) connector.Ledger
	// way puts something between the loop and the sides.
	way     func(http.RoundTripper) http.RoundTripper
	creates int
	settle  time.Duration
	// page is how many rows the desk is asked for at once; 0: as many as it gives.
	page int
}

func newRig(t *testing.T) *rig {
	t.Helper()
	return newRigOn(t, simulator.New(simulator.Config{}))
}

func newRigOn(t *testing.T, world *simulator.World) *rig {
	t.Helper()
	r := &rig{T: t, world: world, creates: 0, settle: 5 * time.Minute}
	r.users = r.world.Populate()
	src, err := os.ReadFile("../mappings.yaml")
	if err != nil {
		t.Fatal(err)
	}
	rules, problems := mapping.Load("mappings.yaml", src, nil)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	r.rules = rules
	r.ledger, err = store.Open(t.Context(), store.Config{URL: "sqlite::memory:", Worker: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.ledger.Close(); err != nil {
			t.Error(err)
		}
	})
	r.start()
	return r
}

// start wires the loop anew: what a process has after it was started.
func (r *rig) start() {
	r.Helper()
	way := r.world.Transport()
	if r.way != nil {
		way = r.way(way)
	}
	tokens, err := mmd.NewApplicationTokens(mmd.Application{
		Authority: link("https://login.test/"), Tenant: simulator.Tenant, ClientID: simulator.ClientID, Secret: simulator.ClientSecret,
		Scopes: []string{"https://mwaas.test/.default"}, HTTP: &http.Client{Transport: r.world.Transport()},
	}, time.Now)
	if err != nil {
		r.Fatal(err)
	}
	vendor, err := mmd.New(mmd.Config{URL: link("https://mmd.test/support/odata/v1/"), Tenant: simulator.Tenant, Tokens: tokens, Transport: way, Now: time.Now})
	if err != nil {
		r.Fatal(err)
	}
	desk, err := itsm.New(itsm.Config{
		URL: link("https://itsm.test"), Auth: itsm.Auth{Type: "basic", Username: simulator.Username, Password: simulator.Password}, Transport: way, Page: r.page, Now: time.Now,
	})
	if err != nil {
		r.Fatal(err)
	}
	var ledger connector.Ledger = r.ledger
	if r.wrap != nil {
		ledger = r.wrap(ledger)
	}
	planner := plan.Planner{
		Rules: r.rules, Pair: plan.Pair{Host: "itsm.test", Tenant: simulator.Tenant}, NotesEvery: 30 * time.Second, NotesMax: 15 * time.Minute, Settle: r.settle,
		EndAfter: 7 * 24 * time.Hour, NotesPerHour: 100,
	}
	log := slog.New(slog.DiscardHandler)
	r.loop = &connector.Connector{
		Now: time.Now, Log: log,
		Poller: connector.Poller{
			Desk: desk, Tickets: vendor.Tickets, Elevations: vendor.Elevations, Ledger: ledger, Planner: planner, FullScan: time.Hour,
			Creates: r.creates, Timing: plan.Timing{Budget: time.Minute, Settle: r.settle}, Readers: 4, Log: log, Now: time.Now,
		},
		Sender: connector.Sender{
			Desk: desk, DeskWriter: desk, Tickets: vendor.Tickets, TicketWriter: vendor.Tickets, Elevations: vendor.Elevations, ElevationWriter: vendor.Elevations,
			Ledger: ledger, Planner: planner, Timing: plan.Timing{Budget: time.Minute, Settle: r.settle},
			Concurrency: map[plan.Side]int{plan.ITSM: 4, plan.MMD: 8}, Fresh: 30 * time.Second, Log: log, Now: time.Now,
		},
	}
}

func link(raw string) *url.URL {
	u, err := url.Parse(raw)
	if err != nil {
		panic(err)
	}
	return u
}

// lose starts over with an empty ledger.
func (r *rig) lose() {
	r.Helper()
	ledger, err := store.Open(r.Context(), store.Config{URL: "sqlite::memory:", Worker: true})
	if err != nil {
		r.Fatal(err)
	}
	old := r.ledger
	r.ledger = ledger
	if err := old.Close(); err != nil {
		r.Fatal(err)
	}
	r.start()
}

// cycle runs one cycle that must succeed.
func (r *rig) cycle() connector.Report {
	r.Helper()
	report, err := r.loop.Cycle(context.Background())
	if err != nil {
		r.Fatalf("cycle: %v", err)
	}
	r.report = report
	return report
}

// cycles runs some, a poll interval apart.
func (r *rig) cycles(n int) {
	r.Helper()
	for range n {
		r.cycle()
		time.Sleep(30 * time.Second)
	}
}

// rest runs cycles until nothing is owed and nothing is read that is new, and no
// longer than an hour.
func (r *rig) rest() {
	r.Helper()
	quiet := 0
	for range 240 {
		r.cycle()
		if r.counts().Owed == 0 {
			quiet++
		} else {
			quiet = 0
		}
		if quiet > 3 {
			return
		}
		time.Sleep(15 * time.Second)
	}
	r.Errorf("not at rest after an hour:\n%s", r.story())
}

func (r *rig) counts() plan.Counts {
	r.Helper()
	c, err := r.ledger.Counts(context.Background(), time.Now())
	if err != nil {
		r.Fatal(err)
	}
	return c
}

// story tells what the ledger holds, for a test that failed.
func (r *rig) story() string {
	var b strings.Builder
	for op, err := range r.ledger.Ops(context.Background(), plan.OpQuery{}) {
		if err != nil {
			return err.Error()
		}
		b.WriteString(op.Key + " " + string(op.State) + " attempt " + string(rune('0'+op.Attempt)) + " " + op.Why + " | " + op.Reason + "\n")
	}
	for link, err := range r.ledger.Links(context.Background(), plan.LinkQuery{}) {
		if err != nil {
			return err.Error()
		}
		if len(link.Twins)+len(link.Vanished) > 0 || link.Notice != "" {
			fmt.Fprintf(&b, "%s has %s, twins %v, vanished %v: %s\n", link.ID, link.MMD, link.Twins, link.Vanished, link.Notice)
		}
	}
	return b.String()
}

// ticketOf gives the one ticket of an incident.
func (r *rig) ticketOf(incident string) simulatorTicket {
	r.Helper()
	number := r.world.ITSM.Row("incident", incident)["number"]
	var found []simulatorTicket
	for _, t := range r.world.MMD.Tickets() {
		if strings.HasPrefix(t.Title, number+":") {
			found = append(found, simulatorTicket{t.ID, t.Title, t.Description, t.State})
		}
	}
	if len(found) != 1 {
		r.Fatalf("%s has %d tickets, want one\n%s", number, len(found), r.story())
	}
	return found[0]
}

type simulatorTicket struct{ ID, Title, Description, State string }
