package mapping

import (
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// references are columns that hold a sys_id, with what is usually meant.
func references() map[string]string {
	return map[string]string{
		"caller_id": "caller_id.email", "opened_by": "opened_by.name", "assigned_to": "assigned_to.name", "assignment_group": "assignment_group.name",
		"cmdb_ci": "cmdb_ci.name", "location": "location.name", "company": "company.name", "parent": "parent.number",
		"request_item": "request_item.number", "requested_for": "requested_for.name", "business_service": "business_service.name",
		"resolved_by": "resolved_by.name", "closed_by": "closed_by.name",
	}
}

// people are columns that lead to sys_user.
func people() []string {
	return []string{"caller_id", "opened_by", "assigned_to", "requested_for", "resolved_by", "closed_by"}
}

// userColumns are those of sys_user that a fresh instance has.
func userColumns() []string {
	return []string{
		"sys_id", "user_name", "name", "first_name", "middle_name", "last_name", "email", "phone", "mobile_phone", "home_phone", "title", "vip", "active",
		"department", "location", "company", "manager", "employee_number", "city", "country", "state", "street", "zip", "time_zone", "preferred_language", "gender",
	}
}

// columns warns of a field that is a reference, and of one that a user does not
// have. Only the instance knows for certain.
func (r *reader) columns(n *yaml.Node, e *expression) {
	for _, path := range e.paths {
		field, ours := strings.CutPrefix(path, "record/")
		if !ours || slices.Contains(e.tickets, field) || slices.Contains(e.labels, field) {
			continue
		}
		line, column := r.place(n, field)
		warn := func(at int, message, hint string) {
			r.problem(line, at, 1, message, hint)
			r.problems[len(r.problems)-1].Warning = true
		}
		if better, ok := references()[field]; ok && e.source == field {
			warn(column, field+" is a reference: its value is a sys_id", "did you mean "+better+"?")
		}
		through, last, dotted := strings.Cut(field, ".")
		if dotted && slices.Contains(people(), through) && !strings.Contains(last, ".") && !strings.HasPrefix(last, "u_") && !slices.Contains(userColumns(), last) {
			warn(column+len(through)+1, "sys_user has no column "+last, didYouMean(last, userColumns())+"   (the instance decides)")
		}
	}
}
