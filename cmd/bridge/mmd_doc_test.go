package main_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	main "bridge/cmd/bridge"
	"bridge/simulator"
)

// method is one method of the vendor's API, and where it is in the bridge.
type method struct {
	// Section is its heading in the vendor's document, Request what it asks.
	section, request string
	// Function is ours in package mmd, Command the call by hand; either may be none.
	function, command string
	tests             []string
}

// methods are all that the document describes, in its order.
func methods() []method {
	const (
		examples = "mmd.TestEveryExampleOfTheDocumentIsReadOrProduced"
		forms    = "main.TestEachObjectInEachForm"
		names    = "main.TestJSONHasTheNamesAndValuesOfTheAPI"
		absent   = "main.TestWhatIsNotThereEndsWith1AndOneLine"
		lost     = "main.TestAWriteByHandWhoseAnswerIsLostMayHaveBeenDone"
		arrives  = "main.TestWhatIsWrittenByHandArrives"
		answers  = "mmd.TestWhatAnAnswerMeansForAWrite"
		moved    = "mmd.TestDevicesAndUsersThatMoveBetweenPagesComeOnce"
	)
	return []method{
		{
			"Get access to API with application context", "POST /{tenant}/oauth2/v2.0/token", "NewApplicationTokens", "",
			[]string{examples, "mmd.TestAnApplicationSignsInWithASecretOrACertificate", "main.TestAnApplicationRunsWithItsCertificate", "main.TestCredentialsThatAreRefusedSayWhereTheyStand"},
		},
		{
			"Get access to API with user context", "GET /{tenant}/oauth2/v2.0/authorize, POST …/token", "SignInInBrowser", "login --browser",
			[]string{examples, "mmd.TestAUserSignsInOnceAndIsRefreshedFromThenOn", "main.TestAPersonSignsInWithABrowser"},
		},
		{
			"Get access to API with user context", "POST /{tenant}/oauth2/v2.0/devicecode, POST …/token", "SignInOnDevice", "login --device",
			[]string{"mmd.TestAUserSignsInOnceAndIsRefreshedFromThenOn", "main.TestAPersonSignsInAndTheBridgeRunsForThem"},
		},
		{
			"Get access to API with user context", "POST /{tenant}/oauth2/v2.0/token (refresh_token)", "NewUserTokens", "",
			[]string{"mmd.TestAUserSignsInOnceAndIsRefreshedFromThenOn", "mmd.TestATokenCacheThatCannotBeUsedIsLeftAsItIs", "main.TestAPersonSignsInAndTheBridgeRunsForThem"},
		},
		{"List devices", "GET tenants/{tenantId}/devices", "Devices.List", "mmd devices", []string{examples, "mmd.TestListPages", "mmd.TestAListOfDevicesOrUsersWithoutEndIsAnError", moved, forms, names}},
		{"Get device by device name", "GET tenants/{tenantId}/devices/{deviceName}", "Devices.Get", "mmd devices", []string{examples, forms, names, absent}},
		{"List users", "GET tenants/{tenantId}/users", "Users.List", "mmd users", []string{examples, moved, forms, names}},
		{"Get user by userUpn", "GET tenants/{tenantId}/users/{userUpn}", "Users.Get", "mmd users", []string{examples, forms, names, absent}},
		{"Create ticket", "POST tickets", "Tickets.Create", "mmd create-ticket", []string{examples, answers, lost, arrives}},
		{"List tickets", "GET tickets", "Tickets.List", "mmd tickets", []string{examples, "mmd.TestListPages", "mmd.TestAServerThatGivesFewerThanItIsAskedForCutsNothing", "mmd.TestFilterQuotesAndEscapes", forms, names, "main.TestAListSaysThatThereIsMore"}},
		{"Get ticket by ID", "GET tickets('{id}')", "Tickets.Get", "mmd tickets", []string{examples, "mmd.TestAnIdWithAQuoteIsEscaped", forms, names, absent}},
		{"Get ticket notes", "GET tickets('{id}')/notes", "Tickets.Notes", "mmd notes", []string{examples, "mmd.TestNotesThatAreNotOfferedAreToldApart", forms, names, absent}},
		{"Add notes to ticket", "POST tickets('{id}')/addNote", "Tickets.AddNote", "mmd add-note", []string{examples, "mmd.TestANoteIsDoneWith204AndNothingElse", lost, arrives}},
		{"Create elevation request", "POST tenants/{tenantId}/elevationRequests", "Elevations.Create", "mmd create-elevation", []string{examples, answers, lost, arrives}},
		{"Close elevation request", "PATCH tenants/{tenantId}/elevationRequests/{id}", "Elevations.Close", "mmd close-elevation", []string{examples, answers, lost, arrives, absent}},
		{"List elevation requests", "GET tenants/{tenantId}/elevationRequests", "Elevations.List", "mmd elevations", []string{examples, forms, names, absent}},
		{"Get elevation request details", "GET tenants/{tenantId}/devices/{deviceName}/elevationDetails", "Elevations.Details", "mmd elevation-details", []string{examples, forms, "main.TestThePasswordShowsOnlyWhenItIsAskedFor", "main.TestOneCommandAsksForThePassword"}},
	}
}

// folders are where the packages that are named by a test are.
func folders() map[string]string {
	return map[string]string{"mmd": "../../mmd", "main": ".", "config": "config", "connector": "../../connector", "simulator": "../../simulator/mmd"}
}

// declared are the functions of all folders, by the package's name.
type declared map[string]map[string]bool

// check says which tests are not there; what stands behind a slash is a part of one.
func (d declared) check(t *testing.T, of string, tests []string) {
	t.Helper()
	if len(tests) == 0 {
		t.Errorf("%s has no test", of)
	}
	for _, test := range tests {
		in, name, _ := strings.Cut(test, ".")
		if name, _, _ = strings.Cut(name, "/"); !d[in][name] {
			t.Errorf("%s: there is no test %s", of, test)
		}
	}
}

func TestTheTableOfTheAPIIsTrue(t *testing.T) {
	t.Parallel()
	there := declared{}
	for name, dir := range folders() {
		there[name] = declarations(t, dir)
	}
	commands := main.ShownInHelp("mmd")
	shown := main.ShownInHelp("login")
	var out strings.Builder
	out.WriteString("# The MMD API, method by method\n\n" +
		"Made by `go test ./cmd/bridge -run TestTheTableOfTheAPIIsTrue -update`; the test fails when a function, a command or a test\n" +
		"that is named here is not there. Sections are headings of the vendor's document. Functions are in package `mmd`; tests are in\n" +
		"`mmd/`, `connector/`, `simulator/mmd/`, `cmd/bridge/config/` and `cmd/bridge/` (main); the number behind a slash is that of an\n" +
		"example in `testdata/mmd/`.\n\n| method, section | function | command | tests |\n|---|---|---|---|\n")
	for _, m := range methods() {
		if m.function != "" && !there["mmd"][m.function] {
			t.Errorf("%s: mmd.%s is not declared", m.section, m.function)
		}
		if name, _, _ := strings.Cut(m.command, " --"); name != "" && commands["bridge "+name]+shown["bridge "+name] == "" {
			t.Errorf("%s: there is no command bridge %s", m.section, m.command)
		}
		there.check(t, m.section, m.tests)
		fmt.Fprintf(&out, "| `%s`<br>%s | %s | %s | %s |\n", m.request, m.section, code("mmd.", m.function), code("bridge ", m.command), strings.Join(m.tests, "<br>"))
	}
	out.WriteString("\n## Where the document contradicts itself\n\n| where | it says | taken as | tests |\n|---|---|---|---|\n")
	for _, c := range contradictions() {
		there.check(t, c.where, c.tests)
		fmt.Fprintf(&out, "| %s | %s | %s | %s |\n", c.where, c.says, c.taken, strings.Join(c.tests, "<br>"))
	}
	golden(t, "../../docs/mmd-api.md", out.String())
	for name := range there["mmd"] {
		service, of, is := strings.Cut(name, ".")
		if is && of != "Clock" && slices.Contains([]string{"Devices", "Users", "Tickets", "Elevations"}, service) && ast.IsExported(of) &&
			!slices.ContainsFunc(methods(), func(m method) bool { return m.function == name }) {
			t.Errorf("mmd.%s is not in the table", name)
		}
	}
}

func code(before, name string) string {
	if name == "" {
		return ""
	}
	return "`" + before + name + "`"
}

// declarations names the functions of a folder, and the methods as Type.Method.
func declarations(t *testing.T, dir string) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && path != dir:
			return fs.SkipDir
		case filepath.Ext(path) != ".go":
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			name := f.Name.Name
			if f.Recv != nil {
				name = receiver(f.Recv.List[0].Type) + "." + name
			}
			found[name] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func receiver(of ast.Expr) string {
	if pointer, ok := of.(*ast.StarExpr); ok {
		of = pointer.X
	}
	if name, ok := of.(*ast.Ident); ok {
		return name.Name
	}
	return ""
}

// TestEachCommandAsksWhatTheTableSays looks at what the vendor's side was asked.
func TestEachCommandAsksWhatTheTableSays(t *testing.T) {
	t.Parallel()
	s := desk(t)
	elevation := "00000000-0000-4000-8000-000000000002"
	inputs := map[string][]string{
		"List devices":                  {"devices"},
		"Get device by device name":     {"devices", device},
		"List users":                    {"users"},
		"Get user by userUpn":           {"users", "ada@acme.example"},
		"Create ticket":                 {"create-ticket", "-f", "../../testdata/mmd/15-create-ticket-create-a-support-ticket-for-an-incident-request.json"},
		"List tickets":                  {"tickets"},
		"Get ticket by ID":              {"tickets", s.ticket()},
		"Get ticket notes":              {"notes", s.ticket()},
		"Add notes to ticket":           {"add-note", s.ticket(), "text"},
		"Create elevation request":      {"create-elevation", "-f", "../../testdata/mmd/24-create-elevation-request-example-request.json"},
		"Close elevation request":       {"close-elevation", elevation, "text"},
		"List elevation requests":       {"elevations"},
		"Get elevation request details": {"elevation-details", device},
	}
	places := strings.NewReplacer(
		"/support/odata/v1/", "", simulator.Tenant, "{tenantId}", device, "{deviceName}", "ada@acme.example", "{userUpn}", s.ticket(), "{id}", elevation, "{id}",
	)
	for _, m := range methods() {
		if !strings.HasPrefix(m.command, "mmd ") {
			continue
		}
		args := inputs[m.section]
		if args == nil || "mmd "+args[0] != m.command {
			t.Errorf("%s is not tried", m.section)
			continue
		}
		s.world.Faults.Keep()
		before := len(s.world.Faults.Log())
		s.run(append([]string{"mmd"}, args...)...)
		var asked []string
		for _, q := range s.world.Faults.Log()[before:] {
			if q.Side == simulator.SideMMD {
				asked = append(asked, q.Method+" "+places.Replace(q.Path))
			}
		}
		// A list asks again where its first page may not be all.
		if diff := cmp.Diff([]string{m.request}, slices.Compact(asked)); diff != "" {
			t.Errorf("%s (-table +asked):\n%s", m.section, diff)
		}
	}
}
