package itsm

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// describe fills sys_dictionary, sys_choice and sys_db_object the first time that
// somebody asks for one of them. A column is described where it is defined: task's are
// not incident's, which extends it.
func (s *Server) describe(asked string) {
	if s.described || !slices.Contains([]string{"sys_dictionary", "sys_choice", "sys_db_object"}, asked) {
		return
	}
	s.described = true
	s.lineage()
	for _, name := range slices.Sorted(maps.Keys(s.tables)) {
		t := s.tables[name]
		for _, element := range slices.Sorted(maps.Keys(t.columns)) {
			c := t.columns[element]
			if c.of != name {
				continue
			}
			s.state("sys_dictionary", name+"."+element, map[string]string{
				"name": name, "element": element, "column_label": c.label, "internal_type": internal(c), "max_length": length(c), "reference": c.to,
				"mandatory": "false", "read_only": "false", "active": "true",
			})
			for i, ch := range c.choices {
				s.state("sys_choice", name+"."+element+"."+ch.value, map[string]string{
					"name": name, "element": element, "value": ch.value, "label": ch.label, "sequence": strconv.Itoa(i), "language": "en", "inactive": "false",
				})
			}
		}
	}
}

// lineage fills sys_db_object: which table extends which.
func (s *Server) lineage() {
	for _, name := range slices.Sorted(maps.Keys(s.tables)) {
		fields := map[string]string{"name": name, "label": label(name)}
		if parent := s.tables[name].parent; parent != "" {
			fields["super_class"] = stated("sys_db_object", parent)
		}
		s.state("sys_db_object", name, fields)
	}
}

// label is a table's name as people read it.
func label(name string) string {
	words := strings.ReplaceAll(name, "_", " ")
	return strings.ToUpper(words[:1]) + words[1:]
}

// stated is the sys_id of a row that came with the instance.
func stated(table, what string) string {
	sum := sha256.Sum256([]byte(table + " " + what))
	return hex.EncodeToString(sum[:16])
}

// state adds a row that came with the instance.
func (s *Server) state(table, what string, fields map[string]string) {
	fields["sys_id"] = stated(table, what)
	s.insert(table, fields, "system")
}

// internal is what the dictionary calls a kind.
func internal(c *column) string {
	switch c.kind {
	case "datetime":
		return "glide_date_time"
	case "journal":
		if c.name == "comments_and_work_notes" {
			return "journal_list"
		}
		return "journal_input"
	case "document":
		return "document_id"
	case "choice":
		return "string"
	}
	return c.kind
}

func length(c *column) string {
	switch {
	case c.kind == "reference" || c.kind == "document":
		return "32"
	case c.kind == "journal":
		return "4000"
	case c.size == 0:
		return "40"
	}
	return strconv.Itoa(c.size)
}
