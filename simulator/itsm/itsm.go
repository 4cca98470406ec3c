// Package itsm stands in for an IT service desk with ServiceNow's table API. It is
// written from the documents and shares nothing with the bridge's client, so that
// a misreading shows. It keeps its rows in memory and is no desk for people.
package itsm

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"strconv"
	"sync"
	"time"
)

// Config says who may sign in, and by which clock the desk lives.
type Config struct {
	Username, Password     string
	ClientID, ClientSecret string
	Key                    string
	// Instance is the address that the desk believes to have: links name it,
	// whatever host was asked. Empty: https://instance.example.
	Instance string
	Now      func() time.Time
}

// Server is the desk.
type Server struct {
	cfg Config

	mu       sync.Mutex
	switches Switches
	tables   tables
	// records holds all rows by sys_id, journals and approvals those of a record.
	records   map[string]*record
	journals  map[string][]*record
	approvals map[string][]*record
	users     map[string]*record
	// held are the rows whose last change is not visible yet.
	held   map[string]heldRow
	serial int
	calls  int64
	tokens map[string]token
	// handed are the tokens and sessions that were ever given.
	handed []string
	meter  meter
	// described: sys_dictionary and sys_choice have their rows.
	described bool
}

// Switches are what real instances differ by. The zero value is an instance as it
// comes, with rights on all that it holds.
type Switches struct {
	// UnknownField is what a query on an unknown field does: "" drops the
	// condition, "no_rows" answers with nothing, "refuse" with 403.
	UnknownField string `json:"unknown_field"`
	// Hide leaves rows out of pages after the limit, as access rules do.
	Hide func(table, sysID string) bool `json:"-"`
	// HiddenRows are such rows by sys_id or number.
	HiddenRows map[string]bool `json:"hidden_rows"`
	// HiddenFields ("incident.priority") are missing from replies, and refuse to
	// be queried. HiddenAsEmpty shows them as "" instead.
	HiddenFields  map[string]bool `json:"hidden_fields"`
	HiddenAsEmpty bool            `json:"hidden_as_empty"`
	// HiddenDrops drops the conditions of a query on a hidden field, as instances do
	// that do not refuse it.
	HiddenDrops bool `json:"hidden_drops"`
	// ReadOnly fields ("incident.state") are ignored in a body; a table refuses.
	ReadOnly map[string]bool `json:"read_only"`
	// NoAPI refuses the whole table API with 403.
	NoAPI bool `json:"no_api"`
	// Journals is what sys_journal_field answers: "" its rows, "empty", "refuse".
	Journals string `json:"journals"`
	// RawJournal shows the last entry where raw values are read, instead of "".
	RawJournal bool `json:"raw_journal"`
	// ZoneHours is the user's time zone. ZonedQueries reads times in queries in it.
	ZoneHours    int  `json:"zone_hours"`
	ZonedQueries bool `json:"zoned_queries"`
	// CaseSensitive compares texts by case.
	CaseSensitive bool `json:"case_sensitive"`
	// UnsortedGroups leaves the groups of ^NQ one behind the other.
	UnsortedGroups bool `json:"unsorted_groups"`
	// EmptyIsNot lets != on a reference match where it is empty.
	EmptyIsNot bool `json:"empty_is_not"`
	// AnyChoice accepts words that no choice list has.
	AnyChoice bool `json:"any_choice"`
	// NoPolicy lets an incident be resolved without code and notes. Mandatory
	// adds fields ("incident": close_code) that a write may not leave empty.
	NoPolicy  bool                `json:"no_policy"`
	Mandatory map[string][]string `json:"mandatory"`
	// Abort names the business rule that stops a write, or none.
	Abort func(table string, fields map[string]string) string `json:"-"`
	// Aborts are such rules by what they stop: all writes to a table ("incident"), or
	// those that set a field ("incident.state").
	Aborts map[string]string `json:"aborts"`
	// EveryoneApproves asks for all approvers, not for any.
	EveryoneApproves bool `json:"everyone_approves"`
	// DocumentIDAsText writes document_id as a text, without a link.
	DocumentIDAsText bool `json:"document_id_as_text"`
	// CommitLag is how long a change stays invisible after its timestamp.
	CommitLag time.Duration `json:"commit_lag"`
	// MaxPage is how many rows are given at once, whatever sysparm_limit says; 0: as many.
	MaxPage int `json:"max_page"`
	// RatePerHour allows so many calls in an hour; 0 is no rule.
	RatePerHour int `json:"rate_per_hour"`
	// NoBasic refuses basic auth, NoPasswordGrant, NoClientGrant and NoKey the others.
	NoBasic         bool `json:"no_basic"`
	NoPasswordGrant bool `json:"no_password_grant"`
	NoClientGrant   bool `json:"no_client_grant"`
	NoKey           bool `json:"no_key"`
	// ClientCertificate asks for one, besides what else is asked for.
	ClientCertificate bool `json:"client_certificate"`
	// TokenLife is how long a token lives; 0 is thirty minutes.
	TokenLife time.Duration `json:"token_life"`
}

// record is one row, and the table that it is of.
type record struct {
	table  *table
	fields map[string]string
}

func (r *record) id() string { return r.fields["sys_id"] }

// New makes an empty desk.
func New(cfg Config) *Server {
	if cfg.Instance == "" {
		cfg.Instance = "https://instance.example"
	}
	s := &Server{
		cfg: cfg, tables: schema(), records: map[string]*record{}, journals: map[string][]*record{}, approvals: map[string][]*record{}, users: map[string]*record{},
		held: map[string]heldRow{}, tokens: map[string]token{},
	}
	s.insert("sys_user", map[string]string{"user_name": cfg.Username, "name": "Bridge Integration", "first_name": "Bridge", "last_name": "Integration"}, "system")
	return s
}

// Switch changes how the instance behaves, between two requests.
func (s *Server) Switch(change func(*Switches)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.switches)
}

// newID makes a sys_id: 32 lower-case hex digits, the same in the same order.
func (s *Server) newID() string {
	s.serial++
	sum := sha256.Sum256([]byte("row " + strconv.Itoa(s.serial)))
	return hex.EncodeToString(sum[:16])
}

func (s *Server) now() string { return s.cfg.Now().UTC().Format(time.DateTime) }

// Row gives a copy of a row.
func (s *Server) Row(table, sysID string) map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.records[sysID]; r != nil && r.table.is(table) {
		return maps.Clone(r.fields)
	}
	return nil
}

// Rows gives a copy of all rows of a table, the one longest unchanged first.
func (s *Server) Rows(table string) []map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tables[table]
	if t == nil {
		return nil
	}
	var out []map[string]string
	for _, r := range t.all() {
		out = append(out, maps.Clone(r.fields))
	}
	return out
}
