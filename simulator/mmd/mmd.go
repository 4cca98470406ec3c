// Package mmd stands in for the Microsoft Managed Desktop API. It is written from
// the vendor's document and shares nothing with the bridge's client, so that a
// misreading shows. It keeps its objects in memory and manages no desktop.
package mmd

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Config says whose tenant it is, and who a token belongs to.
type Config struct {
	Tenant string
	// Who gives the application or user that a token was given to, if it is good.
	Who func(token string) (who string, ok bool)
	Now func() time.Time
}

// Server is the vendor's side.
type Server struct {
	cfg Config

	mu       sync.Mutex
	switches Switches
	// tickets and elevations are in the order of their creation.
	tickets    []*ticket
	byID       map[string]*ticket
	elevations []*elevation
	devices    map[string]*device
	names      []string
	// handed are the passwords of all elevation requests, closed ones too.
	handed []string
	serial int
	// shuffled: the clock went back, so that the order of creation is not that of time.
	shuffled bool
	last     time.Time
}

// Switches are what servers may differ by. The zero value is the server of the document.
type Switches struct {
	// Lag is how long a new object is missing from lists.
	Lag time.Duration `json:"lag"`
	// NoNotes answers 404 on notes: "not currently supported".
	NoNotes bool `json:"no_notes"`
	// NotesInList puts a ticket's notes where the document shows an empty list.
	NotesInList bool `json:"notes_in_list"`
	// NotesNewestFirst lists notes the other way round; their ids count from the top.
	NotesNewestFirst bool `json:"notes_newest_first"`
	// OpenLimit is how many open elevation requests a device may have; 0 is 1.
	OpenLimit int `json:"open_limit"`
	// MaxPage caps $top; 0 does not.
	MaxPage int `json:"max_page"`
	// Created answers a new ticket with 201 instead of the 200 of the document.
	Created bool `json:"created"`
	// IgnoreUnknown takes fields in a body that the document does not have.
	IgnoreUnknown bool `json:"ignore_unknown"`
	// WholeSeconds leaves fractions off all times.
	WholeSeconds bool `json:"whole_seconds"`
}

// New makes an empty tenant.
func New(cfg Config) *Server {
	return &Server{cfg: cfg, byID: map[string]*ticket{}, devices: map[string]*device{}}
}

// Switch changes how the server behaves, between two requests.
func (s *Server) Switch(change func(*Switches)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.switches)
}

// now is the time of a new object.
func (s *Server) now() time.Time {
	now := s.cfg.Now().UTC()
	s.shuffled = s.shuffled || now.Before(s.last)
	s.last = now
	return now
}

// visible says whether lists show by now what was made then.
func (s *Server) visible(made time.Time) bool {
	return s.switches.Lag <= 0 || s.cfg.Now().Sub(made) >= s.switches.Lag
}

// request is one call, and the answer as far as it is known.
type request struct {
	*http.Request
	who    string
	status int
	body   bytes.Buffer
}

// ServeHTTP answers the methods of the document under any prefix that ends in /v1/.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := &request{Request: r}
	text, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	who, good := s.cfg.Who(text)
	if q.who = who; bearer && good {
		s.mu.Lock()
		s.route(q)
		s.mu.Unlock()
	} else {
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
		q.fail(http.StatusUnauthorized, "The token is missing, expired or not for this service.")
	}
	w.Header().Set("Date", s.cfg.Now().UTC().Format(http.TimeFormat))
	if q.body.Len() > 0 {
		w.Header().Set("Content-Type", "application/json; odata.metadata=minimal; odata.streaming=true")
		w.Header().Set("OData-Version", "4.0")
	}
	w.WriteHeader(q.status)
	w.Write(q.body.Bytes()) //nolint:errcheck,gosec // the client has gone
}

// route finds what a path means.
func (s *Server) route(q *request) {
	_, path, ok := strings.Cut(q.URL.Path, "/v1/")
	path = strings.TrimSuffix(path, "/")
	if rest, in := strings.CutPrefix(path, "tenants/"); ok && in {
		tenant, what, _ := strings.Cut(rest, "/")
		if !strings.EqualFold(tenant, s.cfg.Tenant) {
			q.fail(http.StatusForbidden, "The token is not for this tenant.")
			return
		}
		s.inTenant(q, strings.Split(what, "/"))
		return
	}
	switch key, in := strings.CutPrefix(path, "tickets("); {
	case ok && path == "tickets":
		s.allTickets(q)
	case ok && in:
		s.oneTicket(q, key)
	default:
		q.fail(http.StatusNotFound, "This resource does not exist.")
	}
}

// inTenant answers what lies under tenants/{tenantId}/.
func (s *Server) inTenant(q *request, parts []string) {
	of, what := len(parts), parts[0]
	switch {
	case what == "elevationRequests" && of == 1:
		s.allElevations(q)
	case what == "elevationRequests" && of == 2:
		s.oneElevation(q, parts[1])
	case what != "devices" && what != "users" || of > 3 || of == 3 && (what != "devices" || parts[2] != "elevationDetails"):
		q.fail(http.StatusNotFound, "This resource does not exist.")
	case !q.reads(): // answered
	case of == 3:
		s.details(q, parts[1])
	case what == "devices" && of == 1:
		s.listDevices(q)
	case what == "devices":
		s.getDevice(q, parts[1])
	case of == 1:
		s.listUsers(q)
	default:
		s.getUser(q, parts[1])
	}
}

// reads says whether a call is a GET; any other has been answered.
func (q *request) reads() bool {
	if q.Method == http.MethodGet {
		return true
	}
	q.fail(http.StatusMethodNotAllowed, "The requested resource does not support http method '"+q.Method+"'.")
	return false
}

// read takes a JSON body; a field that is not in the document is refused.
func (s *Server) read(q *request, into any) bool {
	if !strings.HasPrefix(q.Header.Get("Content-Type"), "application/json") {
		q.fail(http.StatusUnsupportedMediaType, "The request entity's media type is not supported for this resource.")
		return false
	}
	d := json.NewDecoder(http.MaxBytesReader(nil, q.Body, 1<<20))
	if !s.switches.IgnoreUnknown {
		d.DisallowUnknownFields()
	}
	if err := d.Decode(into); err != nil {
		q.fail(http.StatusBadRequest, "The request is invalid: "+strings.TrimPrefix(err.Error(), "json: "))
		return false
	}
	return true
}

// fail answers with the error envelope.
func (q *request) fail(status int, message string) {
	type problem struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}
	q.json(status, map[string]problem{"error": {strconv.Itoa(status), message}})
}

// json answers; what was written before is forgotten.
func (q *request) json(status int, v any) {
	q.status = status
	q.body.Reset()
	json.NewEncoder(&q.body).Encode(v) //nolint:errcheck,gosec,errchkjson // texts and numbers in memory
}

// context is the @odata.context of an answer.
func context(of string) string {
	return "https://mmd-support-prod-nam.trafficmanager.net/odata/v1/$metadata#" + of
}

// stamp writes a time as the service does: in UTC, with as many of seven digits as say
// something.
func (s *Server) stamp(t time.Time) string {
	if s.switches.WholeSeconds {
		t = t.Truncate(time.Second)
	}
	return t.Format("2006-01-02T15:04:05.9999999Z")
}

// stamped is a time that may not have come yet: null.
func (s *Server) stamped(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	text := s.stamp(t)
	return &text
}
