package simulator

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"bridge/simulator/authority"
	"bridge/simulator/itsm"
	"bridge/simulator/mmd"
)

// switches are those of all three, and of the way to them; what is not there stays as it is.
type switches struct {
	ITSM      *itsm.Switches      `json:"itsm"`
	MMD       *mmd.Switches       `json:"mmd"`
	Authority *authority.Switches `json:"authority"`
	// Sessions lets the desk answer the requests of one session one by one.
	Sessions bool `json:"sessions"`
}

// switched gives a copy of how they stand.
func (w *World) switched() switches {
	var desk itsm.Switches
	var vendor mmd.Switches
	var gate authority.Switches
	w.ITSM.Switch(func(s *itsm.Switches) {
		desk = *s
		desk.HiddenFields, desk.ReadOnly, desk.Mandatory = maps.Clone(s.HiddenFields), maps.Clone(s.ReadOnly), maps.Clone(s.Mandatory)
		desk.HiddenRows, desk.Aborts = maps.Clone(s.HiddenRows), maps.Clone(s.Aborts)
	})
	w.MMD.Switch(func(s *mmd.Switches) { vendor = *s })
	w.Authority.Switch(func(s *authority.Switches) { gate = *s })
	return switches{&desk, &vendor, &gate, w.sessions.are()}
}

// turn sets them. A word that a switch does not know is refused: it would do nothing.
func (w *World) turn(now switches) error {
	for _, s := range each(now) {
		if !s.knows() {
			return fmt.Errorf("%q is no value of it: %s, or empty", s.value.String(), s)
		}
	}
	if now.ITSM != nil {
		w.ITSM.Switch(func(s *itsm.Switches) { *s = *now.ITSM })
	}
	if now.MMD != nil {
		w.MMD.Switch(func(s *mmd.Switches) { *s = *now.MMD })
	}
	if now.Authority != nil {
		w.Authority.Switch(func(s *authority.Switches) { *s = *now.Authority })
	}
	w.sessions.apart(now.Sessions)
	return nil
}

// switches sets what the body names.
func (w *World) switches(out http.ResponseWriter, r *http.Request) {
	now := w.switched()
	if !hear(out, r, &now) {
		return
	}
	if err := w.turn(now); err != nil {
		http.Error(out, err.Error(), http.StatusBadRequest)
		return
	}
	tell(out, "switched")
}

// Set sets one switch, as in "mmd.lag=2s" or `itsm.hidden_rows={"INC0010001": true}`.
func (w *World) Set(assignment string) error {
	name, value, ok := strings.Cut(assignment, "=")
	if !ok {
		return fmt.Errorf("%q has no = in it", assignment)
	}
	all := each(w.switched())
	i := slices.IndexFunc(all, func(k knob) bool { return k.name == name })
	if i < 0 {
		return fmt.Errorf("there is no switch %q", name)
	}
	text := strconv.Quote(value) // a word, or a time
	if kind := all[i].value.Type().String(); kind != "string" && kind != "time.Duration" {
		text = value
	}
	for _, part := range slices.Backward(strings.Split(name, ".")) {
		text = "{" + strconv.Quote(part) + ":" + text + "}"
	}
	now := w.switched()
	if !json.Valid([]byte(text)) || decode([]byte(text), &now) != nil {
		return fmt.Errorf("%q is no value of it: %s", value, all[i])
	}
	return w.turn(now)
}

// Switches names all that can be set, and with what.
func Switches() []string {
	var out []string
	for _, s := range each(switches{&itsm.Switches{}, &mmd.Switches{}, &authority.Switches{}, false}) {
		out = append(out, s.String())
	}
	return out
}

// knob is one switch.
type knob struct {
	name  string
	value reflect.Value
	// form is what it is set to: one of several words, or an example.
	form string
}

// String shows how it is set.
func (k knob) String() string { return k.name + "=" + k.form }

// knows says whether a switch can stand so: of those that are words, on one that it has.
func (k knob) knows() bool {
	return k.value.Kind() != reflect.String || k.value.String() == "" || slices.Contains(strings.Split(k.form, "|"), k.value.String())
}

// forms are those of switches that name none.
var forms = map[string]string{"bool": "true", "int": "N", "time.Duration": "10s"}

// each gives all switches that have a name outside of Go.
func each(now switches) []knob {
	var out []knob
	var add func(v reflect.Value, under string)
	add = func(v reflect.Value, under string) {
		for i := range v.NumField() {
			field := v.Type().Field(i)
			name, value := under+field.Tag.Get("json"), v.Field(i)
			switch {
			case strings.HasSuffix(name, "-"): // a function
			case value.Kind() == reflect.Pointer && !value.IsNil():
				add(value.Elem(), name+".")
			case value.Kind() != reflect.Pointer:
				out = append(out, knob{name, value, cmp.Or(field.Tag.Get("form"), forms[field.Type.String()])})
			}
		}
	}
	add(reflect.ValueOf(now), "")
	return out
}

// span is a time that is written as people write it: "2s", "10m".
var span = regexp.MustCompile(`("(?:delay|lag|life|commit_lag|token_life)"\s*:\s*)"([^"]*)"`)

// spans writes such times as the numbers that JSON has for them.
func spans(raw []byte) []byte {
	return span.ReplaceAllFunc(raw, func(found []byte) []byte {
		part := span.FindSubmatch(found)
		took, err := time.ParseDuration(string(part[2]))
		if err != nil {
			return found
		}
		return strconv.AppendInt(slices.Clone(part[1]), int64(took), 10)
	})
}
