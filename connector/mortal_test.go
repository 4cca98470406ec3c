package connector_test

import (
	"context"
	"fmt"
	"hash/fnv"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"bridge/connector"
	"bridge/mapping"
	"bridge/plan"
)

// mortalWay lets the bridge die at the requests of its ways: after a page was read,
// before or after a write reached the server.
type mortalWay struct {
	*grave
	seed int64
	wide *atomic.Bool
	next http.RoundTripper
}

// travel is how long a request is on its way: drawn from the seed and the request, so
// that no two of them arrive at the same moment, and a seed plays the same each time.
func (w mortalWay) travel(r *http.Request) time.Duration {
	h := fnv.New64a()
	fmt.Fprint(h, w.seed, r.Method, r.URL) //nolint:errcheck // a hash takes everything
	if r.GetBody != nil {
		if body, err := r.GetBody(); err == nil {
			io.Copy(h, body) //nolint:errcheck // a hash takes everything
		}
	}
	return time.Millisecond + time.Duration(h.Sum64()%uint64(300*time.Millisecond))
}

func (w mortalWay) RoundTrip(r *http.Request) (*http.Response, error) {
	kind := "read"
	if r.Method != http.MethodGet {
		kind = "write"
	}
	if kind == "write" {
		time.Sleep(w.travel(r))
	}
	if w.at(kind, "before") {
		return nil, errDead
	}
	next := w.next
	if w.wide.Load() {
		next = wider{next, "^assignment_group.name=Microsoft Managed Desktop"}
	}
	out, err := next.RoundTrip(r)
	if w.at(kind, "after") {
		return nil, errDead
	}
	return out, err
}

// buried says that the bridge is dead.
func (g *grave) buried() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.dead
}

// mortalLedger lets the bridge die at its ledger's steps.
type mortalLedger struct {
	connector.Ledger
	*grave
}

func (l mortalLedger) Promise(ctx context.Context, p plan.Promise) ([]string, error) {
	return steps(l.grave, "promise", func() ([]string, error) { return l.Ledger.Promise(ctx, p) })
}

func (l mortalLedger) Begin(ctx context.Context, op plan.Op, now time.Time) (plan.Op, error) {
	kind := "begin"
	if op.Kind == plan.RecordUpdate {
		kind = "follow-up"
	}
	return steps(l.grave, kind, func() (plan.Op, error) { return l.Ledger.Begin(ctx, op, now) })
}

func (l mortalLedger) Settle(ctx context.Context, op plan.Op, p plan.Promise) ([]string, error) {
	return steps(l.grave, "settle", func() ([]string, error) { return l.Ledger.Settle(ctx, op, p) })
}

// steps takes one step of an op, unless the bridge is dead, or dies at it.
func steps[T any](g *grave, kind string, do func() (T, error)) (T, error) {
	var none T
	if g.at(kind, "before") {
		return none, errDead
	}
	out, err := do()
	if g.at(kind, "after") {
		return none, errDead
	}
	return out, err
}

// frost freezes a worker after a begin, so that its session ends and it does not know.
type frost struct {
	mu sync.Mutex
	// in is how many begins there are until it freezes; 0: not at all.
	in  int
	now func()
}

// chilledLedger is the ledger of a worker that can be frozen.
type chilledLedger struct {
	connector.Ledger
	*frost
}

// Claim gives a claim that a frozen worker still believes in.
func (l chilledLedger) Claim(ctx context.Context, name string) (held context.Context, release func(), err error) {
	held, release, err = l.Ledger.Claim(ctx, name)
	if err == nil && strings.HasPrefix(name, "link/") {
		held = context.WithoutCancel(held)
	}
	return held, release, err
}

func (l chilledLedger) Begin(ctx context.Context, op plan.Op, now time.Time) (plan.Op, error) {
	op, err := l.Ledger.Begin(ctx, op, now)
	l.mu.Lock()
	l.in--
	freeze := l.in == 0 && err == nil
	l.mu.Unlock()
	if freeze {
		l.now()
	}
	return op, err
}

// replicate starts a second worker on the same ledger.
func (p *play) replicate() {
	if p.second != nil {
		return
	}
	mine, loop, wrap := p.ledger, p.loop, p.wrap
	other := p.ledger.Session()
	p.ledger, p.wrap = other, nil
	p.start()
	p.second = &worker{p.loop, other}
	p.ledger, p.loop, p.wrap = mine, loop, wrap
}

// freeze freezes the first worker after one of its next begins, for longer than
// anybody waits for it.
func (p *play) freeze(begins int) {
	if p.frost != nil {
		p.frost.mu.Lock()
		p.frost.in = begins
		p.frost.mu.Unlock()
		return
	}
	pause := time.Duration(2+p.dice.IntN(10)) * time.Minute
	mine := p.ledger
	p.frost = &frost{in: begins, now: func() {
		p.say("  frozen between begin and write, for %s", pause)
		mine.Break()
		time.Sleep(pause)
		p.say("  goes on")
	}}
	inner := p.wrap
	p.wrap = func(l connector.Ledger) connector.Ledger { return chilledLedger{inner(l), p.frost} }
	p.start()
}

// rewrite starts the bridge with other rules.
func (p *play) rewrite(old, now string) {
	if p.source == "" {
		src, err := os.ReadFile("../mappings.yaml")
		if err != nil {
			p.Fatal(err)
		}
		p.source = string(src)
	}
	if !strings.Contains(p.source, old) {
		p.Fatalf("mappings.yaml has no %q", old)
	}
	p.source = strings.Replace(p.source, old, now, 1)
	rules, problems := mapping.Load("mappings.yaml", []byte(p.source), nil)
	if len(problems) > 0 {
		p.Fatal(problems)
	}
	p.rules = rules
	p.second = nil
	p.start()
}
