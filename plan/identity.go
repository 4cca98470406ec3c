package plan

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// notice is a note that is not as it was known: new, edited, or re-signed.
type notice struct {
	VendorNote
	// id is its identity: its time as written, its sender, and its ordinal among equals.
	id, text, hash string
	// was is the identity under which it was known; empty: it is new.
	was string
}

// news says that people have not read it: a re-signed note they have.
func (n notice) news() bool { return n.was == "" || n.was == n.id }

// identify finds which notes are not as they were known. The vendor's ids look like
// indexes, so a note is known by its time, its sender and, among equals, its text:
// the order of a list, and a note that was deleted before it, change nothing.
//
//	among those of one time and sender   result
//	the same text                        the same note
//	fewer known than there are           the rest is new
//	a known one without its text         it was edited
//	none, but the same text of the same time under a sender that is gone: re-signed
func identify(seen seenNotes, notes []VendorNote) []notice {
	known := knownNotes(seen)
	var out []notice
	for _, group := range equals(notes) {
		have := known[group[0].Raw+"|"+group[0].Sender]
		var rest []notice
		for _, n := range group {
			if id := have.take(func(_, was string) bool { return was == n.hash }); id == "" {
				rest = append(rest, n)
			}
		}
		for _, n := range rest {
			if n.id = have.take(func(string, string) bool { return true }); n.id != "" {
				n.was = n.id
			}
			out = append(out, n)
		}
	}
	name(out, known)
	slices.SortStableFunc(out, func(a, b notice) int { return a.At.Compare(b.At) })
	return out
}

// equals groups notes of one time and sender, in the order of the list.
func equals(notes []VendorNote) [][]notice {
	at := map[string]int{}
	var out [][]notice
	for _, n := range notes {
		group := n.Raw + "|" + n.Sender
		i, ok := at[group]
		if !ok {
			i, out = len(out), append(out, nil)
			at[group] = i
		}
		text := plainNote(n)
		out[i] = append(out[i], notice{VendorNote: n, text: text, hash: hash(text)})
	}
	return out
}

// name gives new notes their identities, and finds those that are known under
// another sender.
func name(notes []notice, known map[string]*sameNotes) {
	for i := range notes {
		n := &notes[i]
		if n.id != "" {
			continue
		}
		group := n.Raw + "|" + n.Sender
		for _, other := range slices.Sorted(maps.Keys(known)) {
			if strings.HasPrefix(other, n.Raw+"|") && other != group && n.was == "" {
				n.was = known[other].take(func(_, was string) bool { return was == n.hash })
			}
		}
		have := known[group]
		if have == nil {
			have = &sameNotes{}
			known[group] = have
		}
		have.last++
		n.id = group + "|" + strconv.Itoa(have.last)
	}
}

// sameNotes are the known notes of one time and sender that were not found again
// yet, and the last ordinal that was given.
type sameNotes struct {
	ids, hashes []string
	last        int
}

// take gives away the first known note that fits.
func (s *sameNotes) take(fits func(id, hash string) bool) string {
	if s == nil {
		return ""
	}
	for i, id := range s.ids {
		if fits(id, s.hashes[i]) {
			s.ids, s.hashes = slices.Delete(s.ids, i, i+1), slices.Delete(s.hashes, i, i+1)
			return id
		}
	}
	return ""
}

// knownNotes groups what is known by time and sender, in the order of the ordinals.
func knownNotes(seen seenNotes) map[string]*sameNotes {
	out := map[string]*sameNotes{}
	for _, id := range slices.SortedFunc(maps.Keys(seen.ids), byOrdinal) {
		group, ordinal := splitIdentity(id)
		have := out[group]
		if have == nil {
			have = &sameNotes{}
			out[group] = have
		}
		have.ids, have.hashes, have.last = append(have.ids, id), append(have.hashes, seen.ids[id]), max(have.last, ordinal)
	}
	return out
}

func byOrdinal(a, b string) int {
	groupA, a1 := splitIdentity(a)
	groupB, b1 := splitIdentity(b)
	if groupA != groupB {
		return strings.Compare(groupA, groupB)
	}
	return a1 - b1
}

func splitIdentity(id string) (group string, ordinal int) {
	at := strings.LastIndexByte(id, '|')
	if at < 0 {
		return id, 0
	}
	n, err := strconv.Atoi(id[at+1:])
	if err != nil {
		return id, 0
	}
	return id[:at], n
}
