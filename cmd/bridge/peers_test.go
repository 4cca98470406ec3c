package main_test

import (
	"bytes"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"bridge/simulator"
)

// nodeRED is the version beside which the bridge is put.
const nodeRED = "4.1.8"

// worker is a program that turns incidents into tickets and writes their ids back.
type worker struct {
	name string
	// starts gives the program, which is started again after a kill.
	starts func(j *job) *exec.Cmd
}

// job is the incidents of one run, and what is seen of the work on them.
type job struct {
	*stage
	ids  []string
	dir  string
	half chan struct{}

	mu          sync.Mutex
	first, last time.Time
	patched     int
}

// waiting is how many incidents there are: with more, a flow that posts them all at once
// fails by itself.
const waiting = 1000

// TestBesideAFlow lets the bridge and a Node-RED flow do the same job against the same
// simulator, once in peace and once with a SIGKILL when half of it is done. It is a
// measurement: the table is its result. BRIDGE_PEERS plays it: make peers.
func TestBesideAFlow(t *testing.T) {
	if os.Getenv("BRIDGE_PEERS") == "" {
		t.Skip("left out: a comparison with Node-RED (make peers)")
	}
	red := installed(t)
	binary := filepath.Join(t.TempDir(), "bridge")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	flow := func(page int) func(j *job) *exec.Cmd {
		return func(j *job) *exec.Cmd { return j.flow(red, page) }
	}
	var table strings.Builder
	for _, w := range []worker{
		{"bridge", func(j *job) *exec.Cmd { return j.bridge(binary) }},
		{"Node-RED, 50 at a time", flow(50)},
		{"Node-RED, all at once", flow(waiting)},
	} {
		rate, peak := newJob(t).inPeace(w)
		twice, missing, doubt := newJob(t).killed(w)
		table.WriteString("| " + w.name + " | " + strconv.Itoa(rate) + " | " + strconv.Itoa(peak) + " MB | " + strconv.Itoa(twice) + " | " + strconv.Itoa(missing) + " | " + strconv.Itoa(doubt) + " |\n")
		if w.name == "bridge" && twice > 0 {
			t.Errorf("the bridge made %d tickets too many", twice)
		}
	}
	t.Logf("%d incidents; the last three columns are after a SIGKILL at half of them\n| | links/s | peak memory | tickets too many | without a ticket | said to be in doubt |\n|---|---|---|---|---|---|\n%s", waiting, &table)
}

// installed gives the folder of Node-RED, which is kept from one run to the next.
func installed(t *testing.T) string {
	t.Helper()
	for _, tool := range []string{"node", "npm"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Fatalf("%s is not here: apt-get install nodejs npm", tool)
		}
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(cache, "bridge-tools", "node-red-"+nodeRED)
	red := filepath.Join(dir, "node_modules", "node-red", "red.js")
	if _, err := os.Stat(red); err == nil {
		return red
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), "npm", "install", "--prefix", dir, "--ignore-scripts", "--no-audit", "--no-fund", "node-red@"+nodeRED)
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return red
}

// newJob is a world with incidents, all of which wait for their ticket.
func newJob(t *testing.T) *job {
	t.Helper()
	j := &job{stage: newStage(t), half: make(chan struct{})}
	j.dir = filepath.Dir(j.config)
	for range waiting {
		j.ids = append(j.ids, j.world.Incident(j.users, "Laptop does not start", nil))
	}
	j.env["BRIDGE_LIMITS_CREATES"] = "0"
	j.world.Faults.Watch(func(r simulator.Request) {
		if r.Side == simulator.SideAuthority || r.Method == http.MethodGet {
			return
		}
		j.mu.Lock()
		defer j.mu.Unlock()
		if j.last = time.Now(); j.first.IsZero() {
			j.first = j.last
		}
		if r.Method == http.MethodPatch {
			if j.patched++; j.patched == waiting/2+17 { // not where a page of the flow ends
				close(j.half)
			}
		}
	}, nil)
	return j
}

func (j *job) bridge(binary string) *exec.Cmd {
	c := exec.CommandContext(j.Context(), binary, "run", "--config", j.config)
	for name, value := range j.env {
		c.Env = append(c.Env, name+"="+value)
	}
	return c
}

func (j *job) flow(red string, page int) *exec.Cmd {
	for _, name := range []string{"flow.json", "settings.js"} {
		text, err := os.ReadFile(filepath.Join("testdata", "peers", name))
		if err != nil {
			j.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(j.dir, name), text, 0o600); err != nil {
			j.Fatal(err)
		}
	}
	c := exec.CommandContext(j.Context(), "node", red, "--userDir", j.dir, "--settings", filepath.Join(j.dir, "settings.js"))
	c.Env = append(os.Environ(), "NODE_EXTRA_CA_CERTS="+filepath.Join(j.dir, "ca.pem"), "PAGE="+strconv.Itoa(page),
		"DESK_URL="+j.url, "DESK_USER="+simulator.Username, "DESK_PASSWORD="+simulator.Password,
		"VENDOR_URL="+j.url+"/support/odata/v1/", "TOKEN_URL="+j.url+"/"+simulator.Tenant+"/oauth2/v2.0/token",
		"CLIENT_ID="+simulator.ClientID, "CLIENT_SECRET="+simulator.ClientSecret, "SCOPE=https://api.test/.default")
	return c
}

// start starts a program, and gives what it says and how it is ended.
func (j *job) start(w worker) (c *exec.Cmd, says *bytes.Buffer, end func()) {
	j.Helper()
	c, says = w.starts(j), &bytes.Buffer{}
	c.Stdout, c.Stderr = says, says
	if err := c.Start(); err != nil {
		j.Fatal(err)
	}
	return c, says, func() {
		_ = c.Process.Kill()
		_ = c.Wait() // it was killed
	}
}

// linked waits until each incident has the id of a ticket, and says how many have none.
func (j *job) linked() (missing int) {
	for deadline := time.Now().Add(60 * time.Second); time.Now().Before(deadline); pause(j.Context(), 200*time.Millisecond) {
		missing = 0
		for _, id := range j.ids {
			if j.world.ITSM.Row("incident", id)["correlation_id"] == "" {
				missing++
			}
		}
		if missing == 0 {
			break
		}
	}
	return missing
}

// inPeace measures links a second, from the first write to the last, and peak memory.
func (j *job) inPeace(w worker) (rate, peak int) {
	j.Helper()
	c, says, end := j.start(w)
	missing := j.linked()
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(c.Process.Pid), "status"))
	end()
	if n := len(j.world.MMD.Tickets()); missing > 0 || n != waiting || err != nil {
		j.Fatalf("%s: %d tickets, %d incidents without one, %v\n%s", w.name, n, missing, err, says)
	}
	_, after, _ := strings.Cut(string(text), "VmHWM:")
	kilobytes, err := strconv.Atoi(strings.Fields(after + " ?")[0])
	if err != nil {
		j.Fatal(err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	return int(waiting / j.last.Sub(j.first).Seconds()), kilobytes / 1024
}

// killed kills the program when half is done, starts it again, and counts the tickets
// that are too many, the incidents without one, and what the bridge says of them.
func (j *job) killed(w worker) (twice, missing, doubt int) {
	j.Helper()
	_, says, end := j.start(w)
	select {
	case <-j.half:
	case <-time.After(2 * time.Minute):
		j.Errorf("%s: half was not done in two minutes\n%s", w.name, says)
	}
	end()
	_, _, end = j.start(w)
	missing = j.linked()
	pause(j.Context(), 3*time.Second) // a late duplicate is one too
	end()
	numbers := map[string]int{}
	for _, ticket := range j.world.MMD.Tickets() {
		number, _, _ := strings.Cut(ticket.Title, ":")
		if numbers[number]++; numbers[number] > 1 {
			twice++
		}
	}
	if w.name == "bridge" {
		doubt = strings.Count(j.must(0, "status", "-o", "json"), `"DOUBT"`)
	}
	return twice, missing, doubt
}
