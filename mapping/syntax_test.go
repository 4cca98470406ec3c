package mapping_test

import (
	"strings"
	"testing"

	"bridge/mapping"
)

// block is a file whose values go over several lines: where a slip stands behind
// one, the YAML parser itself names the wrong line.
const block = `version: 1
x-note: >-
  two lines
  of text
tickets:
  - name: incident
    table: incident
    query: [active=true, state=1]
    when: state != "8"
    create:
      title: "{{ number }}: {{ short_description }}"
      type: Incident
      severity: { value: "{{ priority }}", map: { 1: 1, 2: 2 }, default: 4 }
      category: Devices
    update:
      close_notes: Solved by the vendor
`

func TestSlipsOfYAMLAreNamedInTheirLine(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ old, now, place, hint string }{
		"a template without quotes":             {`"{{ number }}: {{ short_description }}"`, "{{ number }}: x", ":11:14:", "text with {{ }} needs quotes"},
		"a quote that is not closed":            {`{{ short_description }}"`, "{{ short_description }}", ":11:14:", "a quote is not closed"},
		"a bracket that is not closed":          {"state=1]", "state=1", ":8:12:", "a [ or ] is missing"},
		"a brace that is not closed":            {"2: 2 }", "2: 2", ":13:", "a { or } is missing"},
		"a comma that is missing":               {"1: 1, 2: 2", "1: 1 2: 2", ":13:", "a comma is missing"},
		"a tab":                                 {"      type:", "\ttype:", ":12:1:", "blanks, not tabs"},
		"one blank too few":                     {"      type:", "     type:", ":12:6:", "entries of one set begin in the same column"},
		"one blank too many":                    {"      type:", "       type:", ":12:8:", "entries of one set begin in the same column"},
		"no blank behind the colon":             {"type: Incident", "type:Incident", ":12:7:", "a blank is missing behind the colon"},
		"no colon":                              {"type: Incident", "type Incident", ":12:7:", "write KEY: VALUE"},
		"an expression that begins with quotes": {`state != "8"`, `"8" != state`, ":9:11:", "single quotes"},
		"a condition with brackets in braces":   {"severity: {", `severity: { when: state in ["1"],`, ":13:25:", "needs quotes inside { }"},
		"a colon in a text":                     {"Solved by", "Solved: by", ":16:20:", "a colon in it needs quotes"},
		"an alias without an anchor":            {"Solved by the vendor", "*solved", ":16:20:", "an alias needs its anchor"},
		"a text that begins with @":             {"Solved by", "@by", ":16:20:", "begins with @"},
		"a backslash in double quotes":          {"Solved by the vendor", `"C:\dir"`, ":16:23:", "single quotes"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if strings.Count(block, tt.old) != 1 {
				t.Fatalf("%q is not in the file once", tt.old)
			}
			rules, problems := mapping.Load("mappings.yaml", []byte(strings.Replace(block, tt.old, tt.now, 1)), nil)
			if rules != nil || len(problems) != 1 {
				t.Fatalf("want one problem; there are:\n%s", problems)
			}
			if got := problems[0].String(); !strings.Contains(got, "mappings.yaml"+tt.place) || !strings.Contains(got, tt.hint) {
				t.Errorf("want %s and %q, got:\n%s", tt.place, tt.hint, got)
			}
		})
	}
}
