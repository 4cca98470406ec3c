package mapping_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bridge/mapping"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestAFileFullOfSlipsNamesThemAll(t *testing.T) {
	t.Parallel()
	src, err := os.ReadFile("testdata/bad.yaml")
	if err != nil {
		t.Fatal(err)
	}
	rules, problems := mapping.Load("mappings.yaml", src, nil)
	if rules != nil || problems.Err() == nil {
		t.Error("a file with errors gives rules")
	}
	golden(t, "testdata/bad.txt", problems.String())
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

// minimal is a file with one rule; the marks in it are where tests put their lines.
const minimal = `version: 1
tickets:
  - name: incident
    table: incident
    query: active=true
    create:
      title: "{{ number }}: {{ short_description }}"
      description: x
      type: Incident
      category: Devices
      subcategory: Other
      severity: 4
      contact: { givenName: a, surname: b, email: c, phoneNumber: d }
`

func TestSlips(t *testing.T) {
	t.Parallel()
	with := func(old, now string) string { return strings.Replace(minimal, old, now, 1) }
	when := func(expression string) string {
		return with("    create:\n", "    when: "+expression+"\n    create:\n")
	}
	tests := map[string]struct{ src, place, message, hint string }{
		"an empty file":                        {"", ":1:1:", "the file is empty", "version: 1"},
		"no version":                           {"tickets: []\n", ":1:1:", "version is missing", "version: 1"},
		"a later version":                      {with("version: 1", "version: 2"), ":1:10:", "version 2 is not known", "version: 1"},
		"a second document":                    {minimal + "---\nversion: 1\n", ":14:1:", "second document", ""},
		"an unknown key":                       {with("    table:", "    tabel:"), ":4:5:", `unknown key "tabel"`, "did you mean table?"},
		"a repeated key":                       {with("      type: Incident\n", "      type: Incident\n      type: Incident\n"), ":10:7:", `key "type" is repeated`, ""},
		"a rule that is there twice":           {minimal + strings.SplitN(minimal, "tickets:\n", 2)[1], ":14:5:", `rule "incident" is there twice`, ""},
		"a missing field":                      {with("      severity: 4\n", ""), ":7:7:", "create lacks severity", ""},
		"a missing contact field":              {with("email: c, ", ""), ":13:16:", "lacks contact.email", ""},
		"an unquoted template":                 {with("description: x", "description: {{ description }}"), ":8:20:", "a key is a text", "needs quotes"},
		"brackets in an unquoted condition":    {with("description: x", `description: { when: state in ["3", "4"], value: x }`), ":8:28:", "not YAML", "needs quotes inside { }"},
		"a tab":                                {with("      description: x", "\tdescription: x"), ":8:1:", "not YAML", "tabs"},
		"one equals sign":                      {when(`state = "8"`), ":6:17:", "not understood", "write =="},
		"text compared with a number":          {when(`state != 8`), ":6:20:", "text compared with a number", `write "8"`},
		"text in a list of numbers":            {when(`state in [6, 7]`), ":6:21:", "text compared with a number", `write "6"`},
		"text compared with a truth value":     {when(`active == true`), ":6:21:", "text compared with true or false", "yes("},
		"a text for a condition":               {when(`short_description`), ":6:11:", "a condition is true or false", ""},
		"like":                                 {when(`x like "y%"`), ":6:", "not understood", "write contains"},
		"an order of texts":                    {when(`priority < "3"`), ":6:", "texts have no order", "int_of(priority"},
		"an order of a number and a text":      {when(`3 > priority`), ":6:15:", "texts have no order", "int_of(priority, 0)"},
		"a clock":                              {when(`now() == number`), ":6:11:", "function now is not part", ""},
		"an endless loop":                      {when(`len(filter(1..100000000, true)) > 1`), ":6:", "not part of the rules' language", ""},
		"an unknown function":                  {when(`yep(vip)`), ":6:11:", "function yep is not known", "did you mean yes?"},
		"typographic quotes":                   {when(`state == “8”`), ":6:20:", "typographic quote", `write "`},
		"label_of of a value":                  {when(`label_of(lower(risk)) == "x"`), ":6:", "takes a field", ""},
		"a var that is not set":                {when(`number == vars.nothing`), ":6:", "var nothing is not set", "bridge.yaml"},
		"a blank before a clause":              {with("active=true", "active=true^ state=1"), ":5:", `a blank before "state"`, ""},
		"a line break in a query":              {with("query: active=true", `query: "active=true\nstate=1"`), ":5:12:", "line break", "[active=true, …]"},
		"javascript in a query":                {with("active=true", "caller_id=javascript:gs.getUserID()"), ":5:12:", "run by the server", ""},
		"an operator that we cannot evaluate":  {with("active=true", "opened_atRELATIVEGT@hour@ago@1"), ":5:12:", "cannot be evaluated here", "opened_at in when:"},
		"an unknown type":                      {with("type: Incident", "type: Incidents"), ":9:13:", `type "Incidents" is not known`, "did you mean Incident?"},
		"a severity out of range":              {with("severity: 4", "severity: 5"), ":12:17:", "severity is 1 to 4", ""},
		"a severity out of range in a map":     {with("severity: 4", `severity: { value: "{{ priority }}", map: { 1: 0 } }`), ":12:54:", "severity is 1 to 4", ""},
		"a severity out of range in a default": {with("severity: 4", `severity: { value: "{{ priority }}", default: 9 }`), ":12:53:", "severity is 1 to 4", ""},
		"a map that is not there":              {with("severity: 4", `severity: { value: "{{ priority }}", map: nothing }`), ":12:49:", "map nothing is not known", ""},
		"a title without the number":           {with(`"{{ number }}: {{ short_description }}"`, `"{{ short_description }}"`), ":7:14:", "must begin with {{ number }}", ""},
		"a template that is not closed":        {with("description: x", `description: "{{ x"`), ":8:20:", "not closed", ""},
		"a rule without a name":                {with("name: incident", "was: [old]"), ":3:5:", "a rule needs name", ""},
		"a limit that is no number":            {with("description: x", `description: { value: x, limit: many }`), ":8:39:", "limit is a number", ""},
		"value and lines":                      {with("description: x", `description: { value: x, lines: [y] }`), ":8:20:", "needs value: or lines:", ""},
		"an owner that is nobody":              {minimal + "    owner: { state: me }\n", ":14:21:", `owner "me" is not known`, ""},
		"a truth value made of a field":        {when(`'vip ? true : false'`), ":6:12:", "true or false is needed here, this is text", "write yes(vip)"},
		"in without a list":                    {when(`'"vpn" in short_description'`), ":6:", "in looks into a list", "contains"},
		"a list of truth values":               {when(`active in [true]`), ":6:22:", "text compared with true or false", `write "true"`},
		"nil":                                  {when(`state == nil`), ":6:20:", "an empty field is", `write ""`},
		"text added to a number":               {when(`priority + 1 == "3"`), ":6:22:", "a number cannot be added to text", ""},
		"text that is matched by a number":     {when(`state contains 8`), ":6:26:", "contains compares texts", `write "8"`},
		"a function with too few arguments":    {when(`int_of(priority) < 3`), ":6:11:", "int_of takes 2, not 1", "int_of(priority, 5)"},
		"a number where a text is taken":       {when(`yes(1)`), ":6:15:", "yes takes text here", ""},
		"text where a number is taken":         {when(`int_of(priority, "5") < 3`), ":6:28:", "int_of takes a number here", ""},
		"ticket_of of a value":                 {when(`ticket_of("x") == ""`), ":6:", "takes a field", "ticket_of(parent)"},
		"a closure":                            {when(`'any(split(number, ","), # == "1")'`), ":6:", "any is not part", ""},
		"an operator of another language":      {when(`state ** 2 == 4`), ":6:", "** is not part", ""},
		"a pattern that is none":               {when(`'state matches "["'`), ":6:", "not understood", ""},
		"single quotes that are fine in expr":  {when(`state = '8'`), ":6:17:", "not understood", "write =="},
		"a condition cut at a #":               {when(`short_description contains "ticket #1"`), ":6:46:", `the line is cut at " #"`, "quote it"},
		"a comma in a flow condition":          {with("description: x", `description: { when: int_of(priority, 5) < 3, value: x }`), ":8:", "unknown key", "needs quotes inside { }"},
		"a field that no ticket has":           {minimal + "    update: { u_x: \"{{ ticket.stat }}\" }\n", ":14:31:", "a ticket has no field stat", "did you mean state?"},
		"a bare field of the record in update": {minimal + "    update: { u_x: \"{{ caller_id.email }}\" }\n", ":14:24:", "a ticket has no field caller_id.email", "write record.caller_id.email"},
		"a bare field of the record in notes":  {minimal + "    notes: { to_ticket: { when: 'priority == \"1\"' } }\n", ":14:34:", "a note has no field priority", "write record.priority"},
		"a journal in update":                  {minimal + "    update: { work_notes: hello }\n", ":14:15:", "work_notes is a journal", "notes:"},
		"a field of another record in update":  {minimal + "    update: { caller_id.email: x }\n", ":14:15:", "belongs to another record", ""},
		"a field of the system in update":      {minimal + "    update: { sys_id: x }\n", ":14:15:", "cannot be set", ""},
		"an expression where a field is named": {minimal + "    tell_ticket: [state == 1]\n", ":14:19:", "names a field", "REFERENCE.FIELD"},
		"text: in notes":                       {minimal + "    notes: { to_record: { text: x } }\n", ":14:27:", `unknown key "text"`, "the bridge writes"},
		"a required field that is empty":       {with("description: x", "description:"), ":8:7:", "description is required, and this is always empty", ""},
		"a name that is empty":                 {with("name: incident", `name: ""`), ":3:5:", "this one is empty", ""},
		"a former name that is taken":          {with("table: incident", "table: incident\n    was: [incident]"), ":3:1:", "is taken", "one rule"},
		"a date that is none":                  {with("table: incident", "table: incident\n    start: { from: tomorrow }"), ":5:20:", "start.from is a date", "2026-12-01"},
		"a brake that is none":                 {with("table: incident", "table: incident\n    limits: { creates: some }"), ":5:24:", "limits.creates is a number", ""},
		"a query in a folded text":             {with("query: active=true", "query: >-\n      active=true\n      ^state=1"), ":5:12:", `a blank before "state"`, "write a list"},
		"an empty query":                       {with("query: active=true", `query: ""`), ":5:12:", "takes every record", ""},
		"an empty group in a query":            {with("query: active=true", "query: active=true^NQ"), ":5:12:", "takes every record", ""},
		"a comma in a flow list of a query":    {with("query: active=true", "query: [active=true, priorityIN1,2]"), ":5:38:", `"2" is no condition`, "quote the whole part"},
		"a list without a value in a query":    {with("query: active=true", "query: priorityIN"), ":5:12:", "has no value", ""},
		"BETWEEN with one value":               {with("query: active=true", "query: opened_atBETWEEN2026-01-01"), ":5:12:", "two values", "low@high"},
		"IN_HIERARCHY is not IN":               {with("query: active=true", "query: cmdb_ciIN_HIERARCHYx"), ":5:12:", "cannot be evaluated here", ""},
		"a field of the record in a query":     {with("query: active=true", `query: "number={{ number }}"`), ":5:12:", "only vars can stand there", ""},
		"a var in a query that is not set":     {with("query: active=true", `query: "number={{ vars.groups }}"`), ":5:12:", "var groups is not set", ""},
		"a var that bridge.yaml must set":      {"vars: { groups: null }\n" + minimal, ":1:9:", "var groups must be set in bridge.yaml", ""},
		"a group with a comma":                 {"vars: { groups: [a, 'b, c'] }\n" + with("query: active=true", `query: "assignment_group.nameIN{{ vars.groups }}"`), ":6:12:", "holds a comma", "^OR"},
		"an empty list in a query":             {"vars: { groups: [] }\n" + with("query: active=true", `query: "assignment_group.nameIN{{ vars.groups }}"`), ":6:12:", "var groups is empty", ""},
		"keys of a map that are alike":         {with("severity: 4", `severity: { value: "{{ priority }}", map: { a: 1, A: 2 } }`), ":12:", "keys are compared in any case", ""},
		"a named map that does not fit":        {"maps: { m: { a: 7 } }\n" + with("severity: 4", `severity: { value: "{{ priority }}", map: m }`), ":13:49:", `map m, entry "a": severity is 1 to 4`, ""},
		"a column that is not there":           {"maps: { m: { a: { x: 1 } } }\n" + with("severity: 4", `severity: { value: "{{ priority }}", map: m.y }`), ":13:49:", "has no column y", ""},
		"a map of rows without a column":       {"maps: { m: { a: { x: 1 } } }\n" + with("severity: 4", `severity: { value: "{{ priority }}", map: m }`), ":13:49:", "has columns", "m.COLUMN"},
		"an anchor that holds itself":          {"x-a: &a [*a]\n" + minimal, ":1:10:", "unfolds without end", ""},
		"a tower of anchors":                   {tower() + minimal, ":", "unfolds without end", ""},
		"a duration that is none":              {elevation("close_after: soon"), ":14:18:", `close_after "soon" is no duration`, "8h"},
		"a field by another case":              {strings.Replace(elevation(""), "deviceName:", "DeviceName:", 1), ":7:7:", `unknown key "DeviceName"`, "did you mean deviceName?"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rules, problems := mapping.Load("mappings.yaml", []byte(tt.src), nil)
			if rules != nil {
				t.Fatal("the file gives rules")
			}
			for _, p := range problems {
				place := strings.Contains(p.String(), "mappings.yaml"+tt.place)
				if place && strings.Contains(p.Message, tt.message) && strings.Contains(p.Hint, tt.hint) {
					return
				}
			}
			t.Errorf("no problem at %s says %q with %q; there are:\n%s", tt.place, tt.message, tt.hint, problems)
		})
	}
}

// tower is ten anchors, each ten times the one below.
func tower() string {
	var b strings.Builder
	b.WriteString("x-0: &a0 [x]\n")
	for i := 1; i < 10; i++ {
		fmt.Fprintf(&b, "x-%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 10), ", "))
	}
	return b.String()
}

// elevation is a file with one elevation rule, and one more line in it.
func elevation(line string) string {
	return `version: 1
elevations:
  - name: elevation
    table: sc_task
    query: active=true
    create:
      deviceName: "{{ cmdb_ci.name }}"
      title: "{{ number }}: {{ short_description }}"
      category: Devices
      subcategory: Elevation
      planOfAction: "{{ description }}"
    close:
      when: state == "3"
    ` + line + "\n"
}

func TestWarningsLeaveTheRulesInForce(t *testing.T) {
	t.Parallel()
	with := func(old, now string) string { return strings.Replace(minimal, old, now, 1) }
	tests := map[string]struct{ src, place, message, hint string }{
		"a column that a user does not have":    {with("description: x", `description: "{{ caller_id.frist_name }}"`), ":8:34:", "sys_user has no column frist_name", "first_name"},
		"a column that an incident lacks":       {with("description: x", `description: "{{ short_descriptions }}"`), ":8:24:", "incident has no column short_descriptions", "short_description"},
		"a column of the record in a condition": {minimal + "    update: { state: { when: record.stat == \"1\", value: x } }\n", ":14:37:", "incident has no column stat", "state"},
		"a column in a query":                   {with("active=true", "activ=true"), ":5:12:", "incident has no column activ", "active"},
		"a column that is told":                 {minimal + "    tell_ticket: [stat]\n", ":14:19:", "incident has no column stat", "state"},
		"a reference for a text":                {with("description: x", `description: "{{ assignment_group }}"`), ":8:21:", "is a reference", "assignment_group.name"},
		"a reference compared with a name":      {with("    create:", "    when: assignment_group == \"Devices\"\n    create:"), ":6:11:", "is a reference", "assignment_group.name"},
		"a reference asked for by name":         {with("active=true", "assignment_group=Devices"), ":5:12:", "is a reference", "assignment_group.name"},
		"an order in a query":                   {with("active=true", "active=true^ORDERBYnumber"), ":5:12:", "ORDERBYnumber is left out", ""},
		"a name that both sides have":           {minimal + "    update: { close_code: \"{{ state }}\" }\n", ":14:31:", "the record has one too", "ticket.state or record.state"},
		"comments e-mail the caller":            {minimal + "    notes: { to_record: { field: comments } }\n", ":14:34:", "e-mails the caller", "work_notes"},
		"an owner of what nobody sets":          {minimal + "    owner: { state: mmd }\n", ":14:14:", "update does not set state", ""},
		"a useless ??":                          {with("description: x", `description: "{{ description ?? 'x' }}"`), ":8:36:", "?? never helps", "default:"},
		"an elevation that nothing closes":      {strings.Replace(elevation(""), "    close:\n      when: state == \"3\"\n", "", 1), ":3:5:", "nothing closes the elevation", "close_after"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rules, problems := mapping.Load("mappings.yaml", []byte(tt.src), nil)
			if rules == nil || problems.Err() != nil || len(problems) != 1 {
				t.Fatalf("want rules and one warning; there are:\n%s", problems)
			}
			p := problems[0]
			if !p.Warning || !strings.Contains(p.String(), "mappings.yaml"+tt.place) || !strings.Contains(p.Message, tt.message) || !strings.Contains(p.Hint, tt.hint) {
				t.Errorf("no warning at %s says %q with %q, but:\n%s", tt.place, tt.message, tt.hint, p)
			}
		})
	}
}

func FuzzLoad(f *testing.F) {
	for _, file := range []string{"testdata/customer.yaml", "testdata/bad.yaml", "../mappings.yaml"} {
		src, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(src)
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		rules, problems := mapping.Load("f", src, map[string]any{"groups": []any{"a"}})
		if (rules == nil) != (problems.Errors() > 0) {
			t.Errorf("rules %v beside problems:\n%s", rules, problems)
		}
		if rules == nil {
			return
		}
		for _, r := range rules.Tickets {
			r.Create(mapping.Input{Record: mapping.Row{"number": {Value: "INC1"}}})
			r.Update(mapping.Input{})
		}
	})
}
