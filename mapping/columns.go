package mapping

import (
	"maps"
	"slices"
	"strings"
)

// references are columns that hold a sys_id, with what is usually meant.
func references() map[string]string {
	return map[string]string{
		"caller_id": "caller_id.email", "opened_by": "opened_by.name", "assigned_to": "assigned_to.name", "assignment_group": "assignment_group.name",
		"cmdb_ci": "cmdb_ci.name", "location": "location.name", "company": "company.name", "parent": "parent.number",
		"request_item": "request_item.number", "requested_for": "requested_for.name", "business_service": "business_service.name",
		"resolved_by": "resolved_by.name", "closed_by": "closed_by.name", "problem_id": "problem_id.number", "rfc": "rfc.number",
		"parent_incident": "parent_incident.number", "request": "request.number", "cat_item": "cat_item.name",
		"service_offering": "service_offering.name", "requested_by": "requested_by.name", "task_for": "task_for.name",
	}
}

// leadsTo is the table that a reference column points to, where it is well known.
func leadsTo(column string) string {
	switch column {
	case "caller_id", "opened_by", "assigned_to", "requested_for", "requested_by", "resolved_by", "closed_by", "task_for", "manager":
		return "sys_user"
	case "request_item":
		return "sc_req_item"
	}
	return ""
}

// columnsOf lists the columns that a fresh instance has on a table; none: the table
// is not known here. Tables under task lend each other their columns, since
// instances do: only the instance knows for certain.
func columnsOf(table string) []string {
	own := map[string]string{
		"task": "",
		"incident": `business_impact business_stc calendar_stc caller_id category cause caused_by child_incidents close_code hold_reason
			incident_state notify origin_id origin_table parent_incident problem_id reopen_count reopened_by reopened_time resolved_at
			resolved_by rfc severity subcategory`,
		"change_request": `backout_plan cab_date cab_date_time cab_delegate cab_recommendation cab_required category change_plan chg_model
			close_code conflict_last_run conflict_status end_date implementation_plan justification on_hold on_hold_reason on_hold_task
			outside_maintenance_schedule phase phase_state production_system reason requested_by requested_by_date review_comments
			review_date review_status risk risk_impact_analysis risk_value scope start_date std_change_producer_version test_plan type
			unauthorized`,
		"sc_task": "calendar_stc cat_item request request_item sc_catalog",
		"sc_req_item": `backordered billable cat_item configuration_item context estimated_delivery flow_context order_guide price quantity
			recurring_frequency recurring_price request requested_for sc_catalog stage`,
	}
	if table == "sys_user" {
		return strings.Fields(userColumns)
	}
	if _, known := own[table]; !known {
		return nil
	}
	out := strings.Fields(taskColumns)
	for _, name := range slices.Sorted(maps.Keys(own)) {
		out = append(out, strings.Fields(own[name])...)
	}
	return out
}

const userColumns = `active avatar building calendar_integration city company cost_center country date_format default_perspective department
	email employee_number failed_attempts first_name gender home_phone introduction last_login last_login_time last_name ldap_server
	location locked_out manager middle_name mobile_phone name notification phone photo preferred_language roles schedule source state
	street sys_class_name sys_created_by sys_created_on sys_domain sys_domain_path sys_id sys_mod_count sys_tags sys_updated_by
	sys_updated_on time_format time_zone title user_name vip zip`

const taskColumns = `active activity_due additional_assignee_list approval approval_history approval_set assigned_to assignment_group
	business_duration business_service calendar_duration close_notes closed_at closed_by cmdb_ci comments comments_and_work_notes company
	contact_type contract correlation_display correlation_id delivery_plan delivery_task description due_date escalation expected_start
	follow_up group_list impact knowledge location made_sla number opened_at opened_by order parent priority reassignment_count
	rejection_goto route_reason service_offering short_description skills sla_due state sys_class_name sys_created_by sys_created_on
	sys_domain sys_domain_path sys_id sys_mod_count sys_tags sys_updated_by sys_updated_on task_effective_number task_for time_worked
	universal_request upon_approval upon_reject urgency user_input variables watch_list wf_activity work_end work_notes work_notes_list
	work_start`

// strange is a column that its table does not have on a fresh instance.
type strange struct {
	table, column, hint string
	// at is where the column begins in the path.
	at int
}

// stranger looks for the first column of a path that its table does not have.
func stranger(table, path string) (strange, bool) {
	at := 0
	for column := range strings.SplitSeq(path, ".") {
		known := columnsOf(table)
		if known == nil || column == "variables" || strings.HasPrefix(column, "u_") || strings.HasPrefix(column, "x_") {
			return strange{}, false
		}
		if !slices.Contains(known, column) {
			hint := "the instance may have one of its own"
			if better := meant(column, known); better != "" {
				hint = "did you mean " + better + "?"
			}
			return strange{table: table, column: column, hint: hint + "   (doctor decides)", at: at}, true
		}
		table = leadsTo(column)
		at += len(column) + 1
	}
	return strange{}, false
}
