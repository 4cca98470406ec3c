package itsm

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// table holds rows in the order of their last change.
type table struct {
	name, parent string
	// display is the column that names a row where it is referred to.
	display string
	// prefix begins the numbers of a table that has them.
	prefix   string
	columns  map[string]*column
	order    []*record
	numbered int
	children []*table
	// states that end a record.
	closing []string
}

type column struct {
	name, label string
	// kind is string, integer, boolean, datetime, journal, reference, choice or document.
	kind string
	// to is the table that a reference leads to.
	to string
	// size is the most characters that it keeps; 0 is any.
	size int
	// of is the table that defines it.
	of string
	// choices are the labels of values; where there are some, others are not taken.
	choices []choice
}

type choice struct{ value, label string }

// is says whether rows of this table are rows of that one too.
func (t *table) is(name string) bool { return t.name == name || t.parent == name && name != "" }

// all gives the rows of a table and of those that extend it, in order of change.
func (t *table) all() []*record {
	if len(t.children) == 0 {
		return t.order
	}
	out := slices.Clone(t.order)
	for _, child := range t.children {
		out = append(out, child.order...)
	}
	slices.SortFunc(out, inOrderOfChange)
	return out
}

// The tables of a fresh instance, as far as rules ask for them: a line is a column,
// its kind, the table that it leads to or its size, and its label.
const (
	systemColumns = `
sys_id          string    32  Sys ID
sys_created_on  datetime  -   Created
sys_created_by  string    40  Created by
sys_updated_on  datetime  -   Updated
sys_updated_by  string    40  Updated by
sys_mod_count   integer   -   Updates
sys_tags        string    255 Tags`
	taskColumns = `
sys_class_name       string    80   Task type
number               string    40   Number
active               boolean   -    Active
short_description    string    160  Short description
description          string    4000 Description
state                choice    40   State
approval             choice    40   Approval
priority             choice    40   Priority
impact               choice    40   Impact
urgency              choice    40   Urgency
escalation           choice    40   Escalation
opened_at            datetime  -    Opened
opened_by            reference sys_user Opened by
closed_at            datetime  -    Closed
closed_by            reference sys_user Closed by
assigned_to          reference sys_user Assigned to
assignment_group     reference sys_user_group Assignment group
cmdb_ci              reference cmdb_ci Configuration item
business_service     reference cmdb_ci Service
company              reference core_company Company
location             reference cmn_location Location
parent               reference task Parent
contact_type         choice    40   Channel
close_notes          string    4000 Close notes
comments             journal   -    Additional comments
work_notes           journal   -    Work notes
comments_and_work_notes journal -   Comments and Work notes
correlation_id       string    100  Correlation ID
correlation_display  string    100  Correlation display
due_date             datetime  -    Due date
sys_domain           string    32   Domain
sys_domain_path      string    255  Domain Path`
	incidentColumns = `
caller_id         reference sys_user Caller
category          choice    40   Category
subcategory       choice    40   Subcategory
close_code        choice    40   Resolution code
hold_reason       choice    40   On hold reason
incident_state    choice    40   Incident state
resolved_at       datetime  -    Resolved
resolved_by       reference sys_user Resolved by
reopen_count      integer   -    Reopen count
reassignment_count integer  -    Reassignment count
severity          choice    40   Severity
notify            choice    40   Notify
problem_id        reference problem Problem
rfc               reference change_request Change Request
caused_by         reference change_request Caused by Change
parent_incident   reference incident Parent Incident`
	scTaskColumns = `
request_item      reference sc_req_item Request item
request           reference sc_request Request`
	scItemColumns = `
request           reference sc_request Request
requested_for     reference sys_user Requested for
cat_item          string    32   Item
stage             string    40   Stage
quantity          integer   -    Quantity`
	changeColumns = `
type              choice    40   Type
category          choice    40   Category
risk              choice    40   Risk
requested_by      reference sys_user Requested by
start_date        datetime  -    Planned start date
end_date          datetime  -    Planned end date
backout_plan      string    4000 Backout plan
close_code        choice    40   Close code`
	changeTaskColumns = `
change_request    reference change_request Change request`
	userColumns = `
user_name     string    40   User ID
name          string    151  Name
first_name    string    50   First name
last_name     string    50   Last name
email         string    100  Email
phone         string    40   Business phone
mobile_phone  string    40   Mobile phone
vip           boolean   -    VIP
active        boolean   -    Active
manager       reference sys_user Manager
location      reference cmn_location Location
company       reference core_company Company
time_zone     string    40   Time zone`
	groupColumns = `
name          string    80   Name
description   string    1000 Description
manager       reference sys_user Manager
email         string    100  Group email
active        boolean   -    Active`
	ciColumns = `
sys_class_name string   80   Class
name          string    255  Name
serial_number string    255  Serial number
asset_tag     string    40   Asset tag
assigned_to   reference sys_user Assigned to
active        boolean   -    Active`
	journalColumns = `
name          string    80   Name
element       string    80   Element
element_id    string    32   Element ID
value         string    -    Value`
	approverColumns = `
approver      reference sys_user Approver
state         choice    40   State
sysapproval   reference task Approval for
document_id   document  -    Approving
source_table  string    80   Source table
group         string    32   Group
comments      journal   -    Comments
due_date      datetime  -    Due date`
	choiceColumns = `
name          string    80   Table
element       string    80   Element
value         string    40   Value
label         string    100  Label
sequence      integer   -    Sequence
language      string    3    Language
inactive      boolean   -    Inactive`
	dictionaryColumns = `
name          string    80   Table
element       string    80   Column name
column_label  string    80   Column label
internal_type string    40   Type
max_length    integer   -    Max length
reference     string    80   Reference
mandatory     boolean   -    Mandatory
read_only     boolean   -    Read only
active        boolean   -    Active`
	tableColumns = `
name          string    80   Name
label         string    80   Label
super_class   reference sys_db_object Extends table`
	attachmentColumns = `
file_name     string    255  File name
content_type  string    80   Content type
size_bytes    integer   -    Size bytes
table_name    string    80   Table name
table_sys_id  string    32   Table sys ID`
	nameColumns = `
name          string    100  Name`
	deleteColumns = `
tablename     string    80   Table name
documentkey   string    32   Document key
display_value string    255  Display value`
)

// The choice lists of a fresh instance: table.column, value, label.
const choiceLists = `
incident.state 1 New
incident.state 2 In Progress
incident.state 3 On Hold
incident.state 6 Resolved
incident.state 7 Closed
incident.state 8 Canceled
incident.hold_reason 1 Awaiting Caller
incident.hold_reason 3 Awaiting Problem
incident.hold_reason 4 Awaiting Vendor
incident.hold_reason 5 Awaiting Change
incident.category inquiry Inquiry / Help
incident.category software Software
incident.category hardware Hardware
incident.category network Network
incident.category database Database
incident.close_code Solution+provided Solution provided
incident.close_code Workaround+provided Workaround provided
incident.close_code Resolved+by+caller Resolved by caller
incident.close_code Resolved+by+change Resolved by change
incident.close_code Resolved+by+problem Resolved by problem
incident.close_code Resolved+by+request Resolved by request
incident.close_code User+error User error
incident.close_code Duplicate Duplicate
incident.close_code Known+error Known error
incident.close_code No+resolution+provided No resolution provided
incident.severity 1 1 - High
incident.severity 2 2 - Medium
incident.severity 3 3 - Low
task.state -5 Pending
task.state 1 Open
task.state 2 Work in Progress
task.state 3 Closed Complete
task.state 4 Closed Incomplete
task.state 7 Closed Skipped
task.priority 1 1 - Critical
task.priority 2 2 - High
task.priority 3 3 - Moderate
task.priority 4 4 - Low
task.priority 5 5 - Planning
task.impact 1 1 - High
task.impact 2 2 - Medium
task.impact 3 3 - Low
task.urgency 1 1 - High
task.urgency 2 2 - Medium
task.urgency 3 3 - Low
task.escalation 0 Normal
task.approval not+requested Not Yet Requested
task.approval requested Requested
task.approval approved Approved
task.approval rejected Rejected
task.approval cancelled Cancelled
task.approval duplicate Duplicate
task.approval not_required Not Required
change_request.state -5 New
change_request.state -4 Assess
change_request.state -3 Authorize
change_request.state -2 Scheduled
change_request.state -1 Implement
change_request.state 0 Review
change_request.state 3 Closed
change_request.state 4 Canceled
change_request.risk 2 High
change_request.risk 3 Moderate
change_request.risk 4 Low
change_request.type normal Normal
change_request.type standard Standard
change_request.type emergency Emergency
change_request.close_code successful Successful
change_request.close_code successful_issues Successful with issues
change_request.close_code unsuccessful Unsuccessful
problem.state 101 New
problem.state 102 Assess
problem.state 103 Root Cause Analysis
problem.state 104 Fix in Progress
problem.state 106 Resolved
problem.state 107 Closed
sysapproval_approver.state not+requested Not Yet Requested
sysapproval_approver.state requested Requested
sysapproval_approver.state approved Approved
sysapproval_approver.state rejected Rejected
sysapproval_approver.state cancelled Cancelled
sysapproval_approver.state not_required No Longer Required
sysapproval_approver.state skipped Skipped
sysapproval_approver.state duplicate Duplicate`

// tables are the tables by name.
type tables map[string]*table

// schema makes the empty tables.
func schema() tables {
	all := tables{}
	closed := []string{"3", "4", "7"}
	for _, t := range []struct {
		table
		own string
	}{
		{table{name: "task", display: "number", closing: closed}, taskColumns},
		{table{name: "incident", parent: "task", display: "number", prefix: "INC", closing: []string{"7", "8"}}, incidentColumns},
		{table{name: "sc_task", parent: "task", display: "number", prefix: "SCTASK", closing: closed}, scTaskColumns},
		{table{name: "sc_req_item", parent: "task", display: "number", prefix: "RITM", closing: closed}, scItemColumns},
		{table{name: "sc_request", parent: "task", display: "number", prefix: "REQ", closing: closed}, scItemColumns},
		{table{name: "change_request", parent: "task", display: "number", prefix: "CHG", closing: []string{"3", "4"}}, changeColumns},
		{table{name: "change_task", parent: "task", display: "number", prefix: "CTASK", closing: closed}, changeTaskColumns},
		{table{name: "problem", parent: "task", display: "number", prefix: "PRB", closing: []string{"107"}}, ""},
		{table{name: "sys_user", display: "name"}, userColumns},
		{table{name: "sys_user_group", display: "name"}, groupColumns},
		{table{name: "cmdb_ci", display: "name"}, ciColumns},
		{table{name: "cmdb_ci_computer", parent: "cmdb_ci", display: "name"}, ""},
		{table{name: "core_company", display: "name"}, nameColumns},
		{table{name: "cmn_location", display: "name"}, nameColumns},
		{table{name: "sys_journal_field"}, journalColumns},
		{table{name: "sysapproval_approver"}, approverColumns},
		{table{name: "sys_choice", display: "label"}, choiceColumns},
		{table{name: "sys_dictionary", display: "element"}, dictionaryColumns},
		{table{name: "sys_db_object", display: "label"}, tableColumns},
		{table{name: "sys_attachment", display: "file_name"}, attachmentColumns},
		{table{name: "sys_audit_delete", display: "documentkey"}, deleteColumns},
	} {
		all.add(t.table, t.own)
	}
	for _, name := range []string{"sys_updated_on", "sys_updated_by", "sys_mod_count"} {
		delete(all["sys_journal_field"].columns, name) // an entry never changes
	}
	readChoices(all)
	return all
}

// add makes a table with the columns of its parent, or those that all have, and its own.
func (all tables) add(t table, own string) {
	t.columns = map[string]*column{}
	if p := all[t.parent]; p != nil {
		maps.Copy(t.columns, p.columns)
		p.children = append(p.children, &t)
	} else {
		readColumns(&t, systemColumns)
	}
	readColumns(&t, own)
	all[t.name] = &t
}

func readColumns(t *table, text string) {
	for line := range strings.Lines(strings.TrimSpace(text)) {
		words := strings.Fields(line)
		c := &column{name: words[0], kind: words[1], label: strings.Join(words[3:], " "), of: t.name}
		if n, err := strconv.Atoi(words[2]); err == nil {
			c.size = n
		} else if words[2] != "-" {
			c.to = words[2]
		}
		t.columns[c.name] = c
	}
}

// readChoices gives columns their lists; a table with a list of its own for an
// inherited column keeps it for itself.
func readChoices(all tables) {
	for line := range strings.Lines(strings.TrimSpace(choiceLists)) {
		where, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		value, label, _ := strings.Cut(rest, " ")
		name, element, _ := strings.Cut(where, ".")
		c := all[name].columns[element]
		if c.of != name {
			own := *c
			own.of, own.choices = name, nil
			c = &own
			all[name].columns[element] = c
		}
		c.choices = append(c.choices, choice{strings.ReplaceAll(value, "+", " "), label})
	}
}

// column gives a column of a table that people may have added to.
func (t *table) column(name string) *column {
	c := t.columns[name]
	if c == nil {
		c = &column{name: name, label: name, kind: "string", of: t.name}
		t.columns[name] = c
	}
	return c
}
