package simulator_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"bridge/simulator"
)

// seen is what a plain client makes of an answer.
type seen struct {
	Status int
	Type   string
	Body   string
	Err    string
}

// look makes a request to a desk and reads all of its answer.
func look(ctx context.Context, c *http.Client, method, url, body string) seen {
	r, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return seen{Err: err.Error()}
	}
	r.SetBasicAuth(simulator.Username, simulator.Password)
	r.Header.Set("Accept", "application/json")
	r.Header.Set("Content-Type", "application/json")
	answer, err := c.Do(r)
	if err != nil {
		return seen{Err: kindOf(err)}
	}
	defer answer.Body.Close() //nolint:errcheck // it is read
	text, err := io.ReadAll(answer.Body)
	out := seen{Status: answer.StatusCode, Type: answer.Header.Get("Content-Type"), Body: strings.TrimSpace(string(text))}
	if err != nil {
		out.Err = kindOf(err)
	}
	return out
}

// kindOf names what happened to a connection, however the error is worded.
func kindOf(err error) string {
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	case errors.Is(err, syscall.ECONNRESET):
		return "reset"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "ended"
	case errors.Is(err, context.DeadlineExceeded):
		return "deadline"
	case errors.Is(err, context.Canceled):
		return "cancelled"
	}
	return err.Error()
}

const desk = "https://itsm.test/api/now/table/incident"

// faults are all kinds: whether the server does what is asked, and what is seen of it.
//
//	kind                     done   status   seen
func faults() map[simulator.Kind]struct {
	status int
	err    string
	body   string
} {
	type saw = struct {
		status int
		err    string
		body   string
	}
	return map[simulator.Kind]saw{
		simulator.RefusedBefore: {0, "refused", ""},
		simulator.ResetBefore:   {0, "reset", ""},
		simulator.ResetAfter:    {0, "reset", ""},
		simulator.LostAfter:     {0, "ended", ""},
		simulator.Error500:      {500, "", "Transaction cancelled"},
		simulator.Error500After: {500, "", "Transaction cancelled"},
		simulator.Error503:      {503, "", "<html>"},
		simulator.Error503After: {503, "", "<html>"},
		simulator.TooMany:       {429, "", "Rate limit exceeded"},
		simulator.Slow:          {201, "", `"result"`},
		simulator.Late:          {0, "ended", ""},
		simulator.Truncated:     {201, "ended", `"result"`},
		simulator.Malformed:     {200, "", `}""],"error"`},
		simulator.Partial:       {200, "", `{"result":[],"error"`},
		simulator.HTML:          {200, "", "hibernating"},
		simulator.HTMLAfter:     {200, "", "hibernating"},
		simulator.WrongType:     {201, "", `"result"`},
		simulator.Redirect:      {302, "", ""},
		simulator.Accepted:      {202, "", ""},
		simulator.EmptyList:     {200, "", `{"value":[],"result":[]}`},
		simulator.Answer:        {418, "", "teapot"},
	}
}

func TestEachFaultIsWhatItSays(t *testing.T) {
	t.Parallel()
	want := faults()
	for _, kind := range simulator.Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := simulator.New(simulator.Config{})
				c := &http.Client{Transport: w.Transport(), CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
				w.Faults.Add(simulator.Rule{Side: simulator.SideITSM, Method: "POST", Kind: kind, Delay: time.Minute, Status: 418, Body: `"teapot"`})
				check(t, w, kind, look(t.Context(), c, "POST", desk, `{"short_description":"x"}`), want[kind])
				if got := look(t.Context(), c, "POST", desk, `{"short_description":"x"}`); got.Status != http.StatusCreated {
					t.Errorf("after the fault: %+v", got)
				}
			})
		})
	}
}

func check(t *testing.T, w *simulator.World, kind simulator.Kind, got seen, want struct {
	status int
	err    string
	body   string
},
) {
	t.Helper()
	if got.Status != want.status || got.Err != want.err || !strings.Contains(got.Body, want.body) {
		t.Errorf("seen %+v, want %+v", got, want)
	}
	if done := len(w.ITSM.Rows("incident")) == 1; done != kind.Executes() {
		t.Errorf("it was done: %v", done)
	}
	if plain := kind == simulator.WrongType; plain != strings.HasPrefix(got.Type, "text/plain") {
		t.Errorf("Content-Type %q", got.Type)
	}
}

func TestEachFaultIsTheSameOverASocket(t *testing.T) {
	t.Parallel()
	want := faults()
	for _, kind := range simulator.Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			w, running, c := listening(t)
			w.Faults.Add(simulator.Rule{Side: simulator.SideITSM, Method: "POST", Kind: kind, Delay: 50 * time.Millisecond, Status: 418, Body: `"teapot"`})
			expect := want[kind]
			if kind == simulator.RefusedBefore {
				expect.err = "reset" // who listens cannot refuse one connection
			}
			check(t, w, kind, look(t.Context(), c, "POST", running.URL+"/api/now/table/incident", `{"short_description":"x"}`), expect)
		})
	}
}

// listening is a world over TLS, and a client that trusts it.
func listening(t *testing.T) (*simulator.World, *simulator.Running, *http.Client) {
	t.Helper()
	w := simulator.New(simulator.Config{})
	running, err := w.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := running.Close(); err != nil {
			t.Error(err)
		}
	})
	return w, running, trusting(running)
}

func trusting(running *simulator.Running, own ...tls.Certificate) *http.Client {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(running.CA)
	return &http.Client{
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12, Certificates: own}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func TestWhatIsLateIsDoneAfterTheClientHasGone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := simulator.New(simulator.Config{})
		w.Faults.Add(simulator.Rule{Kind: simulator.Late, Delay: time.Minute})
		c := &http.Client{Transport: w.Transport(), Timeout: 10 * time.Second}
		if got := look(t.Context(), c, "POST", desk, `{}`); got.Err != "deadline" {
			t.Errorf("seen %+v", got)
		}
		if n := len(w.ITSM.Rows("incident")); n != 0 {
			t.Errorf("%d incidents when the client gives up, want none yet", n)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := len(w.ITSM.Rows("incident")); n != 1 {
			t.Errorf("%d incidents a minute later, want one", n)
		}
	})
}

func TestARuleHitsWhomItNames(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		rule simulator.Rule
		want string
	}{
		"the first":                     {simulator.Rule{}, "x....... "},
		"the third":                     {simulator.Rule{Nth: 3}, "..x....."},
		"the third and the next":        {simulator.Rule{Nth: 3, Times: 2}, "..xx...."},
		"all from the third":            {simulator.Rule{Nth: 3, Times: -1}, "..xxxxxx"},
		"every third from the second":   {simulator.Rule{Nth: 2, Every: 3}, ".x..x..x"},
		"every third, twice":            {simulator.Rule{Every: 3, Times: 2}, "x..x...."},
		"another side":                  {simulator.Rule{Side: simulator.SideMMD, Times: -1}, "........"},
		"another method":                {simulator.Rule{Method: "POST", Times: -1}, "........"},
		"another path":                  {simulator.Rule{Path: "sc_task", Times: -1}, "........"},
		"a part of the path":            {simulator.Rule{Path: "table/inc", Nth: 3}, "..x....."},
		"the end of the path":           {simulator.Rule{Path: "table/incident$", Nth: 3}, "..x....."},
		"no end of the path":            {simulator.Rule{Path: "table$", Times: -1}, "........"},
		"a chance of one":               {simulator.Rule{Probability: 1}, "xxxxxxxx"},
		"nobody: a chance next to none": {simulator.Rule{Probability: 1e-12}, "........"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := simulator.New(simulator.Config{})
			c := &http.Client{Transport: w.Transport()}
			tt.rule.Kind = simulator.Error500
			w.Faults.Add(tt.rule)
			var got strings.Builder
			for range 8 {
				got.WriteString(map[int]string{200: ".", 500: "x"}[look(t.Context(), c, "GET", desk, "").Status])
			}
			if want := strings.TrimSpace(tt.want); got.String() != want {
				t.Errorf("hits %s, want %s", got.String(), want)
			}
			w.Faults.Clear()
			if got := look(t.Context(), c, "GET", desk, "").Status; got != 200 {
				t.Errorf("after all faults were ended: %d", got)
			}
		})
	}
}

func TestChanceIsOfTheSeedAndTheRequestNotOfTheOrder(t *testing.T) {
	t.Parallel()
	draw := func(seed int64, tables ...string) map[string]string {
		w := simulator.New(simulator.Config{Seed: seed})
		c := &http.Client{Transport: w.Transport()}
		w.Faults.Random(0.5, simulator.Error500)
		out := map[string]string{}
		for range 20 {
			for _, table := range tables {
				out[table] += map[int]string{200: ".", 500: "x"}[look(t.Context(), c, "GET", "https://itsm.test/api/now/table/"+table, "").Status]
			}
		}
		return out
	}
	one := draw(1, "incident", "sc_task", "sys_user")
	if diff := cmp.Diff(one, draw(1, "sys_user", "incident", "sc_task")); diff != "" {
		t.Errorf("the same seed in another order:\n%s", diff)
	}
	if cmp.Equal(one, draw(2, "incident", "sc_task", "sys_user")) || one["incident"] == one["sc_task"] {
		t.Errorf("another seed, another request: %v", one)
	}
	if n := strings.Count(one["incident"], "x"); n < 4 || n > 16 {
		t.Errorf("%d of 20 at a chance of a half", n)
	}
}

func TestATestStopsTheWorldAtARequest(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		after bool
		want  int
	}{"right before it is done": {false, 0}, "right after it was done": {true, 1}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := simulator.New(simulator.Config{})
			c := &http.Client{Transport: w.Transport()}
			ctx, cancel := context.WithCancel(t.Context())
			stop := func(r simulator.Request) {
				if r.Side == simulator.SideITSM && r.Method == http.MethodPost {
					cancel()
				}
			}
			if tt.after {
				w.Faults.Watch(nil, stop)
			} else {
				w.Faults.Watch(stop, nil)
			}
			if got := look(ctx, c, "POST", desk, "{}"); got.Err != "cancelled" {
				t.Errorf("seen %+v", got)
			}
			if n := len(w.ITSM.Rows("incident")); n != tt.want {
				t.Errorf("%d incidents, want %d", n, tt.want)
			}
		})
	}
}

func TestLatencyAndSessions(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		cookie string
		want   time.Duration
	}{"sessions of their own run side by side": {"", time.Second}, "one session runs one by one": {"JSESSIONID=1", 3 * time.Second}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := simulator.New(simulator.Config{Latency: time.Second, Sessions: true})
				began := time.Now()
				done := make(chan error)
				for range 3 {
					go func() {
						r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, desk, nil)
						r.Header.Set("Cookie", tt.cookie)
						answer, err := w.Transport().RoundTrip(r)
						if err == nil {
							err = answer.Body.Close()
						}
						done <- err
					}()
				}
				for range 3 {
					if err := <-done; err != nil {
						t.Error(err)
					}
				}
				if took := time.Since(began); took != tt.want {
					t.Errorf("three calls took %v, want %v", took, tt.want)
				}
			})
		})
	}
}

func TestAnExactWaitLastsAndEndsWithItsContext(t *testing.T) {
	t.Parallel()
	began := time.Now()
	if err := simulator.Exactly(t.Context(), 20*time.Millisecond); err != nil || time.Since(began) < 20*time.Millisecond {
		t.Errorf("%v after %v", err, time.Since(began))
	}
	for name, d := range map[string]time.Duration{"none": 0, "less than none": -1} {
		if err := simulator.Exactly(t.Context(), d); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(time.Millisecond, func() { cancel(nil) })
	if err := simulator.Exactly(ctx, time.Hour); !errors.Is(err, context.Canceled) {
		t.Errorf("a wait that was given up: %v", err)
	}
	if err := simulator.Exactly(ctx, time.Hour); !errors.Is(err, context.Canceled) {
		t.Errorf("a wait that was given up before: %v", err)
	}
}

func TestTheLogTellsAllButSecrets(t *testing.T) {
	t.Parallel()
	w := simulator.New(simulator.Config{})
	c := &http.Client{Transport: w.Transport()}
	w.Faults.Keep()
	w.Faults.Add(simulator.Rule{Method: "GET", Kind: simulator.LostAfter})
	look(t.Context(), c, "GET", desk+"?sysparm_limit=1&x-sn-apikey="+simulator.Key, "")
	look(t.Context(), c, "POST", desk, `{"short_description":"x"}`)
	form := "grant_type=password&client_id=1&client_secret=" + simulator.DeskSecret + "&username=u&password=" + simulator.Password
	look(t.Context(), c, "POST", "https://itsm.test/oauth_token.do", form)
	look(t.Context(), c, "POST", "https://login.test/"+simulator.Tenant+"/oauth2/v2.0/token", form)
	var got []string
	for _, r := range w.Faults.Log() {
		got = append(got, strings.Join([]string{r.Side, r.Method, r.Query, r.Body, string(r.Fault), http.StatusText(r.Status)}, "|"))
		for _, secret := range w.Secrets() {
			if text, _ := json.Marshal(r); bytes.Contains(text, []byte(secret)) {
				t.Errorf("a secret in %s", text)
			}
		}
	}
	redacted := "client_id=1&client_secret=•••&grant_type=password&password=•••&username=u"
	want := []string{
		"itsm|GET|sysparm_limit=1&x-sn-apikey=•••||lost after|",
		`itsm|POST||{"short_description":"x"}||Created`,
		"itsm|POST||" + redacted + "||Unauthorized",
		"authority|POST||" + redacted + "||Bad Request",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if n := w.Faults.Calls(simulator.SideITSM); n != 3 {
		t.Errorf("%d calls to the desk, want 3", n)
	}
}
