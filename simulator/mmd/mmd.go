// Package mmd stands in for the Microsoft Managed Desktop API. It is written from
// the vendor's document and shares nothing with the bridge's client, so that a
// misreading shows. It keeps its objects in memory and manages no desktop.
package mmd

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Config says whose tenant it is, and which tokens are good.
type Config struct {
	Tenant string
	// App is the sender of notes that come through the API.
	App  string
	Good func(token string) bool
	Now  func() time.Time
}

// Server is the vendor's side. Its switches are what servers may differ by.
type Server struct {
	cfg Config

	mu         sync.Mutex
	tickets    []*ticket
	byID       map[string]*ticket
	elevations []object
	devices    map[string]bool
	serial     int

	// Lag is how long a new object is missing from lists.
	Lag time.Duration
	// NoNotes answers 404 on notes: "not currently supported".
	NoNotes bool
	// OpenLimit is how many open elevation requests a device may have; 0 is 1.
	OpenLimit int
	// MaxPage caps $top.
	MaxPage int
}

type object map[string]any

type ticket struct {
	object
	notes []object
	made  time.Time
}

// New makes an empty tenant.
func New(cfg Config) *Server {
	return &Server{cfg: cfg, byID: map[string]*ticket{}, devices: map[string]bool{}}
}

// AddDevice enrols a device.
func (s *Server) AddDevice(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.devices[name] = true
}

// Ticket is a ticket as a test looks at it.
type Ticket struct {
	ID, Title, Description, State string
	Body                          map[string]any
}

// Tickets lists all tickets, oldest first.
func (s *Server) Tickets() []Ticket {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Ticket, 0, len(s.tickets))
	for _, t := range s.tickets {
		out = append(out, Ticket{t.text("id"), t.text("title"), t.text("description"), t.text("state"), t.object})
	}
	return out
}

func (o object) text(field string) string {
	s, _ := o[field].(string)
	return s
}

// Note is a note as a test looks at it.
type Note struct{ Sender, Text string }

// Notes lists the notes of a ticket, oldest first.
func (s *Server) Notes(id string) []Note {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Note
	for _, n := range s.byID[id].notes {
		out = append(out, Note{n.text("sender"), n.text("text")})
	}
	return out
}

// AddNote writes a note as the vendor's engineer.
func (s *Server) AddNote(id, sender, html string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.note(s.byID[id], sender, html)
}

func (s *Server) note(t *ticket, sender, text string) {
	at := s.stamp()
	t.notes = append(t.notes, object{"id": len(t.notes), "type": "post", "renderType": "html", "createdDateTime": at, "modifiedDateTime": at, "text": text, "sender": sender})
}

// SetState changes a ticket's state: active or resolved.
func (s *Server) SetState(id, state string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.byID[id]
	t.object["state"], t.object["resolvedDateTime"] = state, nil
	if state == "resolved" {
		t.object["resolvedDateTime"] = s.stamp()
	}
}

// Elevation is an elevation request as a test looks at it.
type Elevation struct {
	ID, Device, Ticket, Title, Plan, Actions string
	Open                                     bool
}

// Elevations lists all elevation requests, oldest first.
func (s *Server) Elevations() []Elevation {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Elevation
	for _, e := range s.elevations {
		out = append(out, Elevation{e.text("id"), e.text("deviceName"), e.text("partnerTicketId"), e.text("title"), e.text("planOfAction"), e.text("actionsTaken"), e["requestClosureTime"] == nil})
	}
	return out
}

// CloseElevation closes one as the vendor.
func (s *Server) CloseElevation(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.elevations {
		if e.text("id") == id {
			e["requestClosureTime"] = s.stamp()
		}
	}
}

// stamp writes the time with seven fractional digits, as the service does.
func (s *Server) stamp() string { return s.cfg.Now().UTC().Format("2006-01-02T15:04:05.0000000Z") }

// ServeHTTP answers the methods of the document under any prefix that ends in /v1/.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Date", s.cfg.Now().UTC().Format(http.TimeFormat))
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !s.cfg.Good(token) {
		fail(w, http.StatusUnauthorized, "The token is missing, expired or not for this service.")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_, path, _ := strings.Cut(r.URL.Path, "/v1/")
	if rest, ok := strings.CutPrefix(path, "tenants/"+s.cfg.Tenant+"/"); ok {
		s.tenant(w, r, rest)
		return
	}
	if path == "tickets" {
		if r.Method == http.MethodPost {
			s.create(w, r)
			return
		}
		s.list(w, r, s.listed())
		return
	}
	rest, ok := strings.CutPrefix(path, "tickets('")
	id, method, closed := strings.Cut(rest, "')")
	t := s.byID[strings.ReplaceAll(id, "''", "'")]
	if !ok || !closed || t == nil {
		fail(w, http.StatusNotFound, "This resource does not exist.")
		return
	}
	s.oneTicket(w, r, t, method)
}

func (s *Server) oneTicket(w http.ResponseWriter, r *http.Request, t *ticket, method string) {
	switch {
	case method == "" && r.Method == http.MethodGet:
		answer(w, http.StatusOK, t.object)
	case s.NoNotes:
		fail(w, http.StatusNotFound, "Discussions are not supported.")
	case method == "/notes" && r.Method == http.MethodGet:
		answer(w, http.StatusOK, object{"value": orNone(t.notes)})
	case method == "/addNote" && r.Method == http.MethodPost:
		var in struct{ Text *string }
		if !read(w, r, &in) {
			return
		}
		if in.Text == nil || *in.Text == "" {
			fail(w, http.StatusBadRequest, "text is required.")
			return
		}
		s.note(t, s.cfg.App, *in.Text)
		w.WriteHeader(http.StatusNoContent)
	default:
		fail(w, http.StatusMethodNotAllowed, "Method not allowed.")
	}
}

// listed are the tickets that lists show by now, newest first.
func (s *Server) listed() []object {
	out := make([]object, 0, len(s.tickets))
	for _, t := range slices.Backward(s.tickets) {
		if s.Lag == 0 || s.cfg.Now().Sub(t.made) >= s.Lag {
			out = append(out, t.object)
		}
	}
	return out
}

// create is "Create ticket": all required fields, and an answer with 200.
func (s *Server) create(w http.ResponseWriter, r *http.Request) {
	var in object
	if !read(w, r, &in) {
		return
	}
	contact, _ := in["contact"].(map[string]any)
	for _, f := range []string{"title", "description", "type", "category", "subcategory"} {
		if in.text(f) == "" {
			fail(w, http.StatusBadRequest, f+" is required.")
			return
		}
	}
	for _, f := range []string{"givenName", "surname", "email", "phoneNumber"} {
		if object(contact).text(f) == "" {
			fail(w, http.StatusBadRequest, "contact."+f+" is required.")
			return
		}
	}
	severity, ok := in["severity"].(float64)
	if !ok || severity < 1 || severity > 4 || !slices.Contains([]string{"Incident", "ChangeRequest", "RequestForInformation"}, in.text("type")) {
		fail(w, http.StatusBadRequest, "severity or type is not valid.")
		return
	}
	s.serial++
	out := object{
		"isPartner": true, "compromiseIndicator": nil, "usersOrDevicesImpacted": nil, "relatedAlerts": nil, "businessImpact": nil, "issueFirstNoticed": nil,
		"issueReproduced": nil, "endUserSupportEngaged": nil, "troubleshootingSteps": nil, "nextActionOwner": "Microsoft", "nextActionTime": nil, "reproSteps": nil,
	}
	maps.Copy(out, in)
	out["contact"] = merge(contact, object{"id": "contact-" + strconv.Itoa(s.serial), "preferredLanguageId": ""})
	out["id"], out["state"], out["createdDateTime"], out["resolvedDateTime"] = fmt.Sprintf("MMD-%d-%s", 1465000+s.serial, code(s.serial)), "active", s.stamp(), nil
	out["emails"], out["attachments"], out["notes"] = []any{}, []any{}, []any{}
	t := &ticket{object: out, made: s.cfg.Now()}
	s.tickets = append(s.tickets, t)
	s.byID[out.text("id")] = t
	answer(w, http.StatusOK, out)
}

// code is the five letters at the end of a ticket's id.
func code(n int) string {
	const letters = "ABCDEFGHJKLMNPQRSTVWXYZ23456789"
	out := make([]byte, 5)
	for i := range out {
		out[i] = letters[(n*7+i*11+n/(i+3))%len(letters)]
	}
	return string(out)
}

func merge(a, b map[string]any) object {
	out := object{}
	maps.Copy(out, a)
	maps.Copy(out, b)
	return out
}

// list filters, orders and pages: both spellings of the options are taken.
func (s *Server) list(w http.ResponseWriter, r *http.Request, all []object) {
	q := r.URL.Query()
	if f := option(q, "filter"); f != "" {
		match, err := parseFilter(f)
		if err != nil {
			fail(w, http.StatusBadRequest, "The $filter is not valid: "+err.Error())
			return
		}
		kept := all[:0:0]
		for _, o := range all {
			if match(o) {
				kept = append(kept, o)
			}
		}
		all = kept
	}
	if by := option(q, "orderby"); by != "" {
		field, direction, _ := strings.Cut(by, " ")
		all = slices.Clone(all)
		sort.SliceStable(all, func(i, j int) bool {
			if direction == "desc" {
				return fmt.Sprint(all[i][field]) > fmt.Sprint(all[j][field])
			}
			return fmt.Sprint(all[i][field]) < fmt.Sprint(all[j][field])
		})
	}
	skip, _ := strconv.Atoi(option(q, "skip"))
	top, err := strconv.Atoi(option(q, "top"))
	if err != nil {
		top = len(all)
	}
	if s.MaxPage > 0 {
		top = min(top, s.MaxPage)
	}
	answer(w, http.StatusOK, object{"value": orNone(all[min(skip, len(all)):min(skip+top, len(all))])})
}

func option(q url.Values, name string) string {
	if v := q.Get("$" + name); v != "" {
		return v
	}
	return q.Get(name)
}

func orNone(list []object) []object {
	if list == nil {
		return []object{}
	}
	return list
}

// tenant answers what lies under tenants/{tenantId}/.
func (s *Server) tenant(w http.ResponseWriter, r *http.Request, path string) {
	id, isOne := strings.CutPrefix(path, "elevationRequests/")
	switch {
	case path == "elevationRequests" && r.Method == http.MethodPost:
		s.elevate(w, r)
	case path == "elevationRequests":
		all := slices.Clone(s.elevations)
		slices.Reverse(all)
		s.list(w, r, all)
	case isOne && r.Method == http.MethodPatch:
		s.closeOne(w, r, id)
	case path == "devices":
		var all []object
		for name := range s.devices {
			all = append(all, object{"name": name, "serialNumber": "S-" + name, "groups": []any{}, "configurations": []any{}})
		}
		sort.Slice(all, func(i, j int) bool { return all[i].text("name") < all[j].text("name") })
		s.list(w, r, all)
	default:
		fail(w, http.StatusNotFound, "This resource does not exist.")
	}
}

// elevate is "Create elevation request": a body in PascalCase, an answer in
// camelCase with 201.
func (s *Server) elevate(w http.ResponseWriter, r *http.Request) {
	var in object
	if !read(w, r, &in) {
		return
	}
	for _, f := range []string{"DeviceName", "Title", "Category", "Subcategory", "PlanOfAction"} {
		if in.text(f) == "" {
			fail(w, http.StatusBadRequest, f+" is required.")
			return
		}
	}
	if !s.devices[in.text("DeviceName")] {
		fail(w, http.StatusNotFound, "This device does not exist.")
		return
	}
	open := 0
	for _, e := range s.elevations {
		if e.text("deviceName") == in.text("DeviceName") && e["requestClosureTime"] == nil {
			open++
		}
	}
	if open >= max(s.OpenLimit, 1) {
		fail(w, http.StatusForbidden, "This device has too many open elevation requests.")
		return
	}
	s.serial++
	e := object{
		"id": fmt.Sprintf("00000000-0000-4000-8000-%012d", s.serial), "tenantId": s.cfg.Tenant, "partnerId": s.cfg.Tenant, "requestingAgentUpn": "", "partnerTicketId": in.text("PartnerTicketId"),
		"deviceName": in.text("DeviceName"), "title": in.text("Title"), "category": in.text("Category"), "subcategory": in.text("Subcategory"), "planOfAction": in.text("PlanOfAction"),
		"actionsTaken": "", "closingAgentUpn": "", "requestCreationTime": s.stamp(), "requestClosureTime": nil, "requestRenewTime": nil, "isSuccessfulRequest": true, "viewerUpns": []any{},
		"passwordLastUpdatedTime": s.stamp(), "isDeleted": false, "ttl": 7776000, "eTag": nil,
	}
	s.elevations = append(s.elevations, e)
	answer(w, http.StatusCreated, e)
}

func (s *Server) closeOne(w http.ResponseWriter, r *http.Request, id string) {
	var in object
	if !read(w, r, &in) {
		return
	}
	for _, e := range s.elevations {
		if e.text("id") != id {
			continue
		}
		if e["requestClosureTime"] != nil {
			fail(w, http.StatusBadRequest, "This elevation request was already closed.")
			return
		}
		e["requestClosureTime"], e["actionsTaken"] = s.stamp(), in.text("ActionsTaken")
		w.WriteHeader(http.StatusNoContent)
		return
	}
	fail(w, http.StatusNotFound, "This elevation request does not exist.")
}

func read(w http.ResponseWriter, r *http.Request, into any) bool {
	raw, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil || json.Unmarshal(raw, into) != nil {
		fail(w, http.StatusBadRequest, "The body is not valid JSON.")
		return false
	}
	return true
}

func fail(w http.ResponseWriter, status int, message string) {
	answer(w, status, object{"error": object{"code": strconv.Itoa(status), "message": message}})
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; odata.metadata=minimal")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v) //nolint:errcheck,gosec,errchkjson // the client has gone
}
