package mmd

import (
	"strconv"
	"strings"
	"time"
)

// Filter is an OData $filter expression. Its builders quote and escape.
type Filter string

// Contains compares a part of a text.
func Contains(field, value string) Filter { return call("contains", field, value) }

// StartsWith compares the beginning of a text.
func StartsWith(field, value string) Filter { return call("startswith", field, value) }

// EndsWith compares the end of a text.
func EndsWith(field, value string) Filter { return call("endswith", field, value) }

// Eq is equal.
func Eq[V Value](field string, value V) Filter { return compare(field, "eq", value) }

// Ne is not equal.
func Ne[V Value](field string, value V) Filter { return compare(field, "ne", value) }

// Gt is greater than.
func Gt[V Value](field string, value V) Filter { return compare(field, "gt", value) }

// Ge is greater than or equal.
func Ge[V Value](field string, value V) Filter { return compare(field, "ge", value) }

// Lt is less than.
func Lt[V Value](field string, value V) Filter { return compare(field, "lt", value) }

// Le is less than or equal.
func Le[V Value](field string, value V) Filter { return compare(field, "le", value) }

// And holds when all of its parts do; empty ones are left out.
func And(parts ...Filter) Filter { return join(" and ", parts) }

// Or holds when one of its parts does.
func Or(parts ...Filter) Filter { return join(" or ", parts) }

// Not holds when its part does not.
func Not(part Filter) Filter { return "not (" + part + ")" }

// Value is what a field can be compared with.
type Value interface {
	string | int | bool | time.Time
}

func compare[V Value](field, operator string, value V) Filter {
	return Filter(field + " " + operator + " " + literal(value))
}

func call(function, field, value string) Filter {
	return Filter(function + "(" + field + "," + literal(value) + ")")
}

// literal writes a value as OData does: a quote inside a text is doubled.
func literal(value any) string {
	switch v := value.(type) {
	case string:
		return "'" + strings.ReplaceAll(v, "'", "''") + "'"
	case int:
		return strconv.Itoa(v)
	case bool:
		return strconv.FormatBool(v)
	case time.Time:
		return v.UTC().Format("2006-01-02T15:04:05.9999999Z")
	}
	return "null"
}

func join(word string, parts []Filter) Filter {
	var out []string
	for _, p := range parts {
		if p != "" {
			out = append(out, string(p))
		}
	}
	if len(out) < 2 {
		return Filter(strings.Join(out, ""))
	}
	return Filter("(" + strings.Join(out, ")"+word+"(") + ")")
}
