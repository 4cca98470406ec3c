package mmd_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"bridge/mmd"
)

// reshape gives a JSON value once for each of its leaves, with that leaf in another
// shape: a text as a number, a number or a yes as a text. Times stay.
func reshape(v any, at string) (out map[string]any) {
	out = map[string]any{}
	switch v := v.(type) {
	case map[string]any:
		for key, inner := range v {
			for where, changed := range reshape(inner, at+"."+key) {
				with := maps.Clone(v)
				with[key] = changed
				out[where] = with
			}
		}
	case []any:
		for i, inner := range v {
			for where, changed := range reshape(inner, at) { // of several that are alike, any one
				with := append([]any{}, v...)
				with[i] = changed
				out[where] = with
			}
		}
	case string:
		if _, err := time.Parse(time.RFC3339Nano, v); err != nil && !strings.Contains(at, "@odata") {
			out[at] = 42
		}
	case float64:
		out[at] = fmt.Sprint(v)
	case bool:
		out[at] = fmt.Sprint(v)
	}
	return out
}

func TestAFieldInAnotherShapeEndsNoList(t *testing.T) {
	t.Parallel()
	lists := map[string]func(context.Context, *mmd.Client) (int, error){
		"03": func(ctx context.Context, c *mmd.Client) (n int, err error) {
			for _, err = range c.Devices.List(ctx, mmd.ListOptions{}) {
				n++
			}
			return n, err
		},
		"07": func(ctx context.Context, c *mmd.Client) (n int, err error) {
			for _, err = range c.Users.List(ctx, mmd.ListOptions{}) {
				n++
			}
			return n, err
		},
		"17": func(ctx context.Context, c *mmd.Client) (n int, err error) {
			for _, err = range c.Tickets.List(ctx, mmd.ListOptions{}) {
				n++
			}
			return n, err
		},
		"31": func(ctx context.Context, c *mmd.Client) (n int, err error) {
			for _, err = range c.Elevations.List(ctx, mmd.ListOptions{}) {
				n++
			}
			return n, err
		},
		"06": func(ctx context.Context, c *mmd.Client) (int, error) {
			_, err := c.Devices.Get(ctx, "D")
			return 1, err
		},
		"21": func(ctx context.Context, c *mmd.Client) (int, error) {
			notes, err := c.Tickets.Notes(ctx, "T")
			return len(notes), err
		},
		"34": func(ctx context.Context, c *mmd.Client) (int, error) {
			_, err := c.Elevations.Details(ctx, "D")
			return 1, err
		},
	}
	for name, list := range lists {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, s := client(t, http.StatusOK, example(t, number(t, name)))
			want, err := list(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			var all any
			if err := json.Unmarshal([]byte(s.body), &all); err != nil {
				t.Fatal(err)
			}
			changed := reshape(all, "")
			for where, v := range changed {
				raw, err := json.Marshal(v)
				if err != nil {
					t.Fatal(err)
				}
				s.body = string(raw)
				if n, err := list(t.Context(), c); n < want || err != nil {
					t.Errorf("%s in another shape: %d objects of %d, %v", where, n, want, err)
				}
			}
			if len(changed) < 4 {
				t.Errorf("only %d fields were changed", len(changed))
			}
		})
	}
}

func TestWhatAFieldInAnotherShapeIsReadAs(t *testing.T) {
	t.Parallel()
	read := func(body string) mmd.Device {
		t.Helper()
		c, _ := client(t, http.StatusOK, body)
		d, err := c.Devices.Get(t.Context(), "D")
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	text := func(s string) *string { return &s }
	got := []mmd.Device{
		read(`{"name":7,"serialNumber":1.50,"intuneId":42,"userUpn":null,"userEmail":"","ageInMonths":"9.5","groups":[{"id":1,"countMembers":"3"}]}`),
		read(`{"name":"D","ageInMonths":null,"groups":null,"intuneId":""}`),
	}
	three := 3
	want := []mmd.Device{
		{Name: "7", SerialNumber: "1.50", IntuneID: text("42"), UserEmail: text(""), AgeInMonths: 9.5, Groups: []mmd.Group{{ID: "1", CountMembers: &three}}},
		{Name: "D", IntuneID: text("")},
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(mmd.Device{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestNullEmptyAndMissingStayApart(t *testing.T) {
	t.Parallel()
	c, s := client(t, http.StatusOK, "")
	device := func() []string {
		d, err := c.Devices.Get(t.Context(), "D")
		if err != nil {
			t.Fatal(err)
		}
		return d.Missing()
	}
	ticket := func() []string {
		ticket, err := c.Tickets.Get(t.Context(), "T")
		if err != nil {
			t.Fatal(err)
		}
		return ticket.Missing()
	}
	for _, of := range []struct {
		missing func() []string
		fields  []string
	}{
		{device, []string{"intuneId", "globalDeviceId", "aadDeviceId", "userUpn", "userEmail", "tenantName", "assignedUser", "osVersion", "operatingSystemEdition", "managementAgent"}},
		{ticket, []string{"usersOrDevicesImpacted", "businessImpact", "issueReproduced", "endUserSupportEngaged", "troubleshootingSteps", "reproSteps", "compromiseIndicator", "relatedAlerts"}},
	} {
		for _, left := range append(of.fields, "") {
			body := `{"id":"T","name":"D"`
			for _, field := range of.fields {
				if field != left {
					body += `,"` + field + `":null`
				}
			}
			s.body = body + "}"
			want := slices.DeleteFunc([]string{left}, func(name string) bool { return name == "" })
			if diff := cmp.Diff(want, of.missing(), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("missing (-want +got):\n%s", diff)
			}
		}
	}
	s.body = `{"id":"T","usersOrDevicesImpacted":0,"businessImpact":"","issueReproduced":false,"endUserSupportEngaged":null}`
	got, err := c.Tickets.Get(t.Context(), "T")
	if err != nil || *got.UsersOrDevicesImpacted != 0 || *got.BusinessImpact != "" || *got.IssueReproduced || got.EndUserSupportEngaged != nil || got.ReproSteps != nil {
		t.Errorf("%+v, %v", got, err)
	}
}
