package itsm_test

import "testing"

func TestAReferenceIsFoundByWhatItIsBelow(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.people()
	building := d.Insert("cmn_location", map[string]string{"name": "Building"})
	floor := d.Insert("cmn_location", map[string]string{"name": "Floor", "parent": building})
	d.Insert("incident", map[string]string{"short_description": "f", "location": floor})
	d.Insert("incident", map[string]string{"short_description": "g", "location": building})
	for query, want := range map[string]string{
		"locationIN_HIERARCHY" + building + "^ORDERBYshort_description": "fg",
		"locationIN_HIERARCHY" + floor:                                  "f",
		"locationIN_HIERARCHYnone":                                      "",
	} {
		if got := d.found(query); got != want {
			t.Errorf("%s finds %q, want %q", query, got, want)
		}
	}
}

func TestWhoeverAsksIsADynamicFilter(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.people()
	d.ask("POST", "/api/now/table/incident", `{"short_description":"mine"}`)
	if got := d.found("opened_byDYNAMIC90d1921e5f510100a9ad2572f2b477fe"); got != "mine" {
		t.Errorf("opened by whoever asks: %q", got)
	}
}
