package itsm_test

import (
	"testing"

	"bridge/simulator/itsm"
)

func TestPagesThatNobodyAsksForEndNothing(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.people()
	const most = "9223372036854775807"
	for _, tt := range []struct {
		name, limit, offset string
		rows                int
	}{
		{"a limit without end, from the second on", most, "1", 2},
		{"behind the last", "10", most, 0},
		{"both without end", most, most, 0},
		{"no row at all", "0", "0", 0},
	} {
		if got := d.rows("incident", "sysparm_limit", tt.limit, "sysparm_offset", tt.offset); len(got) != tt.rows {
			t.Errorf("%s: %d rows, want %d", tt.name, len(got), tt.rows)
		}
	}
}

func TestASwitchThatPanicsDoesNotEndTheDesk(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.people()
	d.Switch(func(s *itsm.Switches) { s.Hide = func(string, string) bool { panic("a test's own mistake") } })
	func() {
		defer func() {
			if recover() == nil {
				t.Error("nobody hears of it")
			}
		}()
		d.rows("incident")
	}()
	d.Switch(func(s *itsm.Switches) { s.Hide = nil })
	if got := d.rows("incident"); len(got) != 3 {
		t.Errorf("%d rows afterwards, want 3", len(got))
	}
}
