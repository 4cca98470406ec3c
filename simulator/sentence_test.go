package simulator_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"bridge/simulator"
)

func TestAFaultIsScriptedInWords(t *testing.T) {
	t.Parallel()
	for text, tt := range map[string]struct {
		want simulator.Rule
		says string
	}{
		"the third POST tickets is lost after":        {simulator.Rule{Method: "POST", Path: "/tickets$", Kind: simulator.LostAfter, Nth: 3, Times: 1}, ""},
		"every 10th GET table/incident is 500 before": {simulator.Rule{Method: "GET", Path: "/table/incident$", Kind: simulator.Error500, Nth: 10, Every: 10, Times: -1}, ""},
		"each  PATCH table/incident/* is slow for 2s": {simulator.Rule{Method: "PATCH", Path: "table/incident/", Kind: simulator.Slow, Delay: 2 * time.Second, Times: -1}, ""},
		"the first request is 429 for 10m":            {simulator.Rule{Kind: simulator.TooMany, Nth: 1, RetryAfter: 600, Times: 1}, ""},
		"the 2nd POST /oauth_token.do is refused":     {simulator.Rule{Method: "POST", Path: "/oauth_token.do$", Kind: simulator.RefusedBefore, Nth: 2, Times: 1}, ""},
		"the third POST tickets is eaten":             {says: `the kind "eaten" is not one of those`},
		"the POST tickets is lost after":              {says: "which ones?"},
		"each third POST tickets is lost after":       {says: "which ones?"},
		"the umpteenth POST tickets is lost after":    {says: `"umpteenth" is no number in order`},
		"each GET tickets is slow for long":           {says: `"long" is no time`},
		"lose everything":                             {says: "is no fault in words"},
	} {
		got, err := simulator.Scripted(text)
		if (err == nil) != (tt.says == "") || err != nil && !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v, want %q", text, err, tt.says)
		}
		if diff := cmp.Diff(tt.want, got, cmpopts.IgnoreUnexported(simulator.Rule{})); diff != "" && tt.says == "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
}

func TestTheThirdPostOfATicketIsLost(t *testing.T) {
	t.Parallel()
	w := simulator.New(simulator.Config{})
	rule, err := simulator.Scripted("the third POST tickets is lost after")
	if err != nil {
		t.Fatal(err)
	}
	w.Faults.Add(rule)
	w.Faults.Keep()
	for _, path := range []string{"tickets", "tickets('1')/addNote", "tickets", "tickets", "tickets"} {
		look(t.Context(), &http.Client{Transport: w.Transport()}, "POST", "https://mmd.test/support/odata/v1/"+path, "{}")
	}
	var lost []int
	for i, r := range w.Faults.Log() {
		if r.Fault != "" {
			lost = append(lost, i)
		}
	}
	if diff := cmp.Diff([]int{3}, lost); diff != "" {
		t.Errorf("lost (-want +got):\n%s", diff)
	}
}
