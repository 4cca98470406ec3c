package main_test

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	main "bridge/cmd/bridge"
	"bridge/simulator"
)

// heard is what a command says, to be read while it runs.
type heard struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (h *heard) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.text.Write(p)
}

func (h *heard) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.text.String()
}

// waitFor waits until a text was said, and ends the test otherwise.
func (h *heard) waitFor(t *testing.T, text string) {
	t.Helper()
	for range 300 {
		if strings.Contains(h.String(), text) {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatalf("%q was not said in 30 s:\n%s", text, h)
}

// TestAServiceSaysOnceWhatKeepsItFromSending starts it while the vendor's tickets cannot be
// listed: nothing is sent until it is known whether its ledger is the newest.
func TestAServiceSaysOnceWhatKeepsItFromSending(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.world.Incident(s.users, "Known to exist", nil)
	s.must(0, "run", "--once")
	s.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "GET", Path: "tickets$", Kind: simulator.Error500, Times: -1})
	s.world.Incident(s.users, "Laptop does not start", nil)
	ctx, stop := context.WithCancel(t.Context())
	var errs heard
	ended := make(chan int, 1)
	go func() { ended <- main.Run(ctx, &bytes.Buffer{}, &errs, s.env, "run", "--config", s.config) }()
	const why = "what was sent before could not be read"
	errs.waitFor(t, why)
	before := s.world.Faults.Calls(simulator.SideMMD)
	for range 300 {
		if s.world.Faults.Calls(simulator.SideMMD) > before+4 { // some more cycles
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	if n := strings.Count(errs.String(), why); n != 1 || len(s.world.MMD.Tickets()) != 1 {
		t.Errorf("said %d times, %d tickets:\n%s", n, len(s.world.MMD.Tickets()), &errs)
	}
	s.world.Faults.Clear()
	errs.waitFor(t, "over: "+why)
	stop()
	if code := <-ended; code != 0 {
		t.Errorf("the service ended with %d:\n%s", code, &errs)
	}
	s.must(0, "run", "--once")
	if n := len(s.world.MMD.Tickets()); n != 2 {
		t.Errorf("%d tickets", n)
	}
}

// TestAServiceDoesNotCallOverWhatStands has a rule held, which its cycles say once.
func TestAServiceDoesNotCallOverWhatStands(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.env["BRIDGE_LIMITS_CREATES"] = "1"
	for range 3 {
		s.world.Incident(s.users, "Laptop does not start", nil)
	}
	ctx, stop := context.WithCancel(t.Context())
	var errs heard
	ended := make(chan int, 1)
	go func() { ended <- main.Run(ctx, &bytes.Buffer{}, &errs, s.env, "run", "--config", s.config) }()
	errs.waitFor(t, "is held")
	before := s.world.Faults.Calls(simulator.SideITSM)
	for range 300 {
		if s.world.Faults.Calls(simulator.SideITSM) > before+12 { // some more cycles
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	stop()
	if code := <-ended; code != 0 || strings.Contains(errs.String(), "over:") || strings.Count(errs.String(), "is held") != 1 {
		t.Errorf("the service ended with %d:\n%s", code, &errs)
	}
}
