package plan

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"bridge/mapping"
)

// Approval is one row of sysapproval_approver: one person's word on one object.
type Approval struct {
	ID string
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
	// Elsewhere: it was approved for another device than the task names now.
	Elsewhere
	// Unproven: the field says approved and the rows cannot be read or do not agree.
	Unproven
)

// event tells apart what a task hears of an elevation that is not opened: each once.
func (c Consent) event() string {
	switch c {
	case TooLate:
		return "/late"
	case Elsewhere:
		return "/elsewhere"
	case NotAsked, Forbidden, Approved, Unproven:
	}
	return ""
}

// decided is what the approvals of a task come to, why, and when the newest one that
// counts was given.
type decided struct {
	consent Consent
	why     string
	at      time.Time
	// by are the rows that approve it, not those that say otherwise.
	by, not []string
	// said are all rows that approve it, or may, with their times: also those that do not count.
	said map[string]time.Time
	// rejected says that one of them rejects it.
	rejected bool
	// field says that its field says approved, denied that one says that it is not: a
	// field that is empty says neither, since a right may be missing.
	field, denied bool
}

// withdrawn says that it is not approved, or not any more.
func (d decided) withdrawn() bool { return d.consent == NotAsked || d.consent == Forbidden }

// takenBack says of an elevation that is open that its approval is seen not to stand any
// more, although the field still says so. What cannot be read takes nothing back.
//
//	rows of the object                                             taken back
//	one is rejected                                                yes
//	none approves, one that the elevation was opened on is undone  yes
//	none approves, those that it was opened on are not to be seen  no
//	one that counts still approves, none is rejected               no
func (d decided) takenBack(link Link) bool {
	return d.rejected || len(d.by) == 0 && slices.ContainsFunc(strings.Fields(link.Base[consentOf].Value), func(id string) bool { return slices.Contains(d.not, id) })
}

// approvals decides whether a task is approved. The rule's approval fields are
// looked at in order; an approval row alone is not an approval, and a field alone
// is not either.
//
//	field                                    result
//	approved, and its object's rows agree    approved
//	approved, rows unreadable or not agreed  unproven: fail closed
//	approved, who asked for it is hidden     unproven: fail closed
//	approved, row older than within          too late
//	empty, not requested, not_required       the next field is looked at
//	requested, rejected, cancelled, other    forbidden
//	no field left                            not asked
func approvals(rule *mapping.ElevationRule, row mapping.Row, rows []Approval, now time.Time) decided {
	empty := false
	for _, path := range rule.Approved {
		cell, readable := row[path]
		if !readable {
			return decided{consent: Unproven, why: path + " was not readable: a right is missing"}
		}
		switch cell.Value {
		case "approved":
			return confirmed(rule, row, path, rows, now)
		case "", "not requested", "not_required":
			empty = empty || cell.Value == ""
		default:
			return decided{consent: Forbidden, denied: true, why: fmt.Sprintf("%s is %q", path, cell.Value)}
		}
	}
	return decided{consent: NotAsked, denied: !empty, why: strings.Join(rule.Approved, ", ") + ": nobody has approved yet"}
}

// confirmed checks the rows of the object whose field says approved: one by a
// person who counts, none rejected.
func confirmed(rule *mapping.ElevationRule, row mapping.Row, path string, rows []Approval, now time.Time) decided {
	d := decided{consent: Unproven, field: true, said: map[string]time.Time{}}
	object := ApprovalObject(row, path)
	if object == "" {
		d.why = path + " is approved, and what it belongs to is not readable"
		return d
	}
	var person string
	found, excluded := 0, 0
	for _, r := range rows {
		if r.Of != object {
			continue
		}
		found++
		if r.State != "approved" && r.State != "" {
			d.not = append(d.not, r.ID)
		} else {
			d.said[r.ID] = r.At
		}
		switch {
		case r.State == "rejected":
			d.rejected = true
		case r.State != "approved" || r.At.IsZero():
		case r.Approver == "" || barred(rule, row, r.Approver):
			excluded++
		default:
			d.by = append(d.by, r.ID)
			if r.At.After(d.at) {
				d.at, person = r.At, r.Approver
			}
		}
	}
	switch {
	case d.rejected:
		d.by, d.why = nil, path+" is approved, but one of its approval rows is rejected"
	case found == 0:
		d.why = path + " is approved, but no approval rows of it can be read"
	case rule.NotByUnknown(row) != "":
		d.by, d.why = nil, path+" is approved, but whose approval does not count is not known: "+rule.NotByUnknown(row)
	case person == "" && excluded > 0:
		d.why = path + " is approved only by " + strings.Join(rule.NotBy, " or ") + ", who may not"
	case person == "":
		d.why = path + " is approved, but none of its approval rows is"
	default:
		d.consent, d.why = Approved, fmt.Sprintf("%s is approved, by %s at %s", path, person, d.at.UTC().Format(time.RFC3339))
	}
	return d.aged(rule, now)
}

// aged says that an approval is older than its rule allows.
func (d decided) aged(rule *mapping.ElevationRule, now time.Time) decided {
	if d.consent == Approved && rule.Within > 0 && now.Sub(d.at) > rule.Within {
		d.consent, d.why = TooLate, fmt.Sprintf("approved at %s, longer than %s ago", d.at.UTC().Format(time.RFC3339), rule.Within)
	}
	return d
}

// Given is what approves a task as it was first seen: its elevation may wait for long, and
// what is written meanwhile, in a row or in the task, was approved by nobody. An empty one
// says that nothing approves it.
type Given struct {
	// Device is the one that the task named then.
	Device string `json:",omitempty"`
	// Rows are the rows that said so, with the times that they had; none: they could not be read.
	Rows map[string]time.Time `json:",omitempty"`
}

// given keeps what approves a task now beside what was kept of it.
//
//	its field      a row that counts        result
//	says no        any                      nothing is kept
//	cannot be read any                      as it was
//	approved       is new                   for the device that the task names now
//	approved       is not new, or hidden    for the device that it named then
//	approved       none was to be seen yet  for the device that it named then: fail closed
func (d decided) given(was *Given, device string) *Given {
	switch {
	case !d.field && !d.denied:
		return was
	case d.denied && was != nil:
		return &Given{} // known to be nothing, whatever its request was promised on
	case d.denied:
		return nil
	case (was == nil || len(was.Rows) == 0) && len(d.said) == 0 && len(d.not) > 0:
		d.denied = true // its rows are to be seen, and none of them says so
		return d.given(was, device)
	}
	is := &Given{Device: device, Rows: d.said}
	if was == nil {
		return is
	}
	is.Rows = maps.Clone(was.Rows)
	if is.Rows == nil {
		is.Rows = map[string]time.Time{}
	}
	maps.DeleteFunc(is.Rows, func(id string, _ time.Time) bool { return slices.Contains(d.not, id) })
	anew := slices.ContainsFunc(d.by, func(id string) bool { return !has(is.Rows, id) })
	if was.Device != "" && (!anew || len(was.Rows) == 0) {
		is.Device = was.Device
	}
	for id, at := range d.said {
		if before, known := is.Rows[id]; !known || before.IsZero() {
			is.Rows[id] = at
		}
	}
	return is
}

// equal says that the same is kept.
func (g *Given) equal(other *Given) bool {
	if g == nil || other == nil {
		return g == other
	}
	return g.Device == other.Device && maps.EqualFunc(g.Rows, other.Rows, time.Time.Equal)
}

// as decides anew by what is kept of an approval (given): a row that is written to since is
// no newer, and it is for the device that was named then.
func (d decided) as(rule *mapping.ElevationRule, given *Given, device string, now time.Time) decided {
	if d.consent != Approved || given == nil {
		return d
	}
	d.at, d.said = time.Time{}, given.Rows
	for _, id := range d.by {
		if at := given.Rows[id]; at.After(d.at) {
			d.at = at
		}
	}
	if d = d.aged(rule, now); d.consent == Approved && given.Device != "" && device != "" && !strings.EqualFold(given.Device, device) {
		d.consent, d.why = Elsewhere, fmt.Sprintf("approved for %s, and the task names %s now: it needs a new approval", given.Device, device)
	}
	return d
}

// deviceOf is the device that a task asks rights on; empty: it cannot be read.
func deviceOf(rule *mapping.ElevationRule, row mapping.Row) string {
	name, _ := rule.Create(mapping.Input{Record: row}).Body["deviceName"].(string)
	return name
}

// consentOf is where a link keeps the approvals that its elevation was opened on.
const consentOf = "approval"

// consented keeps the approvals that an elevation is opened on, or that were too old, or
// for another device. They count once: a row that is touched afterwards is no new approval.
func consented(link *Link, by []string) {
	link.Base[consentOf] = Baseline{Value: strings.Join(by, " ")}
}

// remember keeps on a link what approves its open elevation, and forgets what was taken
// back since: given again, that is a new approval. One that is given while it is closed, or
// to be (closing), is for the next elevation.
func (l Link) remember(d decided, closing bool) {
	base, known := l.Base[consentOf]
	rows := strings.Fields(base.Value)
	switch {
	case d.denied:
		rows = nil
	case d.takenBack(l):
		rows = slices.DeleteFunc(rows, func(id string) bool { return slices.Contains(d.not, id) })
	case !known || !closing:
		rows = union(rows, d.by)
	}
	if base.Value = strings.Join(rows, " "); known || base.Value != "" {
		l.Base[consentOf] = base
	}
}

func has(rows map[string]time.Time, id string) bool {
	_, is := rows[id]
	return is
}

// union adds to some rows those that are not among them.
func union(rows, more []string) []string {
	for _, id := range more {
		if !slices.Contains(rows, id) {
			rows = append(rows, id)
		}
	}
	return rows
}

// anew says that a task whose link had an elevation is approved once more.
//
//	what the elevation was opened on  approved now by            anew
//	known                             a row that is not of them  yes
//	known                             those rows                 no, whatever was written in them
//	known, and seen withdrawn since   any row                    yes
//	not known: the ledger was lost    a row that moved since     yes, by the desk's clock
func (d decided) anew(link Link, task Task, aged time.Time) bool {
	if d.consent != Approved && d.consent != TooLate {
		return false
	}
	base, known := link.Base[consentOf]
	if !known && link.MMD != "" && !aged.IsZero() && !d.at.After(aged.Add(Skew)) {
		return false // the ledger that is lost may have used it
	}
	if !known {
		return d.at.After(link.Linked.Add(task.Now.Sub(task.Seen)))
	}
	before := strings.Fields(base.Value)
	return slices.ContainsFunc(d.by, func(id string) bool { return !slices.Contains(before, id) })
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
