package plan

import (
	"fmt"
	"time"
)

// flood holds the notes of a link that mirrors more of them in an hour than it
// may: two integrations that answer each other never end. Nothing is lost, the
// notes are promised all the same. What was said before the link began does not
// count.
func (p Planner) flood(link Link, ops, more []Op, now time.Time) []Hold {
	if p.NotesPerHour == 0 {
		return nil
	}
	since := now.Add(-time.Hour)
	for _, begin := range []time.Time{link.Created, link.Calmed} {
		if begin.After(since) {
			since = begin
		}
	}
	n := 0
	for _, some := range [][]Op{ops, more} {
		for _, op := range some {
			if (op.Kind == TicketNote || op.Kind == RecordNote) && op.Promised.After(since) {
				n++
			}
		}
	}
	if n <= p.NotesPerHour {
		return nil
	}
	return []Hold{{Rule: link.ID, What: HoldsNotes, Since: now, Reason: fmt.Sprintf(
		"%s mirrored %d notes in an hour, the limit is %d: see what writes them, then bridge resume %s", link.Number, n, p.NotesPerHour, link.Number)}}
}
