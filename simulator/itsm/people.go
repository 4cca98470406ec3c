package itsm

import (
	"maps"
	"slices"
)

// person is who writes when nobody is named.
const person = "person"

// Insert adds a row as a person would, and gives its sys_id. A column or a table that
// is new is added as well.
func (s *Server) Insert(table string, fields map[string]string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.insert(table, fields, person).id()
}

// Set changes fields of a row as a person would.
func (s *Server) Set(table, sysID string, fields map[string]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.records[sysID]; r != nil && r.table.is(table) {
		s.update(r, fields, person)
	}
}

// Quietly changes fields and leaves no trace in sys_updated_on and sys_mod_count, as a
// script with autoSysFields(false) does.
func (s *Server) Quietly(table, sysID string, fields map[string]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.records[sysID]; r != nil && r.table.is(table) {
		r.table.displace(r)
		maps.Copy(r.fields, fields)
		r.table.place(r)
	}
}

// Delete takes a row away. Only sys_audit_delete remembers it.
func (s *Server) Delete(table, sysID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.records[sysID]; r != nil && r.table.is(table) {
		s.delete(r, person)
	}
}

func (s *Server) delete(r *record, by string) {
	r.table.displace(r)
	delete(s.records, r.id())
	delete(s.held, r.id())
	of := r.fields["sysapproval"]
	s.approvals[of] = slices.DeleteFunc(s.approvals[of], func(a *record) bool { return a == r })
	of = r.fields["element_id"]
	s.journals[of] = slices.DeleteFunc(s.journals[of], func(a *record) bool { return a == r })
	s.insert("sys_audit_delete", map[string]string{"tablename": r.table.name, "documentkey": r.id(), "display_value": r.fields[r.table.display]}, by)
}

// User adds a person, and gives the sys_id. The fields are those of sys_user.
func (s *Server) User(userName string, fields map[string]string) string {
	all := maps.Clone(fields)
	if all == nil {
		all = map[string]string{}
	}
	all["user_name"] = userName
	return s.Insert("sys_user", all)
}

// Group adds a group, and gives its sys_id.
func (s *Server) Group(name string) string {
	return s.Insert("sys_user_group", map[string]string{"name": name})
}

// Device adds a computer, and gives its sys_id.
func (s *Server) Device(name string) string {
	return s.Insert("cmdb_ci_computer", map[string]string{"name": name})
}

// Attach hangs a file on a record: its name and size, for there is no content.
func (s *Server) Attach(table, sysID, fileName, contentType string) string {
	return s.Insert("sys_attachment", map[string]string{
		"file_name": fileName, "content_type": contentType, "size_bytes": "1024", "table_name": table, "table_sys_id": sysID,
	})
}

// Refer makes a column of a table lead to another table, as an administrator would.
func (s *Server) Refer(table, column, to string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.table(table).column(column)
	c.kind, c.to = "reference", to
}
