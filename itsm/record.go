package itsm

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// Record is one row as it came, by dotted path. A key that is absent was not
// readable; one that is there may be empty.
type Record map[string]Field

// Value is a field's raw value.
func (r Record) Value(path string) string { return r[path].Value }

// Paths lists the fields that came, sorted.
func (r Record) Paths() []string { return slices.Sorted(maps.Keys(r)) }

// Field is one field in any of the shapes of servicenow-api.md 1.5.
type Field struct {
	Value   string
	Display string
}

// UnmarshalJSON reads a text, {link,value}, {display_value,link[,value]},
// {display_value,value}, null, and bare numbers and booleans.
func (f *Field) UnmarshalJSON(raw []byte) error {
	*f = Field{}
	switch {
	case len(raw) == 0 || string(raw) == "null":
		return nil
	case raw[0] == '"':
		return text(raw, &f.Value)
	case raw[0] == '{':
		var o struct {
			Value        *scalar `json:"value"`
			DisplayValue *scalar `json:"display_value"`
			Link         string  `json:"link"`
		}
		if err := json.Unmarshal(raw, &o); err != nil {
			return err
		}
		if o.DisplayValue != nil {
			f.Display = string(*o.DisplayValue)
		}
		switch {
		case o.Value != nil:
			f.Value = string(*o.Value)
		case o.Link != "": // display mode has no value: the link ends with it
			f.Value = o.Link[strings.LastIndexByte(o.Link, '/')+1:]
		default:
			f.Value = f.Display
		}
		return nil
	case raw[0] == '[':
		return fmt.Errorf("a field is a text or an object, not a list: %.40s", raw)
	}
	f.Value = string(raw)
	return nil
}

// text reads a JSON text. Most have nothing escaped in them, and stand as they are.
func text(raw []byte, into *string) error {
	plain := len(raw) > 1 && raw[len(raw)-1] == '"' && utf8.Valid(raw)
	for i := 1; plain && i < len(raw)-1; i++ {
		plain = raw[i] != '"' && raw[i] != '\\' && raw[i] >= ' '
	}
	if !plain {
		return json.Unmarshal(raw, into)
	}
	*into = string(raw[1 : len(raw)-1])
	return nil
}

// scalar is a text, a number or a boolean, as text.
type scalar string

func (s *scalar) UnmarshalJSON(raw []byte) error {
	if len(raw) > 0 && raw[0] == '"' {
		return text(raw, (*string)(s))
	}
	if string(raw) != "null" {
		*s = scalar(raw)
	}
	return nil
}
