package mapping

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// yes reads a truth value as an ITSM desk writes it.
func yes(s string) bool {
	s = strings.ToLower(strings.TrimSpace(s))
	return s == "true" || s == "1" || s == "yes"
}

// intOf reads a whole number; an empty text is the other one, never a silent 0.
func intOf(s string, otherwise any) (int, error) {
	s = strings.TrimSpace(s)
	if s == "" {
		n, _ := otherwise.(int)
		return n, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0, fmt.Errorf("%q is no whole number", s)
	}
	return n, nil
}

// utc writes an ITSM time as RFC 3339. An empty one stays empty.
func utc(s string) (string, error) {
	s = strings.TrimSpace(s)
	if s == "" {
		return "", nil
	}
	for _, layout := range []string{time.DateTime, time.RFC3339Nano, time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC().Format(time.RFC3339), nil
		}
	}
	return "", fmt.Errorf("%q is no time (2026-11-23 10:04:05)", s)
}

// sort is what a field of the API takes.
type sort int

const (
	plain sort = iota
	ticketType
	severity
	whole
	truth
	moment
)

// convert gives a text as the API's type takes it.
func (k sort) convert(s string) (any, error) {
	switch k {
	case ticketType:
		for _, known := range ticketTypes() {
			if strings.EqualFold(strings.ReplaceAll(s, " ", ""), known) {
				return known, nil
			}
		}
		return nil, fmt.Errorf("type %q is not known", s)
	case severity:
		n, err := strconv.Atoi(strings.TrimSpace(s))
		if err != nil || n < 1 || n > 4 {
			return nil, fmt.Errorf("severity is 1 to 4, this gives %s", s)
		}
		return n, nil
	case whole:
		n, err := intOf(s, 0)
		if err != nil || n < 0 {
			return nil, fmt.Errorf("%q is no whole number", s)
		}
		return n, nil
	case truth:
		switch strings.ToLower(strings.TrimSpace(s)) {
		case "true", "1", "yes":
			return true, nil
		case "false", "0", "no":
			return false, nil
		}
		return nil, fmt.Errorf("%q is neither true nor false", s)
	case moment:
		return utc(s)
	case plain:
	}
	return s, nil
}

func ticketTypes() []string { return []string{"Incident", "ChangeRequest", "RequestForInformation"} }

// says tells whether a text has a letter or a digit at all.
func says(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) })
}
