package itsm

// RequestApproval asks people (by sys_id) to approve an object, and gives the sys_ids
// of their rows.
func (s *Server) RequestApproval(table, sysID string, approvers ...string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var rows []string
	for _, approver := range approvers {
		rows = append(rows, s.ask(table, sysID, approver).id())
	}
	s.rollUp(sysID, "system")
	return rows
}

func (s *Server) ask(table, sysID, approver string) *record {
	return s.insert("sysapproval_approver", map[string]string{
		"sysapproval": sysID, "document_id": sysID, "source_table": table, "approver": approver, "state": "requested",
	}, "system")
}

// Decide writes one person's word (approved, rejected …) on an object, and what
// follows from it for the object. Who was not asked before is asked now.
func (s *Server) Decide(table, sysID, approver, state string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var row *record
	for _, r := range s.approvals[sysID] {
		if r.fields["approver"] == approver && r.fields["state"] == "requested" {
			row = r
		}
	}
	if row == nil {
		row = s.ask(table, sysID, approver)
	}
	by := approver
	if u := s.records[approver]; u != nil {
		by = u.fields["user_name"]
	}
	s.update(row, map[string]string{"state": state}, by)
	s.rollUp(sysID, by)
}

// Withdraw takes an approval back: the rows are cancelled, the object is asked for anew.
func (s *Server) Withdraw(sysID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.approvals[sysID] {
		s.update(r, map[string]string{"state": "cancelled"}, "system")
	}
	if r := s.records[sysID]; r != nil {
		s.update(r, map[string]string{"approval": "requested"}, "system")
	}
}

// rollUp is the object's own approval, from the rows: one rejection rejects, one
// approval approves and makes the others moot, unless everyone is asked.
//
//	rejected  approved  requested   everyone   object
//	≥ 1                                        rejected
//	0         ≥ 1                   no         approved, the others not required
//	0         ≥ 1       0           yes        approved
//	0                   ≥ 1                    requested
//	0         0         0                      as it was
func (s *Server) rollUp(sysID, by string) {
	object := s.records[sysID]
	if object == nil {
		return
	}
	count := map[string]int{}
	for _, r := range s.approvals[sysID] {
		count[r.fields["state"]]++
	}
	switch {
	case count["rejected"] > 0:
		s.update(object, map[string]string{"approval": "rejected"}, by)
	case count["approved"] > 0 && (count["requested"] == 0 || !s.switches.EveryoneApproves):
		s.update(object, map[string]string{"approval": "approved"}, by)
		s.moot(object)
	case count["requested"] > 0:
		s.update(object, map[string]string{"approval": "requested"}, by)
	}
}

// moot closes what is still asked for.
func (s *Server) moot(object *record) {
	for _, r := range s.approvals[object.id()] {
		if r.fields["state"] == "requested" {
			s.update(r, map[string]string{"state": "not_required"}, "system")
		}
	}
}
