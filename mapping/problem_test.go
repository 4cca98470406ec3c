package mapping_test

import (
	"flag"
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
		"brackets in an unquoted condition":    {with("description: x", `description: { when: state in ["3", "4"], value: x }`), ":8:22:", "not YAML", "needs quotes inside { }"},
		"a tab":                                {with("      description: x", "\tdescription: x"), ":8:1:", "not YAML", "tabs"},
		"one equals sign":                      {when(`state = "8"`), ":6:17:", "not understood", "write =="},
		"text compared with a number":          {when(`state != 8`), ":6:20:", "text compared with a number", `write "8"`},
		"text in a list of numbers":            {when(`state in [6, 7]`), ":6:21:", "text compared with a number", `write "6"`},
		"text compared with a truth value":     {when(`active == true`), ":6:21:", "text compared with true or false", "yes("},
		"a text for a condition":               {when(`short_description`), ":6:11:", "a condition is true or false", ""},
		"like":                                 {when(`x like "y%"`), ":6:", "not understood", "write contains"},
		"an order of texts":                    {when(`priority < "3"`), ":6:", "texts have no order", "int_of(priority"},
		"a clock":                              {when(`now() == number`), ":6:11:", "function now is not part", ""},
		"an endless loop":                      {when(`len(filter(1..100000000, true)) > 1`), ":6:", "not part of the rules' language", ""},
		"an unknown function":                  {when(`yep(vip)`), ":6:11:", "function yep is not known", "did you mean yes?"},
		"typographic quotes":                   {when(`state == “8”`), ":6:20:", "typographic quote", `write "`},
		"label_of of a value":                  {when(`label_of(lower(risk)) == "x"`), ":6:", "takes a field", ""},
		"a var that is not set":                {when(`number == vars.nothing`), ":6:", "var nothing is not set", "bridge.yaml"},
		"a blank before a clause":              {with("active=true", "active=true^ state=1"), ":5:", `a blank before "state"`, ""},
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
