package simulator

import (
	"strings"
	"time"
)

// Kind is what goes wrong with a request.
type Kind string

// The kinds of fault. "Before" means that nothing was done, "after" that the server
// did what was asked.
const (
	RefusedBefore Kind = "refused"         // no connection
	ResetBefore   Kind = "reset"           // the connection breaks, nothing done
	ResetAfter    Kind = "reset after"     // done, the connection breaks
	LostAfter     Kind = "lost after"      // done, the connection ends without an answer
	Error500      Kind = "500 before"      // nothing done
	Error500After Kind = "500 after"       // done
	Error503      Kind = "503 before"      // nothing done
	Error503After Kind = "503 after"       // done
	TooMany       Kind = "429"             // nothing done
	Slow          Kind = "slow"            // done, the answer takes its time
	Late          Kind = "late"            // done after a delay, for which nobody waits
	Truncated     Kind = "truncated after" // done, the connection ends within the answer
	Malformed     Kind = "malformed after" // done, an answer that is whole and no JSON
	Partial       Kind = "partial after"   // done, 200 with some rows and an error behind them
	HTML          Kind = "html before"     // nothing done, a web page with 200
	HTMLAfter     Kind = "html after"      // done, a web page with 200
	WrongType     Kind = "wrong type"      // done, JSON that claims to be text
	Redirect      Kind = "redirect"        // nothing done, 302 to where people sign in
	Accepted      Kind = "202"             // nothing done, 202 without a body
	EmptyList     Kind = "empty list"      // nothing done, 200 with nothing in it
	Answer        Kind = "answer"          // nothing done, the rule's own status and body
)

// Kinds lists all of them.
func Kinds() []Kind {
	return []Kind{
		RefusedBefore, ResetBefore, ResetAfter, LostAfter, Error500, Error500After, Error503, Error503After, TooMany, Slow, Late, Truncated, Malformed,
		Partial, HTML, HTMLAfter, WrongType, Redirect, Accepted, EmptyList, Answer,
	}
}

// Executes says whether the server does what is asked under a fault.
func (k Kind) Executes() bool {
	switch k {
	case RefusedBefore, ResetBefore, Error500, Error503, TooMany, HTML, Redirect, Accepted, EmptyList, Answer:
		return false
	case ResetAfter, LostAfter, Error500After, Error503After, Slow, Late, Truncated, Malformed, Partial, HTMLAfter, WrongType:
	}
	return true
}

// Rule is one scripted fault. What is empty matches everything.
type Rule struct {
	Side   string `json:"side"`
	Method string `json:"method"`
	// Path is a part of the path; with a $ behind it, its end: "tickets$" is not a ticket's notes.
	Path string `json:"path"`
	Kind Kind   `json:"kind"`
	// Nth is the first matching request that it hits, counted from 1; 0 is 1.
	Nth int `json:"nth"`
	// Every hits each so-many-th from there on; 0 is each.
	Every int `json:"every"`
	// Probability hits by chance, drawn from the seed and the request; 0 is always.
	Probability float64 `json:"probability"`
	// Times is how many it hits; 0 is one, or all with Every or Probability; less
	// than 0 is all.
	Times int `json:"times"`
	// Delay is for slow and late, RetryAfter for any answer, in seconds.
	Delay      time.Duration `json:"delay"`
	RetryAfter int           `json:"retry_after"`
	// Status and Body are what the kind "answer" answers.
	Status int    `json:"status"`
	Body   string `json:"body"`

	seen, hits int
}

// on says whether the rule is about a path.
func (r *Rule) on(path string) bool {
	if end, ends := strings.CutSuffix(r.Path, "$"); ends {
		return strings.HasSuffix(path, end)
	}
	return strings.Contains(path, r.Path)
}

// hit counts a request, and says whether the rule is about it. free: no other rule is.
func (r *Rule) hit(q Request, free bool, chance func() float64) bool {
	if r.Side != "" && r.Side != q.Side || r.Method != "" && r.Method != q.Method || !r.on(q.Path) {
		return false
	}
	r.seen++
	past := r.seen - max(r.Nth, 1)
	times := r.Times
	if times == 0 && r.Every == 0 && r.Probability == 0 {
		times = 1
	}
	switch {
	case past < 0 || r.Every > 0 && past%r.Every != 0 || times > 0 && r.hits >= times || !free:
		return false
	case r.Probability > 0 && chance() >= r.Probability:
		return false
	}
	r.hits++
	return true
}
