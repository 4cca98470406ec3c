package itsm

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"
)

// heldRow is how a row looks to others until its change is committed; nil: not there.
type heldRow struct {
	before map[string]string
	until  time.Time
}

// moment is when a row last changed; journals and logs only ever begin.
func (r *record) moment() string {
	return cmp.Or(r.fields["sys_updated_on"], r.fields["sys_created_on"])
}

func inOrderOfChange(a, b *record) int {
	return cmp.Or(cmp.Compare(a.moment(), b.moment()), cmp.Compare(a.id(), b.id()))
}

// place puts a row where it belongs in the order of its table.
func (t *table) place(r *record) {
	at, _ := slices.BinarySearchFunc(t.order, r, inOrderOfChange)
	t.order = slices.Insert(t.order, at, r)
}

// displace takes it out, as long as its moment has not changed.
func (t *table) displace(r *record) {
	if at, ok := slices.BinarySearchFunc(t.order, r, inOrderOfChange); ok {
		t.order = slices.Delete(t.order, at, at+1)
	}
}

// insert adds a row: defaults, what is given, what follows from it.
func (s *Server) insert(name string, given map[string]string, by string) *record {
	t := s.table(name)
	id := given["sys_id"]
	if id == "" || s.records[id] != nil {
		id = s.newID()
	}
	now := s.now()
	r := &record{table: t, fields: map[string]string{
		"sys_id": id, "sys_created_on": now, "sys_created_by": by, "sys_updated_on": now, "sys_updated_by": by, "sys_mod_count": "0",
	}}
	if t.columns["sys_class_name"] != nil {
		r.fields["sys_class_name"] = name
	}
	maps.Copy(r.fields, s.defaults(t, by))
	if t.prefix != "" {
		t.numbered++
		r.fields["number"] = fmt.Sprintf("%s%07d", t.prefix, 10000+t.numbered)
	}
	s.records[id] = r
	before := maps.Clone(r.fields)
	s.fill(r, given, by)
	s.follow(r, before, by)
	t.place(r)
	s.hold(r, nil)
	s.index(r)
	if name == "sysapproval_approver" {
		of := r.fields["sysapproval"]
		s.approvals[of] = append(s.approvals[of], r)
	}
	return r
}

// defaults are what a new row holds before anything is said about it.
func (s *Server) defaults(t *table, by string) map[string]string {
	out := map[string]string{}
	if t.is("task") {
		out = map[string]string{
			"active": "true", "state": "1", "impact": "3", "urgency": "3", "priority": "4", "approval": "not requested", "escalation": "0",
			"opened_at": s.now(), "opened_by": s.userID(by), "sys_domain": "global", "sys_domain_path": "/",
		}
	} else if t.columns["active"] != nil {
		out["active"] = "true"
	}
	switch t.name {
	case "incident":
		maps.Copy(out, map[string]string{"category": "inquiry", "priority": "5", "incident_state": "1", "notify": "1", "severity": "3", "reopen_count": "0", "reassignment_count": "0"})
	case "sc_req_item", "sc_request":
		out["approval"] = "requested"
	case "change_request":
		maps.Copy(out, map[string]string{"state": "-5", "type": "normal", "risk": "4"})
	}
	return out
}

// table gives a table, made on the way when a person invents one.
func (s *Server) table(name string) *table {
	t := s.tables[name]
	if t == nil {
		t = &table{name: name, display: "name", columns: map[string]*column{}}
		readColumns(t, systemColumns)
		s.tables[name] = t
	}
	return t
}

// update changes a row and counts it, if anything changes.
func (s *Server) update(r *record, given map[string]string, by string) {
	before := maps.Clone(r.fields)
	r.table.displace(r)
	defer r.table.place(r)
	if !s.fill(r, given, by) {
		return
	}
	s.follow(r, before, by)
	n, _ := strconv.Atoi(r.fields["sys_mod_count"])
	r.fields["sys_mod_count"] = strconv.Itoa(n + 1)
	if _, set := given["sys_updated_on"]; !set {
		r.fields["sys_updated_on"] = s.now()
	}
	r.fields["sys_updated_by"] = by
	s.hold(r, before)
	s.index(r)
}

// fill writes fields, and says whether anything changed. Journals take an entry.
func (s *Server) fill(r *record, given map[string]string, by string) bool {
	changed := false
	for _, field := range slices.Sorted(maps.Keys(given)) {
		value, c := given[field], r.table.column(field)
		switch {
		case field == "sys_id" || c.kind == "journal" && (value == "" || field == "comments_and_work_notes"):
		case c.kind == "journal":
			s.write(r, field, by, value)
			changed = true
		case r.fields[field] != value:
			r.fields[field] = value
			changed = true
		}
	}
	return changed
}

// follow does what an instance does by itself after a write: priority from impact and
// urgency, active from the state, times of resolving and closing, approvals moot.
func (s *Server) follow(r *record, before map[string]string, by string) {
	f := r.fields
	moved := func(field string) bool { return f[field] != before[field] }
	if !r.table.is("task") {
		return
	}
	if r.table.name == "incident" && (moved("impact") || moved("urgency")) {
		f["priority"] = lookedUp(f)
	}
	if moved("assignment_group") && f["reassignment_count"] != "" && before["assignment_group"] != "" {
		f["reassignment_count"] = more(f["reassignment_count"])
	}
	if !moved("state") {
		return
	}
	ended := slices.Contains(r.table.closing, f["state"])
	f["active"] = strconv.FormatBool(!ended)
	delete(f, "closed_at")
	delete(f, "closed_by")
	if ended {
		f["closed_at"], f["closed_by"] = s.now(), s.userID(by)
		s.moot(r)
	}
	if r.table.name == "incident" {
		s.followIncident(r, before, by)
	}
}

func (s *Server) followIncident(r *record, before map[string]string, by string) {
	f := r.fields
	f["incident_state"] = f["state"]
	was, is := before["state"] == "6" || before["state"] == "7", f["state"] == "6" || f["state"] == "7"
	switch {
	case is && !was:
		f["resolved_at"], f["resolved_by"] = s.now(), s.userID(by)
	case was && !is && f["state"] != "8":
		delete(f, "resolved_at")
		delete(f, "resolved_by")
		f["reopen_count"] = more(f["reopen_count"])
	}
	if f["state"] != "3" {
		delete(f, "hold_reason")
	}
}

// lookedUp is the priority that impact and urgency give.
func lookedUp(f map[string]string) string {
	i, err1 := strconv.Atoi(f["impact"])
	u, err2 := strconv.Atoi(f["urgency"])
	if err1 != nil || err2 != nil {
		return f["priority"]
	}
	return strconv.Itoa(i + u - 1)
}

func more(count string) string {
	n, _ := strconv.Atoi(count)
	return strconv.Itoa(n + 1)
}

// userID is the sys_id of a user name, or nothing.
func (s *Server) userID(name string) string {
	if r := s.user(name); r != nil {
		return r.id()
	}
	return ""
}

func (s *Server) user(name string) *record { return s.users[name] }

// index keeps what is looked for by something else than a sys_id.
func (s *Server) index(r *record) {
	if r.table.name == "sys_user" && r.fields["user_name"] != "" {
		s.users[r.fields["user_name"]] = r
	}
}

// hold keeps a change from being seen for a while, where commits come late.
func (s *Server) hold(r *record, before map[string]string) {
	if s.switches.CommitLag <= 0 {
		return
	}
	if h, held := s.held[r.id()]; held && s.cfg.Now().Before(h.until) {
		return
	}
	s.held[r.id()] = heldRow{before: before, until: s.cfg.Now().Add(s.switches.CommitLag)}
}

// seen is a row as requests see it by now, or nil.
func (s *Server) seen(r *record) *record {
	if len(s.held) == 0 || r == nil {
		return r
	}
	h, held := s.held[r.id()]
	switch {
	case !held:
		return r
	case !s.cfg.Now().Before(h.until):
		delete(s.held, r.id())
		return r
	case h.before == nil:
		return nil
	}
	return &record{table: r.table, fields: h.before}
}
