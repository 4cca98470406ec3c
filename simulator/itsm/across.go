package itsm

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// Conditions that look further than at one field of the row.
const (
	words   = "TEXTQUERY321=" // behind 123: a search for words
	related = "RLQUERY"       // how many rows of another table lead here
	joined  = "JOIN"          // whether there is a row of another table with the same value
)

// across makes a test of such a condition. nil: it is dropped.
func (s *Server) across(t *table, c condition) test {
	switch c.operator {
	case words:
		return s.search(c.value)
	case related:
		return s.counted(c.value)
	}
	return s.beside(t, c.value)
}

// search finds all words anywhere in a row.
func (s *Server) search(text string) test {
	wanted := strings.Fields(strings.ToLower(text))
	return func(r *record) bool {
		for _, word := range wanted {
			found := false
			for _, value := range r.fields {
				found = found || strings.Contains(strings.ToLower(value), word)
			}
			if !found {
				return false
			}
		}
		return true
	}
}

// counted reads TABLE.FIELD,OPERATOR NUMBER^CONDITIONS.
func (s *Server) counted(text string) test {
	head, conditions, _ := strings.Cut(text, "^")
	way, rest, _ := strings.Cut(head, ",")
	name, field, _ := strings.Cut(way, ".")
	rest, _, _ = strings.Cut(rest, ",") // m2m says no more than the table does
	number := strings.TrimLeft(rest, "<>=!")
	operator := strings.TrimSuffix(rest, number)
	n, err := strconv.Atoi(number)
	other := s.tables[name]
	if err != nil || other == nil || other.columns[field] == nil || !slices.Contains([]string{"=", "!=", ">", ">=", "<", "<="}, operator) {
		return nil
	}
	rows, err := s.find(other, conditions)
	if err != nil {
		return nil
	}
	lead := map[string]int{}
	for _, r := range rows {
		lead[r.fields[field]]++
	}
	return func(r *record) bool {
		have := lead[r.id()]
		return strings.HasPrefix(operator, ">") && have > n || strings.HasPrefix(operator, "<") && have < n ||
			strings.HasSuffix(operator, "=") && operator != "!=" && have == n || operator == "!=" && have != n
	}
}

// beside reads TABLE.FIELD=OTHER.FIELD!CONDITION.
func (s *Server) beside(t *table, text string) test {
	both, conditions, _ := strings.Cut(text, "!")
	own, theirs, _ := strings.Cut(both, "=")
	_, field, _ := strings.Cut(own, ".")
	name, key, _ := strings.Cut(theirs, ".")
	other := s.tables[name]
	if t.columns[field] == nil || other == nil || other.columns[key] == nil {
		return nil
	}
	rows, err := s.find(other, conditions)
	if err != nil {
		return nil
	}
	have := map[string]bool{}
	for _, r := range rows {
		have[r.fields[key]] = true
	}
	return func(r *record) bool { return r.fields[field] != "" && have[r.fields[field]] }
}

// apart tests how far two times are from each other: OTHER@UNIT@before@N, or after.
func (s *Server) apart(t *table, p *path, operator, want string) test {
	parts := strings.Split(want, "@")
	if len(parts) != 4 || parts[2] != "before" && parts[2] != "after" {
		return nil
	}
	other := s.path(t, parts[0])
	n, err := strconv.Atoi(parts[3])
	unit := map[string]time.Duration{"minute": time.Minute, "hour": time.Hour, "day": 24 * time.Hour, "week": 7 * 24 * time.Hour}[parts[1]]
	if other == nil || err != nil || unit == 0 {
		return nil
	}
	return func(r *record) bool {
		own, err1 := time.Parse(time.DateTime, p.value(r))
		its, err2 := time.Parse(time.DateTime, other.value(r))
		if err1 != nil || err2 != nil {
			return false
		}
		between := own.Sub(its)
		if parts[2] == "before" {
			between = -between
		}
		if operator == "MORETHAN" {
			return between > time.Duration(n)*unit
		}
		return between >= 0 && between < time.Duration(n)*unit
	}
}

// part tests a part of a time: LABEL@javascript:gs.datePart('dayofweek','monday','EE').
func (s *Server) part(p *path, want string) test {
	_, code, _ := strings.Cut(want, "@")
	call, ok := strings.CutPrefix(code, "javascript:gs.datePart(")
	if !ok {
		return nil
	}
	var arguments []string
	for argument := range strings.SplitSeq(strings.TrimRight(call, ");"), ",") {
		arguments = append(arguments, strings.ToLower(strings.Trim(strings.TrimSpace(argument), `'"`)))
	}
	of := map[string]func(time.Time) []string{
		"dayofweek": func(at time.Time) []string { return spelt(at.Weekday().String()) },
		"month":     func(at time.Time) []string { return spelt(at.Month().String()) },
		"quarter":   func(at time.Time) []string { return []string{strconv.Itoa((int(at.Month()) + 2) / 3)} },
		"year":      func(at time.Time) []string { return []string{strconv.Itoa(at.Year())} },
		"hour":      func(at time.Time) []string { return []string{strconv.Itoa(at.Hour())} },
	}[arguments[0]]
	if of == nil || len(arguments) < 2 {
		return nil
	}
	return func(r *record) bool {
		at, err := time.Parse(time.DateTime, p.value(r))
		return err == nil && slices.Contains(of(at), arguments[1])
	}
}

// spelt is a name in full, and its first three letters.
func spelt(name string) []string {
	name = strings.ToLower(name)
	return []string{name, name[:3]}
}
