package mmd_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"bridge/simulator/mmd"
)

func TestElevationRequests(t *testing.T) {
	t.Parallel()
	v := newVendor(t)
	v.AddDevice("MMD-1")
	path := "tenants/" + tenant + "/elevationRequests"
	ask := func(device string) *httptest.ResponseRecorder {
		return v.ask("POST", path, `{"PartnerTicketId":"MMD-9","DeviceName":"`+device+`","Title":"T","Category":"Office","Subcategory":"Excel","PlanOfAction":"P"}`)
	}
	w := ask("MMD-1")
	one := v.read(w)
	id := one["id"].(string)
	if w.Code != http.StatusCreated || one["deviceName"] != "MMD-1" || one["partnerTicketId"] != "MMD-9" || one["planOfAction"] != "P" || one["requestClosureTime"] != nil || one["requestingAgentUpn"] != "app-1" {
		t.Errorf("created: %d %v", w.Code, one)
	}
	if w = ask("MMD-1"); w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), `"code":"403","message":"This device has too many open elevation requests."`) {
		t.Errorf("a second: %d %s", w.Code, w.Body)
	}
	if w = ask("MMD-2"); w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), `"code":"404","message":"This device does not exist."`) {
		t.Errorf("on no device: %d %s", w.Code, w.Body)
	}
	if w = v.ask("POST", path, `{"DeviceName":"MMD-1","Title":"T","Category":"Office","Subcategory":"Excel"}`); w.Code != http.StatusBadRequest {
		t.Errorf("without a plan: %d", w.Code)
	}
	secrets := v.Secrets()
	details := v.read(v.ask("GET", "tenants/"+tenant+"/devices/MMD-1/elevationDetails", ""))
	if len(secrets) != 1 || details["password"] != secrets[0] || details["openedElevationRequestId"] != id {
		t.Errorf("details of request %v", details["openedElevationRequestId"])
	}
	if got := v.list(path+"?$filter="+url.QueryEscape("deviceName eq 'MMD-1' and contains(category,'Off')"), "viewerUpns"); got != "[app-1]" {
		t.Errorf("who has seen the password: %s", got)
	}
	if w = v.ask("GET", path+"/"+id, ""); w.Code != http.StatusMethodNotAllowed {
		t.Errorf("the document has no way to read one: %d, want 405", w.Code)
	}
	closing := func(id string) *httptest.ResponseRecorder {
		return v.ask("PATCH", path+"/"+id, `{"ActionsTaken":"Done."}`)
	}
	if w = closing(id); w.Code != http.StatusNoContent || w.Body.Len() > 0 {
		t.Errorf("close: %d %s", w.Code, w.Body)
	}
	if w = closing(id); w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "This elevation request was already closed.") {
		t.Errorf("close again: %d %s", w.Code, w.Body)
	}
	if w = closing("x"); w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), "This elevation request does not exist.") {
		t.Errorf("close nothing: %d %s", w.Code, w.Body)
	}
	if w = v.ask("GET", "tenants/"+tenant+"/devices/MMD-1/elevationDetails", ""); w.Code != http.StatusNotFound || len(v.Secrets()) != 1 {
		t.Errorf("details of a closed request: %d", w.Code)
	}
	v.Switch(func(s *mmd.Switches) { s.OpenLimit = 2 })
	ask("MMD-1")
	if w = ask("MMD-1"); w.Code != http.StatusCreated {
		t.Errorf("a second where two are allowed: %d", w.Code)
	}
	all := v.Elevations()
	v.CloseElevation(all[2].ID)
	if all = v.Elevations(); len(all) != 3 || all[0].Actions != "Done." || all[0].Open || !all[1].Open || all[2].Open {
		t.Errorf("%+v", all)
	}
}

func TestDevicesAndUsers(t *testing.T) {
	t.Parallel()
	v := newVendor(t)
	v.AssignDevice("MMD-2", "Ada Byron", "ada@contoso.example")
	v.AssignDevice("MMD-1", "Ada Byron", "ada@contoso.example")
	v.AssignDevice("MMD-3", "Bea Long", "bea@contoso.example")
	v.AddDevice("MMD-4")
	in := "tenants/" + tenant + "/"
	for path, want := range map[string]string{
		"devices":                    "MMD-1 MMD-2 MMD-3 MMD-4",
		"devices?skip=1&top=2":       "MMD-2 MMD-3",
		"devices?$skip=1&$top=2":     "MMD-2 MMD-3",
		"devices?searchText=ADA@":    "MMD-1 MMD-2",
		"devices?searchText=g:MMD-3": "MMD-3",
		"users":                      "Ada Byron Bea Long",
		"users?$top=1":               "Ada Byron",
		"users?searchText=MMD-3":     "Bea Long",
		"users/bea@contoso.example":  "Bea Long",
	} {
		if got := v.list(in+path, "name"); got != want {
			t.Errorf("%s lists %q, want %q", path, got, want)
		}
	}
	one := v.read(v.ask("GET", in+"devices/MMD-4", ""))
	if one["userUpn"] != nil || one["intuneId"] != nil || len(one["groups"].([]any)) != 1 || len(one["configurations"].([]any)) != 2 {
		t.Errorf("a device of nobody's: %v", one)
	}
	for path, code := range map[string]int{"devices/X": 404, "users/x@y": 404, "devices/X/elevationDetails": 404, "nothing": 404, "devices?$filter=name%20eq%20'x'": 400} {
		if w := v.ask("GET", in+path, ""); w.Code != code {
			t.Errorf("%s: %d, want %d", path, w.Code, code)
		}
	}
	if w := v.ask("GET", "tenants/other/devices", ""); w.Code != http.StatusForbidden {
		t.Errorf("another tenant: %d, want 403", w.Code)
	}
	if w := v.ask("POST", in+"devices", "{}"); w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST devices: %d, want 405", w.Code)
	}
}

func TestWithoutAGoodTokenNothingIsDone(t *testing.T) {
	t.Parallel()
	for _, header := range []string{"", "Bearer bad", "Basic good", "good"} {
		v := newVendor(t)
		w := v.ask("POST", "tickets", body, func(r *http.Request) { r.Header.Set("Authorization", header) })
		if w.Code != http.StatusUnauthorized || len(v.Tickets()) != 0 || w.Header().Get("WWW-Authenticate") == "" {
			t.Errorf("%q: %d", header, w.Code)
		}
	}
	v := newVendor(t)
	if w := v.ask("POST", "tickets", body, func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }); w.Code != http.StatusUnsupportedMediaType {
		t.Errorf("a body of another type: %d, want 415", w.Code)
	}
}
