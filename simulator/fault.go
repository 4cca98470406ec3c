package simulator

import (
	"hash/fnv"
	"math/rand/v2"
	"strings"
	"sync"
	"time"
)

// Kind is what goes wrong with a request.
type Kind string

// The kinds of fault. "After" means that the server did what was asked.
const (
	RefusedBefore Kind = "refused"         // no connection
	ResetBefore   Kind = "reset"           // connection broken, nothing done
	LostAfter     Kind = "lost after"      // done, no answer
	Error500      Kind = "500 before"      // nothing done
	Error500After Kind = "500 after"       // done
	Error503After Kind = "503 after"       // done
	TooMany       Kind = "429"             // nothing done
	Slow          Kind = "slow"            // done, late
	Late          Kind = "late"            // the client gives up, then it is done
	Truncated     Kind = "truncated after" // done, the answer is cut off
	HTML          Kind = "html before"     // nothing done, a web page with 200
	HTMLAfter     Kind = "html after"      // done, a web page with 200
	EmptyList     Kind = "empty list"      // 200 with nothing in it
)

// Rule is one scripted fault.
type Rule struct {
	Side   string
	Method string
	// Path is a part of the path.
	Path string
	Kind Kind
	// Nth is the first matching request that it hits, counted from 1; 0 is 1.
	Nth int
	// Times is how many it hits; 0 is one, less than 0 is all.
	Times int
	// Delay is for slow and late, RetryAfter for 429, in seconds.
	Delay      time.Duration
	RetryAfter int

	seen int
}

// Request is one line of the log.
type Request struct {
	Side, Method, Path, Query, Body string
	Fault                           Kind
	At                              time.Time
}

// Faults decide what goes wrong: scripted, and drawn from the seed and the
// request itself, so that a schedule does not depend on who comes first.
type Faults struct {
	mu     sync.Mutex
	seed   int64
	now    func() time.Time
	rules  []*Rule
	chance float64
	kinds  []Kind
	times  map[string]int
	log    []Request
	keep   bool
	counts map[string]int
	before func(Request)
	after  func(Request)
}

func newFaults(seed int64, now func() time.Time) *Faults {
	return &Faults{seed: seed, now: now, times: map[string]int{}, counts: map[string]int{}}
}

// Add scripts a fault.
func (f *Faults) Add(r Rule) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules = append(f.rules, &r)
}

// Random draws a fault for each request with that chance, of those kinds.
func (f *Faults) Random(chance float64, kinds ...Kind) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.chance, f.kinds = chance, kinds
}

// Clear ends all faults.
func (f *Faults) Clear() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules, f.chance = nil, 0
}

// Keep writes every request into the log from now on.
func (f *Faults) Keep() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.keep = true
}

// Log gives the requests so far.
func (f *Faults) Log() []Request {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]Request(nil), f.log...)
}

// Calls counts the requests to a side.
func (f *Faults) Calls(side string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.counts[side]
}

// Watch calls before each request is done, and after.
func (f *Faults) Watch(before, after func(Request)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.before, f.after = before, after
}

// draw decides on one request.
func (f *Faults) draw(r Request) (rule Rule, before, after func(Request)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.counts[r.Side]++
	key := r.Side + r.Method + r.Path + r.Query + r.Body
	f.times[key]++
	for _, s := range f.rules {
		if s.Side != "" && s.Side != r.Side || s.Method != "" && s.Method != r.Method || !strings.Contains(r.Path, s.Path) {
			continue
		}
		s.seen++
		from, times := max(s.Nth, 1), s.Times
		if times == 0 {
			times = 1
		}
		if rule.Kind == "" && s.seen >= from && (times < 0 || s.seen < from+times) {
			rule = *s
		}
	}
	if rule.Kind == "" && f.chance > 0 && r.Side != SideAuthority {
		h := fnv.New64a()
		h.Write([]byte(key))                                                          //nolint:gosec // a hash takes everything
		dice := rand.New(rand.NewPCG(uint64(f.seed), h.Sum64()+uint64(f.times[key]))) //nolint:gosec // a schedule, no secret
		if dice.Float64() < f.chance {
			rule = Rule{Kind: f.kinds[dice.IntN(len(f.kinds))], Delay: time.Duration(dice.IntN(90)) * time.Second}
		}
	}
	r.Fault, r.At = rule.Kind, f.now()
	if f.keep {
		f.log = append(f.log, r)
	}
	return rule, f.before, f.after
}
