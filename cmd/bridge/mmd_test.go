package main_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"

	main "bridge/cmd/bridge"
	"bridge/simulator"
	"bridge/simulator/itsm"
)

var update = flag.Bool("update", false, "write the golden files anew")

const device = "MMD-03690457680"

// desk is a stage on which each kind of object is there: a linked incident, its
// ticket with a note, an open elevation request.
func desk(t *testing.T) *stage {
	t.Helper()
	s := newStage(t)
	s.world.Incident(s.users, "Laptop does not start", nil)
	s.must(0, "run", "--once")
	s.must(0, "mmd", "add-note", s.ticket(), "Any news?\nAda <ada@acme.example>")
	s.feed(0, "{DeviceName: "+device+", Title: Driver, Category: Devices, Subcategory: Elevation, PlanOfAction: Install it.}", "mmd", "create-elevation", "-f", "-")
	return s
}

func (s *stage) ticket() string {
	s.Helper()
	tickets := s.world.MMD.Tickets()
	if len(tickets) == 0 {
		s.Fatal("no ticket")
	}
	return tickets[0].ID
}

// feed runs a command that reads stdin.
func (s *stage) feed(want int, in string, args ...string) string {
	s.Helper()
	var out, errs bytes.Buffer
	code := main.RunWith(s.Context(), strings.NewReader(in), &out, &errs, s.env, append(args, "--config", s.config)...)
	if code != want {
		s.Fatalf("bridge %s ended with %d, want %d\n%s%s", strings.Join(args, " "), code, want, &out, &errs)
	}
	return out.String() + errs.String()
}

// steady takes out of an output what differs from run to run; what is in columns
// keeps its width.
func steady(out string) string {
	for pattern, as := range map[string]string{
		`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`: "2026-01-02T03:04:05Z",
		`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d`:          "2026-01-02 03:04:05",
		`\b[0-9a-f]{32}\b`:                        strings.Repeat("0", 32),
		`b1-[0-9a-z]{3}-[0-9a-z]{10}`:             "b1-000-0000000000",
		`Elevate-[A-Z0-9]{26}`:                    "Elevate-" + strings.Repeat("0", 26),
		`(?m) +$`:                                 "",
	} {
		out = regexp.MustCompile(pattern).ReplaceAllString(out, as)
	}
	return out
}

// calls by hand that show something, by the name of their goldens.
func shows(s *stage) map[string][]string {
	return map[string][]string{
		"devices":           {"mmd", "devices"},
		"device":            {"mmd", "devices", device},
		"users":             {"mmd", "users"},
		"user":              {"mmd", "users", "ada@acme.example"},
		"tickets":           {"mmd", "tickets"},
		"tickets-none":      {"mmd", "tickets", "--filter", "state eq 'resolved'"},
		"ticket":            {"mmd", "tickets", s.ticket()},
		"notes":             {"mmd", "notes", s.ticket()},
		"elevations":        {"mmd", "elevations"},
		"elevation":         {"mmd", "elevations", "00000000-0000-4000-8000-000000000002"},
		"elevation-details": {"mmd", "elevation-details", device},
		"itsm-get":          {"itsm", "get", "incident", "INC0010001"},
		"itsm-get-all":      {"itsm", "get", "incident", "INC0010001", "--fields", "all"},
		"itsm-get-display":  {"itsm", "get", "incident", "INC0010001", "--fields", "number,state,caller_id,caller_id.email", "--display"},
		"itsm-list":         {"itsm", "list", "incident"},
		"itsm-list-display": {"itsm", "list", "incident", "--fields", "number,state,caller_id", "--display"},
		"itsm-count":        {"itsm", "count", "incident", "--query", "active=true"},
	}
}

func TestEachObjectInEachForm(t *testing.T) {
	t.Parallel()
	s := desk(t)
	s.must(0, "mmd", "elevation-details", "MMD-03690457680") // who has looked is shown from then on
	for name, args := range shows(s) {
		for _, form := range []string{"table", "json", "yaml"} {
			t.Run(name+" as "+form, func(t *testing.T) {
				code, out, errs := s.run(append(args, "-o", form)...)
				if code != 0 || (errs != "") != strings.HasSuffix(name, "-none") {
					t.Fatalf("ended with %d: %s", code, errs)
				}
				golden(t, filepath.Join("testdata/hand", name+"."+form), steady(out))
				for line := range strings.Lines(out) {
					var object map[string]any
					if form == "json" && json.Unmarshal([]byte(line), &object) != nil {
						t.Errorf("no object: %s", line)
					}
				}
				var document any
				if form == "yaml" && yaml.Unmarshal([]byte(out), &document) != nil {
					t.Errorf("no YAML: %s", out)
				}
			})
		}
	}
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got, go test -update writes it anew):\n%s", path, diff)
	}
}

func TestATableFitsTheTerminal(t *testing.T) {
	t.Parallel()
	s := desk(t)
	s.world.Incident(s.users, "ノートパソコンが起動しません。"+strings.Repeat("長い話 ", 40), nil)
	s.must(0, "run", "--once")
	for _, places := range []string{"60", "80", "100"} {
		s.env["COLUMNS"] = places
		for name, args := range shows(s) {
			for line := range strings.Lines(s.must(0, args...)) {
				if n := main.Span(strings.TrimSuffix(line, "\n")); n > map[string]int{"60": 60, "80": 80, "100": 100}[places] {
					t.Errorf("%s takes %d of %s places: %s", name, n, places, line)
				}
			}
		}
	}
	if out := s.must(0, "mmd", "tickets"); !strings.Contains(out, "…\n") || !strings.Contains(out, s.ticket()+" ") {
		t.Errorf("the title is not what was cut:\n%s", out)
	}
}

func TestWhatIsNotThereEndsWith1AndOneLine(t *testing.T) {
	t.Parallel()
	s := desk(t)
	tests := map[string]struct {
		args []string
		says string
	}{
		"a device":                             {[]string{"mmd", "devices", "NOPE"}, "bridge mmd devices: there is no device NOPE\n"},
		"a user":                               {[]string{"mmd", "users", "nobody@acme.example"}, "bridge mmd users: there is no user nobody@acme.example\n"},
		"a ticket":                             {[]string{"mmd", "tickets", "O'Brien"}, "bridge mmd tickets: there is no ticket O'Brien\n"},
		"the notes of a ticket":                {[]string{"mmd", "notes", "NOPE"}, "bridge mmd notes: there is no ticket NOPE\n"},
		"a ticket for a note":                  {[]string{"mmd", "add-note", "NOPE", "text"}, "bridge mmd add-note: there is no ticket NOPE\n"},
		"an elevation request":                 {[]string{"mmd", "elevations", "NOPE"}, "bridge mmd elevations: there is no elevation request NOPE\n"},
		"an elevation request to close":        {[]string{"mmd", "close-elevation", "NOPE", "text"}, "bridge mmd close-elevation: there is no elevation request NOPE\n"},
		"an open elevation request":            {[]string{"mmd", "elevation-details", "NOPE"}, "bridge mmd elevation-details: there is no open elevation request of device NOPE\n"},
		"a record by number":                   {[]string{"itsm", "get", "incident", "INC9999999"}, "bridge itsm get: there is no incident INC9999999, or this user may not read it\n"},
		"a record by what is not a number":     {[]string{"itsm", "get", "incident", "INC0010001^ORactive=true"}, "bridge itsm get: there is no incident INC0010001^ORactive=true, or this user may not read it\n"},
		"a record by sys_id":                   {[]string{"itsm", "get", "incident", strings.Repeat("0", 32)}, "bridge itsm get: there is no incident " + strings.Repeat("0", 32) + ", or this user may not read it\n"},
		"a record of a table without a number": {[]string{"itsm", "get", "sys_user", "ada"}, "bridge itsm get: the records of sys_user have no number: name one by its sys_id, which bridge itsm list sys_user shows\n"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, out, errs := s.run(tt.args...)
			if code != 1 || out != "" || errs != tt.says {
				t.Errorf("ended with %d, stdout %q, stderr %q, want %q", code, out, errs, tt.says)
			}
		})
	}
}

func TestACallByHandThatIsWrittenWronglyAsksNobody(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.world.Faults.Keep()
	for name, tt := range map[string]struct {
		args []string
		in   string
		says string
	}{
		"an unknown form":            {[]string{"mmd", "devices", "-o", "xml"}, "", "-o xml is not known: table, json or yaml"},
		"an unknown command":         {[]string{"mmd", "ticket"}, "", `unknown command "ticket": did you mean tickets?`},
		"a command like no other":    {[]string{"itsm", "frobnicate"}, "", `unknown command "frobnicate": bridge itsm --help lists them`},
		"a filter of one object":     {[]string{"mmd", "tickets", "MMD-1", "--filter", "x"}, "", "--filter goes with a list, not with MMD-1"},
		"a negative page":            {[]string{"mmd", "tickets", "--top", "-1"}, "", "--top and --skip are 0 or more"},
		"a negative limit":           {[]string{"itsm", "list", "incident", "--limit", "-1"}, "", "--limit and --skip are 0 or more"},
		"an empty name":              {[]string{"mmd", "devices", ""}, "", "argument 1 is empty"},
		"a path for a table":         {[]string{"itsm", "get", "../incident", "INC1"}, "", "is not the name of a table"},
		"a script for a number":      {[]string{"itsm", "get", "incident", "javascript:gs.now()"}, "", "javascript: is run by the server"},
		"a query for a field":        {[]string{"itsm", "list", "incident", "--fields", "number,a^b"}, "", `"a^b" is not the name of a field`},
		"a script in a query":        {[]string{"itsm", "count", "incident", "--query", "number=javascript:gs.now()"}, "", "javascript:"},
		"an empty note":              {[]string{"mmd", "add-note", "MMD-1", "-"}, " \n", "the note is empty"},
		"no file":                    {[]string{"mmd", "create-ticket"}, "", `required flag(s) "file" not set`},
		"a file that is not there":   {[]string{"mmd", "create-ticket", "-f", "none.yaml"}, "", "none.yaml: no such file"},
		"a file with a slip":         {[]string{"mmd", "create-ticket", "-f", "-"}, "titel: x", `unknown field "titel"`},
		"a file with two documents":  {[]string{"mmd", "create-ticket", "-f", "-"}, "title: x\n---\ntitle: y\n", "one document is expected"},
		"a file that lacks much":     {[]string{"mmd", "create-ticket", "-f", "-"}, "title: x\nseverity: 1\n", "the input: description, type, category, subcategory, contact.givenName"},
		"an empty file":              {[]string{"mmd", "create-elevation", "-f", "-"}, "", "it is empty"},
		"no word of what was done":   {[]string{"mmd", "close-elevation", "E1"}, "", "say what was done"},
		"two words of what was done": {[]string{"mmd", "close-elevation", "E1", "x", "-f", "-"}, "", "say what was done"},
		"an argument too many":       {[]string{"mmd", "users", "a", "b"}, "", "2 arguments were given: it is called as bridge mmd users [UPN]"},
		"no argument":                {[]string{"mmd", "notes"}, "", "no argument was given: it is called as bridge mmd notes TICKET"},
		"an argument too few":        {[]string{"itsm", "get", "incident"}, "", "one argument was given: it is called as bridge itsm get TABLE SYS_ID|NUMBER"},
	} {
		t.Run(name, func(t *testing.T) {
			if out := s.feed(2, tt.in, tt.args...); !strings.Contains(out, tt.says) || strings.Count(out, "\n") != 1 {
				t.Errorf("it says %s, want %s", out, tt.says)
			}
		})
	}
	if log := s.world.Faults.Log(); len(log) > 0 {
		t.Errorf("somebody was asked: %v", log)
	}
	if out := s.must(2, "mmd"); !strings.Contains(out, "Available Commands:") {
		t.Errorf("bridge mmd says %s", out)
	}
}

func TestCredentialsThatAreRefusedSayWhereTheyStand(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	for _, file := range []string{"mmd.secret", "itsm.secret"} {
		if err := os.WriteFile(filepath.Join(filepath.Dir(s.config), file), []byte("canary-wrong"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	note := s.must(1, "mmd", "add-note", "MMD-1", "text")
	if strings.Contains(note, "may have been done") {
		t.Errorf("a note that was not sent is in doubt: %s", note)
	}
	for _, out := range []string{
		note, s.must(1, "mmd", "devices"), s.must(1, "mmd", "elevation-details", device), s.must(1, "itsm", "get", "incident", "INC0010001"),
		s.must(1, "itsm", "list", "incident"), s.must(1, "itsm", "count", "incident"),
	} {
		if !regexp.MustCompile(`look at (mmd|itsm)\.auth in .*bridge\.yaml\n$`).MatchString(out) || strings.Count(out, "\n") != 1 {
			t.Errorf("it says %s", out)
		}
		if strings.Contains(out, "canary") {
			t.Errorf("a secret shows: %s", out)
		}
	}
}

func TestWhatALimitedOrUnwillingServerSays(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	for says, rule := range map[string]simulator.Rule{
		": try again in 1h0m0s\n":                                                          {Kind: simulator.TooMany, RetryAfter: 3600},
		"GET tickets('ID'): the reply shows no object\n":                                   {Kind: simulator.Answer, Status: 200, Body: `{"value":[]}`},
		"401 Unauthorized: no audience: look at mmd.auth in " + s.config + "\n":            {Kind: simulator.Answer, Status: 401, Body: `{"error":{"code":"401","message":"no audience"}}`, Times: 2},
		"403 Forbidden: The token is not for this tenant.\n":                               {Kind: simulator.Answer, Status: 403, Body: `{"error":{"code":"403","message":"The token is not\u001b for this tenant."}}`},
		"GET tickets('ID'): 200 with text/html instead of JSON: a sign-in, maintenance or": {Kind: simulator.HTML},
	} {
		rule.Side = simulator.SideMMD
		s.world.Faults.Add(rule)
		if out := s.must(1, "mmd", "tickets", "MMD-1"); !strings.Contains(strings.ReplaceAll(out, "\ufffd", ""), says) || strings.Count(out, "\n") != 1 {
			t.Errorf("it says %s, want %s", out, says)
		}
		s.world.Faults.Clear()
	}
}

func TestThePasswordShowsOnlyWhenItIsAskedFor(t *testing.T) {
	t.Parallel()
	s := desk(t)
	password := regexp.MustCompile(`Elevate-[A-Z0-9]{26}`)
	for _, form := range []string{"table", "json", "yaml"} {
		if out := s.must(0, "mmd", "elevation-details", device, "-o", form); password.MatchString(out) || !strings.Contains(out, "•••") {
			t.Errorf("as %s: %s", form, out)
		}
		if out := s.must(0, "mmd", "elevation-details", device, "--reveal", "-o", form); !password.MatchString(out) || strings.Contains(out, "•••") {
			t.Errorf("revealed as %s: %s", form, out)
		}
	}
}

func TestNoOutputHoldsASecret(t *testing.T) {
	t.Parallel()
	s := desk(t)
	for name, args := range shows(s) {
		for _, form := range []string{"table", "json", "yaml"} {
			out := s.must(0, append(args, "-o", form)...)
			for _, secret := range s.world.Secrets() {
				if strings.Contains(out, secret) {
					t.Errorf("%s as %s shows a secret", name, form)
				}
			}
		}
	}
}

func TestAWriteByHandWhoseAnswerIsLostMayHaveBeenDone(t *testing.T) {
	t.Parallel()
	s := desk(t)
	ticket, elevation := mustRead(t, "../../testdata/mmd/15-create-ticket-create-a-support-ticket-for-an-incident-request.json"), strings.ReplaceAll(mustRead(t, "../../testdata/mmd/24-create-elevation-request-example-request.json"), "Device Name", device)
	s.must(0, "mmd", "close-elevation", "00000000-0000-4000-8000-000000000002", "Done.")
	for name, tt := range map[string]struct {
		path, method, in string
		args             []string
	}{
		"add-note":         {"addNote", "POST", "", []string{"mmd", "add-note", s.ticket(), "text"}},
		"create-ticket":    {"tickets", "POST", ticket, []string{"mmd", "create-ticket", "-f", "-"}},
		"create-elevation": {"elevationRequests", "POST", elevation, []string{"mmd", "create-elevation", "-f", "-"}},
		"close-elevation":  {"elevationRequests", "PATCH", "", []string{"mmd", "close-elevation", "00000000-0000-4000-8000-000000000002", "text"}},
	} {
		for fault, doubtful := range map[simulator.Kind]bool{simulator.LostAfter: true, simulator.Error500: true, simulator.HTML: true, simulator.TooMany: false} {
			t.Run(name+" with "+string(fault), func(t *testing.T) {
				s.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: tt.method, Path: tt.path, Kind: fault, Times: -1})
				defer s.world.Faults.Clear()
				out := s.feed(1, tt.in, tt.args...)
				if said := strings.Contains(out, "may have been done: look before trying again (bridge mmd "); said != doubtful || strings.Count(out, "\n") != 1 {
					t.Errorf("it says %s", out)
				}
			})
		}
	}
}

func mustRead(t *testing.T, path string) string {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func TestWhatIsWrittenByHandArrives(t *testing.T) {
	t.Parallel()
	s := desk(t)
	out := s.feed(0, "1 < 2 & so\n", "mmd", "add-note", s.ticket(), "-")
	out += s.must(0, "mmd", "add-note", s.ticket(), "<b>bold</b>", "--html")
	if want := "added a note to " + s.ticket() + "\n"; out != want+want {
		t.Errorf("it says %s", out)
	}
	notes := s.must(0, "mmd", "notes", s.ticket(), "-o", "json")
	for _, want := range []string{`"text":"1 &lt; 2 &amp; so"`, `"text":"<b>bold</b>"`, `"text":"Any news?<br>Ada &lt;ada@acme.example&gt;"`} {
		if !strings.Contains(notes, want) {
			t.Errorf("no %s in\n%s", want, notes)
		}
	}
	file := filepath.Join(t.TempDir(), "ticket.yaml")
	body := "title: Slow\ndescription: Since Monday.\ntype: Incident\ncategory: Devices\nsubcategory: Hardware\nseverity: 3\nissueFirstNoticed: 2026-11-23T10:04:05Z\n" +
		"contact: { givenName: Ada, surname: Byron, email: ada@acme.example, phoneNumber: \"1\" }\n"
	if err := os.WriteFile(file, []byte(body), 0o600); err != nil {
		t.Fatal(err)
	}
	_, made, told := s.run("mmd", "create-ticket", "-f", file, "-o", "json")
	var ticket struct {
		ID    string `json:"id"`
		Title string `json:"title"`
	}
	if err := json.Unmarshal([]byte(made), &ticket); err != nil || ticket.Title != "Slow" || told != "opened ticket "+ticket.ID+"\n" {
		t.Errorf("%v: %s%s", err, made, told)
	}
	id := "00000000-0000-4000-8000-000000000002"
	if out := s.feed(0, `{"ActionsTaken": "Driver installed."}`, "mmd", "close-elevation", id, "-f", "-"); out != "closed elevation request "+id+"\n" {
		t.Errorf("it says %s", out)
	}
	if out := s.must(0, "mmd", "close-elevation", id, "Again."); out != "elevation request "+id+" was closed already\n" {
		t.Errorf("it says %s", out)
	}
	for want, args := range map[string][]string{
		`{"id":"` + id + `","closedAlready":true}` + "\n": {"close-elevation", id, "Again.", "-o", "json"},
		"id: " + s.ticket() + "\ntext: So be it.\n":       {"add-note", s.ticket(), "So be it.", "-o", "yaml"},
	} {
		if code, out, errs := s.run(append([]string{"mmd"}, args...)...); code != 0 || out != want || errs == "" {
			t.Errorf("%s ends with %d: %s%s", args, code, out, errs)
		}
	}
	if out := s.must(0, "mmd", "elevations", id, "-o", "yaml"); !strings.Contains(out, "actionsTaken: Driver installed.\n") {
		t.Errorf("it says %s", out)
	}
	if out := s.feed(1, "{DeviceName: NOPE, Title: a, Category: b, Subcategory: c, PlanOfAction: d}", "mmd", "create-elevation", "-f", "-"); !strings.HasSuffix(out, "404 Not Found: This device does not exist.\n") || strings.Contains(out, "may have") {
		t.Errorf("it says %s", out)
	}
}

func TestAListSaysThatThereIsMore(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	for range 3 {
		s.world.Incident(s.users, "One of three", nil)
	}
	s.must(0, "run", "--once")
	for _, tt := range []struct {
		args  []string
		lines int
		says  string
	}{
		{[]string{"mmd", "tickets", "--top", "1"}, 2, "1 ticket is shown and there are more: --skip 1 goes on, --top 0 shows all\n"},
		{[]string{"mmd", "tickets", "--top", "2"}, 3, "2 tickets are shown and there are more: --skip 2 goes on, --top 0 shows all\n"},
		{[]string{"mmd", "tickets", "--top", "2", "--skip", "2", "-o", "json"}, 1, ""},
		{[]string{"mmd", "tickets", "--top", "3"}, 4, ""},
		{[]string{"mmd", "tickets", "--top", "0"}, 4, ""},
		{[]string{"mmd", "tickets", "--skip", "9"}, 1, "no tickets\n"},
		{[]string{"itsm", "list", "incident", "--limit", "2", "-o", "json"}, 2, "2 records are shown and there are more: --skip 2 goes on, --limit 0 shows all\n"},
		{[]string{"itsm", "list", "incident", "--limit", "2", "--skip", "2", "-o", "json"}, 1, ""},
		{[]string{"itsm", "list", "incident", "--skip", "3"}, 1, "no records\n"},
		{[]string{"itsm", "list", "incident", "--limit", "0"}, 4, ""},
		{[]string{"itsm", "list", "incident", "--query", "number=INC9999999"}, 1, "no records\n"},
	} {
		t.Run(strings.Join(tt.args, " "), func(t *testing.T) {
			code, out, errs := s.run(tt.args...)
			if code != 0 || strings.Count(out, "\n") != tt.lines || errs != tt.says {
				t.Errorf("ended with %d, stdout %q, stderr %q", code, out, errs)
			}
		})
	}
	if out := s.must(0, "itsm", "list", "incident", "--query", "ORDERBYDESCnumber", "--fields", "number"); out != "number\nINC0010003\nINC0010002\nINC0010001\n" {
		t.Errorf("the query's own order is lost: %s", out)
	}
}

func TestWhatTheDeskLeavesOutInSilenceIsSaid(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.world.Incident(s.users, "Laptop does not start", nil)
	const dropped = ", or this user may not read it: the desk left that condition out, and finds more than was asked for\n"
	for _, tt := range []struct {
		args       []string
		head, says string
	}{
		{[]string{"itsm", "list", "incident", "--fields", "number", "--query", "stat=1"}, "number\nINC0010001\n", "incident has no field stat" + dropped},
		{[]string{"itsm", "list", "incident", "--fields", "number", "--query", "active=true^caller_id.emial=x^ORstate=1^ORDERBYnumber"}, "number\nINC0010001\n", "incident has no field caller_id.emial" + dropped},
		{[]string{"itsm", "list", "incident", "--fields", "number", "--query", "active=true^stateIN1,2^short_descriptionLIKE^^x^NQnumberSTARTSWITHINC^EQ"}, "number\nINC0010001\n", ""},
		{[]string{"itsm", "list", "incident", "--fields", "number,numbr"}, "number      numbr\nINC0010001\n", "incident has no field numbr, or this user may not read it\n"},
		{[]string{"itsm", "count", "incident", "--query", "stat=1"}, "1\n", "incident has no field stat" + dropped},
		{[]string{"itsm", "count", "incident", "--query", "state=1"}, "1\n", ""},
		{[]string{"itsm", "get", "incident", "INC0010001", "--fields", "numbr", "-o", "json"}, "{}\n", "incident has no field numbr, or this user may not read it\n"},
		{[]string{"itsm", "get", "incident", "INC0010001", "--fields", "number,state", "-o", "json"}, "{\"number\":\"INC0010001\",\"state\":\"1\"}\n", ""},
		{[]string{"itsm", "list", "sys_user_group", "--query", "nameISNOTEMPTY", "-o", "table"}, "name ", ""},
	} {
		t.Run(strings.Join(tt.args, " "), func(t *testing.T) {
			code, out, errs := s.run(tt.args...)
			if code != 0 || !strings.HasPrefix(out, tt.head) || errs != tt.says {
				t.Errorf("ended with %d, stdout %q, stderr %q", code, out, errs)
			}
		})
	}
}

func TestADeskThatFindsNothingForAnUnknownFieldIsSaidToo(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.world.ITSM.Switch(func(desk *itsm.Switches) { desk.UnknownField = "no_rows" })
	s.world.Incident(s.users, "Laptop does not start", nil)
	const says = "incident has no field stat, or this user may not read it: the desk finds nothing for that\n"
	for _, tt := range []struct {
		args      []string
		out, errs string
	}{
		{[]string{"itsm", "list", "incident", "--fields", "number", "--query", "stat=1"}, "number\n", "no records\n" + says},
		{[]string{"itsm", "count", "incident", "--query", "stat=1"}, "0\n", says},
		{[]string{"itsm", "list", "incident", "--fields", "number,numbr", "--query", "state=7"}, "number  numbr\n", "no records\n"},
		{[]string{"itsm", "count", "incident", "--query", "state=7"}, "0\n", ""},
		{[]string{"itsm", "count", "problem", "--query", "stat=7"}, "0\n", ""},
	} {
		if code, out, errs := s.run(tt.args...); code != 0 || out != tt.out || errs != tt.errs {
			t.Errorf("%s: ended with %d, stdout %q, stderr %q", tt.args, code, out, errs)
		}
	}
}

func TestAWordThatTheDocumentDoesNotListIsShownAndSaid(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Kind: simulator.Answer, Status: 200, Body: `{"value":[{"id":"1","type":"Problem","severity":9},{"id":"2","type":"Problem","severity":2}]}`})
	code, out, errs := s.run("mmd", "tickets")
	want := "type \"Problem\" is none of those in the API's document, and is shown as it came\nseverity \"9\" is none of those in the API's document, and is shown as it came\n"
	if code != 0 || errs != want || strings.Count(out, "Problem") != 2 {
		t.Errorf("ended with %d, stdout %q, stderr %q", code, out, errs)
	}
}

func TestATerminalIsNotObeyed(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	evil := "\x1b]0;owned\x07 \u009b31m \x7f \u202edesrever\nsecond line"
	s.world.Incident(s.users, evil, nil)
	s.must(0, "run", "--once")
	s.world.MMD.AddNote(s.ticket(), "vendor", "<p>"+evil+"</p>&#27;[2J")
	for _, args := range [][]string{
		{"mmd", "tickets"},
		{"mmd", "tickets", s.ticket()},
		{"mmd", "notes", s.ticket()},
		{"itsm", "list", "incident"},
		{"itsm", "get", "incident", "INC0010001"},
		{"mmd", "tickets", "\x1b[31m"},
	} {
		for _, form := range []string{"table", "json", "yaml"} {
			_, out, errs := s.run(append(args, "-o", form)...)
			if i := strings.IndexFunc(strings.ReplaceAll(out+errs, "\n", ""), unicode.IsControl); i >= 0 {
				t.Errorf("%s as %s: a control character in %q", args, form, out+errs)
			}
			if form == "table" && strings.Contains(out, "\u202e") {
				t.Errorf("%s: the direction is turned round in %q", args, out)
			}
		}
	}
}

func TestTheHelpShowsWhatWorks(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.world.Incident(s.users, "Laptop does not start", nil)
	s.must(0, "run", "--once")
	examples := main.ShownInHelp("mmd")
	maps.Copy(examples, main.ShownInHelp("itsm"))
	first := []string{"bridge mmd create-elevation", "bridge mmd elevation-details"}
	last := []string{"bridge mmd close-elevation"}
	names := slices.DeleteFunc(slices.Sorted(maps.Keys(examples)), func(name string) bool { return slices.Contains(first, name) || slices.Contains(last, name) })
	for _, name := range slices.Concat(first, names, last) {
		if examples[name] == "" {
			t.Errorf("%s has no example", name)
		}
		text := regexp.MustCompile(`\|\n\s+bridge`).ReplaceAllString(examples[name], "| bridge")
		calls := regexp.MustCompile(`(?s)(?:echo (?:'([^']*)'|"([^"]*)") \| )?bridge ([^\n]*)`).FindAllStringSubmatch(text, -1)
		if len(calls) != strings.Count(text, "bridge ") {
			t.Errorf("%s: not all of its example is read: %s", name, text)
		}
		for _, call := range calls {
			var args []string
			for _, word := range regexp.MustCompile(`"[^"]*"|\S+`).FindAllString(call[3], -1) {
				args = append(args, strings.Trim(word, `"`))
			}
			s.feed(0, call[1]+call[2], args...)
		}
	}
}

func TestJSONHasTheNamesAndValuesOfTheAPI(t *testing.T) {
	t.Parallel()
	if hidden := main.Unshown(); len(hidden) > 0 {
		t.Errorf("fields of %v are not shown", hidden)
	}
	for file, args := range map[string][]string{
		"03": {"devices"}, "04": {"devices", "--top", "2"}, "05": {"devices", "--search", "x"}, "06": {"devices", "MMD-123456789"},
		"07": {"users"}, "08": {"users"}, "09": {"users"}, "10": {"users", "jdoe"}, "17": {"tickets"}, "18": {"tickets"}, "19": {"tickets"},
		"20": {"tickets", "MMD-1465058-R5V8P"}, "21": {"notes", "MMD-1465058-R5V8P"}, "23": {"notes", "MMD-1465058-R5V8P"},
		"31": {"elevations"}, "32": {"elevations"}, "33": {"elevations"}, "34": {"elevation-details", device, "--reveal"},
	} {
		t.Run("example "+file, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			found, err := filepath.Glob("../../testdata/mmd/" + file + "-*.json")
			if err != nil || len(found) != 1 {
				t.Fatal(found, err)
			}
			source := mustRead(t, found[0])
			s.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Kind: simulator.Answer, Status: 200, Body: source})
			var example map[string]any
			if err := json.Unmarshal([]byte(source), &example); err != nil {
				t.Fatal(err)
			}
			want := []any{example}
			if many, ok := example["value"].([]any); ok {
				want = many
			}
			code, out, errs := s.run(append(append([]string{"mmd"}, args...), "-o", "json")...)
			shown := strings.Count(out, "\n")
			if code != 0 || shown == 0 {
				t.Fatalf("ended with %d: %s%s", code, out, errs)
			}
			d := json.NewDecoder(strings.NewReader(out))
			for i := range shown {
				var got any
				if err := d.Decode(&got); err != nil {
					t.Fatal(err)
				}
				within(t, "", want[i], got)
			}
		})
	}
}

func TestWhatTheAPIDoesNotSayIsNotShownAsNull(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	for body, args := range map[string][]string{
		`{"name":"D","intuneId":null}`:     {"mmd", "devices", "D", "-o", "json"},
		`{"id":"T","businessImpact":null}`: {"mmd", "tickets", "T", "-o", "json"},
	} {
		s.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Kind: simulator.Answer, Status: 200, Body: body})
		out := s.must(0, args...)
		for _, missing := range []string{"tenantName", "userUpn", "relatedAlerts", "issueReproduced"} {
			if strings.Contains(out, missing) {
				t.Errorf("%s: %s is shown: %s", body, missing, out)
			}
		}
		if !strings.Contains(out, `"intuneId":null`) && !strings.Contains(out, `"businessImpact":null`) {
			t.Errorf("%s: null is not shown: %s", body, out)
		}
	}
}

// within says where something is shown that the API does not say.
func within(t *testing.T, path string, api, shown any) {
	t.Helper()
	switch shown := shown.(type) {
	case map[string]any:
		api, ok := api.(map[string]any)
		if !ok {
			t.Errorf("%s is no object", path)
			return
		}
		for name, value := range shown {
			if _, there := api[name]; !there {
				t.Errorf("%s.%s is not the API's", path, name)
				continue
			}
			within(t, path+"."+name, api[name], value)
		}
	case []any:
		list, ok := api.([]any)
		if !ok || len(list) != len(shown) {
			t.Errorf("%s has %v, want %v", path, shown, api)
			return
		}
		for i := range shown {
			within(t, path+"[]", list[i], shown[i])
		}
	default:
		if text, ok := api.(string); ok {
			api = strings.ReplaceAll(strings.TrimSpace(text), "Change Request", "ChangeRequest")
			if text == "0001-01-01T00:00:00Z" {
				api = nil // never
			}
		}
		if diff := cmp.Diff(api, shown); diff != "" {
			t.Errorf("%s (-API +shown):\n%s", path, diff)
		}
	}
}
