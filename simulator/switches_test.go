package simulator_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"bridge/simulator"
	"bridge/simulator/authority"
	"bridge/simulator/itsm"
	"bridge/simulator/mmd"
)

func TestASwitchIsSetByItsName(t *testing.T) {
	t.Parallel()
	w := simulator.New(simulator.Config{})
	for _, tt := range []struct{ assignment, says string }{
		{"itsm.unknown_field=no_rows", ""},
		{"itsm.no_basic=true", ""},
		{"itsm.zone_hours=-5", ""},
		{`itsm.hidden_rows={"INC0010001": true}`, ""},
		{"itsm.unknown_field=norows", `"norows" is no value of it: itsm.unknown_field=no_rows|refuse`},
		{"itsm.no_basic=maybe", `"maybe" is no value of it: itsm.no_basic=true`},
		{"itsm.nobasic=true", `there is no switch "itsm.nobasic"`},
		{"itsm=true", `there is no switch "itsm"`},
		{"mmd.lag=2s", ""},
		{"mmd.lag=2", `"2" is no value of it: mmd.lag=10s`},
		{"mmd.max_page=3", ""},
		{"mmd.max_page=3}", "is no value of it"},
		{"mmd.max_page", "has no = in it"},
		{"sessions=true", ""},
	} {
		err := w.Set(tt.assignment)
		if (err == nil) != (tt.says == "") || err != nil && !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v, want %q", tt.assignment, err, tt.says)
		}
	}
	w.ITSM.Switch(func(s *itsm.Switches) {
		if s.UnknownField != "no_rows" || !s.NoBasic || s.ZoneHours != -5 || !s.HiddenRows["INC0010001"] {
			t.Errorf("the desk: %+v", *s)
		}
	})
	w.MMD.Switch(func(s *mmd.Switches) {
		if s.Lag.String() != "2s" || s.MaxPage != 3 {
			t.Errorf("the vendor: %+v", *s)
		}
	})
}

func TestEachSwitchIsNamedAndSaysHowItIsSet(t *testing.T) {
	t.Parallel()
	w := simulator.New(simulator.Config{})
	var named []string
	for _, line := range simulator.Switches() {
		form, _, _ := strings.Cut(line, "  ")
		name, value, _ := strings.Cut(form, "=")
		if value == "N" {
			value = "1"
		}
		if !strings.HasPrefix(value, "{") {
			value, _, _ = strings.Cut(strings.Fields(value)[0], "|")
		} else if at := strings.LastIndexAny(value, "}"); at > 0 {
			value = value[:at+1]
		}
		if err := w.Set(name + "=" + value); err != nil {
			t.Errorf("%s: %v", line, err)
		}
		named = append(named, name)
	}
	var all []string
	for side, switches := range map[string]reflect.Type{"itsm.": reflect.TypeFor[itsm.Switches](), "mmd.": reflect.TypeFor[mmd.Switches](), "authority.": reflect.TypeFor[authority.Switches]()} {
		for field := range switches.Fields() {
			if name := field.Tag.Get("json"); name != "-" {
				all = append(all, side+name)
			}
		}
	}
	if diff := cmp.Diff(append(all, "sessions"), named, cmpopts.SortSlices(strings.Compare)); diff != "" {
		t.Errorf("switches (-there +named):\n%s", diff)
	}
}
