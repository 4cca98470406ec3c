package mapping_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"

	"bridge/mapping"
)

// given is a case's record as it is written in the file: values, or value and label.
type given map[string]any

// sampleCase is one entry of customer-cases.yaml.
type sampleCase struct {
	Name   string         `yaml:"name"`
	Rule   string         `yaml:"rule"`
	Given  map[string]any `yaml:"given"`
	Expect struct {
		Query  string            `yaml:"query"`
		Create map[string]any    `yaml:"create"`
		Update map[string]any    `yaml:"update"`
		Absent []string          `yaml:"absent"`
		Parked string            `yaml:"parked"`
		Close  map[string]string `yaml:"close"`
	} `yaml:"expect"`
}

func load(t *testing.T, file string) *mapping.Rules {
	t.Helper()
	src, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	rules, problems := mapping.Load(file, src, nil)
	if len(problems) > 0 {
		t.Fatalf("%s has problems:\n%s", file, problems)
	}
	return rules
}

func TestCustomerRulesGiveWhatTheirCasesSay(t *testing.T) {
	t.Parallel()
	rules := load(t, "testdata/customer.yaml")
	src, err := os.ReadFile("testdata/customer-cases.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var cases []sampleCase
	if err := yaml.Unmarshal(src, &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) != 7 {
		t.Fatalf("%d cases, want 7", len(cases))
	}
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			c.check(t, rules)
		})
	}
}

func (c sampleCase) check(t *testing.T, rules *mapping.Rules) {
	t.Helper()
	if rule := rules.Elevation(c.Rule); rule != nil {
		in := given(c.Given).input(rule.Source)
		c.compare(t, rule.Create(in), c.Expect.Create)
		if got := rule.ActionsTaken(in); got != c.Expect.Close["actionsTaken"] {
			t.Errorf("actions taken: %q, want %q", got, c.Expect.Close["actionsTaken"])
		}
		return
	}
	rule := rules.Ticket(c.Rule)
	in := given(c.Given).input(rule.Source)
	if c.Expect.Query != "" && rule.Query.String() != c.Expect.Query {
		t.Errorf("query %s, want %s", rule.Query, c.Expect.Query)
	}
	created := rule.Create(in)
	if c.Expect.Parked != "" {
		if len(created.Lacks) != 1 || created.Lacks[0].Field != c.Expect.Parked {
			t.Errorf("lacks %v, want %s", created.Lacks, c.Expect.Parked)
		}
		return
	}
	c.compare(t, created, c.Expect.Create)
	updated := rule.Update(in)
	c.compare(t, updated, c.Expect.Update)
	for _, field := range c.Expect.Absent {
		if v, there := updated.Body[field]; there {
			t.Errorf("update sets %s to %v, and should leave it alone", field, v)
		}
	}
}

// compare looks at the fields that a case names.
func (c sampleCase) compare(t *testing.T, got mapping.Draft, want map[string]any) {
	t.Helper()
	if len(want) > 0 && len(got.Lacks) > 0 {
		t.Errorf("lacks %v", got.Lacks)
	}
	for field, value := range want {
		if inner, nested := value.(map[string]any); nested {
			body, _ := got.Body[field].(map[string]any)
			c.compare(t, mapping.Draft{Body: body}, inner)
			continue
		}
		if diff := cmp.Diff(value, got.Body[field]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", field, diff)
		}
	}
}

// input gives every field that the rule reads: those that the case does not name are empty.
func (g given) input(rule mapping.Source) mapping.Input {
	in := mapping.Input{Record: mapping.Row{}, TicketOf: map[string]string{}}
	for _, field := range rule.Fields {
		in.Record[field] = mapping.Cell{}
	}
	for field, value := range g {
		switch v := value.(type) {
		case map[string]any:
			if field == "ticket" {
				in.Ticket = mapping.Row{}
				for name, text := range v {
					in.Ticket[name] = mapping.Cell{Value: fmt.Sprint(text)}
				}
				continue
			}
			if link, ok := v["links_to"]; ok {
				in.TicketOf[field] = fmt.Sprint(link)
			}
			cell := mapping.Cell{}
			if raw, ok := v["value"]; ok {
				cell.Value, cell.Display = fmt.Sprint(raw), fmt.Sprint(v["display_value"])
			}
			in.Record[field] = cell
		default:
			in.Record[field] = mapping.Cell{Value: text(v)}
		}
	}
	return in
}

// text undoes what YAML makes of a time.
func text(v any) string {
	if t, ok := v.(interface{ Format(string) string }); ok {
		return t.Format("2006-01-02 15:04:05")
	}
	return fmt.Sprint(v)
}

func TestTheShippedRulesLoadWithoutAProblem(t *testing.T) {
	t.Parallel()
	rules := load(t, "../mappings.yaml")
	if len(rules.Tickets) != 1 || len(rules.Elevations) != 1 {
		t.Fatalf("%d ticket and %d elevation rules, want one each", len(rules.Tickets), len(rules.Elevations))
	}
	want := []string{
		"active", "approval", "close_notes", "cmdb_ci.name", "correlation_id", "description", "number", "opened_by", "parent",
		"request_item.approval", "request_item.requested_for", "short_description", "state", "sys_class_name", "sys_created_by",
		"sys_created_on", "sys_id", "sys_mod_count", "sys_updated_by", "sys_updated_on",
	}
	if diff := cmp.Diff(want, rules.Elevations[0].Fields); diff != "" {
		t.Errorf("what is asked for is not what the rule names (-want +got):\n%s", diff)
	}
}
