package main_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"bridge/mapping"
	"bridge/plan"
	"bridge/simulator"
	"bridge/store"
)

// BenchmarkQuiet runs the real binary over so many open links on which nothing happens
// and whose notes are not due, in a ledger that was filled beforehand: single cycles
// (run --once), and the third cycle of a service, which knows the tickets. Calls are
// without the pages of the ticket listing, which are given by themselves: nothing else
// may grow with the links. full is the first cycle of all, which reads everything; the
// full scan, which is spread over its interval, is left for another day.
func BenchmarkQuiet(b *testing.B) {
	for _, links := range []int{1000, 10_000, 100_000} {
		b.Run("links="+strconv.Itoa(links), func(b *testing.B) {
			q := newQuiet(b, links)
			q.once()
			full := q.wall
			for b.Loop() {
				q.once()
			}
			if q.calls > 20 {
				b.Errorf("%d calls besides the ticket listing", q.calls)
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(full.Seconds(), "full-s")
			b.ReportMetric(q.wall.Seconds(), "s/cycle")
			b.ReportMetric(q.cpu.Seconds(), "bridge-cpu-s/cycle")
			b.ReportMetric(float64(q.calls), "calls/cycle")
			b.ReportMetric(float64(q.pages), "listing-pages")
			b.ReportMetric(q.memory, "MB-peak")
			q.serve()
			b.ReportMetric(q.wall.Seconds(), "s/service-cycle")
			b.ReportMetric(q.cpu.Seconds(), "bridge-cpu-s/service-cycle")
			b.ReportMetric(q.memory, "MB-service-peak")
		})
	}
}

// quiet is a world with links, all of them open and in silence.
type quiet struct {
	*testing.B
	world          *simulator.World
	binary, config string
	listed, others atomic.Int64
	// last is when the last call came.
	last atomic.Int64
	// ago is how far behind the world's clock is, while it is filled.
	ago atomic.Int64

	wall, cpu    time.Duration
	calls, pages int64
	memory       float64
}

func newQuiet(b *testing.B, links int) *quiet {
	b.Helper()
	q := &quiet{B: b, binary: filepath.Join(b.TempDir(), "bridge")}
	q.world = simulator.New(simulator.Config{Now: func() time.Time { return time.Now().Add(-time.Duration(q.ago.Load())) }})
	if out, err := exec.CommandContext(b.Context(), "go", "build", "-o", q.binary, ".").CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	users := q.world.Populate()
	running, err := q.world.Listen(b.Context(), "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = running.Close() })
	rules, err := filepath.Abs("../../mappings.yaml")
	if err != nil {
		b.Fatal(err)
	}
	dir := b.TempDir()
	if q.config, err = running.WriteConfig(dir, rules); err != nil {
		b.Fatal(err)
	}
	q.fill(filepath.Join(dir, "bridge.db"), rules, users, links)
	q.world.Faults.Watch(func(r simulator.Request) {
		q.last.Store(time.Now().UnixNano())
		if r.Side == simulator.SideMMD && r.Method == http.MethodGet && strings.HasSuffix(r.Path, "/tickets") {
			q.listed.Add(1)
		} else {
			q.others.Add(1)
		}
	}, nil)
	return q
}

// fill writes the ledger that so many creates would have left a day ago.
func (q *quiet) fill(path, rules string, users simulator.Users, links int) {
	q.Helper()
	src, err := os.ReadFile(rules)
	if err != nil {
		q.Fatal(err)
	}
	parsed, problems := mapping.Load(rules, src, nil)
	if len(problems) > 0 {
		q.Fatal(problems)
	}
	rule := parsed.Tickets[0]
	ledger, err := store.Open(q.Context(), store.Config{URL: "sqlite:" + path, Worker: true})
	if err != nil {
		q.Fatal(err)
	}
	all := make([]plan.Link, links)
	for i := range all {
		q.ago.Store(int64(24*time.Hour - time.Duration(i)*200*time.Millisecond))
		yesterday := q.world.Config.Now().UTC()
		record := q.world.Incident(users, fmt.Sprintf("Laptop %d does not start", i), map[string]string{"state": "2"})
		ticket := q.world.MMD.AddTicket(fmt.Sprintf("Laptop %d does not start", i), strings.Repeat("It hums and clicks. ", 10))
		row := q.world.ITSM.Row(rule.Table, record)
		base := map[string]plan.Baseline{"ticket": {Turn: 1}, "ticket.id": {Value: ticket}, "ticket.state": {Value: "active"}, "record": {Turn: 1}}
		for _, field := range rule.Fields {
			base["record."+field] = plan.Baseline{Value: row[field]}
		}
		all[i] = plan.Link{
			ID: plan.LinkID(plan.TicketLink, record), Kind: plan.TicketLink, Rule: rule.Name, Table: rule.Table, Record: record, Number: row["number"],
			MMD: ticket, Generation: 1, Created: yesterday, Linked: yesterday, Moved: yesterday, Rev: row["sys_mod_count"], Base: base,
			NotesDue: time.Now().Add(24 * time.Hour), NotesWait: 24 * time.Hour,
		}
	}
	q.ago.Store(0)
	for some := range slices.Chunk(all, 1000) {
		if _, err := ledger.Promise(q.Context(), plan.Promise{Links: some, At: time.Now()}); err != nil {
			q.Fatal(err)
		}
	}
	if err := ledger.Close(); err != nil {
		q.Fatal(err)
	}
}

// once runs one cycle, and takes down what it cost.
func (q *quiet) once() {
	q.Helper()
	q.listed.Store(0)
	q.others.Store(0)
	run := exec.CommandContext(q.Context(), q.binary, "run", "--once", "--config", q.config)
	run.Env = append(os.Environ(), "BRIDGE_LIMITS_CREATES=0", "BRIDGE_POLL_FULL_SCAN=24h")
	var out, errs bytes.Buffer
	run.Stdout, run.Stderr = &out, &errs
	began := time.Now()
	if err := run.Start(); err != nil {
		q.Fatal(err)
	}
	peak := make(chan float64)
	go func() { peak <- watchMemory(run.Process.Pid) }()
	err := run.Wait()
	q.wall, q.memory = time.Since(began), <-peak
	if err != nil {
		q.Fatalf("%v\n%s%s", err, &out, &errs)
	}
	if !strings.Contains(out.String(), " created=0 ") || !strings.Contains(out.String(), " updated=0 ") {
		q.Fatalf("it was not quiet: %s", &out)
	}
	q.cpu = run.ProcessState.UserTime() + run.ProcessState.SystemTime()
	q.pages, q.calls = q.listed.Load(), q.others.Load()
}

// serve runs a service for three cycles, and takes down what the third cost.
func (q *quiet) serve() {
	q.Helper()
	run := exec.CommandContext(q.Context(), q.binary, "run", "--config", q.config)
	run.Env = append(os.Environ(), "BRIDGE_LIMITS_CREATES=0", "BRIDGE_POLL_FULL_SCAN=24h", "BRIDGE_POLL_INTERVAL="+between.String())
	q.last.Store(time.Now().UnixNano())
	if err := run.Start(); err != nil {
		q.Fatal(err)
	}
	peak := make(chan float64)
	go func() { peak <- watchMemory(run.Process.Pid) }()
	for range 2 {
		q.cycle()
	}
	used := q.used(run.Process.Pid)
	q.wall = q.cycle()
	q.cpu = q.used(run.Process.Pid) - used
	if err := run.Process.Signal(syscall.SIGTERM); err != nil {
		q.Fatal(err)
	}
	if err := run.Wait(); err != nil {
		q.Fatal(err)
	}
	q.memory = <-peak
}

// between is how long a service rests between cycles, so that they can be told apart.
const between = time.Minute

// cycle waits for a cycle to begin and to end, and gives how long it took.
func (q *quiet) cycle() time.Duration {
	q.Helper()
	was := q.last.Load()
	for q.last.Load() == was {
		time.Sleep(10 * time.Millisecond)
	}
	began := time.Unix(0, q.last.Load())
	for time.Since(time.Unix(0, q.last.Load())) < between/6 {
		time.Sleep(10 * time.Millisecond)
	}
	return time.Unix(0, q.last.Load()).Sub(began)
}

// used is the time that a process had on a processor, in the kernel's ticks of 10 ms.
func (q *quiet) used(pid int) time.Duration {
	q.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		q.Fatal(err)
	}
	_, after, _ := bytes.Cut(text, []byte(") "))
	fields := strings.Fields(string(after))
	sum := 0
	for _, ticks := range fields[11:13] {
		n, err := strconv.Atoi(ticks)
		if err != nil {
			q.Fatal(err)
		}
		sum += n
	}
	return time.Duration(sum) * 10 * time.Millisecond
}

// watchMemory gives the most memory that a process had, in MB, when it is gone. What the
// kernel says of a child at its end counts the memory of the parent that started it.
func watchMemory(pid int) float64 {
	most := 0.0
	for {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		found := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(text)
		if err != nil || found == nil {
			return most
		}
		if kb, err := strconv.ParseFloat(string(found[1]), 64); err == nil {
			most = kb / 1024
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// BenchmarkStart measures from the start of the process to its first write: a record
// that is there becomes a ticket.
func BenchmarkStart(b *testing.B) {
	q := newQuiet(b, 1)
	users := q.world.Populate()
	var first atomic.Int64
	var began time.Time
	q.world.Faults.Watch(func(r simulator.Request) {
		if r.Side == simulator.SideMMD && r.Method == http.MethodPost {
			first.CompareAndSwap(0, int64(time.Since(began)))
		}
	}, nil)
	var sum time.Duration
	n := 0
	for b.Loop() {
		q.world.Incident(users, fmt.Sprintf("New %d", n), nil)
		n++
		first.Store(0)
		began = time.Now()
		ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
		out, err := exec.CommandContext(ctx, q.binary, "run", "--once", "--config", q.config).CombinedOutput()
		cancel()
		if err != nil || !regexp.MustCompile(` created=1 `).Match(out) || first.Load() == 0 {
			b.Fatalf("%v\n%s", err, out)
		}
		sum += time.Duration(first.Load())
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(sum.Milliseconds())/float64(n), "ms-to-first-send")
}
