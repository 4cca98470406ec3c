package mmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"bridge/rest"
)

// Elevation is an ElevationRequest.
type Elevation struct {
	ID                 string
	PartnerTicketID    string
	DeviceName         string
	Title              string
	Category           string
	Subcategory        string
	PlanOfAction       string
	ActionsTaken       string
	RequestingAgentUPN string
	ClosingAgentUPN    string
	Created            time.Time
	// Closed is zero while it is open.
	Closed    time.Time
	IsDeleted bool

	TenantID, PartnerID string
	// Renewed and PasswordUpdated; zero: never.
	Renewed, PasswordUpdated time.Time
	IsSuccessful             bool
	// ViewerUPNs are those who have seen the password.
	ViewerUPNs []string
	TTL        int
	ETag       *string
}

// UnmarshalJSON reads an elevation request in either case of its field names.
func (e *Elevation) UnmarshalJSON(raw []byte) error {
	var wire struct {
		ID, PartnerTicketID, DeviceName, Title, Category, Subcategory, PlanOfAction, ActionsTaken text

		RequestingAgentUPN, ClosingAgentUPN     text
		RequestCreationTime, RequestClosureTime moment
		IsDeleted                               flag

		TenantID, PartnerID                       text
		RequestRenewTime, PasswordLastUpdatedTime moment
		IsSuccessfulRequest                       flag
		ViewerUPNs                                []text
		TTL                                       number
		ETag                                      *text
	}
	if err := json.Unmarshal(raw, &wire); err != nil {
		return err
	}
	*e = Elevation{
		ID: string(wire.ID), PartnerTicketID: string(wire.PartnerTicketID), DeviceName: string(wire.DeviceName), Title: string(wire.Title),
		Category: string(wire.Category), Subcategory: string(wire.Subcategory), PlanOfAction: string(wire.PlanOfAction),
		ActionsTaken: string(wire.ActionsTaken), RequestingAgentUPN: string(wire.RequestingAgentUPN), ClosingAgentUPN: string(wire.ClosingAgentUPN),
		Created: wire.RequestCreationTime.Time, Closed: wire.RequestClosureTime.Time, IsDeleted: bool(wire.IsDeleted),
		TenantID: string(wire.TenantID), PartnerID: string(wire.PartnerID), Renewed: wire.RequestRenewTime.Time,
		PasswordUpdated: wire.PasswordLastUpdatedTime.Time, IsSuccessful: bool(wire.IsSuccessfulRequest), TTL: int(wire.TTL), ETag: (*string)(wire.ETag),
	}
	if wire.ViewerUPNs != nil { // an empty list is not null
		e.ViewerUPNs = make([]string, 0, len(wire.ViewerUPNs))
	}
	for _, viewer := range wire.ViewerUPNs {
		e.ViewerUPNs = append(e.ViewerUPNs, string(viewer))
	}
	return nil
}

// NewElevation is the body of "Create elevation request", which is in PascalCase
// although the object is not. Reading accepts both.
type NewElevation struct {
	PartnerTicketID string `json:"PartnerTicketId,omitempty"`
	DeviceName      string `json:"DeviceName"`
	Title           string `json:"Title"`
	Category        string `json:"Category"`
	Subcategory     string `json:"Subcategory"`
	PlanOfAction    string `json:"PlanOfAction"`
}

// The refusals that the document names.
var (
	// ErrTooManyOpen: wait and try again.
	ErrTooManyOpen = errors.New("this device has too many open elevation requests")
	// ErrNoDevice: no waiting cures it.
	ErrNoDevice = errors.New("this device does not exist")
	// ErrAlreadyClosed: it is done.
	ErrAlreadyClosed = errors.New("this elevation request was already closed")
)

// List lists elevation requests: see "List elevation requests".
func (s *Elevations) List(ctx context.Context, o ListOptions) iter.Seq2[Elevation, error] {
	return list(ctx, s.service, place{path: s.path(), name: "tenants/ID/elevationRequests"}, o, func(e Elevation) string { return e.ID })
}

// Create opens an elevation request: see "Create elevation request".
func (s *Elevations) Create(ctx context.Context, e NewElevation) (Elevation, error) {
	var made Elevation
	out, err := s.rest.Do(ctx, rest.Request{Method: http.MethodPost, Path: s.path(), Name: "tenants/ID/elevationRequests", Body: e, Into: &made})
	if err == nil && made.ID == "" {
		err = &rest.Error{Method: http.MethodPost, Path: "tenants/ID/elevationRequests", Status: out.Status, Outcome: rest.Unknown, Complete: true, Err: errNoID}
	}
	var e2 *rest.Error
	switch {
	case !errors.As(err, &e2):
	case e2.Status == http.StatusForbidden && strings.Contains(strings.ToLower(e2.Message), "too many open"):
		e2.Outcome, e2.Err = rest.Refused, ErrTooManyOpen
	case e2.Status == http.StatusNotFound && strings.Contains(strings.ToLower(e2.Message), "device"):
		e2.Err = ErrNoDevice
	}
	return made, err
}

// Close closes an elevation request: see "Close elevation request". 204, or 400
// when it was closed already.
func (s *Elevations) Close(ctx context.Context, id, actionsTaken string) error {
	_, err := s.rest.Do(ctx, rest.Request{
		Method: http.MethodPatch, Path: s.path() + "/" + segment(id), Name: "tenants/ID/elevationRequests/ID",
		Body: map[string]string{"ActionsTaken": actionsTaken},
	})
	var e *rest.Error
	if errors.As(err, &e) && e.Status == http.StatusBadRequest && strings.Contains(strings.ToLower(e.Message), "already closed") {
		e.Err = ErrAlreadyClosed
	}
	return err
}

// Details reads a device's open elevation request with its password: see "Get
// elevation request details".
func (s *Elevations) Details(ctx context.Context, device string) (ElevationDetails, error) {
	return one[ElevationDetails](ctx, s.service, "tenants/"+segment(s.tenant)+"/devices/"+segment(device)+"/elevationDetails", "tenants/ID/devices/ID/elevationDetails", func(d ElevationDetails) string { return d.DeviceName })
}

func (s *Elevations) path() string { return "tenants/" + segment(s.tenant) + "/elevationRequests" }

// ElevationDetails is a DeviceElevationDetail.
type ElevationDetails struct {
	DeviceName               string
	OpenedElevationRequestID string
	AccountUPN               string
	Password                 Secret
	Status                   string
}

// UnmarshalJSON reads the details.
func (d *ElevationDetails) UnmarshalJSON(raw []byte) error {
	var wire struct{ DeviceName, OpenedElevationRequestID, AccountUPN, Password, Status text }
	if err := json.Unmarshal(raw, &wire); err != nil {
		return err
	}
	*d = ElevationDetails{
		DeviceName: string(wire.DeviceName), OpenedElevationRequestID: string(wire.OpenedElevationRequestID), AccountUPN: string(wire.AccountUPN),
		Password: Secret{(*string)(&wire.Password)}, Status: string(wire.Status),
	}
	return nil
}

// Secret is a text that prints as dots, whatever it is printed with. It is behind a
// pointer, since fmt shows the fields of a value that it was given the wrong verb for.
type Secret struct{ text *string }

const dots = "•••"

// Reveal gives the text. Only the command that was asked for it calls this.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// String gives dots.
func (s Secret) String() string { return dots }

// GoString gives dots.
func (s Secret) GoString() string { return dots }

// Format gives dots for every verb.
func (s Secret) Format(f fmt.State, _ rune) { fmt.Fprint(f, dots) } //nolint:errcheck // a state does not fail

// MarshalText gives dots, to JSON as well.
func (s Secret) MarshalText() ([]byte, error) { return []byte(dots), nil }

// LogValue gives dots.
func (s Secret) LogValue() slog.Value { return slog.StringValue(dots) }
