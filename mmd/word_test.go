package mmd_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"bridge/mmd"
)

func TestWordsThatTheDocumentDoesNotListAreKeptAndTold(t *testing.T) {
	t.Parallel()
	c, _ := client(t, 200, `{"value":[
		{"id":"1","type":"Change Request","severity":4,"state":"active"},
		{"id":"2","type":"Problem Report","severity":7,"state":"waiting"},
		{"id":"3","severity":null},
		{"id":"4","severity":"Critical"},
		{"id":"5","severity":"2"},
		{"id":"6","severity":"NaN"}]}`)
	var told [][]mmd.Word
	var types []string
	for ticket, err := range c.Tickets.List(t.Context(), mmd.ListOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		told, types = append(told, ticket.Unlisted()), append(types, ticket.Type+"/"+ticket.State)
	}
	if diff := cmp.Diff([][]mmd.Word{nil, {{Field: "type", Value: "ProblemReport"}, {Field: "severity", Value: "7"}}, nil, {{Field: "severity", Value: "Critical"}}, nil, {{Field: "severity", Value: "NaN"}}}, told); diff != "" {
		t.Errorf("tickets (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"ChangeRequest/active", "ProblemReport/waiting", "/", "/", "/", "/"}, types); diff != "" {
		t.Errorf("they are not kept (-want +got):\n%s", diff)
	}
	c, _ = client(t, 200, `{"value":[{"name":"a","primaryUpdateRing":"Broad","persona":"Kiosk"},{"name":"b","primaryUpdateRing":"Canary","persona":"Guest"}]}`)
	told = nil
	for device, err := range c.Devices.List(t.Context(), mmd.ListOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		told = append(told, device.Unlisted())
	}
	if diff := cmp.Diff([][]mmd.Word{nil, {{Field: "primaryUpdateRing", Value: "Canary"}, {Field: "persona", Value: "Guest"}}}, told); diff != "" {
		t.Errorf("devices (-want +got):\n%s", diff)
	}
}
