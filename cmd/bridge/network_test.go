package main_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// network is two proxies of toxiproxy in front of the simulators: one for the desk,
// one for the vendor and its authority.
type network struct {
	*drama
	api     string
	program []string
	process *exec.Cmd
	doors   map[string]door
	// broken counts what was done to the network.
	broken map[string]int
}

// door is a proxy as toxiproxy has it.
type door struct {
	Name     string `json:"name"`
	Listen   string `json:"listen"`
	Upstream string `json:"upstream"`
	Enabled  bool   `json:"enabled"`
}

// toxic is one thing that toxiproxy does to a connection.
type toxic struct {
	Type       string         `json:"type"`
	Stream     string         `json:"stream"`
	Toxicity   float64        `json:"toxicity"`
	Attributes map[string]int `json:"attributes"`
}

// refused is drawn like a toxic: the proxy does not listen.
const refused = "refused"

// TestTheNetworkForReal plays the drama through proxies that delay, cut, truncate and
// refuse in both directions, drawn from a seed. BRIDGE_TOXIPROXY names the proxy's
// binary, BRIDGE_NETWORK plays the whole of it: make network.
func TestTheNetworkForReal(t *testing.T) {
	t.Parallel()
	program := os.Getenv("BRIDGE_TOXIPROXY")
	if program == "" {
		if slices.Contains(strings.Split(os.Getenv("BRIDGE_REQUIRE"), ","), "network") {
			t.Fatal("BRIDGE_TOXIPROXY names no binary, and BRIDGE_REQUIRE asks for network")
		}
		t.Skip("left out: a network that fails (BRIDGE_TOXIPROXY names no binary; make network builds one)")
	}
	d := newDrama(t, "BRIDGE_NETWORK")
	if d.pace = 150 * time.Millisecond; os.Getenv("BRIDGE_NETWORK") != "" {
		d.pace = 300 * time.Millisecond
	}
	n := &network{drama: d, broken: map[string]int{}, doors: map[string]door{}}
	n.begin(program)
	seed, err := strconv.ParseUint(cmp.Or(os.Getenv("BRIDGE_SEED"), strconv.FormatInt(time.Now().UnixNano(), 10)), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("the network's seed is %d", seed)

	service, says := n.serve()
	var over atomic.Bool
	var wait sync.WaitGroup
	wait.Go(func() { n.fails(&over, rand.New(rand.NewPCG(seed, 0))) })
	d.people(t.Context())
	pause(t.Context(), 2*time.Second)
	over.Store(true)
	wait.Wait()
	n.heals()
	pause(t.Context(), 2*time.Second)
	if err := service.Process.Signal(os.Interrupt); err != nil {
		t.Errorf("the service ended by itself: %v\n%s", err, says)
	}
	_ = service.Wait() // its code tells what is owed, which is counted below

	lost := strings.Count(says.String(), `"outcome":"unknown"`) + strings.Count(says.String(), "outcome=unknown")
	t.Logf("broken: %v; the service told of %d unknown outcomes in %d lines", n.broken, lost, strings.Count(says.String(), "\n"))
	if whole := os.Getenv("BRIDGE_NETWORK") != ""; len(n.broken) == 0 || whole && (len(n.broken) < 4 || lost == 0) {
		t.Errorf("the network failed in %d ways, and %d sends were unknown: this proves nothing", len(n.broken), lost)
	}
	d.ends()
}

// begin starts the proxies and leads bridge.yaml through them.
func (n *network) begin(program string) {
	n.Helper()
	l, err := (&net.ListenConfig{}).Listen(n.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		n.Fatal(err)
	}
	host, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		n.Fatal(err)
	}
	_ = l.Close() // the proxy's interface is to have it
	n.api = "http://" + net.JoinHostPort(host, port)
	n.program = []string{program, "-host", host, "-port", port}
	n.starts()
	n.Cleanup(func() { _ = n.process.Process.Kill(); _ = n.process.Wait() })
	text, err := os.ReadFile(n.config)
	if err != nil {
		n.Fatal(err)
	}
	world := regexp.MustCompile(`127\.0\.0\.1:\d+`).FindString(string(text))
	desk, vendor, found := strings.Cut(string(text), "\nmmd:")
	if !found {
		n.Fatalf("no vendor in %s", text)
	}
	text = []byte(strings.ReplaceAll(desk, world, n.proxy("itsm", world)) + "\nmmd:" + strings.ReplaceAll(vendor, world, n.proxy("mmd", world)))
	if err := os.WriteFile(n.config, text, 0o600); err != nil {
		n.Fatal(err)
	}
}

// starts starts the proxy, after it has ended the one before, and waits until it answers.
func (n *network) starts() {
	n.Helper()
	if n.process != nil {
		_ = n.process.Process.Kill()
		_ = n.process.Wait() // it was killed
	}
	n.process = exec.CommandContext(n.Context(), n.program[0], n.program[1:]...)
	if err := n.process.Start(); err != nil {
		n.Fatal(err)
	}
	for range 200 {
		r, err := http.NewRequestWithContext(n.Context(), http.MethodGet, n.api+"/version", nil)
		if err != nil {
			n.Fatal(err)
		}
		if reply, err := http.DefaultClient.Do(r); err == nil {
			_ = reply.Body.Close() // that it answers is enough
			return
		}
		pause(n.Context(), 50*time.Millisecond)
	}
	n.Fatal("toxiproxy does not answer")
}

// proxy makes one in front of an address, and says where it listens.
func (n *network) proxy(name, upstream string) string {
	n.Helper()
	made := door{Name: name, Listen: cmp.Or(n.doors[name].Listen, "127.0.0.1:0"), Upstream: upstream, Enabled: true}
	if err := n.ask("/proxies", made, &made); err != nil {
		n.Fatal(err)
	}
	n.doors[name] = made
	return made.Listen
}

// ask posts to toxiproxy.
func (n *network) ask(path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(n.Context(), http.MethodPost, n.api+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	reply, err := (&http.Client{Timeout: 3 * time.Second}).Do(r)
	if err != nil {
		return err
	}
	defer reply.Body.Close() //nolint:errcheck // it is read
	text, err := io.ReadAll(reply.Body)
	if err != nil {
		return err
	}
	if reply.StatusCode >= http.StatusBadRequest {
		return fmt.Errorf("toxiproxy: %s %s: %s %s", path, body, reply.Status, text)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(text, out)
}

// heals takes all that is broken away. The proxy may wait for ever on a connection
// that it stopped reading: then it is started again, which is one more way to fail.
func (n *network) heals() {
	if err := n.ask("/reset", nil, nil); err == nil {
		return
	}
	n.broken["restart"]++
	n.starts()
	for name, one := range n.doors {
		n.proxy(name, one.Upstream)
	}
}

// serve starts a service that lives through all of it.
func (n *network) serve() (*exec.Cmd, *bytes.Buffer) {
	n.Helper()
	var says bytes.Buffer
	c := exec.CommandContext(n.Context(), n.binary, "run", "--config", n.config)
	for name, value := range n.env {
		c.Env = append(c.Env, name+"="+value)
	}
	c.Stdout, c.Stderr = &says, &says
	if err := c.Start(); err != nil {
		n.Fatal(err)
	}
	return c, &says
}

// fails breaks the network for a moment, leaves it alone for another, and so on. What
// is done to one side says nothing about the other.
func (n *network) fails(over *atomic.Bool, draw *rand.Rand) {
	for !over.Load() {
		for _, side := range []string{"itsm", "mmd"} {
			if draw.IntN(3) > 0 {
				n.breaks(side, drawn(draw))
			}
		}
		pause(n.Context(), time.Duration(200+draw.IntN(900))*time.Millisecond)
		n.heals()
		pause(n.Context(), time.Duration(draw.IntN(1200))*time.Millisecond)
	}
}

// breaks does one thing to one side. Where the proxy does not answer, heals sees it too.
func (n *network) breaks(side string, bad toxic) {
	path, in := "/proxies/"+side+"/toxics", any(bad)
	if bad.Type == refused {
		path, in = "/proxies/"+side, map[string]any{"enabled": false}
	}
	if err := n.ask(path, in, nil); err == nil {
		n.broken[bad.Type]++
	}
}

// drawn is one way to fail.
func drawn(draw *rand.Rand) toxic {
	all := []toxic{
		{Type: "latency", Attributes: map[string]int{"latency": 20 + draw.IntN(400), "jitter": draw.IntN(200)}},
		{Type: "bandwidth", Attributes: map[string]int{"rate": 1 + draw.IntN(40)}},
		{Type: "slow_close", Attributes: map[string]int{"delay": draw.IntN(800)}},
		{Type: "timeout", Attributes: map[string]int{"timeout": 1 + draw.IntN(600)}},
		{Type: "reset_peer", Attributes: map[string]int{"timeout": draw.IntN(300)}},
		{Type: "limit_data", Attributes: map[string]int{"bytes": 1 + draw.IntN(6000)}},
		{Type: refused},
	}
	bad := all[draw.IntN(len(all))]
	bad.Stream = []string{"upstream", "downstream"}[draw.IntN(2)]
	bad.Toxicity = 1
	return bad
}
