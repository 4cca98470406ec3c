package itsm_test

import (
	"slices"
	"testing"

	"bridge/itsm"
)

func TestAnEncodedQueryTellsItsFields(t *testing.T) {
	t.Parallel()
	for query, want := range map[string][]string{
		"":                                  nil,
		"active=true":                       {"active"},
		"active=true^stateIN1,2^ORstate=6":  {"active", "state"},
		"a=1^NQcaller_id.vip=true^EQ":       {"a", "caller_id.vip"},
		"ORDERBYnumber^ORDERBYDESCstate":    nil,
		"short_descriptionLIKEx^^y=z^b=2":   {"short_description", "b"},
		"short_description=^^^c!=3":         {"short_description", "c"},
		"order=3^ORorder=4^GROUPBYcategory": {"order"},
		"sys_created_onONToday@x@y":         {"sys_created_on"},
		"descriptionISEMPTY^123TEXTQUERY=x": {"description"},
		"=3^.a=1^a..b=2":                    nil,
	} {
		t.Run(query, func(t *testing.T) {
			t.Parallel()
			if got := itsm.Encoded(query).Fields(); !slices.Equal(got, want) {
				t.Errorf("%q, want %q", got, want)
			}
		})
	}
}
