package mmd

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// moment is a DateTimeOffset with 0 to 7 fractional digits. Null and year 1 mean
// never, and are the zero time.
type moment struct {
	time.Time
	raw string
}

func (m *moment) UnmarshalJSON(b []byte) error {
	var raw *string
	if err := json.Unmarshal(b, &raw); err != nil {
		return fmt.Errorf("a time is a text, not %.40s", b)
	}
	if raw == nil || *raw == "" {
		return nil
	}
	m.raw = *raw
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999"} {
		if t, err := time.Parse(layout, *raw); err == nil {
			if t.Year() > 1 {
				m.Time = t.UTC()
			}
			return nil
		}
	}
	return fmt.Errorf("%.40q is no RFC 3339 time", *raw)
}

// decimal is a number, also where it is written as a text.
type decimal float64

func (d *decimal) UnmarshalJSON(b []byte) error {
	raw := strings.Trim(string(b), `" `)
	if raw == "null" || raw == "" {
		return nil
	}
	f, err := strconv.ParseFloat(raw, 64)
	if err != nil || math.IsNaN(f) || math.Abs(f) > 1<<53 { // what is no number at all compares with nothing
		return fmt.Errorf("%.40s is no number", b)
	}
	*d = decimal(f)
	return nil
}

// number is a whole number, in as many ways.
type number int

func (n *number) UnmarshalJSON(b []byte) error {
	d := decimal(*n)
	err := d.UnmarshalJSON(b)
	*n = number(d)
	return err
}

// flag is true or false, also where it is written as a text.
type flag bool

func (f *flag) UnmarshalJSON(b []byte) error {
	switch strings.ToLower(strings.Trim(string(b), `" `)) {
	case "true":
		*f = true
	case "false":
		*f = false
	case "null", "": // says nothing
	default:
		return fmt.Errorf("%.40s is neither true nor false", b)
	}
	return nil
}
