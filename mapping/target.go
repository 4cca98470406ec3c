package mapping

import (
	"fmt"
	"slices"
	"strings"
)

// target is one field that a rule fills.
type target struct {
	// path is dotted: contact.email.
	path     string
	kind     sort
	required bool
	value    value
	line     int
}

// field describes one field of the API.
type field struct {
	name     string
	kind     sort
	required bool
}

// ticketFields are the body of "Create ticket", in the document's order.
func ticketFields() []field {
	return []field{
		{"title", plain, true},
		{"description", plain, true},
		{"type", ticketType, true},
		{"category", plain, true},
		{"subcategory", plain, true},
		{"severity", severity, true},
		{"contact.givenName", plain, true},
		{"contact.surname", plain, true},
		{"contact.email", plain, true},
		{"contact.phoneNumber", plain, true},
		{"usersOrDevicesImpacted", whole, false},
		{"businessImpact", plain, false},
		{"issueFirstNoticed", moment, false},
		{"issueReproduced", truth, false},
		{"endUserSupportEngaged", truth, false},
		{"troubleshootingSteps", plain, false},
		{"reproSteps", plain, false},
	}
}

// elevationFields are the body of "Create elevation request".
func elevationFields() []field {
	return []field{
		{"partnerTicketId", plain, false},
		{"deviceName", plain, true},
		{"title", plain, true},
		{"category", plain, true},
		{"subcategory", plain, true},
		{"planOfAction", plain, true},
	}
}

// Create gives the body of the ticket that a record becomes.
func (r *TicketRule) Create(in Input) Draft { return r.draft(r.create, in) }

// Update gives the fields of the record that the ticket sets; those that are
// empty or do not apply are left out, and left alone.
func (r *TicketRule) Update(in Input) Draft { return r.draft(r.update, in) }

// Hides says that what update makes of a field cannot be decided on this row: a field of the
// record that it is made of is kept back. A record's state, and whether it is active, are
// never empty: as nothing, they are kept back too.
func (r *TicketRule) Hides(field string, row Row) bool {
	hidden := func(name string) bool {
		return !readable(row, name) || (name == "state" || name == "active") && row[name].Value == ""
	}
	for _, t := range r.update {
		if t.path != field {
			continue
		}
		for _, e := range t.value.names() {
			if slices.ContainsFunc(e.fields(), hidden) {
				return true
			}
		}
	}
	return false
}

// Create gives the body of the elevation request that a task becomes.
func (r *ElevationRule) Create(in Input) Draft { return r.draft(r.create, in) }

// draft fills the targets, in the order of the API's document.
func (s *Source) draft(targets []target, in Input) Draft {
	out := Draft{Body: map[string]any{}, Why: map[string]string{}}
	for _, t := range targets {
		sc := &scope{in: in, field: t.path}
		r := t.value.eval(sc)
		out.Unmapped = append(out.Unmapped, sc.unmapped...)
		if t.path == "title" && !says(strings.TrimPrefix(r.text, in.Record["number"].Value)) {
			r.text = ""
		}
		if r.empty() {
			if t.required {
				out.Lacks = append(out.Lacks, s.lack(t, r, in.Record))
			}
			continue
		}
		converted, err := t.kind.convert(r.text)
		if err != nil {
			if t.required {
				out.Lacks = append(out.Lacks, Lack{Rule: s.Name, File: s.File, Line: r.line, Field: t.path, Reason: "is required: " + err.Error()})
			} else {
				out.Unmapped = append(out.Unmapped, Unmapped{Field: t.path, Value: r.text, Line: r.line, Reason: err.Error()})
			}
			continue
		}
		put(out.Body, t.path, converted)
		out.Why[t.path] = s.at(r.line)
		if r.because != "" {
			out.Why[t.path] = r.because + " (" + s.at(r.line) + ")"
		}
	}
	return out
}

// lack says why a required field is empty: a right that is missing is told apart
// from a field that is empty.
func (s *Source) lack(t target, r result, record Row) Lack {
	l := Lack{Rule: s.Name, File: s.File, Line: t.line, Field: t.path, Reason: "is empty and required"}
	if r.failed != nil {
		l.Reason = "is required and cannot be made: " + r.failed.Error()
		return l
	}
	var from, hidden []string
	for _, e := range t.value.names() {
		for _, path := range e.paths {
			field, ours := strings.CutPrefix(path, "record/")
			if !ours || slices.Contains(from, field) {
				continue
			}
			from = append(from, field)
			if !readable(record, field) {
				hidden = append(hidden, field)
			}
		}
	}
	switch {
	case len(hidden) > 0:
		l.Reason = fmt.Sprintf("is empty and required: %s was not readable, a right is missing", strings.Join(hidden, ", "))
	case len(from) > 0:
		l.Reason += " (from " + strings.Join(from, ", ") + ")"
	}
	return l
}

// readable tells a field that came, or that cannot come since the reference that
// leads to it is empty, from one that was kept back.
func readable(record Row, path string) bool {
	if _, came := record[path]; came {
		return true
	}
	for at := strings.LastIndex(path, "."); at > 0; at = strings.LastIndex(path[:at], ".") {
		if cell, came := record[path[:at]]; came && cell.Value == "" {
			return true
		}
	}
	return false
}

// put sets a dotted path in nested maps.
func put(body map[string]any, path string, v any) {
	head, rest, nested := strings.Cut(path, ".")
	if !nested {
		body[head] = v
		return
	}
	inner, ok := body[head].(map[string]any)
	if !ok {
		inner = map[string]any{}
		body[head] = inner
	}
	put(inner, rest, v)
}
