package main_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"bridge/simulator"
	"bridge/store/pgtest"
)

// drama is what people do on both sides while the real binary is killed or its
// network fails: incidents with two comments and two notes of the vendor each, and
// an elevation for every tenth.
type drama struct {
	*stage
	binary string
	// size is how many incidents, pace how long people wait from one to the next.
	size int
	pace time.Duration
	// kills is how often a process is killed; killed counts, amid those that were in mid-write.
	kills   int
	killed  atomic.Int64
	amid    atomic.Int64
	writing atomic.Int64

	incidents []string
	noted     map[string]int
	tasks     []string
}

// slow is how long each answer takes: long enough to be killed in.
const slow = 20 * time.Millisecond

// newDrama has 200 incidents and 100 kills where whole is set in the environment, and
// a fraction of both otherwise.
func newDrama(t *testing.T, whole string) *drama {
	t.Helper()
	if testing.Short() {
		t.Skip("left out of the short form: real processes over TLS")
	}
	d := &drama{stage: newStageIn(t, simulator.Config{Latency: slow}), size: 30, pace: 50 * time.Millisecond, kills: 20, noted: map[string]int{}}
	if os.Getenv(whole) != "" {
		d.size, d.pace, d.kills = 200, 100*time.Millisecond, 100
	}
	d.env["BRIDGE_LIMITS_CREATES"] = "0"
	d.env["BRIDGE_POLL_INTERVAL"] = "200ms"
	d.env["BRIDGE_POLL_NOTES_MAX_INTERVAL"] = "400ms"
	d.binary = filepath.Join(t.TempDir(), "bridge")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", d.binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	isWrite := func(r simulator.Request) bool { return r.Method != http.MethodGet && r.Side != simulator.SideAuthority }
	d.world.Faults.Watch(func(r simulator.Request) {
		if isWrite(r) {
			d.writing.Add(1)
			time.AfterFunc(slow, func() { d.writing.Add(-1) })
		}
	}, nil)
	return d
}

// people play their parts, and end when all is said that can be said by now.
func (d *drama) people(ctx context.Context) {
	const behind = 24 // a second comment is never in the second of the first: a desk knows no order within one
	for i := 0; i < d.size+behind; i++ {
		if i < d.size {
			d.incidents = append(d.incidents, d.world.Incident(d.users, fmt.Sprintf("Laptop %d does not start", i), nil))
			d.comment(i, 1)
			if i%10 == 0 {
				d.askFor(i)
			}
		}
		if i >= behind {
			d.comment(i-behind, 2)
		}
		d.vendor(3)
		pause(ctx, d.pace)
	}
}

func (d *drama) comment(i, n int) {
	d.world.ITSM.Comment("incident", d.incidents[i], "ada.byron", fmt.Sprintf("said:%d.%d; please help", i, n))
}

// askFor asks for an elevation on a device of its own, which is approved.
func (d *drama) askFor(i int) {
	users := d.users
	name := fmt.Sprintf("MMD-%d", i)
	users.Device = d.world.ITSM.Device(name)
	d.world.MMD.AssignDevice(name, "Ada Byron", "ada@acme.example")
	task, item := d.world.Task(users, d.incidents[i])
	d.world.ITSM.Decide("sc_req_item", item, d.users.Bea, "approved")
	d.tasks = append(d.tasks, task)
}

// vendor writes up to so many notes, two to each ticket, and the desk closes tasks
// whose elevation is open.
func (d *drama) vendor(most int) {
	for _, ticket := range d.world.MMD.Tickets() {
		if d.noted[ticket.ID] < 2 && most > 0 {
			most--
			d.noted[ticket.ID]++
			d.world.MMD.AddNote(ticket.ID, "vera@vendor.example", fmt.Sprintf("<p>noted:%s.%d; <b>looking</b></p>", ticket.ID, d.noted[ticket.ID]))
		}
	}
	open := d.world.MMD.Elevations()
	for i, task := range d.tasks {
		row := d.world.ITSM.Row("sc_task", task)
		for _, e := range open {
			if i%2 == 0 && e.Open && row["state"] != "3" && strings.HasPrefix(e.Title, row["number"]) {
				d.world.ITSM.Set("sc_task", task, map[string]string{"state": "3", "close_notes": "Installed."})
			}
		}
	}
}

// killing starts a service and kills it at a random moment, again and again. One in
// ten lives for longer than budget and settle delay: what is unknown is found out.
// freezes is for how long it is stopped before, in mid-write if that can be had. On a
// slow machine it goes on until a kill fell into a write: all is still owed then.
func (d *drama) killing(ctx context.Context, freezes time.Duration) {
	const patience = 3 * time.Minute
	began := time.Now()
	for ctx.Err() == nil && (d.killed.Load() < int64(d.kills) || d.amid.Load() == 0 && time.Since(began) < patience) {
		c := exec.CommandContext(ctx, d.binary, "run", "--config", d.config)
		for name, value := range d.env {
			c.Env = append(c.Env, name+"="+value)
		}
		if err := c.Start(); err != nil {
			d.Errorf("start: %v", err)
			return
		}
		// The more there is to read, the later it writes.
		life := time.Duration(60+rand.IntN(400+5*len(d.world.MMD.Tickets()))) * time.Millisecond
		if rand.IntN(10) == 0 {
			life += 2500 * time.Millisecond
		}
		pause(ctx, life)
		if freezes > 0 {
			d.awaitWrite(ctx, 300*time.Millisecond)
			_ = c.Process.Signal(freeze)
			pause(ctx, freezes)
			_ = c.Process.Signal(thaw)
			pause(ctx, time.Second) // what it was about to write is refused now, or written once
		}
		switch {
		case d.killed.Load() >= int64(d.kills):
			// All may be done by now: there is always one more note to pass on.
			if tickets := d.world.MMD.Tickets(); len(tickets) > 0 {
				d.world.MMD.AddNote(tickets[0].ID, "vera@vendor.example", fmt.Sprintf("<p>One more, %d</p>", d.killed.Load()))
			}
			d.awaitWrite(ctx, 10*time.Second)
		case rand.IntN(2) == 0:
			d.awaitWrite(ctx, time.Second)
		}
		if d.writing.Load() > 0 {
			d.amid.Add(1)
		}
		_ = c.Process.Kill()
		_ = c.Wait() // it was killed
		d.killed.Add(1)
	}
}

// awaitWrite waits for a write, but no longer than so long, and for some of the time
// that the write takes.
func (d *drama) awaitWrite(ctx context.Context, most time.Duration) {
	for began := time.Now(); d.writing.Load() == 0 && time.Since(began) < most; {
		pause(ctx, time.Millisecond)
	}
	pause(ctx, time.Duration(rand.Int64N(int64(slow)))*3/4)
}

// problems are what both sides hold that they should not, and what they lack.
type problems struct{ twice, lacks, disorder []string }

func (p *problems) once(what string, n int) {
	switch {
	case n == 0:
		p.lacks = append(p.lacks, what)
	case n > 1:
		p.twice = append(p.twice, fmt.Sprintf("%s, %d times", what, n))
	}
}

// order counts what was said of one object, and looks whether 1 comes before 2.
func (p *problems) order(what string, texts []string) {
	count := map[string]int{}
	for _, n := range texts {
		count[n]++
	}
	p.once(what+".1", count["1"])
	p.once(what+".2", count["2"])
	if len(texts) == 2 && texts[0] == "2" {
		p.disorder = append(p.disorder, what)
	}
}

// problems counts everything on both sides.
func (d *drama) problems() problems {
	var p problems
	mirrored := regexp.MustCompile(`(?:said|noted):[^.;]+\.(\d);`)
	tickets := map[string][]string{}
	for _, ticket := range d.world.MMD.Tickets() {
		number, _, _ := strings.Cut(ticket.Title, ":")
		tickets[number] = append(tickets[number], ticket.ID)
	}
	for i, id := range d.incidents {
		number := d.world.ITSM.Row("incident", id)["number"]
		p.once("ticket of "+number, len(tickets[number]))
		var said, noted []string
		for _, ticket := range tickets[number] {
			for _, note := range d.world.MMD.Notes(ticket) {
				if found := mirrored.FindStringSubmatch(note.Text); found != nil && strings.HasPrefix(note.Sender, "app-") {
					said = append(said, found[1])
				}
			}
		}
		for _, entry := range d.world.ITSM.Journal(id, "work_notes") {
			if found := mirrored.FindStringSubmatch(entry.Text); found != nil {
				noted = append(noted, found[1])
			}
		}
		p.order(fmt.Sprintf("comment said:%d of %s", i, number), said)
		p.order("note on "+number, noted)
	}
	open, titles := map[string]int{}, map[string]int{}
	for _, e := range d.world.MMD.Elevations() {
		number, _, _ := strings.Cut(e.Title, ":")
		titles[number]++
		if e.Open {
			open[number]++
		}
	}
	for i, task := range d.tasks {
		number := d.world.ITSM.Row("sc_task", task)["number"]
		p.once("elevation of "+number, titles[number])
		if i%2 == 0 && open[number] > 0 {
			p.lacks = append(p.lacks, "the close of "+number)
		}
		reports := map[string]int{}
		for _, entry := range d.world.ITSM.Journal(task, "work_notes") {
			if reports[entry.Text]++; reports[entry.Text] > 1 {
				p.twice = append(p.twice, "report on "+number)
			}
		}
	}
	return p
}

// rests runs until nothing is left to do but what a person has to look at, and wants
// that to be said: what is missing then is in doubt, in status and in the exit code.
func (d *drama) rests() (doubts int) {
	d.Helper()
	var status struct {
		Counts map[string]int    `json:"counts"`
		Needs  []json.RawMessage `json:"needs_you"`
	}
	var code int
	var out, errs string
	for deadline := time.Now().Add(90 * time.Second); time.Now().Before(deadline); time.Sleep(300 * time.Millisecond) {
		d.vendor(1 << 20)
		code, out, errs = d.run("run", "--once")
		if err := json.Unmarshal([]byte(d.must(0, "status", "-o", "json")), &status); err != nil {
			d.Fatal(err)
		}
		p := d.problems()
		if c := status.Counts; code == 0 && len(p.lacks) == 0 || code == 3 && c["doubt"] > 0 && c["owed"] == c["doubt"] {
			break
		}
	}
	p := d.problems()
	if c := status.Counts; c["parked"]+c["twins"]+c["vanished"] > 0 {
		d.Errorf("something is parked, a twin or vanished: %+v", status)
	}
	if doubts = status.Counts["doubt"]; len(p.lacks) > 0 && doubts == 0 || doubts > 0 && (code != 3 || len(status.Needs) < doubts) {
		d.Errorf("%d are missing and %d in doubt, and it ends with %d:\n%q\n%s%s%+v", len(p.lacks), doubts, code, p.lacks, out, errs, status)
	}
	d.Logf("killed %d times, %d of them in mid-write; at rest %d in doubt", d.killed.Load(), d.amid.Load(), doubts)
	if d.Failed() {
		d.FailNow()
	}
	return doubts
}

// ends lets a person settle the doubts, and wants exactly one of everything.
func (d *drama) ends() {
	d.Helper()
	for d.rests() > 0 {
		d.settleDoubts()
	}
	d.settled()
	if p := d.problems(); len(p.twice)+len(p.lacks)+len(p.disorder) > 0 {
		d.Errorf("twice: %q\nmissing: %q\nout of order: %q", p.twice, p.lacks, p.disorder)
	}
}

// TestKilledForReal kills the real binary at random moments while people go on
// working, over TLS and on a real ledger, and looks at what both sides hold in the
// end. BRIDGE_CRASH plays the whole of it: make crash.
func TestKilledForReal(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		store    func(t *testing.T) string
		replicas int
		// freezes is for how long one of several is stopped in mid-write.
		freezes time.Duration
	}{
		"on SQLite":                    {func(*testing.T) string { return "sqlite:bridge.db" }, 1, 0},
		"three replicas on PostgreSQL": {pgtest.URL, 3, frozen()},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDrama(t, "BRIDGE_CRASH")
			d.env["BRIDGE_STORE"] = tt.store(t)
			var wait sync.WaitGroup
			wait.Go(func() { d.people(t.Context()) })
			for n := range tt.replicas {
				freezes := tt.freezes
				if n > 0 {
					freezes = 0
				}
				wait.Go(func() { d.killing(t.Context(), freezes) })
			}
			wait.Wait()
			if n := d.amid.Load(); n == 0 {
				t.Error("no kill fell into a write: this proves nothing")
			}
			d.ends()
		})
	}
}

// frozen is for how long a replica is stopped: in the whole form for longer than
// PostgreSQL bears with a silent session.
func frozen() time.Duration {
	if os.Getenv("BRIDGE_CRASH") != "" {
		return 32 * time.Second
	}
	return 700 * time.Millisecond
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
