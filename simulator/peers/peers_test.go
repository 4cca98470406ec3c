package peers_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bridge/simulator"
)

// place is a folder with the clients, and for each test a world over TLS.
type place struct {
	*testing.T
	world *simulator.World
	users simulator.Users
	run   *simulator.Running
	dir   string
}

func TestClientsThatWereNotWrittenHere(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("what they do is the same under the race detector, and slower")
	}
	for _, tool := range []string{"node", "npm"} {
		if _, err := exec.LookPath(tool); err == nil {
			continue
		}
		if slices.Contains(strings.Split(os.Getenv("BRIDGE_REQUIRE"), ","), "npm") {
			t.Fatalf("%s is not here, and BRIDGE_REQUIRE asks for npm", tool)
		}
		t.Skipf("left out: the simulators under clients from npm (no %s here)", tool)
	}
	dir := install(t)
	for name, try := range map[string]func(place){
		"servicenow-rest-api works a desk":                             worksADesk,
		"@odata/client reads the vendor's tickets":                     readsTickets,
		"@odata/parser takes the filters that the vendor's side takes": takesFilters,
	} {
		t.Run(name, func(t *testing.T) {
			p := place{T: t, world: simulator.New(simulator.Config{}), dir: dir}
			p.users = p.world.Populate()
			var err error
			if p.run, err = p.world.Listen(t.Context(), "127.0.0.1:0"); err != nil {
				t.Fatal(err)
			}
			defer p.run.Close() //nolint:errcheck // the world ends with the test
			p.write("ca.pem", p.run.CA)
			try(p)
		})
	}
}

// install gets the clients, whose versions and sums are in the lock file.
func install(t *testing.T) string {
	t.Helper()
	p := place{T: t, dir: t.TempDir()}
	for _, name := range []string{"package.json", "package-lock.json", "desk.js", "vendor.js", "filters.js"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		p.write(name, text)
	}
	p.command(nil, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline")
	return p.dir
}

func (p place) write(name string, text []byte) {
	p.Helper()
	if err := os.WriteFile(filepath.Join(p.dir, name), text, 0o600); err != nil {
		p.Fatal(err)
	}
}

// command runs a program in the folder, and gives what it prints.
func (p place) command(env map[string]string, name string, args ...string) []byte {
	p.Helper()
	return p.feed(nil, env, name, args...)
}

func (p place) feed(in []byte, env map[string]string, name string, args ...string) []byte {
	p.Helper()
	ctx, cancel := context.WithTimeout(p.Context(), 4*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, name, args...)
	c.Dir, c.Stdin, c.Env = p.dir, bytes.NewReader(in), os.Environ()
	if p.run != nil {
		c.Env = append(c.Env, "NODE_EXTRA_CA_CERTS="+filepath.Join(p.dir, "ca.pem"))
	}
	for key, value := range env {
		c.Env = append(c.Env, key+"="+value)
	}
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	if err := c.Run(); err != nil {
		p.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, &out, &errs)
	}
	return out.Bytes()
}

// read reads the one JSON object that a script prints.
func read[T any](t *testing.T, text []byte) T {
	t.Helper()
	var out T
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return out
}

// host is where the world listens, as a host and a port.
func (p place) host() string { return strings.TrimPrefix(p.run.URL, "https://") }

func worksADesk(p place) {
	t := p.T
	t.Helper()
	id := p.world.Incident(p.users, "Laptop does not start", map[string]string{"number": "INC0010001"})
	p.world.ITSM.Insert("incident", map[string]string{"short_description": "Somebody else's"})
	type refusal struct {
		Failed any
		Says   string
	}
	got := read[struct {
		List, None, Notes []map[string]any
		ID                string
		Created, Updated  map[string]any
		Wrong, Stranger   refusal
	}](t, p.command(map[string]string{"HOST": p.host(), "DESK_USER": simulator.Username, "DESK_PASSWORD": simulator.Password}, "node", "desk.js"))

	created, _ := got.Created["sys_id"].(string)
	row := p.world.ITSM.Row("incident", created)
	desk := p.world.ITSM.Row("incident", id)
	notes, _ := got.Notes[0]["work_notes"].(string)
	caller, _ := got.List[0]["caller_id"].(map[string]any)
	kept := p.world.ITSM.Journal(id, "work_notes")
	for _, check := range []struct {
		name      string
		want, got any
	}{
		{"the list has the group's incident alone", 1, len(got.List)},
		{"in labels", "New", got.List[0]["state"]},
		{"with a link to who called", "Ada Byron", caller["display_value"]},
		{"a list with nothing in it", 0, len(got.None)},
		{"the sys_id of a number", id, got.ID},
		{"a title that was created", "From npm", row["short_description"]},
		{"a choice that was given by its label", "2", row["impact"]},
		{"another", "1", row["urgency"]},
		{"what the desk makes of both", "2", row["priority"]},
		{"a person who was given by name", p.users.Ada, row["caller_id"]},
		{"a group too", p.users.Group, row["assignment_group"]},
		{"the number that the desk gave", row["number"], got.Created["number"]},
		{"a state that was set by its label", "2", desk["state"]},
		{"and is told by it", "In Progress", got.Updated["state"]},
		{"the work note is kept", 1, len(kept)},
		{"and read in the text of the journal", true, strings.Contains(notes, "Hello from npm") && strings.Contains(notes, "(Work notes)")},
		{"no such table", refusal{400.0, "Invalid table no_such_table"}, got.Wrong},
		{"a wrong password", refusal{401.0, "User Not Authenticated"}, got.Stranger},
	} {
		if diff := cmp.Diff(check.want, check.got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", check.name, diff)
		}
	}
	if len(kept) == 1 && kept[0].Text != "Hello from npm" {
		t.Errorf("the note is %+v", kept[0])
	}
}

func readsTickets(p place) {
	t := p.T
	t.Helper()
	one := p.world.MMD.AddTicket("One", "x")
	p.world.MMD.SetSeverity(p.world.MMD.AddTicket("Two", "x"), 2)
	p.world.MMD.SetSeverity(one, 3)
	type said struct {
		All, First, Severe []string
		Key, Missing       string
	}
	got := read[said](t, p.command(map[string]string{
		"SERVICE": p.run.URL + "/support/odata/v1/", "TOKEN": p.token(), "TICKET": one,
	}, "node", "vendor.js"))
	slices.Sort(got.All)
	want := said{All: []string{"One", "Two"}, First: []string{"One"}, Severe: []string{"Two"}, Key: "One", Missing: got.Missing}
	if diff := cmp.Diff(want, got); diff != "" || got.Missing == "found" || got.Missing == "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// client trusts the world.
func (p place) client() *http.Client { return trusting(p.T, p.run.CA) }

// token signs the application in.
func (p place) token() string {
	p.Helper()
	form := url.Values{
		"grant_type": {"client_credentials"}, "client_id": {simulator.ClientID}, "client_secret": {simulator.ClientSecret}, "scope": {"https://api.test/.default"},
	}
	reply, err := p.client().PostForm(p.run.URL+"/"+simulator.Tenant+"/oauth2/v2.0/token", form)
	if err != nil {
		p.Fatal(err)
	}
	defer reply.Body.Close() //nolint:errcheck // it is read
	text, err := io.ReadAll(reply.Body)
	if err != nil {
		p.Fatal(err)
	}
	return read[struct {
		Token string `json:"access_token"`
	}](p.T, text).Token
}

// status is what the vendor's side answers to a filter.
func (p place) status(token, filter string) int {
	p.Helper()
	r, err := http.NewRequestWithContext(p.Context(), http.MethodGet, p.run.URL+"/support/odata/v1/tickets?"+url.Values{"$filter": {filter}}.Encode(), nil)
	if err != nil {
		p.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	reply, err := p.client().Do(r)
	if err != nil {
		p.Fatal(err)
	}
	defer reply.Body.Close() //nolint:errcheck // its status is enough
	return reply.StatusCode
}

func takesFilters(p place) {
	t := p.T
	t.Helper()
	p.world.MMD.AddTicket("One", "x")
	token := p.token()
	asked := slices.Concat(corpus(), slices.Collect(maps.Keys(disagreements())))
	in, err := json.Marshal(asked)
	if err != nil {
		t.Fatal(err)
	}
	got := read[struct {
		Taken   map[string]bool
		Written map[string]string
	}](t, p.feed(in, nil, "node", "filters.js"))
	if len(got.Taken) != len(asked) {
		t.Fatalf("%d of %d filters were judged", len(got.Taken), len(asked))
	}
	for _, filter := range asked {
		status := p.status(token, filter)
		if status != http.StatusOK && status != http.StatusBadRequest {
			t.Errorf("%s: the vendor says %d", filter, status)
		}
		why, known := disagreements()[filter]
		if agree := (status == http.StatusOK) == got.Taken[filter]; agree == known {
			t.Errorf("%q: the parser says %v, the vendor %d; known disagreement: %q", filter, got.Taken[filter], status, why)
		}
	}
	for what, filter := range got.Written {
		if status := p.status(token, filter); status != http.StatusOK {
			t.Errorf("%s, as @odata/client writes it: %s: %d", what, filter, status)
		}
	}
	if len(got.Written) < 5 {
		t.Errorf("%d filters were written", len(got.Written))
	}
}
