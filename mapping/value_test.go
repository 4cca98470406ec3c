package mapping_test

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bridge/mapping"
)

// rule loads a file in which one line of create is another one.
func rule(t *testing.T, old, now string) *mapping.TicketRule {
	t.Helper()
	src := "vars: { closed: [\"7\", \"8\"], vendor: MMD }\nmaps: { route: { A: { to: x, by: y } }, plain: { \"010\": ten, on: \"yes\", 1.0: one } }\n" + strings.Replace(minimal, old, now, 1)
	rules, problems := mapping.Load("mappings.yaml", []byte(src), nil)
	if problems.Err() != nil {
		t.Fatalf("%s:\n%s", now, problems)
	}
	return rules.Tickets[0]
}

func record() mapping.Row {
	return mapping.Row{
		"number": {Value: "INC1"}, "short_description": {Value: "No VPN"}, "description": {Value: "two\nlines"}, "state": {Value: "2", Display: "In Progress"},
		"priority": {Value: "10"}, "active": {Value: "true"}, "u_a": {}, "u_b": {Value: "b"}, "u_false": {Value: "false"}, "u_zero": {Value: "0"}, "u_route": {Value: " a "},
		"u_code": {Value: "010"}, "u_key": {Value: "1.0"}, "opened_at": {Value: "2026-11-23 10:04:05"}, "caller_id.email": {Value: "ada@acme.example"},
		"parent": {Value: "p1"}, "u_long": {Value: strings.Repeat("ä", 30)}, "len": {Value: "field"}, "yes": {Value: "named"}, "now": {Value: "clock"}, "type": {Value: "normal"},
		"u_quoted": {Value: `a "b" \d`}, "u_brace": {Value: "{{ number }}"},
	}
}

func TestTheGrammarOfValues(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ value, want string }{
		"a text":                                   {`plain words`, "plain words"},
		"a field":                                  {`"{{ u_b }}"`, "b"},
		"a field in words":                         {`"- {{ u_b }} -"`, "- b -"},
		"outer blanks are trimmed":                 {`"  {{ u_b }}  "`, "b"},
		"an empty field leaves nothing":            {`"Location: {{ u_a }}"`, ""},
		"one field that is not empty is enough":    {`"{{ u_a }}/{{ u_b }}"`, "/b"},
		"a field that is not there is empty":       {`"{{ u_missing }}"`, ""},
		"false is a value":                         {`"{{ u_false }}"`, "false"},
		"zero is a value":                          {`"{{ u_zero }}"`, "0"},
		"what a field holds is never evaluated":    {`"{{ u_brace }}"`, "{{ number }}"},
		"a list takes the first that is not empty": {`["{{ u_a }}", "{{ u_b }}", c]`, "b"},
		"a list may end in a text":                 {`["{{ u_a }}", c]`, "c"},
		"a when that holds":                        {`{ when: state == "2", value: x }`, "x"},
		"a when that does not hold":                {`{ when: state == "3", value: x, default: y }`, ""},
		"a list of conditions":                     {`[{ when: state == "3", value: x }, { when: yes(active), value: y }, z]`, "y"},
		"lines leave out the empty ones":           {`{ lines: [a, "B: {{ u_a }}", "{{ u_b }}", { when: state == "3", value: x }] }`, "a\nb"},
		"a map":                                    {`{ value: "{{ u_b }}", map: { b: found } }`, "found"},
		"a map in any case, trimmed":               {`{ value: "{{ u_route }}", map: { A: found } }`, "found"},
		"a map with no such entry":                 {`{ value: "{{ u_b }}", map: { c: found } }`, ""},
		"a default behind a map":                   {`{ value: "{{ u_b }}", map: { c: found }, default: other }`, "other"},
		"a default for an empty field":             {`{ value: "{{ u_a }}", default: "{{ u_b }}" }`, "b"},
		"a map entry for an empty field":           {`{ value: "{{ u_a }}", map: { "": none } }`, "none"},
		"a column of a named map":                  {`{ value: "{{ u_route }}", map: route.by }`, "y"},
		"map keys are the text as written":         {`{ value: "{{ u_code }}", map: plain }`, "ten"},
		"map keys that look like numbers":          {`{ value: "{{ u_key }}", map: plain }`, "one"},
		"a limit counts characters":                {`{ value: "{{ u_long }}", limit: 5 }`, "äääää"},
		"nested to any depth":                      {`{ value: [{ value: { value: "{{ u_b }}", map: { b: c } }, map: { c: d } }], default: e }`, "d"},
		"a var":                                    {`"for {{ vars.vendor }}"`, "for MMD"},
		"a var that is a list":                     {`"{{ vars.closed }}"`, "7,8"},
		"in a var that is a list":                  {`{ when: state not in vars.closed, value: open }`, "open"},
		"record. always works":                     {`"{{ record.u_b }}"`, "b"},
		"through a reference":                      {`"{{ caller_id.email }}"`, "ada@acme.example"},
		"a field named like a builtin":             {`"{{ len }} {{ now }} {{ type }}"`, "field clock normal"},
		"a field named like a function":            {`"{{ yes }} {{ yes(active) }}"`, "named true"},
		"yes of an empty field":                    {`"{{ yes(u_a) }}"`, "false"},
		"int_of compares numbers":                  {`{ when: 'int_of(priority, 5) > 3', value: low }`, "low"},
		"int_of of an empty field":                 {`"{{ int_of(u_a, 5) }}"`, "5"},
		"utc":                                      {`"{{ utc(opened_at) }}"`, "2026-11-23T10:04:05Z"},
		"utc of an empty field":                    {`"{{ utc(u_a) }}"`, ""},
		"label_of":                                 {`"{{ label_of(state) }}"`, "In Progress"},
		"label_of of a field without a label":      {`"{{ label_of(u_b) }}"`, "b"},
		"ticket_of":                                {`"{{ ticket_of(parent) }}"`, "MMD-1"},
		"ticket_of without a link":                 {`"{{ ticket_of(u_b) }}"`, ""},
		"a choice":                                 {`'{{ state == "2" ? "yes" : "no" }}'`, "yes"},
		"a choice inside a choice":                 {`'{{ (state == "1" ? "a" : state == "2" ? "b" : "c") + "!" }}'`, "b!"},
		"text functions":                           {`'{{ upper(trim(replace(short_description, "No", "  a"))) }}'`, "A VPN"},
		"len":                                      {`"{{ len(short_description) }}"`, "6"},
		"split":                                    {`{ when: '"VPN" in split(short_description, " ")', value: network }`, "network"},
		"contains":                                 {`{ when: short_description contains "VPN", value: network }`, "network"},
		"matches":                                  {`{ when: 'short_description matches "\\bVPN$"', value: network }`, "network"},
		"startsWith and endsWith":                  {`{ when: short_description startsWith "No" and short_description endsWith "PN", value: x }`, "x"},
		"not binds tighter than and":               {`{ when: not (state == "3") and u_b == "b", value: x }`, "x"},
		"or stands behind and":                     {`{ when: state == "2" or state == "9" and u_b == "c", value: x }`, "x"},
		"brackets count":                           {`{ when: (state == "2" or state == "9") and u_b == "c", value: x }`, ""},
		"quotes and backslashes come through":      {`'{{ u_quoted + "\\\"" }}'`, `a "b" \d\"`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := rule(t, "      severity: 4\n", "      businessImpact: "+tt.value+"\n      severity: 4\n")
			draft := r.Create(mapping.Input{Record: record(), TicketOf: map[string]string{"parent": "MMD-1"}})
			if len(draft.Lacks) > 0 {
				t.Fatal(draft.Lacks)
			}
			got, there := draft.Body["businessImpact"]
			if tt.want == "" && !there {
				return
			}
			if got != tt.want {
				t.Errorf("%s gives %q, want %q", tt.value, got, tt.want)
			}
		})
	}
}

func TestAFieldOfTheAPIGetsItsType(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		line string
		want any
	}{
		"a severity":                  {`severity: "{{ u_three }}"`, 3},
		"a number":                    {`usersOrDevicesImpacted: "{{ priority }}"`, 10},
		"a number that is none":       {`usersOrDevicesImpacted: "{{ u_b }}"`, nil},
		"a time":                      {`issueFirstNoticed: "{{ opened_at }}"`, "2026-11-23T10:04:05Z"},
		"a time that is none":         {`issueFirstNoticed: "{{ u_b }}"`, nil},
		"a truth value":               {`issueReproduced: "{{ active }}"`, true},
		"a truth value that is false": {`endUserSupportEngaged: "{{ yes(u_b) }}"`, false},
		"a truth value that is none":  {`issueReproduced: "{{ u_b }}"`, nil},
		"a type in other letters":     {`type: "{{ u_type }}"`, "ChangeRequest"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			field, _, _ := strings.Cut(tt.line, ":")
			old := map[string]string{"severity": "severity: 4", "type": "type: Incident"}[field]
			if old == "" {
				old, tt.line = "      severity: 4", "      "+tt.line+"\n      severity: 4"
			}
			r := rule(t, old, tt.line)
			row := record()
			row["u_three"], row["u_type"] = mapping.Cell{Value: " 3 "}, mapping.Cell{Value: "change request"}
			draft := r.Create(mapping.Input{Record: row})
			if diff := cmp.Diff(tt.want, draft.Body[field]); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if len(draft.Lacks) > 0 {
				t.Errorf("lacks %v", draft.Lacks)
			}
			if (tt.want == nil) != (len(draft.Unmapped) == 1 && draft.Unmapped[0].Reason != "") {
				t.Errorf("what a field cannot take is not told: %v", draft.Unmapped)
			}
		})
	}
}

func TestWhatIsMissingIsNamed(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ old, now, drop, want string }{
		"an empty field": {
			"email: c", `email: "{{ u_a }}"`, "",
			"rule incident (mappings.yaml:15): contact.email is empty and required (from u_a)",
		},
		"a field that was kept back": {
			"email: c", `email: "{{ caller_id.email }}"`, "caller_id.email",
			"rule incident (mappings.yaml:15): contact.email is empty and required: caller_id.email was not readable, a right is missing",
		},
		"a reference that is empty": {
			"email: c", `email: "{{ u_a.email }}"`, "",
			"rule incident (mappings.yaml:15): contact.email is empty and required (from u_a.email)",
		},
		"a title of nothing but the number": {
			`"{{ number }}: {{ short_description }}"`, `"{{ number }}: {{ u_a }}!"`, "",
			"rule incident (mappings.yaml:9): title is empty and required (from number, u_a)",
		},
		"a limit that leaves the number": {
			`"{{ number }}: {{ short_description }}"`, `{ value: "{{ number }}: {{ short_description }}", limit: 5 }`, "",
			"rule incident (mappings.yaml:9): title is empty and required (from number, short_description)",
		},
		"a number out of range": {
			"severity: 4", `severity: "{{ priority }}"`, "",
			"rule incident (mappings.yaml:14): severity is required: severity is 1 to 4, this gives 10",
		},
		"a value that cannot be made": {
			"description: x", `description: "{{ int_of(u_b, 1) }}"`, "",
			`rule incident (mappings.yaml:10): description is required and cannot be made: int_of(u_b, 1): "b" is no whole number`,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			row := record()
			delete(row, tt.drop)
			draft := rule(t, tt.old, tt.now).Create(mapping.Input{Record: row})
			if len(draft.Lacks) != 1 || draft.Lacks[0].String() != tt.want {
				t.Errorf("lacks %v,\nwant  %s", draft.Lacks, tt.want)
			}
		})
	}
}

func TestALimitNeverCutsTheNumberOffATitle(t *testing.T) {
	t.Parallel()
	for limit, want := range map[int]string{8: "INC1: No", 10: "INC1: No V", 40: "INC1: No VPN"} {
		r := rule(t, `"{{ number }}: {{ short_description }}"`, fmt.Sprintf(`{ value: "{{ number }}: {{ short_description }}", limit: %d }`, limit))
		if got := r.Create(mapping.Input{Record: record()}).Body["title"]; got != want {
			t.Errorf("limit %d: %q, want %q", limit, got, want)
		}
	}
}

func TestWhereAValueComesFromIsSaid(t *testing.T) {
	t.Parallel()
	r := rule(t, "severity: 4\n", `severity: [{ when: yes(vip), value: 1 }, { value: "{{ u_b }}", map: { b: 2 } }, 4]
      businessImpact: { value: "{{ u_route }}", map: route.to }
      reproSteps: { value: "{{ u_b }}", map: { x: y }, default: z }
`)
	row := record()
	draft := r.Create(mapping.Input{Record: row})
	want := map[string]string{
		"title": "mappings.yaml:9", "severity": "b → 2 (mappings.yaml:14)", "businessImpact": "a → route.to (mappings.yaml:15)", "reproSteps": "default (mappings.yaml:16)",
	}
	for field, why := range want {
		if draft.Why[field] != why {
			t.Errorf("%s: %q, want %q", field, draft.Why[field], why)
		}
	}
	if diff := cmp.Diff([]mapping.Unmapped{{Field: "reproSteps", Value: "b", Line: 16}}, draft.Unmapped); diff != "" {
		t.Errorf("unmapped (-want +got):\n%s", diff)
	}
	row["vip"] = mapping.Cell{Value: "true"}
	if got := r.Create(mapping.Input{Record: row}).Why["severity"]; got != "when yes(vip) (mappings.yaml:14)" {
		t.Errorf("severity: %q", got)
	}
}

func TestTheSameInputGivesTheSameDraftForManyAtOnce(t *testing.T) {
	t.Parallel()
	src, err := os.ReadFile("testdata/customer.yaml")
	if err != nil {
		t.Fatal(err)
	}
	rules, _ := mapping.Load("m", src, nil)
	again, _ := mapping.Load("m", src, nil)
	other, _ := mapping.Load("m", src, map[string]any{"vendor": "X"})
	if rules.Hash != again.Hash || rules.Hash == other.Hash || rules.Hash == "" {
		t.Errorf("hashes %s, %s and %s", rules.Hash, again.Hash, other.Hash)
	}
	in := mapping.Input{Record: record(), Ticket: mapping.Row{"id": {Value: "MMD-1"}, "state": {Value: "resolved"}}}
	wantCreate, wantUpdate := rules.Tickets[0].Create(in), rules.Tickets[0].Update(in)
	if len(wantCreate.Lacks) < 2 {
		t.Fatalf("lacks %v: the case is too easy", wantCreate.Lacks)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				if diff := cmp.Diff(wantCreate, rules.Tickets[0].Create(in)); diff != "" {
					t.Errorf("create (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(wantUpdate, again.Tickets[0].Update(in)); diff != "" {
					t.Errorf("update (-want +got):\n%s", diff)
				}
			}
		})
	}
	wg.Wait()
	if diff := cmp.Diff(record(), in.Record); diff != "" {
		t.Errorf("the record was changed:\n%s", diff)
	}
}

func BenchmarkCreate(b *testing.B) {
	src, err := os.ReadFile("testdata/customer.yaml")
	if err != nil {
		b.Fatal(err)
	}
	rules, _ := mapping.Load("m", src, nil)
	in := mapping.Input{Record: record()}
	b.ReportAllocs()
	for b.Loop() {
		rules.Tickets[0].Create(in)
	}
}
