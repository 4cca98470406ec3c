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

func TestConditionsThatLookFurtherThanAtOneField(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	ids := d.people()
	// Tasks: two below a, one of them closed, one below b.
	d.Insert("sc_task", map[string]string{"parent": ids["a"], "short_description": "x^y"})
	d.Insert("sc_task", map[string]string{"parent": ids["a"], "short_description": "done", "state": "3"})
	d.Insert("sc_task", map[string]string{"parent": ids["b"]})
	for query, want := range map[string]string{
		"123TEXTQUERY321=of three two":                                                       "b",
		"category=hardware^123TEXTQUERY321=nothing":                                          "",
		"RLQUERYsc_task.parent,>0^ENDRLQUERY":                                                "ab",
		"RLQUERYsc_task.parent,=0^ENDRLQUERY":                                                "c",
		"RLQUERYsc_task.parent,>=2^ENDRLQUERY^category=hardware":                             "a",
		"category=software^RLQUERYsc_task.parent,>0^short_description=x^^y^ENDRLQUERY":       "",
		"RLQUERYsc_task.parent,>0,m2m^short_description=x^^y^ENDRLQUERY":                     "a",
		"RLQUERYsc_task.parent,<1^state=3^ORshort_description=done^ENDRLQUERY":               "bc",
		"RLQUERYsc_task.nowhere,>0^ENDRLQUERY":                                               "abc",
		"RLQUERYnowhere.parent,>0^ENDRLQUERY^category=software":                              "b",
		"JOINincident.caller_id=sys_user.sys_id!vip=true":                                    "a",
		"JOINincident.caller_id=sys_user.sys_id!":                                            "ab",
		"due_dateMORETHANsys_created_on@minute@before@3":                                     "",
		"sys_created_onMORETHANopened_at@hour@after@1":                                       "",
		"opened_atLESSTHANsys_created_on@minute@after@1":                                     "abc",
		"due_dateLESSTHANsys_created_on@minute@after@1":                                      "c",
		"sys_created_onMORETHANnowhere@hour@after@1":                                         "abc",
		"sys_created_onDATEPARTThursday@javascript:gs.datePart('dayofweek','thursday','EE')": "abc",
		"sys_created_onDATEPARTMonday@javascript:gs.datePart('dayofweek','monday','EE')":     "",
		"sys_created_onDATEPARTOctober@javascript:gs.datePart('month','oct','EE')":           "abc",
		"sys_created_onDATEPARTQ4@javascript:gs.datePart('quarter','4','EE')":                "abc",
		"sys_created_onDATEPART2025@javascript:gs.datePart('year','2025','EE')":              "",
		"sys_created_onDATEPARTx@javascript:gs.datePart('era','x','EE')":                     "abc",
	} {
		if got := d.found(query + "^ORDERBYshort_description"); got != want {
			t.Errorf("%s finds %q, want %q", query, got, want)
		}
	}
}
