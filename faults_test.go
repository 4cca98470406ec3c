package bridge_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"bridge/itsm"
	"bridge/mmd"
	"bridge/rest"
	"bridge/simulator"
)

// ending is how a call ends whose every request meets a fault.
type ending struct {
	read, write rest.Outcome
	// reads and writes are how many requests are made of one.
	reads, writes int
	// status is what the error shows; 0: no reply came; own: what the server says anyway.
	status int
	// whole says that a whole reply came.
	whole bool
	// wait is how long the server asked to be left alone.
	wait time.Duration
	// named is what the desk's client calls it; nil: nothing in particular.
	named error
}

// of gives how one call ends, and how many requests it makes.
func (wrong trouble) of(c call) (rest.Outcome, int) {
	kind := wrong.rule.Kind
	switch {
	case kind == simulator.EmptyList && c.one:
		return rest.Unknown, 1
	case kind == simulator.WrongType && c.status == http.StatusNoContent:
		return rest.Done, 1 // without a body there is nothing that could have a type
	case c.writes != "":
		return wrong.write, wrong.writes
	case kind == simulator.EmptyList:
		return wrong.read, c.blank
	case wrong.read == rest.Done:
		return wrong.read, c.pages
	}
	return wrong.read, wrong.reads
}

// own stands for the status with which the server answers when all is well.
const own = -1

// trouble is a fault, and how calls end under it.
type trouble struct {
	rule simulator.Rule
	ending
}

// troubles are all faults. A read that is unknown is only asked again; a write that is
// unknown is looked for before it is sent again.
//
//	fault                  server    read      write     requests of a read, a write
//	refused                nothing   refused   refused   4  4  never connected
//	reset, lost            either    unknown   unknown   4  1
//	500                    either    unknown   unknown   1  1
//	503                    either    unknown   unknown   4  1
//	429                    nothing   refused   refused   1  1
//	429, in a second       nothing   refused   refused   4  4
//	429, in an hour        nothing   refused   refused   1  1
//	slow, in time          did it    done      done      1  1
//	slow, too slow; late   did it    unknown   unknown   4  1
//	cut off                did it    unknown   unknown   1  1
//	no JSON, no page       either    unknown   unknown   1  1
//	302, 202               nothing   unknown   unknown   1  1
//	4xx                    nothing   impossible          1  1
//	an empty list          nothing   done      unknown   1  1  one object: unknown
func troubles() map[string]trouble {
	const u, r, d, no = rest.Unknown, rest.Refused, rest.Done, rest.Impossible
	rule := func(kind simulator.Kind) simulator.Rule { return simulator.Rule{Kind: kind, Times: -1} }
	waits := func(kind simulator.Kind, delay time.Duration) simulator.Rule {
		return simulator.Rule{Kind: kind, Times: -1, Delay: delay}
	}
	says := func(kind simulator.Kind, seconds int) simulator.Rule {
		return simulator.Rule{Kind: kind, Times: -1, RetryAfter: seconds}
	}
	teapot := simulator.Rule{Kind: simulator.Answer, Times: -1, Status: 418, Body: `{"error":{"code":"418","message":"a teapot"}}`}
	return map[string]trouble{
		"no connection":               {rule(simulator.RefusedBefore), ending{r, r, 4, 4, 0, false, 0, nil}},
		"a reset, nothing done":       {rule(simulator.ResetBefore), ending{u, u, 4, 1, 0, false, 0, nil}},
		"a reset, done":               {rule(simulator.ResetAfter), ending{u, u, 4, 1, 0, false, 0, nil}},
		"a lost answer":               {rule(simulator.LostAfter), ending{u, u, 4, 1, 0, false, 0, nil}},
		"500, nothing done":           {rule(simulator.Error500), ending{u, u, 1, 1, 500, true, 0, nil}},
		"500, done":                   {rule(simulator.Error500After), ending{u, u, 1, 1, 500, true, 0, nil}},
		"503, nothing done":           {rule(simulator.Error503), ending{u, u, 4, 1, 503, true, 0, nil}},
		"503, done":                   {rule(simulator.Error503After), ending{u, u, 4, 1, 503, true, 0, nil}},
		"503, in an hour":             {says(simulator.Error503, 3600), ending{u, u, 1, 1, 503, true, time.Hour, nil}},
		"429 bare":                    {rule(simulator.TooMany), ending{r, r, 1, 1, 429, true, 0, itsm.ErrRate}},
		"429, in a second":            {says(simulator.TooMany, 1), ending{r, r, 4, 4, 429, true, time.Second, itsm.ErrRate}},
		"429, in an hour":             {says(simulator.TooMany, 3600), ending{r, r, 1, 1, 429, true, time.Hour, itsm.ErrRate}},
		"slow":                        {waits(simulator.Slow, 10*time.Second), ending{d, d, 1, 1, 0, false, 0, nil}},
		"too slow":                    {waits(simulator.Slow, time.Hour), ending{u, u, 4, 1, 0, false, 0, nil}},
		"late":                        {waits(simulator.Late, 10*time.Minute), ending{u, u, 4, 1, 0, false, 0, nil}},
		"an answer cut off":           {rule(simulator.Truncated), ending{u, u, 1, 1, own, false, 0, itsm.ErrTruncated}},
		"an answer that is no JSON":   {rule(simulator.Malformed), ending{u, u, 1, 1, 200, false, 0, itsm.ErrTruncated}},
		"rows and an error":           {rule(simulator.Partial), ending{u, u, 1, 1, 200, true, 0, itsm.ErrPartial}},
		"a page, nothing done":        {rule(simulator.HTML), ending{u, u, 1, 1, 200, true, 0, itsm.ErrPage}},
		"a page, done":                {rule(simulator.HTMLAfter), ending{u, u, 1, 1, 200, true, 0, itsm.ErrPage}},
		"JSON that claims to be text": {rule(simulator.WrongType), ending{u, u, 1, 1, own, true, 0, itsm.ErrPage}},
		"302":                         {rule(simulator.Redirect), ending{u, u, 1, 1, 302, true, 0, itsm.ErrElsewhere}},
		"202":                         {rule(simulator.Accepted), ending{u, u, 1, 1, 202, true, 0, itsm.ErrEmpty}},
		"an empty list":               {rule(simulator.EmptyList), ending{d, u, 1, 1, 200, true, 0, nil}},
		"4xx":                         {teapot, ending{no, no, 1, 1, 418, true, 0, nil}},
	}
}

// world is a simulated world, and both clients on the way to it.
type world struct {
	*simulator.World
	desk   *itsm.Client
	vendor *mmd.Client
	way    *counted

	incident, task, ticket, elevation string
}

// counted counts the replies whose bodies are open.
type counted struct {
	next http.RoundTripper
	open atomic.Int64
}

func (c *counted) RoundTrip(r *http.Request) (*http.Response, error) {
	reply, err := c.next.RoundTrip(r)
	if err == nil {
		c.open.Add(1)
		reply.Body = &body{ReadCloser: reply.Body, open: &c.open}
	}
	return reply, err
}

type body struct {
	io.ReadCloser
	open   *atomic.Int64
	closed bool
}

func (b *body) Close() error {
	if !b.closed {
		b.closed = true
		b.open.Add(-1)
	}
	return b.ReadCloser.Close()
}

// newWorld is a world in which each call of calls has something to find. It runs in a
// bubble.
func newWorld(t *testing.T, auth string) *world {
	t.Helper()
	w := &world{World: simulator.New(simulator.Config{Seed: 1})}
	w.way = &counted{next: w.Transport()}
	users := w.Populate()
	w.MMD.AddDevice(spare)
	w.incident = w.Incident(users, "Laptop does not start", nil)
	w.ITSM.Comment("incident", w.incident, "ada.byron", "Hello")
	w.ITSM.Attach("incident", w.incident, "log.txt", "text/plain")
	w.task, _ = w.Task(users, w.incident)
	w.ITSM.RequestApproval("sc_task", w.task, users.Bea)
	w.ticket = w.MMD.AddTicket("Laptop", "It does not start.")
	w.MMD.AddNote(w.ticket, "vera", "Have you tried it again?")

	tokens, err := mmd.NewApplicationTokens(mmd.Application{
		Authority: address(t, "https://login.test/"), Tenant: simulator.Tenant, ClientID: simulator.ClientID, Secret: simulator.ClientSecret,
		Scopes: []string{"https://api.test/.default"}, HTTP: &http.Client{Transport: w.way},
	}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	w.vendor, err = mmd.New(mmd.Config{URL: address(t, "https://mmd.test/support/odata/v1/"), Tenant: simulator.Tenant, Tokens: tokens, Transport: w.way, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	w.desk, err = itsm.New(itsm.Config{
		URL: address(t, "https://itsm.test"), Transport: w.way, Now: time.Now,
		Auth: itsm.Auth{
			Type: auth, Username: simulator.Username, Password: simulator.Password,
			ClientID: simulator.DeskClientID, ClientSecret: simulator.DeskSecret, Key: simulator.Key,
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	made, err := w.vendor.Elevations.Create(t.Context(), request(laptop))
	if err != nil {
		t.Fatal(err)
	}
	w.elevation = made.ID
	return w
}

// Two devices: one has an open elevation request, one has none.
const (
	laptop = "MMD-03690457680"
	spare  = "MMD-SPARE"
)

func address(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func request(device string) mmd.NewElevation {
	return mmd.NewElevation{DeviceName: device, Title: "Driver", Category: "Devices", Subcategory: "Elevation", PlanOfAction: "Install it."}
}

// shown is an error in every way in which it can be shown.
func shown(err error) string {
	var b bytes.Buffer
	slog.New(slog.NewJSONHandler(&b, &slog.HandlerOptions{Level: slog.LevelDebug})).Error("failed", slog.Any("error", err))
	slog.New(slog.NewTextHandler(&b, nil)).Error("failed", slog.Any("error", err))
	fmt.Fprintf(&b, "%v %+v %#v %s %q", err, err, err, err, err)
	for ; err != nil; err = errors.Unwrap(err) {
		fmt.Fprintf(&b, "%v %+v %#v", err, err, err)
	}
	return b.String()
}

// secrets are those of a world, and what they look like on the wire.
func (w *world) secrets() []string {
	all := w.Secrets()
	return append(all, base64.StdEncoding.EncodeToString([]byte(simulator.Username+":"+simulator.Password)))
}

// asked counts the requests to a side since a line of the log.
func (w *world) asked(side string, since int) int {
	n := 0
	for _, r := range w.Faults.Log()[since:] {
		if r.Side == side {
			n++
		}
	}
	return n
}

func TestEachFaultOnEachMethodOfBothClients(t *testing.T) {
	t.Parallel()
	for name, wrong := range troubles() {
		for _, c := range calls() {
			t.Run(name+", "+c.name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { meet(t, wrong, c) })
			})
		}
	}
}

// meet makes one call whose every request meets a fault, and looks at what it says, at
// what the server did, and at what is left behind.
func meet(t *testing.T, wrong trouble, c call) {
	t.Helper()
	w := newWorld(t, "basic")
	w.Faults.Keep()
	rule := wrong.rule
	rule.Side = c.side
	w.Faults.Add(rule)
	since := len(w.Faults.Log())
	err := c.make(t.Context(), w)
	outcome, requests := wrong.of(c)
	if got := rest.OutcomeOf(err); got != outcome {
		t.Errorf("%v, want %v: %v", got, outcome, err)
	}
	if n := w.asked(c.side, since); n != requests {
		t.Errorf("%d requests, want %d", n, requests)
	}
	if outcome != rest.Done {
		tells(t, w, wrong, c, err)
	}
	for _, secret := range w.secrets() {
		if strings.Contains(shown(err), secret) {
			t.Errorf("a secret shows: %s", shown(err))
		}
	}
	time.Sleep(2 * time.Hour) // what is late is done by then, and what asked to be left alone was
	if done := c.did != nil && c.did(w); done != (c.writes != "" && rule.Kind.Executes()) {
		t.Errorf("the server did it: %v", done)
	}
	if n := w.way.open.Load(); n != 0 {
		t.Errorf("%d replies were not closed", n)
	}
	w.Faults.Clear()
	if err := c.again(t.Context(), w); err != nil {
		t.Errorf("after the fault: %v", err)
	}
}

// tells checks what an error says of a fault.
func tells(t *testing.T, w *world, wrong trouble, c call, err error) {
	t.Helper()
	e, ok := errors.AsType[*rest.Error](err)
	if !ok {
		t.Fatalf("no typed error: %#v", err)
	}
	status, whole := wrong.status, wrong.whole
	if status == own {
		status = c.status
	}
	if c.status == http.StatusNoContent && wrong.rule.Kind == simulator.Truncated {
		status = http.StatusOK // a 204 has no body that could be cut
	}
	if c.status == http.StatusNoContent && wrong.rule.Kind == simulator.Malformed {
		whole = true // nothing of it is read
	}
	method := c.writes
	if method == "" {
		method = http.MethodGet
	}
	if e.Method != method || e.Status != status || e.Complete != whole || e.RetryAfter != wrong.wait {
		t.Errorf("%s %d, whole: %v, after %v; want %s %d, %v, %v: %v", e.Method, e.Status, e.Complete, e.RetryAfter, method, status, whole, wrong.wait, err)
	}
	if c.side == simulator.SideITSM && wrong.named != nil && !errors.Is(err, wrong.named) {
		t.Errorf("it is not named %q: %v", wrong.named, err)
	}
	if wrong.status == 418 && !strings.Contains(e.Message, "a teapot") {
		t.Errorf("what the server said is lost: %v", err)
	}
	for _, identity := range []string{w.incident, w.task, w.ticket, w.elevation, laptop, spare, simulator.Tenant} {
		if strings.Contains(e.Path, identity) {
			t.Errorf("an identity in the name of the call: %s", e.Path)
		}
	}
}

func TestAReadIsAskedAgainWhereAWriteIsNot(t *testing.T) {
	t.Parallel()
	for _, c := range calls() {
		for name, wrong := range troubles() {
			t.Run(name+" once, "+c.name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t, "basic")
					rule := wrong.rule
					rule.Side, rule.Times = c.side, 1
					w.Faults.Add(rule)
					err := c.make(t.Context(), w)
					outcome, requests := wrong.of(c)
					if requests > 1 && outcome != rest.Done {
						outcome = rest.Done
					}
					if got := rest.OutcomeOf(err); got != outcome {
						t.Errorf("%v, want %v: %v", got, outcome, err)
					}
					time.Sleep(2 * time.Hour)
				})
			})
		}
	}
}
