package itsm

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// largest is the most that a body may hold.
const largest = 10 << 20

// create is POST: one row, whatever follows from it, and the whole of it back.
func (s *Server) create(q *request, t *table) {
	given, ok := s.body(q, t)
	if !ok || s.refused(q, t, "Insert Failed") || s.barred(q, t, nil, given) {
		return
	}
	if s.records[given["sys_id"]] != nil {
		q.fail(http.StatusForbidden, "Operation Failed", "Error during insert of "+t.name+": unique key violation")
		return
	}
	r := s.insert(t.name, given, s.cfg.Username)
	if priority := given["priority"]; priority != "" && t.name == "incident" {
		r.fields["priority"] = lookedUp(r.fields)
	}
	q.header.Set("Location", s.cfg.Instance+q.URL.Path+"/"+r.id())
	s.reply(q, t, r, http.StatusCreated)
}

// change is PATCH and PUT, which do the same: fields that are absent stay.
func (s *Server) change(q *request, t *table, r *record) {
	given, ok := s.body(q, t)
	if !ok || s.refused(q, t, "Update Failed") || s.barred(q, t, r, given) {
		return
	}
	if _, set := given["priority"]; set && r.table.name == "incident" {
		f := maps.Clone(r.fields)
		maps.Copy(f, given)
		given["priority"] = lookedUp(f) // the lookup has the last word
	}
	for name := range given {
		if strings.HasPrefix(name, "sys_") {
			delete(given, name)
		}
	}
	s.update(r, given, s.cfg.Username)
	if t.name == "sysapproval_approver" && given["state"] != "" {
		s.rollUp(r.fields["sysapproval"], s.cfg.Username)
	}
	s.reply(q, t, r, http.StatusOK)
}

func (s *Server) reply(q *request, t *table, r *record, status int) {
	if q.Header.Get("X-No-Response-Body") == "true" {
		q.status = status
		return
	}
	s.one(q, t, r, status)
}

// refused answers for access rules on a whole table.
func (s *Server) refused(q *request, t *table, what string) bool {
	if !s.switches.ReadOnly[t.name] {
		return false
	}
	q.fail(http.StatusForbidden, "Operation Failed", "ACL Exception "+what+" due to security constraints")
	return true
}

// barred answers for data policies and business rules.
func (s *Server) barred(q *request, t *table, r *record, given map[string]string) bool {
	after := map[string]string{}
	if r != nil {
		after = maps.Clone(r.fields)
	}
	maps.Copy(after, given)
	if lacks := s.lacks(t, after, given); len(lacks) > 0 {
		q.fail(http.StatusForbidden, "Operation Failed", "Data Policy Exception: \n\tThe following fields are mandatory: "+strings.Join(lacks, ", "))
		return true
	}
	rule := s.aborting(t.name, given)
	if rule == "" {
		return false
	}
	q.fail(http.StatusForbidden, "Operation Failed",
		"Operation against file '"+t.name+"' was aborted by Business Rule '"+rule+"^"+s.newID()+"'. Business Rule Stack:"+rule)
	return true
}

// aborting names the business rule that stops a write, or none.
func (s *Server) aborting(table string, given map[string]string) string {
	for _, field := range slices.Sorted(maps.Keys(given)) {
		if rule := s.switches.Aborts[table+"."+field]; rule != "" {
			return rule
		}
	}
	rule := s.switches.Aborts[table]
	if rule == "" && s.switches.Abort != nil {
		rule = s.switches.Abort(table, maps.Clone(given))
	}
	return rule
}

// lacks gives the labels of what policies ask for and the row would not have.
func (s *Server) lacks(t *table, after, given map[string]string) []string {
	var fields []string
	if t.name == "incident" && !s.switches.NoPolicy {
		switch {
		case after["state"] == "6" || after["state"] == "7":
			fields = append(fields, "close_code", "close_notes")
		case given["state"] == "3" && after["hold_reason"] == "1":
			fields = append(fields, "comments")
		}
	}
	fields = append(fields, s.switches.Mandatory[t.name]...)
	var labels []string
	for _, f := range fields {
		if after[f] == "" {
			labels = append(labels, t.column(f).label)
		}
	}
	return labels
}

// body reads what is to be written: columns that may be, cut to their length, choices
// that exist. All else is left out in silence.
func (s *Server) body(q *request, t *table) (map[string]string, bool) {
	if q.ContentLength > largest {
		q.fail(http.StatusBadRequest, "Exception while reading request", "Rejected large REST payload with content-length = "+
			strconv.FormatInt(q.ContentLength, 10)+" bytes. Max allowed: "+strconv.Itoa(largest)+" bytes.")
		return nil, false
	}
	raw, err := io.ReadAll(io.LimitReader(q.Body, largest))
	var fields map[string]any
	if err != nil || json.Unmarshal(raw, &fields) != nil {
		q.fail(http.StatusBadRequest, "Exception while reading request", "The payload is not valid JSON.")
		return nil, false
	}
	out := map[string]string{}
	for name, v := range fields {
		c := t.columns[name]
		if c == nil || s.switches.ReadOnly[t.name+"."+name] || s.switches.ReadOnly[c.of+"."+name] {
			continue
		}
		text := plain(v)
		if q.params["sysparm_input_display_value"] == "true" {
			text = s.fromDisplay(c, text)
		}
		if len(c.choices) > 0 && text != "" && !s.switches.AnyChoice && !slices.ContainsFunc(c.choices, func(ch choice) bool { return ch.value == text }) {
			continue // a choice that nobody knows is as good as none
		}
		out[name] = shorten(text, c.size)
	}
	return out, true
}

// plain is a JSON value as a column keeps it.
func plain(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case map[string]any:
		return plain(v["value"])
	}
	text, _ := json.Marshal(v) //nolint:errchkjson // it was JSON a moment ago
	return string(text)
}

// shorten cuts a text to a column's length, in silence, as instances do.
func shorten(text string, size int) string {
	if size <= 0 || len(text) <= size {
		return text
	}
	if letters := []rune(text); len(letters) > size {
		return string(letters[:size])
	}
	return text
}

// fromDisplay is the value that a label or a name stands for; unknown is empty.
func (s *Server) fromDisplay(c *column, shown string) string {
	for _, ch := range c.choices {
		if ch.label == shown {
			return ch.value
		}
	}
	to := s.tables[c.to]
	if to == nil || shown == "" {
		return shown
	}
	for _, r := range to.all() {
		if r.fields[r.table.display] == shown || r.id() == shown {
			return r.id()
		}
	}
	return ""
}
