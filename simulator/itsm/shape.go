package itsm

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// shape is how rows are to be written: which fields, raw or shown, and references
// with or without their link.
type shape struct {
	s      *Server
	fields []field
	mode   string
	bare   bool
	base   string
}

type field struct {
	*path
	key []byte
	// void is a field that access rules show as empty.
	void bool
}

// shape reads the parameters. Fields that are unknown or hidden are left out.
func (s *Server) shape(q *request, t *table) *shape {
	sh := &shape{s: s, mode: q.params["sysparm_display_value"], bare: q.params["sysparm_exclude_reference_link"] == "true", base: s.cfg.Instance + "/api/now/table/"}
	if q.version != "" {
		sh.base = s.cfg.Instance + "/api/now/" + q.version + "/table/"
	}
	names := strings.Split(q.params["sysparm_fields"], ",")
	if q.params["sysparm_fields"] == "" {
		names = slices.Sorted(maps.Keys(t.columns))
	}
	for i, name := range names {
		name = strings.TrimSpace(name)
		hidden := s.hidden(t, name)
		p := s.path(t, name)
		if p == nil || hidden && !s.switches.HiddenAsEmpty || slices.Contains(names[:i], name) {
			continue
		}
		key, _ := json.Marshal(name) //nolint:errchkjson // a text
		sh.fields = append(sh.fields, field{p, append(key, ':'), hidden})
	}
	return sh
}

// write writes one row.
func (sh *shape) write(b *bytes.Buffer, r *record) {
	b.WriteByte('{')
	for i, f := range sh.fields {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(f.key)
		if f.void {
			b.WriteString(`""`)
			continue
		}
		sh.cell(b, f, f.end(r))
	}
	b.WriteByte('}')
}

// cell writes one value, in each of the ways that there are.
func (sh *shape) cell(b *bytes.Buffer, f field, r *record) {
	c, raw := f.last(), sh.raw(f, r)
	link := ""
	if raw != "" && !sh.bare {
		link = sh.link(c, r, raw)
	}
	shown, valued := sh.mode == "all" || sh.mode == "true", sh.mode != "true"
	if sh.mode != "all" && link == "" {
		if shown {
			raw = sh.s.display(r, c, raw)
		}
		quote(b, raw)
		return
	}
	b.WriteByte('{')
	separator := ""
	part := func(name, text string) {
		b.WriteString(separator)
		b.WriteString(name)
		quote(b, text)
		separator = ","
	}
	switch {
	case shown && raw == "" && c.kind == "choice":
		b.WriteString(`"display_value":null`) // an empty choice is shown as nothing at all
		separator = ","
	case shown:
		part(`"display_value":`, sh.s.display(r, c, raw))
	}
	if link != "" {
		part(`"link":`, link)
	}
	if valued {
		part(`"value":`, raw)
	}
	b.WriteByte('}')
}

// raw is the value as it is kept; a journal's is empty, or its last entry.
func (sh *shape) raw(f field, r *record) string {
	switch {
	case r == nil:
		return ""
	case f.last().kind == "journal" && sh.s.switches.RawJournal:
		return sh.s.latest(r, f.last().name)
	}
	return r.fields[f.last().name]
}

// link is the address of what a reference leads to, or nothing.
func (sh *shape) link(c *column, r *record, raw string) string {
	switch {
	case c.kind == "reference":
		return sh.base + c.to + "/" + raw
	case c.kind == "document" && !sh.s.switches.DocumentIDAsText:
		return sh.base + r.fields["source_table"] + "/" + raw
	case c.name == "sys_domain":
		return sh.base + "sys_user_group/" + raw
	}
	return ""
}

// display is the form for people: labels, names, the user's time zone.
func (s *Server) display(r *record, c *column, raw string) string {
	switch c.kind {
	case "journal":
		if r == nil {
			return ""
		}
		return s.shown(r, c.name)
	case "datetime":
		return s.local(raw)
	case "reference", "document":
		if to := s.records[raw]; to != nil && to.fields[to.table.display] != "" {
			return to.fields[to.table.display]
		}
	case "integer":
		return grouped(raw)
	case "choice":
		for _, ch := range c.choices {
			if ch.value == raw {
				return ch.label
			}
		}
	}
	return raw
}

// grouped writes a number with separators.
func grouped(raw string) string {
	if _, err := strconv.ParseUint(raw, 10, 63); err != nil || len(raw) <= 3 {
		return raw
	}
	return grouped(raw[:len(raw)-3]) + "," + raw[len(raw)-3:]
}

// quote writes a JSON string.
func quote(b *bytes.Buffer, text string) {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c == '"' || c == '\\' || c >= 0x7f {
			enc, _ := json.Marshal(text) //nolint:errchkjson // a text
			b.Write(enc)
			return
		}
	}
	b.WriteByte('"')
	b.WriteString(text)
	b.WriteByte('"')
}
