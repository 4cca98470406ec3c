package plan

import (
	"slices"
	"strings"
	"time"
)

// Hidden says that a record shows comments as text and none of them as rows: the
// journal is closed to this user, and nothing of it would be sent, in silence.
func (r Record) Hidden(fields []string) bool {
	return len(r.Comments) == 0 && slices.ContainsFunc(fields, func(f string) bool { return r.Row[f].Display != "" })
}

// Lacks counts the comments that were seen before and are not among those that were
// read: the read does not show all, or they were deleted.
func (r Record) Lacks(story *Story) (n int) {
	if story == nil {
		return 0
	}
	read := map[string]bool{}
	for _, c := range r.Comments {
		read[c.ID] = true
	}
	for _, note := range story.Notes {
		if note.Side == ITSM && !read[note.ID] {
			n++
		}
	}
	return n
}

// lacking is where a link keeps since when its journal lacks so many comments.
const lacking = "lacking"

// lackFor is for how long a journal that lacks a comment is read again.
const lackFor = 24 * time.Hour

// Deleted says that the comments which a record lacks have been missing for so long,
// beside others, that somebody deleted them.
func (r Record) Deleted(story *Story) bool {
	base := story.Link.Base[lacking]
	since, err := time.Parse(time.RFC3339, base.Value)
	return err == nil && len(r.Comments) > 0 && base.Turn == r.Lacks(story) && r.Seen.Sub(since) >= lackFor
}

// lacks keeps since when the journal of a link lacks so many comments.
func lacks(link *Link, n int, now time.Time) {
	switch base := link.Base[lacking]; {
	case n == 0:
		delete(link.Base, lacking)
	case base.Turn != n:
		link.Base[lacking] = Baseline{Value: now.UTC().Format(time.RFC3339), Turn: n}
	}
}

// ofText says that a comment's identity is made of what a record shows as text.
func ofText(id string) bool { return strings.Contains(id, "/") }

// Mixed says that comments were read as rows before and as text now, or the other way
// round: none of them can be told from those that were passed on.
func (r Record) Mixed(story *Story) bool {
	if story == nil {
		return false
	}
	return slices.ContainsFunc(story.Notes, func(n Note) bool {
		return n.Side == ITSM && slices.ContainsFunc(r.Comments, func(c Comment) bool { return ofText(c.ID) != ofText(n.ID) })
	})
}

// Fresh gives the comments without those that only look new: of a text, one that says
// what a known one said which is not shown any more. A user's format or zone that
// changes gives all of them another time.
func (r Record) Fresh(story *Story) []Comment {
	if story == nil {
		return r.Comments
	}
	read := map[string]bool{}
	for _, c := range r.Comments {
		read[c.ID] = true
	}
	known, gone := map[string]bool{}, map[string]bool{}
	for _, n := range story.Notes {
		if known[n.ID] = true; n.Side == ITSM && ofText(n.ID) && !read[n.ID] {
			gone[n.Hash] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(r.Comments), func(c Comment) bool { return ofText(c.ID) && !known[c.ID] && gone[hash(c.Text)] })
}

// rev is the revision that counts as dealt with: none while the read is not sure.
func (r Record) rev() string {
	if r.Unsure {
		return ""
	}
	return r.Rev()
}
