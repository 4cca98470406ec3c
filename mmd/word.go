package mmd

import (
	"slices"
	"strconv"
)

// Word is what a field says where the document lists what it can say.
type Word struct{ Field, Value string }

// Unlisted are the words of a ticket that the document does not list. They are kept
// as they came: a list goes on where a server has learnt a new one.
func (t Ticket) Unlisted() []Word {
	out := unlisted(nil, "type", t.Type, "RequestForInformation", "ChangeRequest", "Incident")
	severity := t.severity
	if t.Severity != 0 {
		severity = strconv.Itoa(t.Severity)
	}
	return unlisted(out, "severity", severity, "1", "2", "3", "4")
}

// Unlisted are the words of a device that the document does not list.
func (d Device) Unlisted() []Word {
	out := unlisted(nil, "primaryUpdateRing", d.PrimaryUpdateRing, "Test", "First", "Fast", "Broad")
	return unlisted(out, "persona", d.Persona, "Standard", "SensitiveData", "PowerUser", "Kiosk", "Starter")
}

// unlisted adds a word that is none of those that are listed; an empty one is none.
func unlisted(to []Word, field, value string, listed ...string) []Word {
	if value == "" || slices.Contains(listed, value) {
		return to
	}
	return append(to, Word{field, value})
}
