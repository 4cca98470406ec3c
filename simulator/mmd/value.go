package mmd

import (
	"cmp"
	"strconv"
	"strings"
	"time"
)

// kind is the type of a property, or of a literal.
type kind int

const (
	nothing kind = iota
	null
	text
	number
	truth
	moment
)

// String names a kind as OData does.
func (k kind) String() string {
	return [...]string{"", "null", "Edm.String", "Edm.Int32", "Edm.Boolean", "Edm.DateTimeOffset"}[k]
}

// value is what a property holds.
type value struct {
	kind   kind
	text   string
	number float64
	truth  bool
	moment time.Time
}

func textOf(s string) value { return value{kind: text, text: s} }

func textAt(s *string) value {
	if s == nil {
		return value{kind: null}
	}
	return textOf(*s)
}

func truthAt(b *bool) value {
	if b == nil {
		return value{kind: null}
	}
	return value{kind: truth, truth: *b}
}

func numberOf(n *int32) value {
	if n == nil {
		return value{kind: null}
	}
	return value{kind: number, number: float64(*n)}
}

func momentOf(t time.Time) value {
	if t.IsZero() {
		return value{kind: null}
	}
	return value{kind: moment, moment: t}
}

// literal reads a text, number, truth value, time or null.
func literal(raw string) (value, bool) {
	switch raw {
	case "null":
		return value{kind: null}, true
	case "true", "false":
		return value{kind: truth, truth: raw == "true"}, true
	}
	if len(raw) >= 2 && raw[0] == '\'' {
		return textOf(strings.ReplaceAll(raw[1:len(raw)-1], "''", "'")), true
	}
	if n, err := strconv.ParseFloat(raw, 64); err == nil && (raw[0] == '-' || raw[0] >= '0' && raw[0] <= '9') {
		return value{kind: number, number: n}, true
	}
	if t, err := time.Parse(time.RFC3339Nano, raw); err == nil {
		return value{kind: moment, moment: t}, true
	}
	return value{}, false
}

func same(a, b value) bool { return a.kind == b.kind && order(a, b) == 0 }

// order compares two values; null comes first.
func order(a, b value) int {
	if a.kind != b.kind {
		return cmp.Compare(a.kind, b.kind)
	}
	switch a.kind {
	case text:
		return strings.Compare(a.text, b.text)
	case number:
		return cmp.Compare(a.number, b.number)
	case moment:
		return a.moment.Compare(b.moment)
	case truth:
		switch {
		case a.truth == b.truth:
			return 0
		case b.truth:
			return -1
		}
		return 1
	case nothing, null:
	}
	return 0
}
