package mmd

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
)

// ErrRepeats says that a list cannot be read to its end: the server gives what it has
// given before, whatever $skip says.
var ErrRepeats = errors.New("the list is not complete: the server repeats a page, whatever $skip says")

// stalePages is how many pages in a row may bring nothing new: while objects arrive,
// one may.
const stalePages = 3

// place is a path, and its name without identities. Objects that only look alike have no
// id: two of them on one page are two.
type place struct {
	path, name string
	lookAlike  bool
}

// list pages through a collection to its end. Objects that arrive in mid-list shift the
// pages: what was seen is not given twice.
func list[T any](ctx context.Context, s service, at place, o ListOptions, id func(T) string) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		seen := map[string]int{} // on which page
		var now turn
		given, stale := 0, 0
		for skip, number := o.Skip, 1; ; number++ {
			top := s.page
			if o.Top > 0 {
				top = min(top, o.Top-given)
			}
			page, next, err := read[T](ctx, s, at, o.query(skip, top))
			if err != nil {
				yield(none, err)
				return
			}
			now = now.next(skip, len(page) != top && next == nil)
			for _, item := range page {
				now.ids = append(now.ids, id(item))
			}
			if now.repeats() {
				return
			}
			stale++
			for i, item := range page {
				if key := now.ids[i]; key != "" {
					if on, known := seen[key]; known && (on != number || !at.lookAlike) {
						continue
					}
					seen[key], stale = number, 0
				}
				given++
				if !yield(item, nil) {
					return
				}
			}
			if s.rest.last(at, o, now) || o.Top > 0 && given >= o.Top {
				return
			}
			if stale == stalePages {
				yield(none, unsure(at.name, ErrRepeats))
				return
			}
			skip += len(page)
		}
	}
}

// turn is a page, and the one before it.
type turn struct {
	skip int
	// uneven: it does not hold as many objects as were asked for, and names no next page.
	uneven bool
	// ids are what its objects are told from others by, before those of the page before.
	ids, before []string
}

func (t turn) next(skip int, uneven bool) turn {
	return turn{skip: skip, uneven: uneven, ids: t.before[:0], before: t.ids}
}

// repeats says that such a page is the one before again: this server heeds no $skip,
// and gives all that it has.
func (t turn) repeats() bool { return t.uneven && len(t.ids) > 0 && slices.Equal(t.ids, t.before) }

// reach is what is known of how far a collection's lists reach.
type reach struct {
	// most is how many objects the longest page held.
	most int
	// end is a page that nothing followed: where it began, and the ids on it.
	end string
}

// last says whether a page was the last. A server may give fewer objects at once than it
// is asked for, and say nothing of it.
//
//	the page                                           was the last
//	is as long as was asked for, or names a next one   no
//	is empty                                           yes
//	is shorter than one that the server gave before    yes
//	is one that nothing followed before                yes
//	is as long as the longest there was                perhaps: the next is asked for
func (c *conversation) last(at place, o ListOptions, t turn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.known[at.name]
	most := r.most
	r.most = max(most, len(t.ids))
	// What is new stands at the top of a list that shows the newest first, so that the
	// page is another one. Of any other list, an end is good once.
	stands := t.uneven && o.OrderBy == NewestFirst
	if stands && len(t.ids) == 0 {
		r.end = o.named(t.skip-len(t.before), t.before)
	}
	c.known[at.name] = r
	return t.uneven && (len(t.ids) < most || len(t.ids) == 0) || stands && r.end == o.named(t.skip, t.ids)
}

// named names a page.
func (o ListOptions) named(skip int, ids []string) string {
	return fmt.Sprintf("%q %q %d %q", o.Filter, o.Search, skip, ids)
}
