package connector

import (
	"hash/maphash"
	"math"
	"time"

	"bridge/mmd"
)

// calm remembers the tickets that were listed, and how those looked that meant nothing
// new: one that looks the same again is not compared with the ledger. It is a shortcut
// that may be forgotten at any time, and is: little by little in the time of a full
// scan, and at once when another worker may have read the tickets meanwhile.
type calm struct {
	seed  maphash.Seed
	since time.Time
	// above and upTo bound the looks that are forgotten in this round: all of them in
	// the time of a full scan.
	above, upTo uint64
	round       uint32
	// tickets are kept by the hash of their ids: there may be a hundred thousand.
	tickets map[uint64]sighting
}

// sighting is how a ticket looked when it was listed last, in which round, and whether
// that meant nothing.
type sighting struct {
	look  uint64
	round uint32
	calm  bool
}

// begin begins a round.
func (c *calm) begin(now time.Time, fullScan time.Duration) {
	if c.tickets == nil {
		*c = calm{seed: maphash.MakeSeed(), since: now, tickets: map[uint64]sighting{}}
	}
	c.round++
	if c.above = c.upTo; c.above == math.MaxUint64 {
		c.above, c.upTo = 0, 0
	}
	switch gone := now.Sub(c.since); {
	case fullScan <= 0:
	case gone >= fullScan:
		c.since, c.upTo = now, math.MaxUint64
	default:
		c.upTo = uint64(gone.Seconds() / fullScan.Seconds() * math.MaxUint64)
	}
}

// same takes down that a ticket is listed, and says that it looks as it did when that
// meant nothing.
func (c *calm) same(t mmd.Ticket) bool {
	id := maphash.String(c.seed, t.ID)
	was, is := c.tickets[id], c.look(t)
	calm := was.calm && was.look == is && (is <= c.above || is > c.upTo)
	c.tickets[id] = sighting{is, c.round, calm}
	return calm
}

// set takes down whether what a ticket looks like means nothing.
func (c *calm) set(id string, calm bool) {
	if c.tickets == nil {
		return // none was listed yet
	}
	key := maphash.String(c.seed, id)
	if s, known := c.tickets[key]; known {
		s.calm = calm
		c.tickets[key] = s
	}
}

// listed says that a ticket was listed in this round.
func (c *calm) listed(id string) bool {
	s, known := c.tickets[maphash.String(c.seed, id)]
	return known && s.round == c.round
}

// end forgets those that are not listed any more.
func (c *calm) end() {
	for id, s := range c.tickets {
		if s.round != c.round {
			delete(c.tickets, id)
		}
	}
}

// look is a hash of all that the rules can read of a ticket.
func (c *calm) look(t mmd.Ticket) uint64 {
	var h maphash.Hash
	h.SetSeed(c.seed)
	for _, cell := range cells(t) {
		_, _ = h.WriteString(cell.value)
		_ = h.WriteByte(0)
	}
	return h.Sum64()
}
