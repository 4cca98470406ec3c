package mapping

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

func sourceKeys() []string {
	return []string{"name", "table", "query", "when", "create", "start", "was", "limits"}
}

// ticketRule reads one rule under tickets.
func (l *loader) ticketRule(n *yaml.Node) *TicketRule {
	keys := l.entries(n, "a rule", append(sourceKeys(), "update", "notes", "tell_ticket", "owner", "reopen", "leave"))
	r := &TicketRule{Source: l.source(n, keys), History: true, Reopen: "note", Leave: "stop", Owner: map[string]string{}}
	r.NotesTo.Field, r.NotesFrom.Fields = "work_notes", []string{"comments"}
	if e, ok := keys["create"]; ok {
		r.create = l.targets(e.value, "create", "record", ticketFields())
	} else {
		l.at(n, "rule "+r.Name+" has no create:", "")
	}
	if e, ok := keys["update"]; ok {
		r.update = l.updates(e.value)
	}
	l.notes(r, keys)
	if e, ok := keys["tell_ticket"]; ok {
		r.TellTicket = l.fields(e.value, "tell_ticket")
		r.Display = r.Display || len(r.TellTicket) > 0
	}
	if e, ok := keys["owner"]; ok {
		l.owners(r, e.value)
	}
	if e, ok := keys["reopen"]; ok {
		r.Reopen = l.word(e.value, "reopen", "note", "new", "hold")
	}
	if e, ok := keys["leave"]; ok {
		r.Leave = l.word(e.value, "leave", "stop", "go_on")
	}
	for _, t := range r.update {
		r.UpdateFields = append(r.UpdateFields, t.path)
	}
	used := slices.Concat(names(r.create), names(r.update), []*expression{r.NotesTo.when, r.NotesFrom.when})
	r.gather(used, r.UpdateFields, r.TellTicket, r.NotesFrom.Fields)
	r.TicketFields = ticketPaths(r.update)
	return r
}

// ticketPaths are the ticket's fields that update reads, but for its identity.
func ticketPaths(update []target) []string {
	found := map[string]bool{"state": true}
	for _, e := range names(update) {
		for _, path := range e.paths {
			if field, ok := strings.CutPrefix(path, "ticket/"); ok && field != "id" {
				found[field] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// owners reads whose word counts; it counts for fields that update sets.
func (l *loader) owners(r *TicketRule, n *yaml.Node) {
	for name, who := range l.entries(n, "owner", nil) {
		r.Owner[name] = l.word(who.value, "owner", "itsm", "mmd", "hold")
		if !slices.ContainsFunc(r.update, func(t target) bool { return t.path == name }) {
			l.warn(who.key, "owner: update does not set "+name+", so nobody else claims it", "")
		}
	}
}

// notes reads what of the notes goes where.
func (l *loader) notes(r *TicketRule, keys map[string]entry) {
	e, ok := keys["notes"]
	if !ok {
		return
	}
	notes := l.entries(e.value, "notes", []string{"to_record", "to_ticket", "history"})
	if to, ok := notes["to_record"]; ok {
		inner := l.entries(to.value, "notes.to_record", []string{"field", "when"})
		if f, ok := inner["field"]; ok {
			r.NotesTo.Field = l.word(f.value, "field", "work_notes", "comments")
			if r.NotesTo.Field == "comments" {
				l.warn(f.value, "writing comments e-mails the caller", "did you mean work_notes?")
			}
		}
		if w, ok := inner["when"]; ok {
			r.NotesTo.when = l.condition(w.value, "note")
		}
	}
	if to, ok := notes["to_ticket"]; ok {
		inner := l.entries(to.value, "notes.to_ticket", []string{"fields", "when"})
		if f, ok := inner["fields"]; ok {
			r.NotesFrom.Fields = l.fields(f.value, "fields")
		}
		if w, ok := inner["when"]; ok {
			r.NotesFrom.when = l.condition(w.value, "note")
		}
	}
	if h, ok := notes["history"]; ok {
		r.History = l.word(h.value, "history", "all", "none") == "all"
	}
}

// elevationRule reads one rule under elevations.
func (l *loader) elevationRule(n *yaml.Node) *ElevationRule {
	keys := l.entries(n, "a rule", append(sourceKeys(), "approved", "approval", "close", "close_after", "report"))
	r := &ElevationRule{Source: l.source(n, keys), Approved: []string{"approval", "request_item.approval"}}
	if e, ok := keys["create"]; ok {
		r.create = l.targets(e.value, "create", "record", elevationFields())
	} else {
		l.at(n, "rule "+r.Name+" has no create:", "")
	}
	if e, ok := keys["approved"]; ok {
		r.Approved = l.fields(e.value, "approved")
	}
	if e, ok := keys["approval"]; ok {
		inner := l.entries(e.value, "approval", []string{"not_by", "within"})
		if by, ok := inner["not_by"]; ok {
			r.NotBy = l.fields(by.value, "not_by")
		}
		if w, ok := inner["within"]; ok {
			r.Within = l.duration(w.value, "within")
		}
	}
	l.closing(r, n, keys)
	if e, ok := keys["report"]; ok {
		if r.Report = l.word(e.value, "report", "work_notes", "comments"); r.Report == "comments" {
			l.warn(e.value, "writing comments e-mails the requester", "did you mean work_notes?")
		}
	}
	used := append(names(r.create), r.close)
	if r.actions != nil {
		used = append(used, r.actions.names()...)
	}
	r.gather(used, r.Approved, r.NotBy)
	return r
}

// closing reads when an elevation is closed, and what is said to have been done.
func (l *loader) closing(r *ElevationRule, n *yaml.Node, keys map[string]entry) {
	before := len(l.problems)
	if e, ok := keys["close"]; ok {
		inner := l.entries(e.value, "close", []string{"when", "actionsTaken"})
		if w, ok := inner["when"]; ok {
			r.close = l.condition(w.value, "record")
		}
		if a, ok := inner["actionsTaken"]; ok {
			r.actions = (&reader{loader: l, side: "record", path: "close.actionsTaken"}).value(a.value)
		}
	}
	if e, ok := keys["close_after"]; ok {
		r.CloseAfter = l.duration(e.value, "close_after")
	}
	if r.close == nil && r.CloseAfter == 0 && len(l.problems) == before {
		l.warn(n, "nothing closes the elevation", "close: { when: …, actionsTaken: … }, or close_after: 8h")
	}
}

// source reads what both kinds of rule say about which records they take.
func (l *loader) source(n *yaml.Node, keys map[string]entry) Source {
	s := Source{File: l.file, Line: n.Line, Creates: -1}
	s.Name, s.Table = l.needed(n, keys, "name"), l.needed(n, keys, "table")
	l.reads = s.Table
	if e, ok := keys["was"]; ok {
		s.Was = l.texts(e.value, "was")
	}
	if e, ok := keys["when"]; ok {
		s.when = l.condition(e.value, "record")
	}
	if e, ok := keys["query"]; ok {
		s.Query = l.query(e.value, s.when)
	} else {
		l.at(n, "a rule needs query:", "[active=true, assignment_group.name=…]")
	}
	l.brakes(&s, keys)
	return s
}

// needed reads a text that a rule cannot do without.
func (l *loader) needed(n *yaml.Node, keys map[string]entry, key string) string {
	e, ok := keys[key]
	if !ok {
		l.at(n, "a rule needs "+key+":", "")
		return ""
	}
	text := l.text(e.value, key)
	if text == "" && e.value.Kind == yaml.ScalarNode {
		l.at(e.key, "a rule needs "+key+":, and this one is empty", "")
	}
	return text
}

// brakes reads what holds a first start back: a date, and a number of creates.
func (l *loader) brakes(s *Source, keys map[string]entry) {
	if e, ok := keys["start"]; ok {
		if from, ok := l.entries(e.value, "start", []string{"from"})["from"]; ok {
			t, err := time.Parse(time.DateOnly, from.value.Value)
			if err != nil {
				l.at(from.value, "start.from is a date", "from: 2026-12-01")
			}
			s.Start = t
		}
	}
	if e, ok := keys["limits"]; ok {
		if c, ok := l.entries(e.value, "limits", []string{"creates"})["creates"]; ok {
			limit, err := strconv.Atoi(c.value.Value)
			if err != nil || limit < 0 {
				l.at(c.value, "limits.creates is a number; 0: no limit", "")
			}
			s.Creates = limit
		}
	}
}

// targets reads create: known fields only, and each required one is there.
func (l *loader) targets(n *yaml.Node, path, side string, fields []field) []target {
	given := map[string]entry{}
	l.flatten(n, path, "", fields, given)
	var out []target
	for _, f := range fields {
		e, ok := given[f.name]
		if !ok {
			if f.required {
				place := n
				if head, _, nested := strings.Cut(f.name, "."); nested && given[head].value != nil {
					place = given[head].value
				}
				l.at(place, path+" lacks "+f.name+", which is required", f.name+": …")
			}
			continue
		}
		r := &reader{loader: l, side: side, kind: f.kind, title: f.name == "title", path: f.name}
		v := r.value(e.value)
		if t, ok := v.(*template); ok && f.required && len(t.exprs) == 0 && strings.Join(t.texts, "") == "" && len(l.problems) == 0 {
			l.at(e.key, f.name+" is required, and this is always empty", "")
		}
		out = append(out, target{path: f.name, kind: f.kind, required: f.required, value: v, line: e.value.Line})
	}
	return out
}

// flatten reads nested keys as dotted paths.
func (l *loader) flatten(n *yaml.Node, path, prefix string, fields []field, given map[string]entry) {
	var known []string
	nested := map[string]bool{}
	for _, f := range fields {
		rest, ok := strings.CutPrefix(f.name, prefix)
		if !ok {
			continue
		}
		head, _, deep := strings.Cut(rest, ".")
		nested[head] = nested[head] || deep
		if !slices.Contains(known, head) {
			known = append(known, head)
		}
	}
	for name, e := range l.entries(n, path, known) {
		if nested[name] {
			given[prefix+name] = e
			l.flatten(e.value, path+"."+name, prefix+name+".", fields, given)
			continue
		}
		given[prefix+name] = e
	}
}

// updates reads update: any field of the record, in order of name.
func (l *loader) updates(n *yaml.Node) []target {
	entries := l.entries(n, "update", nil)
	var out []target
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		l.settable(entries[name].key)
		r := &reader{loader: l, side: "ticket", path: name}
		out = append(out, target{path: name, value: r.value(entries[name].value), line: entries[name].value.Line})
	}
	return out
}

// settable refuses what an update cannot set: journals append each time, the
// system's own fields are not ours.
func (l *loader) settable(key *yaml.Node) {
	switch name := l.field(key, "update"); {
	case slices.Contains([]string{"comments", "work_notes", "comments_and_work_notes"}, name):
		l.at(key, name+" is a journal: each update would append to it", "notes: says what goes there")
	case strings.Contains(name, "."):
		l.at(key, name+" belongs to another record", "update sets the record's own fields")
	case strings.HasPrefix(name, "sys_") || name == "number":
		l.at(key, name+" is the system's own: it cannot be set", "")
	}
}

func names(targets []target) []*expression {
	var out []*expression
	for _, t := range targets {
		out = append(out, t.value.names()...)
	}
	return out
}

// gather collects which fields the rule names, and whether labels are needed.
func (s *Source) gather(used []*expression, more ...[]string) {
	fields := map[string]bool{}
	for _, f := range []string{
		"sys_id", "number", "sys_created_on", "sys_created_by", "sys_updated_on", "sys_updated_by", "sys_mod_count", "sys_class_name", "active", "correlation_id",
	} {
		fields[f] = true
	}
	for _, f := range slices.Concat(append(more, s.Query.Fields(), s.Query.References())...) {
		fields[f] = true
	}
	for _, e := range append(used, s.when) {
		if e != nil {
			s.use(e, fields)
		}
	}
	s.Fields = slices.Sorted(maps.Keys(fields))
	slices.Sort(s.TicketRefs)
	s.TicketRefs = slices.Compact(s.TicketRefs)
}

func (s *Source) use(e *expression, fields map[string]bool) {
	s.Display = s.Display || len(e.labels) > 0
	s.TicketRefs = append(s.TicketRefs, e.tickets...)
	for _, path := range e.paths {
		if field, ok := strings.CutPrefix(path, "record/"); ok {
			fields[field] = true
		}
	}
}
