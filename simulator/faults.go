package simulator

import (
	"hash/fnv"
	"math/rand/v2"
	"net/url"
	"strings"
	"sync"
	"time"
)

// Request is one line of the log. Secrets in it are dots.
type Request struct {
	Side   string `json:"side"`
	Method string `json:"method"`
	Path   string `json:"path"`
	Query  string `json:"query"`
	Body   string `json:"body"`
	// Fault is what went wrong with it; Status what was answered, 0 if nothing was.
	Fault  Kind      `json:"fault"`
	Status int       `json:"status"`
	At     time.Time `json:"at"`
}

// Faults decide what goes wrong: scripted, and drawn from the seed and the
// request itself, so that a schedule does not depend on who comes first. They see
// every request, and keep the log of them.
type Faults struct {
	mu     sync.Mutex
	seed   int64
	now    func() time.Time
	rules  []*Rule
	chance float64
	kinds  []Kind
	times  map[uint64]int
	log    []*Request
	keep   bool
	counts map[string]int
	before func(Request)
	after  func(Request)
}

func newFaults(seed int64, now func() time.Time) *Faults {
	return &Faults{seed: seed, now: now, times: map[uint64]int{}, counts: map[string]int{}}
}

// Add scripts a fault. Of several that are about a request, the first one hits.
func (f *Faults) Add(r Rule) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules = append(f.rules, &r)
}

// Rules gives what is scripted.
func (f *Faults) Rules() []Rule {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := make([]Rule, 0, len(f.rules))
	for _, r := range f.rules {
		out = append(out, *r)
	}
	return out
}

// Random draws a fault for each request to a side with that chance, of those kinds.
// The authority is left alone: a rule with a probability can be about it.
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
	out := make([]Request, 0, len(f.log))
	for _, r := range f.log {
		out = append(out, *r)
	}
	return out
}

// Calls counts the requests to a side.
func (f *Faults) Calls(side string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.counts[side]
}

// Watch calls before each request is done, and after. A context that is cancelled in
// there ends the request at exactly that point.
func (f *Faults) Watch(before, after func(Request)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.before, f.after = before, after
}

// exchange is what is decided on one request.
type exchange struct {
	Rule
	request       *Request
	before, after func(Request)
}

// draw decides on one request.
func (f *Faults) draw(r Request) exchange {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.counts[r.Side]++
	x := exchange{request: &r, before: f.before, after: f.after}
	chance := sync.OnceValue(func() *rand.Rand { return f.dice(r) })
	for _, rule := range f.rules {
		if rule.hit(r, x.Kind == "", func() float64 { return chance().Float64() }) {
			x.Rule = *rule
		}
	}
	if x.Kind == "" && f.chance > 0 && r.Side != SideAuthority && len(f.kinds) > 0 {
		if dice := chance(); dice.Float64() < f.chance {
			x.Rule = Rule{Kind: f.kinds[dice.IntN(len(f.kinds))], Delay: time.Duration(dice.IntN(90)) * time.Second}
		}
	}
	r.Fault, r.At = x.Kind, f.now()
	if f.keep {
		f.log = append(f.log, x.request)
	}
	return x
}

// dice are of the seed, the request, and how often the same was asked before.
func (f *Faults) dice(r Request) *rand.Rand {
	h := fnv.New64a()
	for _, part := range []string{r.Side, r.Method, r.Path, r.Query, r.Body} {
		h.Write([]byte(part)) //nolint:gosec // a hash takes everything
		h.Write([]byte{0})    //nolint:gosec // a hash takes everything
	}
	key := h.Sum64()
	f.times[key]++
	return rand.New(rand.NewPCG(uint64(f.seed), key+uint64(f.times[key]))) //nolint:gosec // a schedule, no secret
}

// settle writes down what was answered.
func (f *Faults) settle(r *Request, status int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	r.Status = status
}

const dots = "•••"

// redacted leaves secrets out of a request: those of token requests, and keys in a query.
func redacted(r Request) Request {
	if r.Side == SideAuthority || r.Path == "/oauth_token.do" {
		r.Body = redactForm(r.Body)
		r.Query = redactForm(r.Query)
	} else if strings.Contains(strings.ToLower(r.Query), "apikey") {
		r.Query = redactForm(r.Query)
	}
	return r
}

func redactForm(text string) string {
	form, err := url.ParseQuery(text)
	if err != nil {
		return dots
	}
	for name := range form {
		switch strings.ToLower(name) {
		case "client_secret", "password", "client_assertion", "refresh_token", "code", "code_verifier", "device_code", "x-sn-apikey", "apikey":
			form[name] = []string{dots}
		}
	}
	text, err = url.QueryUnescape(form.Encode())
	if err != nil {
		return dots
	}
	return text
}
