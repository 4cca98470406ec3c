package mmd_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bridge/mmd"
	"bridge/rest"
)

const tenant = "72f988bf-86f1-41af-91ab-2d7cd011db47"

// server answers each request with one literal, and keeps what it was asked.
type server struct {
	*httptest.Server
	status  int
	kind    string
	body    string
	method  string
	uri     string
	first   string // uri of the first request
	sent    string
	token   string
	asked   int
	answers []string
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if s.asked == 0 {
		s.first = r.RequestURI
	}
	s.method, s.uri, s.sent, s.token = r.Method, r.RequestURI, string(raw), r.Header.Get("Authorization")
	body := s.body
	if len(s.answers) > 0 {
		body = s.answers[min(s.asked, len(s.answers)-1)]
	}
	s.asked++
	if s.kind != "" {
		w.Header().Set("Content-Type", s.kind)
	}
	w.WriteHeader(s.status)
	_, _ = io.WriteString(w, body)
}

// fixed is a source of one token.
type fixed struct{ refused int }

func (f *fixed) Token(context.Context) (string, error) { return "canary-token", nil }
func (f *fixed) Refused(string)                        { f.refused++ }

// client gives a client against a server that answers so.
func client(t *testing.T, status int, body string) (*mmd.Client, *server) {
	t.Helper()
	s := &server{status: status, kind: "application/json; odata.metadata=minimal", body: body}
	s.Server = httptest.NewTLSServer(s)
	t.Cleanup(s.Close)
	base, err := url.Parse(s.URL + "/support/odata/v1/")
	if err != nil {
		t.Fatal(err)
	}
	c, err := mmd.New(mmd.Config{URL: base, Tenant: tenant, Tokens: &fixed{}, Transport: s.Client().Transport, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	return c, s
}

func example(t *testing.T, name string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("../testdata/mmd", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// number finds the file of an example by its number.
func number(t *testing.T, n string) string {
	t.Helper()
	found, err := filepath.Glob("../testdata/mmd/" + n + "-*.json")
	if err != nil || len(found) != 1 {
		t.Fatalf("example %s: %v, %v", n, found, err)
	}
	return filepath.Base(found[0])
}

// says is what came of one call, in a line.
func says(v any, err error) string {
	if err != nil {
		return "error: " + err.Error()
	}
	return fmt.Sprintf("%+v", v)
}

// each example of the document, with the call that reads or produces it.
func TestEveryExampleOfTheDocumentIsReadOrProduced(t *testing.T) {
	t.Parallel()
	collect := func(t *testing.T, n string, call func(context.Context, *mmd.Client) (int, error), want int, uri string) {
		t.Helper()
		c, s := client(t, http.StatusOK, example(t, number(t, n)))
		got, err := call(t.Context(), c)
		if err != nil || got != want {
			t.Errorf("%d objects, %v; want %d", got, err, want)
		}
		if s.first != uri || s.token != "Bearer canary-token" {
			t.Errorf("asked %s %s", s.method, s.first)
		}
	}
	tickets := func(o mmd.ListOptions) func(context.Context, *mmd.Client) (int, error) {
		return func(ctx context.Context, c *mmd.Client) (n int, err error) {
			seen := map[string]bool{}
			for ticket, err := range c.Tickets.List(ctx, o) {
				if err != nil {
					return n, err
				}
				if ticket.Type != "Incident" || ticket.Contact.Surname != "Doe" || ticket.Created.IsZero() || ticket.Severity == 0 {
					return n, fmt.Errorf("ticket %+v", ticket)
				}
				seen[ticket.ID] = true
				n++
			}
			return n, nil
		}
	}
	devices := func(o mmd.ListOptions) func(context.Context, *mmd.Client) (int, error) {
		return func(ctx context.Context, c *mmd.Client) (n int, err error) {
			for d, err := range c.Devices.List(ctx, o) {
				if err != nil {
					return n, err
				}
				if d.Name == "" && (d.IntuneID != nil || !d.Enrolled.IsZero()) {
					return n, fmt.Errorf("null is not kept apart: %+v", d)
				}
				n++
			}
			return n, nil
		}
	}
	users := func(o mmd.ListOptions) func(context.Context, *mmd.Client) (int, error) {
		return func(ctx context.Context, c *mmd.Client) (n int, err error) {
			for u, err := range c.Users.List(ctx, o) {
				if err != nil || u.UPN == "" || len(u.Devices) == 0 || u.Devices[0].LastSync.IsZero() {
					return n, fmt.Errorf("%+v: %w", u, err)
				}
				n++
			}
			return n, nil
		}
	}
	elevations := func(o mmd.ListOptions) func(context.Context, *mmd.Client) (int, error) {
		return func(ctx context.Context, c *mmd.Client) (n int, err error) {
			for e, err := range c.Elevations.List(ctx, o) {
				if err != nil || e.Created.IsZero() || !e.Closed.IsZero() || e.PlanOfAction == "" {
					return n, fmt.Errorf("%+v: %w", e, err)
				}
				n++
			}
			return n, nil
		}
	}
	create := func(t *testing.T, request, response, kind string) {
		t.Helper()
		c, s := client(t, http.StatusOK, example(t, number(t, response)))
		var body mmd.NewTicket
		if err := json.Unmarshal([]byte(example(t, number(t, request))), &body); err != nil {
			t.Fatal(err)
		}
		made, err := c.Tickets.Create(t.Context(), body)
		if err != nil || made.ID != "Ticket Number" || made.State != "active" || made.Type != kind {
			t.Error(says(made, err))
		}
		same(t, example(t, number(t, request)), s.sent)
		if s.method != http.MethodPost || s.uri != "/support/odata/v1/tickets" {
			t.Errorf("asked %s %s", s.method, s.uri)
		}
	}
	refused := func(t *testing.T, n string, status int, call func(context.Context, *mmd.Client) error, want error, outcome rest.Outcome) {
		t.Helper()
		c, _ := client(t, status, example(t, number(t, n)))
		if err := call(t.Context(), c); want != nil && !errors.Is(err, want) || rest.OutcomeOf(err) != outcome {
			t.Errorf("%v, outcome %s", err, rest.OutcomeOf(err))
		}
	}
	elevate := func(ctx context.Context, c *mmd.Client) error {
		_, err := c.Elevations.Create(ctx, mmd.NewElevation{})
		return err
	}
	shut := func(ctx context.Context, c *mmd.Client) error { return c.Elevations.Close(ctx, "E1", "done") }
	under := "/support/odata/v1/tenants/" + tenant + "/"
	tests := map[string]func(*testing.T){
		"01": func(t *testing.T) { t.Helper(); token(t, example(t, number(t, "01"))) },
		"02": func(t *testing.T) { t.Helper(); token(t, example(t, number(t, "02"))) },
		"03": func(t *testing.T) {
			t.Helper()
			collect(t, "03", devices(mmd.ListOptions{}), 3, under+"devices?%24skip=0&%24top=100")
		},
		"04": func(t *testing.T) {
			collect(t, "04", devices(mmd.ListOptions{Skip: 1, Top: 2}), 2, under+"devices?%24skip=1&%24top=2")
		},
		"05": func(t *testing.T) {
			collect(t, "05", devices(mmd.ListOptions{Search: "jdoe@contoso.onmicrosoft.com"}), 1, under+"devices?%24skip=0&%24top=100&searchText=jdoe%40contoso.onmicrosoft.com")
		},
		"06": func(t *testing.T) {
			c, s := client(t, http.StatusOK, example(t, number(t, "06")))
			d, err := c.Devices.Get(t.Context(), "MMD-123456789")
			if err != nil || d.Name != "MMD-123456789" || len(d.Groups) != 2 || len(d.Configurations) != 4 || !d.Configurations[3].Reported.IsZero() || d.AgeInMonths != 9.274547 {
				t.Error(says(d, err))
			}
			if s.uri != under+"devices/MMD-123456789" {
				t.Error(s.uri)
			}
		},
		"07": func(t *testing.T) { collect(t, "07", users(mmd.ListOptions{}), 3, under+"users?%24skip=0&%24top=100") },
		"08": func(t *testing.T) {
			collect(t, "08", users(mmd.ListOptions{Skip: 1, Top: 2}), 2, under+"users?%24skip=1&%24top=2")
		},
		"09": func(t *testing.T) {
			collect(t, "09", users(mmd.ListOptions{Search: "PC 1"}), 1, under+"users?%24skip=0&%24top=100&searchText=PC+1")
		},
		"10": func(t *testing.T) {
			c, s := client(t, http.StatusOK, example(t, number(t, "10")))
			u, err := c.Users.Get(t.Context(), "jdoe@contoso.onmicrosoft.com")
			if err != nil || u.Name != "John Doe" || u.Devices[0].Ring != "First" {
				t.Error(says(u, err))
			}
			if s.uri != under+"users/jdoe@contoso.onmicrosoft.com" {
				t.Error(s.uri)
			}
		},
		"11": func(t *testing.T) { create(t, "11", "12", "RequestForInformation") },
		"12": func(t *testing.T) { create(t, "11", "12", "RequestForInformation") },
		"13": func(t *testing.T) { create(t, "13", "14", "ChangeRequest") },
		"14": func(t *testing.T) { create(t, "13", "14", "ChangeRequest") },
		"15": func(t *testing.T) { create(t, "15", "16", "Incident") },
		"16": func(t *testing.T) { create(t, "15", "16", "Incident") },
		"17": func(t *testing.T) {
			collect(t, "17", tickets(mmd.ListOptions{OrderBy: "createdDateTime desc", Top: 50}), 1, "/support/odata/v1/tickets?%24orderby=createdDateTime+desc&%24skip=0&%24top=50")
		},
		"18": func(t *testing.T) {
			collect(t, "18", tickets(mmd.ListOptions{Filter: mmd.Contains("title", "Test"), Top: 50}), 1, "/support/odata/v1/tickets?%24filter=contains%28title%2C%27Test%27%29&%24skip=0&%24top=50")
		},
		"19": func(t *testing.T) {
			both := mmd.And(mmd.Eq("state", "resolved"), mmd.Eq("severity", 2))
			collect(t, "19", tickets(mmd.ListOptions{Filter: both, Top: 50}), 1, "/support/odata/v1/tickets?%24filter=%28state+eq+%27resolved%27%29+and+%28severity+eq+2%29&%24skip=0&%24top=50")
		},
		"20": func(t *testing.T) {
			c, s := client(t, http.StatusOK, example(t, number(t, "20")))
			ticket, err := c.Tickets.Get(t.Context(), "MMD-1465058-R5V8P")
			if err != nil || ticket.ID != "MMD-1465058-R5V8P" || ticket.Severity != 2 || !ticket.Resolved.IsZero() {
				t.Error(says(ticket, err))
			}
			if s.uri != "/support/odata/v1/tickets('MMD-1465058-R5V8P')" {
				t.Error(s.uri)
			}
		},
		"21": func(t *testing.T) { notes(t, "21", "This is the test note to add") },
		"22": func(t *testing.T) {
			c, s := client(t, http.StatusNoContent, "")
			if err := c.Tickets.AddNote(t.Context(), "MMD-1465058-R5V8P", "Note to add to ticket"); err != nil {
				t.Error(err)
			}
			same(t, example(t, number(t, "22")), s.sent)
			if s.uri != "/support/odata/v1/tickets('MMD-1465058-R5V8P')/addNote" {
				t.Error(s.uri)
			}
		},
		"23": func(t *testing.T) { notes(t, "23", "This is the test note 1 to add", "Note to add to ticket") },
		"24": func(t *testing.T) { elevation(t) },
		"25": func(t *testing.T) { elevation(t) },
		"26": func(t *testing.T) {
			refused(t, "26", http.StatusForbidden, elevate, mmd.ErrTooManyOpen, rest.Refused)
		},
		"27": func(t *testing.T) {
			refused(t, "27", http.StatusNotFound, elevate, mmd.ErrNoDevice, rest.Impossible)
		},
		"28": func(t *testing.T) {
			c, s := client(t, http.StatusNoContent, "")
			if err := c.Elevations.Close(t.Context(), "E/1", "Actions taken to resolve case."); err != nil {
				t.Error(err)
			}
			same(t, example(t, number(t, "28")), s.sent)
			if s.method != http.MethodPatch || s.uri != under+"elevationRequests/E%2F1" {
				t.Error(s.method, s.uri)
			}
		},
		"29": func(t *testing.T) {
			refused(t, "29", http.StatusBadRequest, shut, mmd.ErrAlreadyClosed, rest.Impossible)
		},
		"30": func(t *testing.T) { refused(t, "30", http.StatusNotFound, shut, nil, rest.Impossible) },
		"31": func(t *testing.T) {
			collect(t, "31", elevations(mmd.ListOptions{}), 1, under+"elevationRequests?%24skip=0&%24top=100")
		},
		"32": func(t *testing.T) {
			collect(t, "32", elevations(mmd.ListOptions{Filter: mmd.Eq("deviceName", "O'Brien")}), 1, under+"elevationRequests?%24filter=deviceName+eq+%27O%27%27Brien%27&%24skip=0&%24top=100")
		},
		"33": func(t *testing.T) {
			collect(t, "33", elevations(mmd.ListOptions{Filter: mmd.Contains("category", "Office")}), 1, under+"elevationRequests?%24filter=contains%28category%2C%27Office%27%29&%24skip=0&%24top=100")
		},
		"34": func(t *testing.T) { details(t) },
	}
	files, err := filepath.Glob("../testdata/mmd/*.json")
	if err != nil || len(files) != 34 || len(tests) != 34 {
		t.Fatalf("%d files, %d tests, want 34 of 34: %v", len(files), len(tests), err)
	}
	for n, test := range tests {
		t.Run(n, func(t *testing.T) {
			t.Parallel()
			test(t)
		})
	}
}

// same compares two texts as JSON.
func same(t *testing.T, want, got string) {
	t.Helper()
	var a, b any
	if err := errors.Join(json.Unmarshal([]byte(want), &a), json.Unmarshal([]byte(got), &b)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(a, b); diff != "" {
		t.Errorf("the body (-documented +sent):\n%s", diff)
	}
}

func notes(t *testing.T, n string, want ...string) {
	t.Helper()
	c, s := client(t, http.StatusOK, example(t, number(t, n)))
	got, err := c.Tickets.Notes(t.Context(), "MMD-1465058-R5V8P")
	if err != nil || len(got) != len(want) {
		t.Fatal(says(got, err))
	}
	for i, note := range got {
		if note.Text != want[i] || note.ID != fmt.Sprint(i) || note.RenderType != "html" || note.Sender != "Sender Id" || note.CreatedRaw != "2021-12-14T04:28:18Z" {
			t.Errorf("note %+v", note)
		}
	}
	if s.uri != "/support/odata/v1/tickets('MMD-1465058-R5V8P')/notes" {
		t.Error(s.uri)
	}
}

// elevation produces the documented body from the ledger's spelling, and reads the answer.
func elevation(t *testing.T) {
	t.Helper()
	c, s := client(t, http.StatusCreated, example(t, number(t, "25")))
	var body mmd.NewElevation
	stored := `{"partnerTicketId":"Support Ticket Id","deviceName":"DeviceName","title":"Elevation request title","category":"Office","subcategory":"Excel","planOfAction":"Plan of action using elevation."}`
	if err := json.Unmarshal([]byte(stored), &body); err != nil {
		t.Fatal(err)
	}
	made, err := c.Elevations.Create(t.Context(), body)
	if err != nil || made.ID != "Elevation Request Id" || made.Created.Nanosecond() != 33810200 || !made.Closed.IsZero() {
		t.Error(says(made, err))
	}
	same(t, example(t, number(t, "24")), s.sent)
}

// details reads a password that no way of printing shows.
func details(t *testing.T) {
	t.Helper()
	c, _ := client(t, http.StatusOK, strings.Replace(example(t, number(t, "34")), `"password": "password"`, `"password": "canary-password"`, 1))
	d, err := c.Elevations.Details(t.Context(), "MMD-03690457680")
	if err != nil || d.AccountUPN != "accountUpn" || d.Password.Reveal() != "canary-password" {
		t.Fatal(says(d, err))
	}
	asJSON, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		fmt.Sprintf("%v %+v %#v %s", d, d, d, d.Password), fmt.Sprintf("%q %x %d %v", d.Password, d.Password, d.Password, &d.Password),
		string(asJSON), fmt.Errorf("%w: %v", errors.New("x"), d).Error(), d.Password.LogValue().String(),
	} {
		if strings.Contains(text, "canary") {
			t.Errorf("the password shows in %s", text)
		}
	}
}

// token reads the documented answer of the token endpoint as the bridge's client does.
func token(t *testing.T, answer string) {
	t.Helper()
	var reply map[string]string
	if err := json.Unmarshal([]byte(answer), &reply); err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(nil)
	s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if strings.HasSuffix(r.URL.Path, "openid-configuration") {
			base := s.URL + "/" + tenant
			_, _ = fmt.Fprintf(w, `{"token_endpoint":"%[1]s/oauth2/v2.0/token","authorization_endpoint":"%[1]s/a","issuer":"%[1]s/v2.0"}`, base)
			return
		}
		_, _ = io.WriteString(w, answer)
	})
	s.StartTLS()
	defer s.Close()
	authority, err := url.Parse(s.URL + "/")
	if err != nil {
		t.Fatal(err)
	}
	source, err := mmd.NewApplicationTokens(mmd.Application{
		Authority: authority, Tenant: tenant, ClientID: "app", Secret: "canary-secret", Scopes: []string{"https://x/.default"}, HTTP: s.Client(),
	}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	got, err := source.Token(t.Context())
	if err != nil || got != reply["access_token"] {
		t.Errorf("token %q, %v; want %q", got, err, reply["access_token"])
	}
}
