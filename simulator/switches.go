package simulator

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"bridge/simulator/authority"
	"bridge/simulator/itsm"
	"bridge/simulator/mmd"
)

// switches are those of all three, and of the way to them; in a body, what is not there
// stays as it is.
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
	for _, k := range knobs() {
		word := map[string]string{"itsm.unknown_field": now.ITSM.UnknownField, "itsm.journals": now.ITSM.Journals}[k.name]
		if word != "" && !slices.Contains(strings.Split(k.form, "|"), word) {
			return fmt.Errorf("%q is no value of it: %s=%s, or empty", word, k.name, k.form)
		}
	}
	w.ITSM.Switch(func(s *itsm.Switches) { *s = *now.ITSM })
	w.MMD.Switch(func(s *mmd.Switches) { *s = *now.MMD })
	w.Authority.Switch(func(s *authority.Switches) { *s = *now.Authority })
	w.sessions.apart(now.Sessions)
	return nil
}

// switches sets what the body names.
func (w *World) switches(out http.ResponseWriter, r *http.Request) {
	now := w.switched()
	if !hear(out, r, &now) {
		return
	}
	if now.ITSM == nil || now.MMD == nil || now.Authority == nil {
		http.Error(out, "null is no switches", http.StatusBadRequest)
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
	all := knobs()
	i := slices.IndexFunc(all, func(k knob) bool { return k.name == name })
	if i < 0 {
		return fmt.Errorf("there is no switch %q", name)
	}
	text := value // a number, a yes, or an object
	if all[i].form == aTime || strings.Contains(all[i].form, "|") {
		text = strconv.Quote(value)
	}
	for _, part := range slices.Backward(strings.Split(name, ".")) {
		text = "{" + strconv.Quote(part) + ":" + text + "}"
	}
	now := w.switched()
	if !json.Valid([]byte(text)) || decode([]byte(text), &now) != nil {
		return fmt.Errorf("%q is no value of it: %s=%s", value, name, all[i].form)
	}
	return w.turn(now)
}

// Switches says what can be set, to what, and what it does; a line for each.
func Switches() []string {
	var out []string
	for _, k := range knobs() {
		out = append(out, fmt.Sprintf("%-46s %s", k.name+"="+k.form, k.does))
	}
	return out
}

// knob is one switch: its name, what it is set to (one of several words, or an
// example), and what it does then.
type knob struct{ name, form, does string }

// What switches are set to where it is no word.
const (
	aYes    = "true"
	aNumber = "N"
	aTime   = "10s"
)

func knobs() []knob {
	return []knob{
		{"itsm.unknown_field", "no_rows|refuse", "a query on an unknown field finds nothing, or is 403; else the condition is dropped"},
		{"itsm.hidden_rows", `{"INC0010001": true}`, "rows that access rules leave out of pages"},
		{"itsm.hidden_fields", `{"incident.priority": true}`, "fields that are missing from replies, and refuse to be queried"},
		{"itsm.hidden_as_empty", aYes, "they are shown as empty instead"},
		{"itsm.hidden_drops", aYes, "a condition on one is dropped instead"},
		{"itsm.read_only", `{"incident.state": true}`, "fields that a write leaves as they are; a table refuses"},
		{"itsm.no_api", aYes, "the table API is 403"},
		{"itsm.journals", "empty|refuse", "sys_journal_field shows no row, or is 403"},
		{"itsm.raw_journal", aYes, "raw values of journals are their last entry"},
		{"itsm.zone_hours", aNumber, "the user's time zone"},
		{"itsm.zoned_queries", aYes, "times in queries are in it"},
		{"itsm.case_sensitive", aYes, "texts are compared by case"},
		{"itsm.unsorted_groups", aYes, "the groups of ^NQ come one behind the other"},
		{"itsm.empty_is_not", aYes, "!= finds empty references"},
		{"itsm.any_choice", aYes, "words that no choice list has are taken"},
		{"itsm.no_policy", aYes, "an incident is resolved without code and notes"},
		{"itsm.mandatory", `{"incident": ["close_code"]}`, "more fields that no write may leave empty"},
		{"itsm.aborts", `{"incident.state": "Lock rule"}`, "business rules that stop a write"},
		{"itsm.everyone_approves", aYes, "all approvers are asked, not any"},
		{"itsm.document_id_as_text", aYes, "document_id has no link"},
		{"itsm.commit_lag", aTime, "how long a change stays invisible"},
		{"itsm.max_page", aNumber, "rows that are given at once, whatever sysparm_limit says"},
		{"itsm.rate_per_hour", aNumber, "calls in an hour; then 429"},
		{"itsm.no_basic", aYes, "a name and a password are refused"},
		{"itsm.no_password_grant", aYes, "and so is OAuth with them"},
		{"itsm.no_client_grant", aYes, "and OAuth with a client's own"},
		{"itsm.no_key", aYes, "and an API key"},
		{"itsm.client_certificate", aYes, "a client certificate is needed too"},
		{"itsm.token_life", aTime, "how long a token lives"},
		{"mmd.lag", aTime, "how long a new object is missing from lists"},
		{"mmd.no_notes", aYes, "notes are 404"},
		{"mmd.notes_in_list", aYes, "lists of tickets show notes"},
		{"mmd.notes_newest_first", aYes, "and notes come the other way round"},
		{"mmd.open_limit", aNumber, "open elevation requests a device may have; else 1"},
		{"mmd.max_page", aNumber, "objects that are given at once, whatever $top says"},
		{"mmd.created", aYes, "a new ticket is 201, not 200"},
		{"mmd.ignore_unknown", aYes, "unknown fields in a body are taken"},
		{"mmd.whole_seconds", aYes, "times have no fractions"},
		{"authority.life", aTime, "how long an access token lives"},
		{"authority.approve", aYes, "a user is signed in at once where a device asks"},
		{"authority.deny", aYes, "whoever asks is refused"},
		{"sessions", aYes, "requests of one session are answered one by one"},
	}
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
