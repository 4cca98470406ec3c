package plan

import (
	"regexp"
	"strings"
	"time"
	"unicode/utf8"
)

// The lengths at which a note is split into parts. A journal field takes 4,000
// characters for certain (servicenow-api.md 2); the vendor names no limit.
const (
	journalChars = 4000
	ticketChars  = 10000
)

// codeTag is what a ServiceNow form renders as HTML.
var codeTag = regexp.MustCompile(`(?i)\[(/?)code\]`)

// neutral takes the meaning out of [code] tags, which a form would render as HTML.
func neutral(text string) string { return codeTag.ReplaceAllString(text, "[ ${1}code ]") }

// head is a note's first line: who said it, when, about which object, and the mark.
func head(who string, when time.Time, object, mark string) string {
	if who == "" {
		who = "unknown"
	}
	return strings.Join([]string{oneLine(who), when.UTC().Format(time.RFC3339), oneLine(object), mark}, separator)
}

// oneLine keeps a first line one line long, whatever a name holds.
func oneLine(s string) string { return neutral(strings.Join(strings.Fields(s), " ")) }

// forRecord is a note as it is written to a journal field.
func forRecord(first, body string) string { return first + "\n" + neutral(body) }

// forTicket is a note as it is written to a ticket, whose notes are HTML.
func forTicket(first, body string) string {
	body = strings.ReplaceAll(neutral(body), "\r\n", "\n")
	escaped := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(first + "\n" + body)
	return strings.ReplaceAll(escaped, "\n", "<br>")
}

// withMark puts the bridge's own first line before a description or a plan of action.
func withMark(number, mark, text string) string { return number + separator + mark + "\n" + text }

// parts splits a text into pieces of at most so many characters, at a line's end
// where there is one in the last quarter. An empty text is one empty piece.
func parts(text string, chars int) []string {
	var out []string
	for utf8.RuneCountInString(text) > chars {
		cut := 0
		for range chars {
			_, n := utf8.DecodeRuneInString(text[cut:])
			cut += n
		}
		if at := strings.LastIndexByte(text[:cut], '\n'); at > cut*3/4 {
			out, text = append(out, text[:at]), text[at+1:]
			continue
		}
		out, text = append(out, text[:cut]), text[cut:]
	}
	return append(out, text)
}

// plainNote is a ticket note's text as a person reads it.
func plainNote(n VendorNote) string {
	if n.HTML {
		return readable(n.Text)
	}
	return strings.TrimSpace(n.Text)
}
