package connector_test

import (
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestSimulation plays the whole bridge against both sides under virtual time, with
// all that the protocol says it owns: a seed draws the schedule. The seeds that once
// failed are played each time, and others besides:
//
//	BRIDGE_SEED=N             that one alone
//	BRIDGE_SEEDS=N            so many from it on, else from 1
//	BRIDGE_SIMULATE=2m        for so long, from the time of day on
func TestSimulation(t *testing.T) {
	t.Parallel()
	first, seeds := some(t, 80, 5)
	until := time.Time{}
	if text := os.Getenv("BRIDGE_SIMULATE"); text != "" {
		d, err := time.ParseDuration(text)
		if err != nil {
			t.Fatalf("BRIDGE_SIMULATE: %v", err)
		}
		until = time.Now().Add(d)
		if os.Getenv("BRIDGE_SEED") == "" {
			first = int(time.Now().Unix())
		}
		seeds = 1 << 30
		fmt.Fprintf(os.Stderr, "simulation: for %s from seed %d on\n", d, first)
	}
	meter := meter{began: time.Now(), last: time.Now()}
	defer meter.tell(true)
	for _, seed := range remembered(t) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) { simulate(t, seed) })
	}
	for n := 0; n < seeds && !t.Failed() && (until.IsZero() || time.Now().Before(until)); n += abreast {
		t.Run("seeds", func(t *testing.T) {
			for i := range min(abreast, seeds-n) {
				seed := int64(first + n + i)
				t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
					t.Parallel()
					simulate(t, seed)
					meter.tell(false)
				})
			}
		})
	}
}

// abreast is how many seeds are played at a time before it is asked whether one failed.
const abreast = 10

// simulate plays one seed in a time of its own.
func simulate(t *testing.T, seed int64) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p := newPlay(t, seed)
		defer func() {
			if t.Failed() {
				t.Log(p.narrate())
			}
		}()
		p.tell()
		p.atRest()
	})
}

// meter says how many seeds a second are played.
type meter struct {
	mu          sync.Mutex
	seeds       int
	began, last time.Time
}

func (m *meter) tell(end bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !end {
		m.seeds++
	}
	if now := time.Now(); end || now.Sub(m.last) > 10*time.Second {
		m.last = now
		fmt.Fprintf(os.Stderr, "simulation: %d seeds, %.1f a second\n", m.seeds, float64(m.seeds)/now.Sub(m.began).Seconds())
	}
}

// TestTheSimulationPlaysAllThatItOwns wants each line of the list to be played over
// the seeds that every run plays.
func TestTheSimulationPlaysAllThatItOwns(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("the short form plays too few seeds for all lines")
	}
	var never []string
	for _, h := range slices.Concat(happenings(), newcomers()) {
		never = append(never, h.name)
	}
	for seed := range int64(30) {
		synctest.Test(t, func(t *testing.T) {
			for _, s := range newPlay(t, seed+1).scenes {
				never = slices.DeleteFunc(never, func(name string) bool { return name == s.name })
			}
		})
	}
	if len(never) > 0 {
		t.Errorf("never played: %q", never)
	}
}
