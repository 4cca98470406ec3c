package mmd

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// newElevation is the body of "Create elevation request"; the case of its names is not
// looked at, for the document has both.
type newElevation struct {
	Ticket      string `json:"PartnerTicketId"`
	Device      string `json:"DeviceName"`
	Title       string `json:"Title"`
	Category    string `json:"Category"`
	Subcategory string `json:"Subcategory"`
	Plan        string `json:"PlanOfAction"`
}

// elevation is an ElevationRequest.
type elevation struct {
	newElevation
	id, by         string
	actions        string
	closer         string
	made, closed   time.Time
	viewers        []string
	password       string
	passwordLatest time.Time
}

func (e *elevation) open() bool { return e.closed.IsZero() }

type elevationJSON struct {
	Context     string   `json:"@odata.context,omitempty"`
	ID          string   `json:"id"`
	Tenant      string   `json:"tenantId"`
	Partner     string   `json:"partnerId"`
	By          string   `json:"requestingAgentUpn"`
	Ticket      string   `json:"partnerTicketId"`
	Device      string   `json:"deviceName"`
	Title       string   `json:"title"`
	Category    string   `json:"category"`
	Subcategory string   `json:"subcategory"`
	Plan        string   `json:"planOfAction"`
	Actions     string   `json:"actionsTaken"`
	Closer      string   `json:"closingAgentUpn"`
	Created     string   `json:"requestCreationTime"`
	Closed      *string  `json:"requestClosureTime"`
	Renewed     *string  `json:"requestRenewTime"`
	Successful  bool     `json:"isSuccessfulRequest"`
	Viewers     []string `json:"viewerUpns"`
	Latest      string   `json:"passwordLastUpdatedTime"`
	Deleted     bool     `json:"isDeleted"`
	TTL         int      `json:"ttl"`
	ETag        *string  `json:"eTag"`
}

func (s *Server) wireElevation(e *elevation) elevationJSON {
	return elevationJSON{
		ID: e.id, Tenant: s.cfg.Tenant, Partner: s.cfg.Tenant, By: e.by, Ticket: e.Ticket, Device: e.Device, Title: e.Title, Category: e.Category,
		Subcategory: e.Subcategory, Plan: e.Plan, Actions: e.actions, Closer: e.closer, Created: s.stamp(e.made), Closed: s.stamped(e.closed), Successful: true,
		Viewers: append([]string{}, e.viewers...), Latest: s.stamp(e.passwordLatest), TTL: 7776000,
	}
}

// elevationFields are what $filter may name.
func elevationFields() fields {
	return fields{
		"id": text, "requestingAgentUpn": text, "partnerTicketId": text, "deviceName": text, "title": text, "category": text, "subcategory": text,
		"planOfAction": text, "actionsTaken": text, "closingAgentUpn": text, "requestCreationTime": moment, "requestClosureTime": moment, "passwordLastUpdatedTime": moment,
	}
}

func (e *elevation) field(name string) value {
	switch name {
	case "requestCreationTime":
		return momentOf(e.made)
	case "requestClosureTime":
		return momentOf(e.closed)
	case "passwordLastUpdatedTime":
		return momentOf(e.passwordLatest)
	}
	return textOf(map[string]string{
		"id": e.id, "requestingAgentUpn": e.by, "partnerTicketId": e.Ticket, "deviceName": e.Device, "title": e.Title, "category": e.Category,
		"subcategory": e.Subcategory, "planOfAction": e.Plan, "actionsTaken": e.actions, "closingAgentUpn": e.closer,
	}[name])
}

// allElevations is "List elevation requests" and "Create elevation request".
func (s *Server) allElevations(q *request) {
	if q.Method == http.MethodPost {
		s.elevate(q)
		return
	}
	if !q.reads() {
		return
	}
	o, err := options(q, elevationFields(), "filter", "skip", "top", "orderby")
	if err != nil {
		q.fail(http.StatusBadRequest, err.Error())
		return
	}
	o.about = context("ElevationRequests")
	page(q, s.cap(o), func(yield func(*elevation) bool) {
		for _, e := range slices.Backward(s.elevations) {
			if s.visible(e.made) && !yield(e) {
				return
			}
		}
	}, func(e *elevation) any { return s.wireElevation(e) })
}

func (s *Server) elevate(q *request) {
	var in newElevation
	if !s.read(q, &in) {
		return
	}
	for _, f := range [][2]string{
		{"DeviceName", in.Device}, {"Title", in.Title}, {"Category", in.Category}, {"Subcategory", in.Subcategory}, {"PlanOfAction", in.Plan},
	} {
		if strings.TrimSpace(f[1]) == "" {
			q.fail(http.StatusBadRequest, "The "+f[0]+" field is required.")
			return
		}
	}
	if s.devices[in.Device] == nil {
		q.fail(http.StatusNotFound, "This device does not exist.")
		return
	}
	open := 0
	for _, e := range s.elevations {
		if e.Device == in.Device && e.open() {
			open++
		}
	}
	if open >= max(s.switches.OpenLimit, 1) {
		q.fail(http.StatusForbidden, "This device has too many open elevation requests.")
		return
	}
	s.serial++
	now := s.now()
	e := &elevation{
		newElevation: in, id: fmt.Sprintf("00000000-0000-4000-8000-%012d", s.serial), by: q.who, made: now, password: "Elevate-" + rand.Text(), passwordLatest: now,
	}
	s.elevations, s.handed = append(s.elevations, e), append(s.handed, e.password)
	out := s.wireElevation(e)
	out.Context = context("ElevationRequests/$entity")
	q.json(http.StatusCreated, out)
}

// oneElevation is "Close elevation request". The document has no way to read one.
func (s *Server) oneElevation(q *request, id string) {
	if q.Method != http.MethodPatch {
		q.fail(http.StatusMethodNotAllowed, "The requested resource does not support http method '"+q.Method+"'.")
		return
	}
	var in struct {
		Actions string `json:"ActionsTaken"`
	}
	if !s.read(q, &in) {
		return
	}
	e := s.elevation(id)
	switch {
	case e == nil:
		q.fail(http.StatusNotFound, "This elevation request does not exist.")
	case !e.open():
		q.fail(http.StatusBadRequest, "This elevation request was already closed.")
	default:
		s.close(e, q.who, in.Actions)
		q.status = http.StatusNoContent
	}
}

func (s *Server) elevation(id string) *elevation {
	for _, e := range s.elevations {
		if e.id == id {
			return e
		}
	}
	return nil
}

func (s *Server) close(e *elevation, by, actions string) {
	e.closed, e.closer, e.actions, e.password = s.cfg.Now().UTC(), by, actions, ""
}

// details is "Get elevation request details": the password of a device's open request.
func (s *Server) details(q *request, name string) {
	for _, e := range slices.Backward(s.elevations) {
		if e.Device != name || !e.open() {
			continue
		}
		if !slices.Contains(e.viewers, q.who) {
			e.viewers = append(e.viewers, q.who)
		}
		q.json(http.StatusOK, struct {
			Context  string   `json:"@odata.context"`
			Tenant   string   `json:"tenantId"`
			Device   string   `json:"deviceName"`
			Open     string   `json:"openedElevationRequestId"`
			AAD      string   `json:"aadDeviceId"`
			Account  string   `json:"accountUpn"`
			Password string   `json:"password"`
			Latest   string   `json:"passwordLastUpdated"`
			Status   string   `json:"status"`
			Changed  bool     `json:"isPasswordChanged"`
			Viewers  []string `json:"viewedBy"`
		}{
			context("Microsoft.ManagedDesktop.DeviceElevationDetail"), s.cfg.Tenant, e.Device, e.id, s.devices[name].AAD, "MMDAdmin@contoso.onmicrosoft.com",
			e.password, s.stamp(e.passwordLatest), "PasswordSucceeded", false, e.viewers,
		})
		return
	}
	q.fail(http.StatusNotFound, "This device has no open elevation request.")
}
