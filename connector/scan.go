package connector

import (
	"fmt"
	"math"
	"time"

	"bridge/plan"
)

// span is one read of a feed: the rows that changed since a time, or those of a range
// of sys_ids, whenever they changed.
type span struct {
	since time.Time
	// above and upTo bound the sys_ids; empty: no bound.
	above, upTo string
	// scan says that this is a part of the full scan.
	scan bool
}

// portion is about how many rows of a full scan are read at once.
const portion = 1000

// part is the part of the full scan that is due, if any. A scan is cut into ranges of
// sys_ids, which are drawn at random, and spread over its interval: the more rows the
// last one had, the smaller are the parts. One of few rows is read at once.
//
//	time since the scan began    due
//	less than a part's           nothing
//	some parts' of several       up to the end of the last of them
//	all of it                    all that is left
func part(c plan.Cursor, now time.Time, every time.Duration) (span, bool) {
	if every <= 0 {
		return span{}, false
	}
	parts := c.Rows/portion + 1
	through := int(math.Min(now.Sub(c.Full).Seconds()/every.Seconds(), 1) * float64(parts))
	out := span{above: c.Scanned, scan: true}
	if through < parts {
		out.upTo = fmt.Sprintf("%016x", uint64(float64(through)/float64(parts)*math.MaxUint64)) // a sys_id begins so
	}
	return out, through == parts || through > 0 && out.upTo > c.Scanned
}

// read takes down that a span was read, and how many rows it had.
func (r *reading) read(s span, rows int) {
	if !s.scan {
		return
	}
	c := &r.cursor
	c.Scanned, c.Counted = s.upTo, c.Counted+rows
	if s.upTo == "" {
		c.Full, c.Rows, c.Counted = r.began, c.Counted, 0
	}
}

// holds says that a sys_id is one of the part's.
func (s span) holds(id string) bool {
	return id > s.above && (s.upTo == "" || id <= s.upTo)
}
