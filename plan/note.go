package plan

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"bridge/mapping"
)

// VendorNote is one note of a ticket, as it came.
type VendorNote struct {
	Sender string
	Text   string
	HTML   bool
	At     time.Time
	// Raw is the time as it was written: part of the note's identity.
	Raw string
}

// seenNotes is what the ledger knows of the notes on one side of a link.
type seenNotes struct {
	ids map[string]string // identity -> hash of its text
	// marks are those that its own notes carry, by identity.
	marks map[string]string
	// mine are the marks that the bridge wrote, taken those that a note already carries.
	mine, taken map[string]bool
	// lost says that a mark is of this pair, and until when a ledger that is lost may have written it.
	owns func(mark string) bool
	lost time.Time
}

// seen gathers the notes of one side and the marks of the ops that write there.
func (p Planner) seen(story Story, side Side, writes Kind) seenNotes {
	s := seenNotes{ids: map[string]string{}, marks: map[string]string{}, mine: map[string]bool{}, taken: map[string]bool{}, owns: p.Pair.Owns, lost: p.lost()}
	for _, n := range story.Notes {
		if n.Side != side {
			continue
		}
		s.ids[n.ID] = n.Hash
		if n.Mark != "" {
			s.taken[n.Mark], s.marks[n.ID] = true, n.Mark
		}
	}
	for _, op := range story.Ops {
		if op.Kind == writes {
			s.mine[op.Mark] = true
		}
	}
	return s
}

func (s seenNotes) has(id string) bool { _, ok := s.ids[id]; return ok }

// claim says whether a text is the bridge's own: its first line ends with a mark
// that the ledger knows for this link (or that a lost ledger may have written), and
// no earlier note carries it. A later one is a quotation by a person, and is mirrored.
func (s seenNotes) claim(text string, at time.Time) string {
	mark := MarkOf(text)
	lost := !at.After(s.lost) && s.owns(mark)
	if mark == "" || s.taken[mark] || (!s.mine[mark] && !lost) {
		return ""
	}
	s.taken[mark] = true
	return mark
}

// LinkedNotes decides what a ticket's notes mean for its record: each new one that
// is not the bridge's own becomes a work note, in order. An empty list proves
// nothing.
//
//	identity  text     own mark  result
//	known     same     any       nothing
//	known     changed  no        said once on the record: edited
//	known     changed  yes       nothing: it is our own words
//	re-signed same     any       nothing: the same note under another sender
//	new       any      yes       nothing: it is ours
//	new       any      no        work note
func (p Planner) LinkedNotes(rule *mapping.TicketRule, story Story, notes []VendorNote, now time.Time) Promise {
	seen := p.seen(story, MMD, TicketNote)
	link := story.Link.clone()
	out := Promise{At: now}
	for _, n := range identify(seen, inOrder(notes)) {
		note := Note{Link: link.ID, Side: MMD, ID: n.id, Hash: n.hash, Seen: now, Mark: seen.marks[n.was]}
		if n.was == "" {
			note.Mark = seen.claim(n.text, n.At)
		}
		out.Notes = append(out.Notes, note)
		if known := link.Adopted && n.At.Before(link.Created); note.Mark == "" && !known && n.news() {
			out.Ops = append(out.Ops, p.recordNotes(rule, Story{Link: link, Ops: story.Ops}, n, now)...)
		}
	}
	link.Adopted = link.Adopted && len(notes) == 0 // an empty list proves nothing
	out.Holds = p.flood(link, story.Ops, out.Ops, now)
	p.vanished(&link, story, seen, len(notes) > 0, now)
	p.silence(&link, len(out.Notes) > 0, now)
	out.Links = []Link{link}
	return out
}

// recordNotes gives the work notes for one vendor's note: several parts when it is long.
func (p Planner) recordNotes(rule *mapping.TicketRule, story Story, n notice, now time.Time) []Op {
	link := story.Link
	in := mapping.Input{Note: mapping.Row{"text": {Value: n.text}, "author": {Value: n.Sender}, "sender": {Value: n.Sender}}}
	if ok, _ := rule.TakeNote(in); !ok {
		return nil
	}
	var out []Op
	item, text, why := n.id, n.text, "note by "+n.Sender
	if n.was != "" {
		item, text, why = editOf(story, RecordNote, n.id, n.hash), edited+n.text, why+" was edited"
	}
	for i, piece := range parts(text, journalChars-200) {
		part := strconv.Itoa(i + 1)
		mark := p.Pair.Mark(link.Record, RecordNote, item, part)
		body := forRecord(head(n.Sender, n.At, link.MMD, mark), piece)
		out = append(out, Op{
			Key: key(RecordNote, link.Record, item, part), Link: link.ID, Rule: rule.Name, Kind: RecordNote, State: Promised, Mark: mark,
			Body: marshal(map[string]string{rule.NotesTo.Field: body}), Why: why, Fact: n.At,
			Promised: now, Due: now, Basis: Basis{Seen: now},
		})
	}
	return out
}

// inOrder sorts notes by their time; equals keep the order of the list.
func inOrder(notes []VendorNote) []VendorNote {
	notes = slices.Clone(notes)
	slices.SortStableFunc(notes, func(a, b VendorNote) int { return a.At.Compare(b.At) })
	return notes
}

// silence sets when the notes are due next: one interval after something
// happened, then after 2, 4, 8 … intervals, up to the bound.
func (p Planner) silence(link *Link, moved bool, now time.Time) {
	link.NotesWait *= 2
	if moved || link.NotesWait <= 0 {
		link.NotesWait = p.NotesEvery
	}
	if moved {
		link.Moved = now
	}
	if p.NotesMax > 0 && link.NotesWait > p.NotesMax {
		link.NotesWait = p.NotesMax
	}
	link.NotesDue = now.Add(link.NotesWait)
}

// vanished lists the notes that the vendor acknowledged and does not show: after
// the settle delay, and only if the read is known to see.
func (p Planner) vanished(link *Link, story Story, seen seenNotes, sees bool, now time.Time) {
	if !sees {
		return
	}
	link.Vanished = slices.DeleteFunc(link.Vanished, func(mark string) bool { return seen.taken[mark] })
	for _, op := range story.Ops {
		late := op.Kind == TicketNote && op.State == Done && !seen.taken[op.Mark] && now.Sub(op.Ended) > p.Settle
		if late && !slices.Contains(link.Vanished, op.Mark) {
			link.Vanished = append(link.Vanished, op.Mark)
		}
	}
}

// report gives the line that is said on the record about an event of its link.
func (p Planner) report(field string, link Link, event, text string, now time.Time) []Op {
	if field == "" {
		return nil
	}
	item := "report/" + event + "/" + strconv.Itoa(link.Generation)
	mark := p.Pair.Mark(link.Record, RecordNote, item, "1")
	object := link.MMD
	if object == "" {
		object = link.Number
	}
	body := forRecord(head("bridge", now, object, mark), text)
	return []Op{{
		Key: key(RecordNote, link.Record, item, "1"), Link: link.ID, Rule: link.Rule, Kind: RecordNote, State: Promised, Mark: mark,
		Body: marshal(map[string]string{field: body}), Why: fmt.Sprintf("report %s: %s", event, text), Promised: now, Due: now, Basis: Basis{Seen: now},
	}}
}

// CarriesMark says that a ticket's note is the bridge's own with that mark.
func CarriesMark(n VendorNote, mark string) bool { return mark != "" && MarkOfNote(n) == mark }

// MarkOfNote gives the mark that a ticket's note carries, or nothing.
func MarkOfNote(n VendorNote) string { return MarkOf(plainNote(n)) }

// SaysAgain gives the mark of a ticket's note that says what an op is to say, at the
// same minute, under another mark of this pair; empty: it does not. A ledger that was
// lost may have known a comment by another identity, since it read journals in another
// way.
func (p Planner) SaysAgain(n VendorNote, op Op) string {
	var body struct {
		Text string `json:"text"`
	}
	if op.Kind != TicketNote || json.Unmarshal(op.Body, &body) != nil {
		return ""
	}
	text := plainNote(n)
	mark := MarkOf(text)
	when, words := saying(text)
	sent, own := saying(readable(body.Text))
	if mark == op.Mark || !p.Pair.Owns(mark) || when == "" || when != sent || words != own {
		return ""
	}
	return mark
}

// SaidOtherwise compares the words of an op with those that were found under its mark
// by a ledger that was lost: where they differ, what it passes on was edited since. The
// source is then known by the words that were found, so that it is told as edited.
func (p Planner) SaidOtherwise(op Op, found string, now time.Time) (Note, bool) {
	side, text := ITSM, ""
	var set map[string]string
	if op.Kind == RecordNote {
		side = MMD
	}
	if json.Unmarshal(op.Body, &set) != nil || len(set) != 1 {
		return Note{}, false
	}
	for _, value := range set {
		text = value
	}
	if op.Kind == TicketNote {
		text = readable(text)
	}
	_, record, _ := strings.Cut(op.Link, "/")
	item := strings.TrimPrefix(op.Key, key(op.Kind, record)+"/")
	item = item[:max(strings.LastIndexByte(item, '/'), 0)] // without its part
	if item == "" || ownWords(op.Key, item) || below(found) == below(text) {
		return Note{}, false
	}
	return Note{Link: op.Link, Side: side, ID: item, Hash: hash(below(found)), Seen: now}, true
}

// ownWords says that an op is the bridge's own line, and passes on nobody's note as it is.
func ownWords(key, item string) bool {
	return strings.HasPrefix(item, "report/") || strings.HasPrefix(item, "event/") || strings.HasPrefix(item, "tell/") ||
		strings.Contains(item, "/edit/") || strings.HasSuffix(key, missing)
}

// below is what stands below the first line of a note, without its white space.
func below(text string) string {
	_, rest, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return strings.Join(strings.Fields(rest), " ")
}

// PlainText gives a note of a ticket as people read it.
func PlainText(n VendorNote) string { return plainNote(n) }

// saying is what a note says, and in which minute it was said.
func saying(text string) (minute, words string) {
	first, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	parts := strings.Split(first, separator)
	if len(parts) < 4 {
		return "", ""
	}
	at, err := time.Parse(time.RFC3339, parts[len(parts)-3])
	if err != nil {
		return "", ""
	}
	return at.UTC().Format("2006-01-02 15:04"), below(text)
}

// FieldsOf names the fields that a write to a record sets.
func FieldsOf(op Op) []string {
	return slices.Sorted(maps.Keys(sets(op)))
}
