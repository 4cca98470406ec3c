package mapping_test

import (
	"encoding/json"
	"strings"
	"testing"

	"bridge/mapping"
)

// ask loads a rule with a query.
func ask(t *testing.T, query string) *mapping.TicketRule {
	t.Helper()
	src := strings.Replace(minimal, "query: active=true", "query: '"+strings.ReplaceAll(query, "'", "''")+"'", 1)
	rules, problems := mapping.Load("mappings.yaml", []byte(src), nil)
	if rules == nil {
		t.Fatalf("%s:\n%s", query, problems)
	}
	return rules.Tickets[0]
}

func TestAQueryIsEvaluatedAsAnInstanceDoes(t *testing.T) {
	t.Parallel()
	const group = "d625dccec0a8016700a222a0f7900d06"
	row := mapping.Row{
		"active": {Value: "true"}, "number": {Value: "INC0012345"}, "state": {Value: "2", Display: "In Progress"}, "priority": {Value: "10"},
		"short_description": {Value: "VPN does not start"}, "close_notes": {}, "opened_at": {Value: "2026-11-23 10:04:05"},
		"assignment_group": {Value: group, Display: "EUC Devices"}, "u_path": {Value: "a^b"}, "description": {Value: "vpn does not start"},
		"assignment_group.name": {Value: "EUC Devices"},
	}
	tests := []struct {
		query string
		want  bool
	}{
		{"active=true", true},
		{"active=TRUE", true},
		{"active=false", false},
		{"active!=false", true},
		{"active!=true", false},
		{"close_notes!=x", true},
		{"priority<3", false},
		{"priority>3", true},
		{"priority>=10", true},
		{"priority<=9", false},
		{"opened_at>2026-11-01 00:00:00", true},
		{"opened_at<2026-11-01 00:00:00", false},
		{"stateIN1,2,3", true},
		{"stateIN6,7", false},
		{"stateNOT IN6,7", true},
		{"stateNOT IN1,2", false},
		{"short_descriptionLIKEvpn", true},
		{"short_descriptionLIKEprinter", false},
		{"short_descriptionNOT LIKEprinter", true},
		{"short_descriptionNOT LIKEvpn", false},
		{"numberSTARTSWITHinc", true},
		{"numberSTARTSWITHCHG", false},
		{"numberENDSWITH345", true},
		{"numberENDSWITH346", false},
		{"close_notesISEMPTY", true},
		{"numberISEMPTY", false},
		{"numberISNOTEMPTY", true},
		{"close_notesISNOTEMPTY", false},
		{"close_notesEMPTYSTRING", true},
		{"close_notesANYTHING", true},
		{"priorityBETWEEN5@20", true},
		{"priorityBETWEEN1@9", false},
		{"opened_atBETWEEN2026-11-01 00:00:00@2026-12-01 00:00:00", true},
		{"short_descriptionSAMEASdescription", true},
		{"short_descriptionSAMEASnumber", false},
		{"short_descriptionNSAMEASnumber", true},
		{"u_path=a^^b", true},
		{"u_path=a^^NQactive=false", false},
		{"active=true^state=2", true},
		{"active=true^state=3", false},
		{"state=1^ORstate=2", true},
		{"active=true^state=1^ORstate=2", true},
		{"active=false^state=1^ORstate=2", false},
		{"state=1^ORstate=3^active=true", false},
		{"state=1^NQstate=2", true},
		{"active=false^NQstate=3", false},
		{"active=true^NQstate=3^ORstate=4", true},
		{"active=true^EQ", true},
		{"active=true^ORDERBYnumber", true},
		{"active=true^ORDERBYDESCnumber^state=3", false},
		{"assignment_group=" + group, true},
		{"assignment_group=EUC Devices", true},
		{"assignment_group!=EUC Devices", false},
		{"assignment_group=EUC Apps", false},
		{"assignment_group.name=euc devices", true},
		{"state=In Progress", false},
		{"location=x", false},
		{"location!=x", false},
		{"locationISEMPTY", false},
	}
	for _, tt := range tests {
		t.Run(tt.query, func(t *testing.T) {
			t.Parallel()
			got, why := ask(t, tt.query).Query.Match(row)
			if got != tt.want {
				t.Errorf("matches %v, want %v (%s)", got, tt.want, why)
			}
			if got != (why == "") {
				t.Errorf("matches %v with the reason %q", got, why)
			}
		})
	}
}

func TestWhyARecordIsNotTakenIsSaid(t *testing.T) {
	t.Parallel()
	src := strings.Replace(minimal, "query: active=true", "query: [active=true, priority=1]\n    when: state != \"8\"\n    start: { from: 2026-11-01 }", 1)
	rules, problems := mapping.Load("mappings.yaml", []byte(src), nil)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	tests := map[string]struct {
		change map[string]string
		drop   string
		want   string
	}{
		"all of it holds":               {want: "matches query and when (mappings.yaml:6)"},
		"a clause does not hold":        {change: map[string]string{"priority": "3"}, want: "priority is 3, the query asks priority=1"},
		"an empty field":                {change: map[string]string{"active": ""}, want: "active is empty, the query asks active=true"},
		"a field that was kept back":    {drop: "active", want: "active was not readable, so active=true cannot be checked"},
		"when does not hold":            {change: map[string]string{"state": "8"}, want: "when (mappings.yaml:6) does not hold: state = 8"},
		"too old":                       {change: map[string]string{"sys_created_on": "2026-10-31 23:59:59"}, want: "created 2026-10-31, before start.from 2026-11-01"},
		"a time that was not to be had": {drop: "sys_created_on", want: "sys_created_on was not readable, so start.from cannot be checked"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			row := mapping.Row{"active": {Value: "true"}, "priority": {Value: "1"}, "state": {Value: "2"}, "sys_created_on": {Value: "2026-11-01 00:00:00"}}
			for field, v := range tt.change {
				row[field] = mapping.Cell{Value: v}
			}
			delete(row, tt.drop)
			ok, why := rules.Tickets[0].Matches(row)
			if why != tt.want || ok != strings.HasPrefix(why, "matches") {
				t.Errorf("%v, %q; want %q", ok, why, tt.want)
			}
		})
	}
}

func TestWhatIsSentHasNoOrderOfItsOwn(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]string{
		"active=true^ORDERBYnumber":              "active=true",
		"ORDERBYDESCnumber^a=1^ORb=2^NQc=^^3^EQ": "a=1^ORb=2^NQc=^^3",
		"a=1^NQORDERBYnumber^b=2":                "a=1^NQb=2",
		"a=1^GROUPBYnumber^bISEMPTY":             "a=1^bISEMPTY",
		"active=true^assignment_group.nameINx,y": "active=true^assignment_group.nameINx,y",
	} {
		if got := ask(t, query).Query.String(); got != want {
			t.Errorf("%s is sent as %s, want %s", query, got, want)
		}
	}
}

func TestAQueryWrittenAsABlockEndsWithItsLastWord(t *testing.T) {
	t.Parallel()
	for _, block := range []string{"query: |\n      active=true^state=1\n", "query: >\n      active=true^state=1\n", "query: >-\n      active=true^state=1\n"} {
		rules, problems := mapping.Load("m", []byte(strings.Replace(minimal, "query: active=true\n", block, 1)), nil)
		if rules == nil {
			t.Fatalf("%s: %s", block, problems)
		}
		if got := rules.Tickets[0].Query.String(); got != "active=true^state=1" {
			t.Errorf("%q is sent as %q", block, got)
		}
	}
}

func TestVarsInAQueryAreEscapedAndScriptsRefused(t *testing.T) {
	t.Parallel()
	src := strings.Replace(minimal, "query: active=true", `query: ["assignment_group.nameIN{{ vars.groups }}", "u_key={{ vars.key }}"]`, 1)
	rules, problems := mapping.Load("m", []byte(src), map[string]any{"groups": []any{"A", "B^C"}, "key": 7})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	if got, want := rules.Tickets[0].Query.String(), "assignment_group.nameINA,B^^C^u_key=7"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	for _, query := range []string{"caller_id=javascript:x", "opened_atBETWEEN2026-01-01@javascript:x", "stateIN1,JavaScript:x", "opened_atONToday@javascript:x"} {
		src := strings.Replace(minimal, "query: active=true", "query: "+query+"\n    when: opened_at != \"\"", 1)
		if rules, problems := mapping.Load("m", []byte(src), nil); rules != nil || !strings.Contains(problems.String(), "run by the server") {
			t.Errorf("%s is taken: %s", query, problems)
		}
	}
	for _, bad := range []map[string]any{
		{"groups": []any{"javascript:gs.getUserID()"}, "key": "x"},
		{"groups": []any{"A"}, "key": "JavaScript:x"},
	} {
		if rules, problems := mapping.Load("m", []byte(src), bad); rules != nil || !strings.Contains(problems.String(), "run by the server") {
			t.Errorf("%v is taken: %s", bad, problems)
		}
	}
}

func FuzzQueryMatch(f *testing.F) {
	for _, seed := range []string{"active=true^ORstate=2^NQnumberSTARTSWITHINC^EQ", "a=^^^b=1", "x^ORDERBYy^GROUPBYz", "priorityBETWEEN1@2", "^OR^NQ^^", "e=true^ORstate=\n\n", "a=1\u0085b=2"} {
		f.Add(seed, "state", "2")
	}
	f.Fuzz(func(t *testing.T, query, field, value string) {
		with := func(query string) []byte {
			quoted, err := json.Marshal(query) // as YAML does, and no line of it is folded
			if err != nil {
				t.Fatal(err)
			}
			return []byte(strings.Replace(minimal, "query: active=true", "query: "+string(quoted), 1))
		}
		rules, _ := mapping.Load("f", with(query), nil)
		if rules == nil {
			return
		}
		q := rules.Tickets[0].Query
		row := mapping.Row{field: {Value: value}}
		ok, why := q.Match(row)
		if ok != (why == "") {
			t.Errorf("%q on %v: %v with the reason %q", query, row, ok, why)
		}
		again, whyAgain := q.Match(row)
		if ok != again || why != whyAgain {
			t.Errorf("%q on %v changes its mind", query, row)
		}
		if all, _ := q.Match(mapping.Row{}); all {
			t.Errorf("%q takes a record of which nothing was readable", query)
		}
		// What is sent is what is evaluated: reading it again gives the same.
		if second, problems := mapping.Load("f", with(q.String()), nil); second == nil {
			t.Errorf("%q is sent as %q, which is refused: %s", query, q, problems)
		} else if got := second.Tickets[0].Query.String(); got != q.String() {
			t.Errorf("%q is sent as %q, which reads as %q", query, q, got)
		}
	})
}
