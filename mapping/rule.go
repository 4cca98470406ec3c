package mapping

import (
	"fmt"
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
		r.TellTicket = l.texts(e.value, "tell_ticket")
		r.Display = r.Display || len(r.TellTicket) > 0
	}
	if e, ok := keys["owner"]; ok {
		for name, who := range l.entries(e.value, "owner", nil) {
			r.Owner[name] = l.word(who.value, "owner", "itsm", "mmd", "hold")
		}
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
	r.gather(append(names(r.create), names(r.update)...), r.UpdateFields, r.TellTicket, r.NotesFrom.Fields)
	r.gatherWhen(r.NotesTo.when, r.NotesFrom.when)
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

func (l *loader) notes(r *TicketRule, keys map[string]entry) {
	e, ok := keys["notes"]
	if !ok {
		return
	}
	notes := l.entries(e.value, "notes", []string{"to_record", "to_ticket", "history", "since"})
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
			r.NotesFrom.Fields = l.texts(f.value, "fields")
		}
		if w, ok := inner["when"]; ok {
			r.NotesFrom.when = l.condition(w.value, "record")
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
		r.Approved = l.texts(e.value, "approved")
	}
	if e, ok := keys["approval"]; ok {
		inner := l.entries(e.value, "approval", []string{"not_by", "within"})
		if by, ok := inner["not_by"]; ok {
			r.NotBy = l.texts(by.value, "not_by")
		}
		if w, ok := inner["within"]; ok {
			r.Within = l.duration(w.value, "within")
		}
	}
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
	if e, ok := keys["report"]; ok {
		if r.Report = l.word(e.value, "report", "work_notes", "comments"); r.Report == "comments" {
			l.warn(e.value, "writing comments e-mails the requester", "did you mean work_notes?")
		}
	}
	used := names(r.create)
	if r.actions != nil {
		used = append(used, r.actions.names()...)
	}
	r.gather(used, r.Approved, r.NotBy)
	r.gatherWhen(r.close)
	return r
}

// source reads what both kinds of rule say about which records they take.
func (l *loader) source(n *yaml.Node, keys map[string]entry) Source {
	s := Source{File: l.file, Line: n.Line, Creates: -1}
	text := func(key string) string {
		e, ok := keys[key]
		if !ok {
			l.at(n, "a rule needs "+key+":", "")
			return ""
		}
		return l.text(e.value, key)
	}
	s.Name, s.Table = text("name"), text("table")
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
	if e, ok := keys["start"]; ok {
		inner := l.entries(e.value, "start", []string{"from"})
		if from, ok := inner["from"]; ok {
			t, err := time.Parse(time.DateOnly, from.value.Value)
			if err != nil {
				l.at(from.value, "start.from is a date", "from: 2026-12-01")
			}
			s.Start = t
		}
	}
	if e, ok := keys["limits"]; ok {
		inner := l.entries(e.value, "limits", []string{"creates"})
		if c, ok := inner["creates"]; ok {
			limit, err := strconv.Atoi(c.value.Value)
			if err != nil || limit < 0 {
				l.at(c.value, "limits.creates is a number; 0: no limit", "")
			}
			s.Creates = limit
		}
	}
	return s
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
		out = append(out, target{path: f.name, kind: f.kind, required: f.required, value: r.value(e.value), line: e.value.Line})
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
		r := &reader{loader: l, side: "ticket", path: name}
		out = append(out, target{path: name, value: r.value(entries[name].value), line: entries[name].value.Line})
	}
	return out
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
	for _, f := range slices.Concat(append(more, s.Query.Fields())...) {
		fields[f] = true
	}
	if s.when != nil {
		used = append(used, s.when)
	}
	for _, e := range used {
		s.use(e, fields)
	}
	s.Fields = slices.Sorted(maps.Keys(fields))
	slices.Sort(s.TicketRefs)
	s.TicketRefs = slices.Compact(s.TicketRefs)
}

// gatherWhen adds the fields of conditions that may be missing.
func (s *Source) gatherWhen(conditions ...*expression) {
	fields := map[string]bool{}
	for _, f := range s.Fields {
		fields[f] = true
	}
	for _, c := range conditions {
		if c != nil {
			s.use(c, fields)
		}
	}
	s.Fields = slices.Sorted(maps.Keys(fields))
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

// query reads a query or a list of its parts, fills in vars, and refuses what an
// instance would run or we could not evaluate.
func (l *loader) query(n *yaml.Node, when *expression) Query {
	var clauses []string
	nodes := []*yaml.Node{resolve(n)}
	if nodes[0].Kind == yaml.SequenceNode {
		nodes = nodes[0].Content
	}
	for _, item := range nodes {
		clauses = append(clauses, l.clause(item))
	}
	q, unsure := parseQuery(strings.Join(clauses, "^"))
	for _, c := range unsure {
		covered := when != nil && slices.Contains(when.paths, "record/"+c.field)
		if !covered && c.field != "" {
			l.at(n, fmt.Sprintf("%q cannot be evaluated here, so a row that slips through would not be noticed", c.text),
				"use = != < > IN LIKE STARTSWITH ENDSWITH ISEMPTY BETWEEN, or name "+c.field+" in when:")
		}
	}
	return q
}

// clause fills the vars of one part of a query.
func (l *loader) clause(n *yaml.Node) string {
	text := l.text(n, "a part of the query")
	l.blanks(n, text)
	var out strings.Builder
	for {
		before, after, open := strings.Cut(text, "{{")
		out.WriteString(before)
		if !open {
			break
		}
		inner, rest, _ := strings.Cut(after, "}}")
		out.WriteString(l.queryVar(n, strings.TrimSpace(inner)))
		text = rest
	}
	if strings.Contains(strings.ToLower(out.String()), "javascript:") {
		l.at(n, "javascript: in a query is run by the server", "write the value itself")
	}
	return out.String()
}

// queryVar gives a var as it stands in a query: a list is joined for IN.
func (l *loader) queryVar(n *yaml.Node, inner string) string {
	name, isVar := strings.CutPrefix(inner, "vars.")
	v, known := l.vars[name]
	if !isVar || !known {
		l.at(n, "{{ "+inner+" }} in a query: only vars can stand there, and this one is not known", "")
	}
	if list, ok := v.([]any); ok {
		for _, item := range list {
			if strings.Contains(fmt.Sprint(item), ",") {
				l.at(n, fmt.Sprintf("%q in var %s holds a comma, which IN cannot escape", item, name), "use ^OR, or the sys_id")
			}
		}
	}
	return strings.ReplaceAll(flat(v), "^", "^^")
}

// blanks finds blanks around ^, which would become part of a field's name.
func (l *loader) blanks(n *yaml.Node, text string) {
	for _, blank := range []string{"^ ", " ^"} {
		if at := strings.Index(text, blank); at >= 0 {
			line, column := l.place(n, text)
			at = len([]rune(text[:at])) + len(blank) - 1
			_, next, _ := strings.Cut(text, blank)
			next = strings.TrimLeft(next, "^ ")
			end := strings.IndexFunc(next, func(r rune) bool { return r == '=' || r == '^' || r == '!' || r == ' ' })
			if end > 0 {
				next = next[:end]
			}
			l.problem(line, column+at, 1, fmt.Sprintf("a blank before %q: the query would mean something else", next), "")
		}
	}
}
