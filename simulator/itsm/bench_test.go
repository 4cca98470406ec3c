package itsm_test

import (
	"net/http/httptest"
	"testing"
	"time"

	"bridge/simulator/itsm"
)

func clock() time.Time { return time.Date(2026, 10, 1, 8, 0, 0, 0, time.UTC) }

// BenchmarkPoll reads what has changed since a moment, of 5,000 incidents.
func BenchmarkPoll(b *testing.B) {
	d := itsm.New(itsm.Config{Username: "bridge", Password: "secret", Now: clock})
	group := d.Group("Microsoft Managed Desktop")
	for range 5000 {
		d.Insert("incident", map[string]string{"short_description": "x", "assignment_group": group})
	}
	for name, q := range map[string]string{
		"all":     "active=true^assignment_group.name=Microsoft Managed Desktop^ORDERBYsys_updated_on^ORDERBYsys_id",
		"nothing": "active=true^assignment_group.name=Microsoft Managed Desktop^sys_updated_on>2026-10-01 09:00:00^ORDERBYsys_updated_on^ORDERBYsys_id",
	} {
		b.Run(name, func(b *testing.B) {
			path := "https://desk.test/api/now/table/incident?" + query("sysparm_query", q, "sysparm_limit", "100", "sysparm_fields", "sys_id,number,sys_updated_on,caller_id.email")
			b.ReportAllocs()
			for b.Loop() {
				r := httptest.NewRequestWithContext(b.Context(), "GET", path, nil)
				r.SetBasicAuth("bridge", "secret")
				r.Header.Set("Accept", "*/*")
				w := httptest.NewRecorder()
				d.ServeHTTP(w, r)
				if w.Code != 200 {
					b.Fatal(w.Code)
				}
			}
		})
	}
}
