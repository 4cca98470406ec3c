package itsm

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"bridge/rest"
)

// ErrDisplay is a display value that cannot be read without guessing.
var ErrDisplay = errors.New("the display value cannot be read")

// slack is how much later than the entry above it an entry may seem to be: the hour
// that a clock goes back.
const slack = time.Hour

// Dates says how the instance writes times for this user: display values are in the
// user's zone and format (servicenow-api.md 2).
type Dates struct {
	// Zone is the user's; nil: UTC.
	Zone *time.Location
	// Layout is the user's format; empty: the one that fits the whole text best.
	Layout string
}

func (d Dates) zone() *time.Location {
	if d.Zone == nil {
		return time.UTC
	}
	return d.Zone
}

// layouts are the formats that users choose from, the system's own first. Go reads
// one digit or two where these write one.
func layouts() []string {
	var out []string
	for _, clock := range []string{"15:04:05", "3:04:05 PM", "15:04", "3:04 PM"} {
		for _, day := range []string{"2006-1-2", "1/2/2006", "2/1/2006", "2-1-2006", "1-2-2006", "2.1.2006", "2006/1/2"} {
			out = append(out, day+" "+clock)
		}
	}
	return out
}

// stamp reads a time as one format writes it.
func (d Dates) stamp(layout, text string) (time.Time, bool) {
	at, err := time.ParseInLocation(layout, strings.ToUpper(text), d.zone())
	return at.UTC(), err == nil
}

// proven are those of the layouts in which a record's own times, as they are shown,
// are the times that the raw values are: one that reads a day as a month reads
// another time, except on days such as the 10th of October.
func (d Dates) proven(row Record, candidates []string) ([]string, error) {
	out := slices.Clone(candidates)
	shown := row["sys_updated_on"]
	for _, f := range []Field{shown, row["sys_created_on"]} {
		want := rowTime(f.Value).Truncate(time.Minute)
		out = slices.DeleteFunc(out, func(layout string) bool {
			at, ok := d.stamp(layout, f.Display)
			return f.Value != "" && (!ok || !at.Truncate(time.Minute).Equal(want))
		})
	}
	if shown.Value == "" || len(out) == 0 {
		return nil, fmt.Errorf("%w: %s UTC is shown to this user as %q, which is another zone than %s or a format that is not known", ErrDisplay, shown.Value, shown.Display, d.zone())
	}
	return out, nil
}

// ParseJournal reads the display value of one journal field (not of the list that
// merges two): entries from newest to oldest, each a header, its text and a blank
// line:
//
//	2026-11-23 10:04:05 - Beth Anglin (Work notes)
//	Looking at db7.
//
// The entries are given oldest first. ID is the time and the how-manieth it is of
// that second; it stays when later entries come. By is a display name. All of it is
// text: somebody who writes a line like a header into a note makes two entries of
// it, under any name. So nothing may be granted on what By says.
func ParseJournal(text string, dates Dates) ([]Entry, error) {
	text = strings.TrimRight(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	candidates := layouts()
	if dates.Layout != "" {
		candidates = []string{dates.Layout}
	}
	var best []Entry
	lines := strings.Split(strings.TrimLeft(text, "\n"), "\n")
	for _, layout := range candidates {
		if got := dates.entries(layout, lines); len(got) > len(best) {
			best = got
		}
	}
	if best == nil {
		return nil, fmt.Errorf("%w: it does not begin with a time, a name and a label", ErrDisplay)
	}
	slices.Reverse(best)
	of := map[time.Time]int{}
	for i := range best {
		at := best[i].Created
		best[i].ID = at.Format(time.RFC3339) + "/" + strconv.Itoa(of[at])
		of[at]++
	}
	return best, nil
}

// entries reads a text in one format, newest first; none if its first line is no header.
// A later line is one only behind a blank line, under the label of the first, and
// not later than the entry above it.
func (d Dates) entries(layout string, lines []string) []Entry {
	var out []Entry
	var body []string
	first := ""
	for i, line := range lines {
		e, label := d.header(layout, line)
		switch {
		case i == 0 && label == "":
			return nil
		case i == 0:
			first = label
			out = append(out, e)
		case label == first && lines[i-1] == "" && !e.Created.After(out[len(out)-1].Created.Add(slack)):
			out[len(out)-1].Text = strings.TrimRight(strings.Join(body, "\n"), "\n")
			out, body = append(out, e), nil
		default:
			body = append(body, line)
		}
	}
	out[len(out)-1].Text = strings.TrimRight(strings.Join(body, "\n"), "\n")
	return out
}

// header reads "TIME - NAME (LABEL)"; no label: the line is none. A name may hold
// " - " and brackets, and a label brackets in pairs.
func (d Dates) header(layout, line string) (Entry, string) {
	stamp, rest, found := strings.Cut(line, " - ")
	at, ok := d.stamp(layout, stamp)
	open := opening(rest)
	if !found || !ok || open < 2 || rest[open-1] != ' ' {
		return Entry{}, ""
	}
	return Entry{By: rest[:open-1], Created: at}, rest[open+1 : len(rest)-1]
}

// opening is where the bracket opens that the last character closes; -1: nowhere.
func opening(text string) int {
	if !strings.HasSuffix(text, ")") {
		return -1
	}
	depth := 0
	for i := len(text) - 1; i >= 0; i-- {
		switch text[i] {
		case ')':
			depth++
		case '(':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}

// JournalText reads the journals of records by display value, for an instance that
// closes sys_journal_field: record by record, oldest entry first within each field.
// dates.Zone is the zone in the profile of the bridge's user; a record whose own
// times are shown otherwise ends the list with ErrDisplay, since every time would be
// wrong. ID is the record, the field, the time and the how-manieth of that
// second; what ParseJournal says of By holds.
func (c *Client) JournalText(ctx context.Context, table string, ids, elements []string, dates Dates) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		ask := Ask{Table: table, Fields: append([]string{"sys_created_on"}, elements...), Display: true}
		candidates := layouts()
		if dates.Layout != "" {
			candidates = []string{dates.Layout}
		}
		for row, err := range c.Records(ctx, ask, ids) {
			var entries []Entry
			if err == nil {
				if entries, candidates, err = journalOf(row, elements, dates, candidates); err != nil {
					err = unsure(rest.Request{Method: http.MethodGet, Name: "table/" + table}, fmt.Errorf("journals of %s: %w", row.Value("sys_id"), err))
				}
			}
			if err != nil {
				yield(Entry{}, err)
				return
			}
			for _, e := range entries {
				if !yield(e, nil) {
					return
				}
			}
		}
	}
}

// journalOf reads the journals of one record. The formats that its own times leave
// are those for the next record: a user has one.
func journalOf(row Record, elements []string, dates Dates, candidates []string) ([]Entry, []string, error) {
	var out []Entry
	for _, element := range elements {
		text := row[element].Display
		if strings.TrimSpace(text) == "" {
			continue
		}
		left, err := dates.proven(row, candidates)
		if err != nil {
			return nil, nil, err
		}
		candidates = left
		entries, err := agreed(text, dates, candidates)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", element, err)
		}
		for i := range entries {
			entries[i].ID = row.Value("sys_id") + "/" + element + "/" + entries[i].ID
			entries[i].Record, entries[i].Element = row.Value("sys_id"), element
		}
		out = append(out, entries...)
	}
	return out, candidates, nil
}

// agreed reads a text in the formats that are left. The one that finds the most
// entries is right; two that find as many, and others, leave it open.
func agreed(text string, dates Dates, candidates []string) ([]Entry, error) {
	var best []Entry
	var failed error
	for _, layout := range candidates {
		entries, err := ParseJournal(text, Dates{Zone: dates.Zone, Layout: layout})
		switch {
		case err != nil && best == nil:
			failed = err
		case len(entries) > len(best):
			best, failed = entries, nil
		case len(entries) == len(best) && !slices.Equal(entries, best):
			failed = fmt.Errorf("%w: days and months cannot be told apart", ErrDisplay)
		}
	}
	return best, failed
}
