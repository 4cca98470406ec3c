package connector_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"bridge/connector"
	"bridge/simulator"
	"bridge/store"
)

// some gives how many seeds a storm of its own plays, and the first.
func some(t *testing.T, all, short int) (first, seeds int) {
	t.Helper()
	first, seeds = 1, all
	if testing.Short() {
		seeds = short
	}
	if n := number(t, "BRIDGE_SEED"); n > 0 {
		first, seeds = n, 1
	}
	if n := number(t, "BRIDGE_SEEDS"); n > 0 {
		seeds = n
	}
	return first, seeds
}

// TestTwoWorkersOnOneLedgerLeaveExactlyOneOfEverything plays the story with two
// workers that share a ledger, while requests fail at random and now and then one of
// them loses its session in the middle of its work, and goes on with a new one, as a
// process does that was frozen.
func TestTwoWorkersOnOneLedgerLeaveExactlyOneOfEverything(t *testing.T) {
	t.Parallel()
	first, seeds := some(t, 12, 4)
	for i := range seeds {
		seed := int64(first + i)
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { replicas(t, seed) })
		})
	}
}

// worker is one of several on a ledger.
type worker struct {
	loop   *connector.Connector
	ledger *store.Ledger
}

func replicas(t *testing.T, seed int64) {
	t.Helper()
	r := newRigOn(t, simulator.New(simulator.Config{Seed: seed}))
	r.settle = 30 * time.Second
	r.start()
	one := worker{r.loop, r.ledger}
	r.ledger = r.ledger.Session()
	r.start()
	two := worker{r.loop, r.ledger}
	r.ledger = one.ledger // which is closed in the end
	random := rand.New(rand.NewPCG(uint64(seed), 7))
	calm := func() {
		r.storm()
		for range 40 {
			both(t, one, two, random)
			time.Sleep(30 * time.Second)
		}
		r.byHand()
		r.storm()
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

// both runs a cycle of both at once; now and then one loses its session meanwhile.
func both(t *testing.T, one, two worker, random *rand.Rand) {
	t.Helper()
	var wait sync.WaitGroup
	for _, w := range []worker{one, two} {
		wait.Go(func() {
			if _, err := w.loop.Cycle(context.Background()); err != nil {
				t.Errorf("cycle: %v", err)
			}
		})
	}
	if random.IntN(4) == 0 {
		time.Sleep(time.Duration(random.IntN(2000)) * time.Millisecond)
		[]worker{one, two}[random.IntN(2)].ledger.Break()
	}
	wait.Wait()
}

// storm makes requests fail at random, on both sides.
func (r *rig) storm() {
	r.world.Faults.Random(0.08, simulator.RefusedBefore, simulator.ResetBefore, simulator.ResetAfter, simulator.LostAfter, simulator.Error500,
		simulator.Error500After, simulator.Error503, simulator.Error503After, simulator.TooMany, simulator.Slow, simulator.Truncated, simulator.Malformed,
		simulator.Partial, simulator.HTML, simulator.HTMLAfter, simulator.WrongType, simulator.Redirect, simulator.Accepted, simulator.EmptyList)
}

// TestALedgerThatIsSetBackInAStormLeavesExactlyOneOfEverything plays the story with
// an older copy of the ledger swapped in at some moment.
func TestALedgerThatIsSetBackInAStormLeavesExactlyOneOfEverything(t *testing.T) {
	t.Parallel()
	first, seeds := some(t, 12, 4)
	for i := range seeds {
		seed := int64(first + i)
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { restored(t, seed) })
		})
	}
}

func restored(t *testing.T, seed int64) {
	t.Helper()
	r := newRigOn(t, simulator.New(simulator.Config{Seed: seed}))
	r.settle = 30 * time.Second
	r.start()
	// There is always something that the older copy knows, and something that it does not.
	r.world.Incident(r.users, "Known to both", nil)
	r.rest()
	random := rand.New(rand.NewPCG(uint64(seed), 11))
	var backup *store.Ledger
	taken, swapped := random.IntN(3), 0
	swapped = taken + 1 + random.IntN(3-taken)
	step := 0
	calm := func() {
		r.storm()
		for range 40 {
			if _, err := r.loop.Cycle(context.Background()); err != nil {
				t.Fatalf("cycle: %v", err)
			}
			time.Sleep(30 * time.Second)
		}
		r.byHand()
		switch step {
		case taken:
			backup = copyOf(t, r.ledger)
			r.world.Incident(r.users, "The older copy does not know it", nil)
			r.rest()
		case swapped:
			r.setBack(backup)
			r.byHand() // what moves before the loss is discovered is a baseline
		}
		step++
		r.storm()
	}
	incidents, task := tell(r, calm)
	r.world.Faults.Clear()
	for range 3 {
		time.Sleep(20 * time.Minute)
		r.byHand()
	}
	r.rest()
	r.exactlyOnce(incidents, task)
	if n := len(r.world.MMD.Elevations()); n != 1 {
		t.Errorf("%d elevation requests\n%s", n, r.story())
	}
	if n := len(r.world.MMD.Tickets()); n != 4 {
		t.Errorf("%d tickets, want 4\n%s", n, r.story())
	}
}

func TestAWorkerThatWasFrozenAfterABeginSendsNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		cold := &frost{in: 1, now: func() { time.Sleep(10 * time.Minute) }}
		r.wrap = func(l connector.Ledger) connector.Ledger { return chilledLedger{l, cold} }
		r.start()
		incident := r.world.Incident(r.users, "Laptop does not start", nil)
		r.cycle()
		if n := len(r.world.MMD.Tickets()); n != 0 {
			t.Errorf("%d tickets were opened ten minutes after their begin: others may have looked for them meanwhile", n)
		}
		r.rest()
		r.ticketOf(incident)
	})
}
