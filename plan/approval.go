package plan

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"bridge/mapping"
)

// Approval is one row of sysapproval_approver: one person's word on one object.
type Approval struct {
	// Of is the sys_id of the object that it is about.
	Of       string
	Approver string
	State    string
	At       time.Time
}

// Consent is what the approvals of a task come to.
type Consent int

// What the approvals of a task come to.
const (
	// NotAsked: nobody has decided yet; nothing is owed.
	NotAsked Consent = iota
	// Forbidden: someone said no, or it is being asked.
	Forbidden
	// Approved: by the field, and by rows of that same object.
	Approved
	// TooLate: it was approved longer ago than the rule allows.
	TooLate
	// Unproven: the field says approved and the rows cannot be read or do not agree.
	Unproven
)

// Approvals decides whether a task is approved. The rule's approval fields are
// looked at in order; an approval row alone is not an approval, and a field alone
// is not either. It gives the reason, and when the approval that counts was given.
//
//	field                                    result
//	approved, and its object's rows agree    approved
//	approved, rows unreadable or not agreed  unproven: fail closed
//	approved, row older than within          too late
//	empty, not requested, not_required       the next field is looked at
//	requested, rejected, cancelled, other    forbidden
//	no field left                            not asked
func Approvals(rule *mapping.ElevationRule, row mapping.Row, rows []Approval, now time.Time) (Consent, string, time.Time) {
	for _, path := range rule.Approved {
		cell, readable := row[path]
		if !readable {
			return Unproven, path + " was not readable: a right is missing", time.Time{}
		}
		switch cell.Value {
		case "approved":
			return confirmed(rule, row, path, rows, now)
		case "", "not requested", "not_required":
			continue
		default:
			return Forbidden, fmt.Sprintf("%s is %q", path, cell.Value), time.Time{}
		}
	}
	return NotAsked, strings.Join(rule.Approved, ", ") + ": nobody has approved yet", time.Time{}
}

// confirmed checks the rows of the object whose field says approved: one by a
// person who counts, none rejected.
func confirmed(rule *mapping.ElevationRule, row mapping.Row, path string, rows []Approval, now time.Time) (Consent, string, time.Time) {
	var newest time.Time
	object := ApprovalObject(row, path)
	if object == "" {
		return Unproven, path + " is approved, and what it belongs to is not readable", newest
	}
	var by string
	found, excluded := 0, 0
	for _, r := range rows {
		if r.Of != object {
			continue
		}
		found++
		switch {
		case r.State == "rejected":
			return Unproven, path + " is approved, but one of its approval rows is rejected", newest
		case r.State != "approved":
		case r.Approver == "" || barred(rule, row, r.Approver):
			excluded++
		case r.At.After(newest):
			newest, by = r.At, r.Approver
		}
	}
	switch {
	case found == 0:
		return Unproven, path + " is approved, but no approval rows of it can be read", newest
	case by == "" && excluded > 0:
		return Unproven, path + " is approved only by " + strings.Join(rule.NotBy, " or ") + ", who may not", newest
	case by == "":
		return Unproven, path + " is approved, but none of its approval rows is", newest
	case rule.Within > 0 && now.Sub(newest) > rule.Within:
		return TooLate, fmt.Sprintf("approved at %s, longer than %s ago", newest.UTC().Format(time.RFC3339), rule.Within), newest
	}
	return Approved, fmt.Sprintf("%s is approved, by %s at %s", path, by, newest.UTC().Format(time.RFC3339)), newest
}

// barred says that a person's approval does not count: the requester's own, say.
func barred(rule *mapping.ElevationRule, row mapping.Row, person string) bool {
	return slices.ContainsFunc(rule.NotBy, func(path string) bool { return row[path].Value == person })
}

// ApprovalObject is the sys_id of what an approval field belongs to: the task
// itself, or the request item that the path leads through.
func ApprovalObject(row mapping.Row, path string) string {
	at := strings.LastIndexByte(path, '.')
	if at < 0 {
		return row["sys_id"].Value
	}
	return row[path[:at]].Value
}

// ApprovalPath is the field that names what an approval field belongs to; empty
// for the task's own.
func ApprovalPath(path string) string {
	at := strings.LastIndexByte(path, '.')
	if at < 0 {
		return ""
	}
	return path[:at]
}
