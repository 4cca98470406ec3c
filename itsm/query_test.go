package itsm_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"bridge/itsm"
)

func TestAQueryIsWrittenAsTheInstanceReadsIt(t *testing.T) {
	t.Parallel()
	state := itsm.If("state", itsm.In, "1", "2")
	active := itsm.If("active", itsm.Equals, "true")
	tests := map[string]struct {
		query itsm.Query
		want  string
	}{
		"all rows":                           {itsm.Query{}, ""},
		"one condition":                      {itsm.Where(active), "active=true"},
		"two conditions":                     {itsm.Where(active, state), "active=true^stateIN1,2"},
		"a ^ in a value is doubled":          {itsm.Where(itsm.If("short_description", itsm.Contains, "a^b^ORc=d"), active), "short_descriptionLIKEa^^b^^ORc=d^active=true"},
		"a ^ at the end of a value":          {itsm.Where(itsm.If("short_description", itsm.Equals, "a^"), active), "short_description=a^^^active=true"},
		"one of several":                     {itsm.Where(active, itsm.Any(itsm.If("state", itsm.Equals, "1"), itsm.If("priority", itsm.AtMost, "2")), state), "active=true^state=1^ORpriority<=2^stateIN1,2"},
		"either of two queries":              {itsm.Where(active).Or(itsm.Where(state)), "active=true^NQstateIN1,2"},
		"a condition on either":              {itsm.Where(active).Or(itsm.Where(state)).And(itsm.If("sys_id", itsm.More, "x")), "active=true^sys_id>x^NQstateIN1,2^sys_id>x"},
		"either of some and all":             {itsm.Where(active).Or(itsm.Query{}), ""},
		"a group of all rows":                {itsm.Where(active).Or(itsm.Where()), ""},
		"an order":                           {itsm.Where(active).OrderBy("priority", "-sys_updated_on").OrderBy("sys_id"), "active=true^ORDERBYpriority^ORDERBYDESCsys_updated_on^ORDERBYsys_id"},
		"an order of all rows":               {itsm.Query{}.OrderBy("number"), "ORDERBYnumber"},
		"a field behind a reference":         {itsm.Where(itsm.If("caller_id.email", itsm.EndsWith, "@acme.example")), "caller_id.emailENDSWITH@acme.example"},
		"no value":                           {itsm.Where(itsm.If("close_code", itsm.IsEmpty)), "close_codeISEMPTY"},
		"an empty value":                     {itsm.Where(itsm.If("close_code", itsm.Equals, "")), "close_code="},
		"two bounds":                         {itsm.Where(itsm.If("priority", itsm.Between, "1", "3")), "priorityBETWEEN1@3"},
		"another field":                      {itsm.Where(itsm.If("opened_by", itsm.NotSameAs, "caller_id")), "opened_byNSAMEAScaller_id"},
		"javascript: within a text":          {itsm.Where(itsm.If("short_description", itsm.Contains, "how to javascript:")), "short_descriptionLIKEhow to javascript:"},
		"a person's query":                   {itsm.Encoded("active=true^ORDERBYnumber"), "active=true^ORDERBYnumber"},
		"a person's query, narrowed":         {itsm.Encoded("active=true^EQ^NQstate=1^ORstate=2^EQ").And(active), "active=true^active=true^NQstate=1^ORstate=2^active=true"},
		"a person's ^^NQ belongs to a value": {itsm.Encoded("a=b^^NQc^d=e").And(active), "a=b^^NQc^d=e^active=true"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := tt.query.Encode()
			if err != nil || got != tt.want {
				t.Errorf("query %q, %v; want %q", got, err, tt.want)
			}
		})
	}
}

func TestAQueryThatWouldMeanSomethingElseIsRefused(t *testing.T) {
	t.Parallel()
	tests := map[string]itsm.Query{
		"a script":                      itsm.Where(itsm.If("caller_id", itsm.Equals, "javascript:gs.getUserID()")),
		"a script in any case":          itsm.Where(itsm.If("caller_id", itsm.Equals, "JavaScript:gs.getUserID()")),
		"a script behind a blank":       itsm.Where(itsm.If("caller_id", itsm.Equals, " \t\u00a0javascript:gs.getUserID()")),
		"a script in a list":            itsm.Where(itsm.If("caller_id", itsm.In, "a", "javascript:gs.getUserID()")),
		"a script as a bound":           itsm.Where(itsm.If("opened_at", itsm.Between, "2026-01-01", "javascript:gs.now()")),
		"a script among alternatives":   itsm.Where(itsm.Any(itsm.If("a", itsm.Equals, "b"), itsm.If("a", itsm.Equals, "javascript:x"))),
		"a script in the other query":   itsm.Where().Or(itsm.Where(itsm.If("a", itsm.Equals, "javascript:x"))),
		"a script in a person's query":  itsm.Encoded("active=true^opened_at>=javaScript:gs.daysAgoStart(0)"),
		"a comma in a list":             itsm.Where(itsm.If("number", itsm.In, "a,b")),
		"an @ in a bound":               itsm.Where(itsm.If("number", itsm.Between, "a@b", "c")),
		"a value that changes < to <=":  itsm.Where(itsm.If("priority", itsm.Less, "=3")),
		"a field that is none":          itsm.Where(itsm.If("a=b^c", itsm.Equals, "d")),
		"no field":                      itsm.Where(itsm.If("", itsm.Equals, "d")),
		"a path that ends early":        itsm.Where(itsm.If("caller_id.", itsm.Equals, "d")),
		"an operator that is none":      itsm.Where(itsm.If("a", "ONToday", "d")),
		"too few values":                itsm.Where(itsm.If("a", itsm.Equals)),
		"too many values":               itsm.Where(itsm.If("a", itsm.Equals, "b", "c")),
		"a value where none is taken":   itsm.Where(itsm.If("a", itsm.IsEmpty, "b")),
		"an empty list":                 itsm.Where(itsm.If("a", itsm.In)),
		"no alternatives":               itsm.Where(itsm.Any()),
		"another field that is none":    itsm.Where(itsm.If("a", itsm.SameAs, "b^c")),
		"an order by what is no field":  itsm.Query{}.OrderBy("number^active=true"),
		"what was refused stays so":     itsm.Where(itsm.If("a", itsm.In)).And(itsm.If("b", itsm.IsEmpty)).OrderBy("c"),
		"the refused half of two":       itsm.Where(itsm.If("b", itsm.IsEmpty)).Or(itsm.Where(itsm.If("a", itsm.In))),
		"what is refused after another": itsm.Where(itsm.If("b", itsm.IsEmpty)).And(itsm.If("a", itsm.In)),
	}
	for name, query := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := query.Encode()
			if refused, ok := errors.AsType[*itsm.QueryError](err); !ok || refused.Reason == "" || got != "" {
				t.Errorf("query %q, %v; want that it is refused", got, err)
			}
			if err != nil && (strings.Contains(err.Error(), "getUserID") || strings.Contains(err.Error(), "gs.")) {
				t.Errorf("the error shows the value: %v", err)
			}
		})
	}
}

func TestAQueryIsNotChangedByWhatIsMadeOfIt(t *testing.T) {
	t.Parallel()
	base := itsm.Where(itsm.If("active", itsm.Equals, "true")).OrderBy("number")
	base.And(itsm.If("state", itsm.Equals, "1"))
	base.OrderBy("priority")
	base.Or(itsm.Where(itsm.If("state", itsm.Equals, "2")))
	if got, err := base.Encode(); err != nil || got != "active=true^ORDERBYnumber" {
		t.Errorf("query %q, %v", got, err)
	}
}

func TestNothingIsAskedWithAQueryThatIsRefused(t *testing.T) {
	t.Parallel()
	d := &desk{answer: fixed(http.StatusOK, `{"result":[]}`)}
	c := client(t, d)
	script := itsm.Ask{Table: "incident", Query: "opened_by=javascript:gs.getUserID()"}
	ways := map[string]func() error{
		"changes": func() error { return last(c.Changes(t.Context(), script, time.Time{})) },
		"count":   func() error { _, err := c.Count(t.Context(), script.Table, script.Query); return err },
		"records": func() error {
			return last(c.Records(t.Context(), itsm.Ask{Table: "incident"}, []string{"javascript:gs.getUserID()"}))
		},
		"journal":     func() error { return last(c.Journal(t.Context(), []string{"a,b"}, []string{"comments"}, time.Time{})) },
		"approvals":   func() error { return last(c.Approvals(t.Context(), []string{"javascript:x"})) },
		"dictionary":  func() error { return last(c.Dictionary(t.Context(), "javascript:x")) },
		"choices":     func() error { return last(c.Choices(t.Context(), "incident", "javascript:x")) },
		"attachments": func() error { return last(c.Attachments(t.Context(), "incident", "javascript:x")) },
	}
	for name, way := range ways {
		if _, ok := errors.AsType[*itsm.QueryError](way()); !ok {
			t.Errorf("%s: not refused", name)
		}
	}
	for _, r := range d.asked {
		if strings.Contains(strings.ToLower(r.URL.RawQuery), "javascript") {
			t.Errorf("asked %s", r.URL)
		}
	}
}

func FuzzQueryKeepsItsValue(f *testing.F) {
	for _, v := range []string{"", "^", "a^b", "^^", "^NQactive=true", "^ORa=b", "javascript:x", "^EQ", "a,b@c", "ORDERBYx"} {
		f.Add(v, "plain")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		text, err := itsm.Where(itsm.If("x", itsm.Equals, a), itsm.If("y", itsm.Contains, b)).Encode()
		if err != nil {
			if !strings.Contains(strings.ToLower(a+b), "javascript:") {
				t.Fatalf("%q, %q: %v", a, b, err)
			}
			return
		}
		// Read as an instance reads it: from the left, ^^ is a ^ of a value.
		var parts []string
		part := ""
		for i := 0; i < len(text); i++ {
			switch {
			case strings.HasPrefix(text[i:], "^^"):
				part += "^"
				i++
			case text[i] == '^':
				parts, part = append(parts, part), ""
			default:
				part += text[i : i+1]
			}
		}
		parts = append(parts, part)
		if len(parts) != 2 || parts[0] != "x="+a || parts[1] != "yLIKE"+b {
			t.Errorf("%q and %q became %q, which reads as %q", a, b, text, parts)
		}
		if narrowed, err := itsm.Encoded(text).Encode(); err == nil && narrowed != text {
			t.Errorf("%q was taken for %q", text, narrowed)
		}
	})
}
