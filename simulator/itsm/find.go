package itsm

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// errUnreadable: a field of the query may not be read, or is not there at all where an
// instance does not tell the two apart.
var errUnreadable = errors.New("field(s) present in the query do not have permission to be read")

// plan is a query made ready for a table: one test for each group.
type plan struct {
	groups []test
	sorts  []sorting
	none   bool
}

type sorting struct {
	*path
	down bool
}

// find gives the rows that a query asks for, in its order.
func (s *Server) find(t *table, text string) ([]*record, error) {
	q := parse(text)
	p, err := s.prepare(t, q)
	if err != nil || p.none {
		return nil, err
	}
	rows, ordered := s.candidates(t, q)
	var found []*record
	if s.switches.UnsortedGroups && len(p.groups) > 1 {
		return s.oneBehindTheOther(rows, p), nil
	}
	for _, r := range rows {
		if r = s.seen(r); r != nil && slices.ContainsFunc(p.groups, func(passes test) bool { return passes(r) }) {
			found = append(found, r)
		}
	}
	if !ordered || !inThatOrder(q.orders) {
		slices.SortStableFunc(found, p.compare(s))
	}
	return found, nil
}

func (s *Server) oneBehindTheOther(rows []*record, p plan) []*record {
	var found []*record
	for _, passes := range p.groups {
		from := len(found)
		for _, r := range rows {
			if r = s.seen(r); r != nil && passes(r) && !slices.Contains(found[:from], r) {
				found = append(found, r)
			}
		}
		slices.SortStableFunc(found[from:], p.compare(s))
	}
	return found
}

// prepare drops what the table does not know, or refuses it, or lets nothing be found.
func (s *Server) prepare(t *table, q query) (plan, error) {
	p := plan{}
	for _, group := range q.groups {
		var all []test
		for _, c := range group {
			passes, err := s.either(t, c, &p)
			if err != nil {
				return p, err
			}
			if passes != nil {
				all = append(all, passes)
			}
		}
		p.groups = append(p.groups, func(r *record) bool {
			for _, passes := range all {
				if !passes(r) {
					return false
				}
			}
			return true
		})
	}
	for _, o := range q.orders {
		if s.hidden(t, o.field) {
			return p, fmt.Errorf("order by %s: %w", o.field, errUnreadable)
		}
		if by := s.path(t, o.field); by != nil {
			p.sorts = append(p.sorts, sorting{by, o.down})
		}
	}
	return p, nil
}

func (s *Server) either(t *table, c clause, p *plan) (test, error) {
	var some []test
	for _, condition := range c {
		if s.hidden(t, condition.field) {
			if s.switches.HiddenDrops {
				continue
			}
			return nil, fmt.Errorf("query %s: %w", condition.field, errUnreadable)
		}
		if passes := s.compile(t, condition); passes != nil {
			some = append(some, passes)
			continue
		}
		switch s.switches.UnknownField {
		case "no_rows":
			p.none = true
		case "refuse":
			return nil, fmt.Errorf("query %s: %w", condition.field, errUnreadable)
		}
	}
	switch len(some) {
	case 0:
		return nil, nil
	case 1:
		return some[0], nil
	}
	return func(r *record) bool { return slices.ContainsFunc(some, func(passes test) bool { return passes(r) }) }, nil
}

// hidden says whether access rules keep a field, or a field on the way to it, from
// being read.
func (s *Server) hidden(t *table, field string) bool {
	if len(s.switches.HiddenFields) == 0 {
		return false
	}
	for name := range strings.SplitSeq(field, ".") {
		if t == nil {
			return false
		}
		c := t.columns[name]
		if s.switches.HiddenFields[t.name+"."+name] || c != nil && s.switches.HiddenFields[c.of+"."+name] {
			return true
		}
		if c == nil {
			return false
		}
		t = s.tables[c.to]
	}
	return false
}

func (p plan) compare(s *Server) func(a, b *record) int {
	return func(a, b *record) int {
		for _, by := range p.sorts {
			n := s.ordered(by.last().kind, by.value(a), by.value(b))
			if by.down {
				n = -n
			}
			if n != 0 {
				return n
			}
		}
		return 0
	}
}

// inThatOrder says whether tables are kept in the order that is asked for.
func inThatOrder(orders []ordering) bool {
	for i, o := range orders {
		if o.down || i > 1 || o.field != []string{"sys_updated_on", "sys_id"}[i] {
			return false
		}
	}
	return true
}

// candidates takes the shortest way to rows that may pass, and says whether they come
// in order of their last change.
func (s *Server) candidates(t *table, q query) (rows []*record, ordered bool) {
	if ids, ok := named(q, "sys_id"); ok {
		for _, id := range ids {
			if r := s.records[id]; r != nil && r.table.is(t.name) {
				rows = append(rows, r)
			}
		}
		return rows, false
	}
	for column, by := range map[string]map[string][]*record{"sys_journal_field.element_id": s.journals, "sysapproval_approver.sysapproval": s.approvals} {
		name, field, _ := strings.Cut(column, ".")
		if ids, ok := named(q, field); ok && t.name == name {
			for _, id := range ids {
				rows = append(rows, by[id]...)
			}
			return rows, false
		}
	}
	all := t.all()
	if len(s.held) > 0 {
		return all, false
	}
	from, _ := slices.BinarySearchFunc(all, s.earliest(t, q), func(r *record, at string) int { return cmp.Compare(r.moment(), at) })
	return all[from:], true
}

// named gives the values that a single group allows for a field.
func named(q query, field string) ([]string, bool) {
	if len(q.groups) != 1 {
		return nil, false
	}
	for _, c := range q.groups[0] {
		if len(c) == 1 && c[0].field == field && (c[0].operator == "=" || c[0].operator == "IN") && !strings.HasPrefix(c[0].value, "javascript:") {
			values := strings.Split(c[0].value, ",")
			slices.Sort(values)
			return slices.Compact(values), true
		}
	}
	return nil, false
}

// earliest is a moment before which no row passes, as far as the query says so itself.
func (s *Server) earliest(t *table, q query) string {
	field := "sys_updated_on"
	if t.columns[field] == nil {
		field = "sys_created_on"
	}
	least := ""
	for i, group := range q.groups {
		from := ""
		for _, c := range group {
			if len(c) != 1 || c[0].field != field || c[0].operator != ">" && c[0].operator != ">=" && c[0].operator != "=" {
				continue
			}
			if at, ok := s.moment(c[0].value); ok {
				from = max(from, at)
			}
		}
		if i == 0 || from < least {
			least = from
		}
	}
	return least
}
