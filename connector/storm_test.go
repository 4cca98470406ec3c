package connector_test

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"bridge/plan"
	"bridge/simulator"
)

// TestAStormOfFaultsLeavesExactlyOneOfEverything plays the story while requests
// fail at random, on both sides: a seed draws which. BRIDGE_SEED plays one alone,
// BRIDGE_SEEDS so many from there on.
func TestAStormOfFaultsLeavesExactlyOneOfEverything(t *testing.T) {
	t.Parallel()
	seeds, first := 60, 1
	if testing.Short() {
		seeds = 6
	}
	if n := number(t, "BRIDGE_SEED"); n > 0 {
		first, seeds = n, 1
	}
	if n := number(t, "BRIDGE_SEEDS"); n > 0 {
		seeds = n
	}
	for _, seed := range append(remembered(t), from(first, seeds)...) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { storm(t, seed) })
		})
	}
}

// from gives so many seeds.
func from(first, seeds int) []int64 {
	var out []int64
	for i := range seeds {
		out = append(out, int64(first+i))
	}
	return out
}

// remembered are the seeds that once failed, unless one was asked for. The short form,
// which is for the race detector, leaves them to the whole one.
func remembered(t *testing.T) []int64 {
	t.Helper()
	if os.Getenv("BRIDGE_SEED") != "" || testing.Short() {
		return nil
	}
	text, err := os.ReadFile("../testdata/seeds.txt")
	if err != nil {
		t.Fatal(err)
	}
	var out []int64
	for line := range strings.Lines(string(text)) {
		line, _, _ = strings.Cut(line, "#")
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		seed, err := strconv.ParseInt(line, 10, 64)
		if err != nil {
			t.Fatalf("testdata/seeds.txt: %v", err)
		}
		out = append(out, seed)
	}
	return out
}

// number reads a number from the environment; 0: it is not set.
func number(t *testing.T, name string) int {
	t.Helper()
	raw := os.Getenv(name)
	if raw == "" {
		return 0
	}
	n, err := strconv.Atoi(raw)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

func storm(t *testing.T, seed int64) {
	t.Helper()
	r := newRigOn(t, simulator.New(simulator.Config{Seed: seed}))
	r.settle = 30 * time.Second
	r.start()
	fail := func() {
		r.world.Faults.Random(0.08, simulator.RefusedBefore, simulator.ResetBefore, simulator.ResetAfter, simulator.LostAfter, simulator.Error500,
			simulator.Error500After, simulator.Error503, simulator.Error503After, simulator.TooMany, simulator.Slow, simulator.Truncated, simulator.Malformed,
			simulator.Partial, simulator.HTML, simulator.HTMLAfter, simulator.WrongType, simulator.Redirect, simulator.Accepted, simulator.EmptyList)
	}
	fail()
	calm := func() {
		// The story goes on when what happened so far has settled, as far as it does by itself.
		for range 40 {
			if _, err := r.loop.Cycle(context.Background()); err != nil {
				t.Fatalf("cycle: %v", err)
			}
			time.Sleep(30 * time.Second)
		}
		r.byHand()
		fail()
	}
	incidents, task := tell(r, calm)
	r.world.Faults.Clear()
	time.Sleep(20 * time.Minute)
	r.byHand()
	r.rest()
	r.exactlyOnce(incidents, task)
	if n := len(r.world.MMD.Elevations()); n != 1 {
		t.Errorf("%d elevation requests\n%s", n, r.story())
	}
}

// byHand has sent again what was sent twice and found never, as a person does who
// has looked for it: were it there, it would be there twice.
func (r *rig) byHand() {
	r.Helper()
	r.world.Faults.Clear()
	for range 10 {
		for op, err := range r.ledger.Ops(context.Background(), plan.OpQuery{States: []plan.State{plan.Doubt, plan.Parked}}) {
			if err != nil {
				r.Fatal(err)
			}
			if err := r.ledger.Retry(context.Background(), op.Key, "looked for it", time.Now()); err != nil {
				r.Fatal(err)
			}
		}
		r.cycle()
		time.Sleep(time.Minute)
	}
}
