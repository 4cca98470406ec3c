package main

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// oneLine makes a text that a terminal shows and does not obey: what is on several
// lines stands on one, and control characters are replaced.
func oneLine(s string) string { return tame(strings.TrimSpace(s), "⏎") }

// tame replaces what a terminal would obey, and gives a new line another look.
func tame(s, newLine string) string {
	s = strings.ReplaceAll(s, "\r\n", "\n")
	var out strings.Builder
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		switch {
		case r == '\n', r == '\u2028', r == '\u2029':
			out.WriteString(newLine)
		case r == '\t':
			out.WriteByte(' ')
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r):
			out.WriteRune(utf8.RuneError)
		default:
			out.WriteRune(r)
		}
		s = s[size:]
	}
	return out.String()
}

// cut shortens a text to some places, and shows that it did.
func cut(s string, places int) string {
	if span(s) <= places {
		return s
	}
	head, _ := split(s, places-1)
	return head + "…"
}

// wrap breaks a text into lines of some places each, at blanks where it can; 0 places
// are as many as it takes.
func wrap(s string, places int) []string {
	var out []string
	for line := range strings.SplitSeq(tame(s, "\n"), "\n") {
		for places > 0 && span(line) > places {
			head, tail := split(line, places)
			if at := strings.LastIndexByte(head, ' '); at > 0 && !strings.HasPrefix(tail, " ") {
				head, tail = line[:at], line[at:]
			}
			out = append(out, strings.TrimRight(head, " "))
			line = strings.TrimLeft(tail, " ")
		}
		out = append(out, line)
	}
	return out
}

// split parts a text behind as many runes as some places hold.
func split(s string, places int) (head, tail string) {
	used := 0
	for i, r := range s {
		if used += runePlaces(r); used > places {
			return s[:i], s[i:]
		}
	}
	return s, ""
}

// span is how many places of a terminal a text takes.
func span(s string) int {
	n := 0
	for _, r := range s {
		n += runePlaces(r)
	}
	return n
}

// runePlaces is how many places a rune takes: none if it stands on the one before
// it, two for those of East Asia and for pictures.
func runePlaces(r rune) int {
	switch {
	case r < 0x300:
		return 1
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		return 0
	case unicode.Is(wide(), r):
		return 2
	}
	return 1
}

// wide are the blocks whose runes are two places wide (Unicode TR 11, W and F).
func wide() *unicode.RangeTable {
	return &unicode.RangeTable{
		R16: []unicode.Range16{
			{0x1100, 0x115f, 1},
			{0x231a, 0x231b, 1},
			{0x2329, 0x232a, 1},
			{0x23e9, 0x23ec, 1},
			{0x25fd, 0x25fe, 1},
			{0x2614, 0x2615, 1},
			{0x26a1, 0x26a1, 1},
			{0x2705, 0x2705, 1},
			{0x274c, 0x274c, 1},
			{0x2753, 0x2757, 1},
			{0x2e80, 0x303e, 1},
			{0x3041, 0x33ff, 1},
			{0x3400, 0x4dbf, 1},
			{0x4e00, 0xa4cf, 1},
			{0xa960, 0xa97c, 1},
			{0xac00, 0xd7a3, 1},
			{0xf900, 0xfaff, 1},
			{0xfe30, 0xfe6f, 1},
			{0xff01, 0xff60, 1},
			{0xffe0, 0xffe6, 1},
		},
		R32: []unicode.Range32{
			{0x1f004, 0x1f004, 1},
			{0x1f0cf, 0x1f0cf, 1},
			{0x1f18e, 0x1f19a, 1},
			{0x1f200, 0x1f64f, 1},
			{0x1f680, 0x1f6ff, 1},
			{0x1f7e0, 0x1f7eb, 1},
			{0x1f900, 0x1faff, 1},
			{0x20000, 0x3fffd, 1},
		},
	}
}
