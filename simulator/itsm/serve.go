package itsm

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ServeHTTP answers the table API, the aggregate API and the token endpoint.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Date", s.cfg.Now().UTC().Format(http.TimeFormat))
	if r.URL.Path == "/oauth_token.do" {
		s.token(w, r)
		return
	}
	if !s.admitted(r) {
		w.Header().Set("WWW-Authenticate", `BASIC realm="Service-now"`)
		fail(w, http.StatusUnauthorized, "User Not Authenticated", "Required to provide Auth information")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	if len(parts) > 2 && parts[0] == "api" && parts[1] == "now" {
		parts = parts[2:]
		if parts[0] == "v1" || parts[0] == "v2" {
			parts = parts[1:]
		}
		switch {
		case len(parts) == 2 && parts[0] == "table":
			s.collection(w, r, parts[1])
			return
		case len(parts) == 3 && parts[0] == "table":
			s.record(w, r, parts[1], parts[2])
			return
		case len(parts) == 2 && parts[0] == "stats":
			found, _ := s.find(parts[1], r.URL.Query().Get("sysparm_query"))
			answer(w, http.StatusOK, map[string]any{"result": map[string]any{"stats": map[string]string{"count": strconv.Itoa(len(found))}}})
			return
		}
	}
	fail(w, http.StatusBadRequest, "Requested URI does not represent any resource", "")
}

func (s *Server) collection(w http.ResponseWriter, r *http.Request, name string) {
	if s.tables[name] == nil {
		fail(w, http.StatusBadRequest, "Invalid table "+name, "")
		return
	}
	switch r.Method {
	case http.MethodGet:
		s.list(w, r.URL.Query(), name)
	case http.MethodPost:
		fields, ok := body(w, r)
		if !ok {
			return
		}
		id := s.insert(name, fields, s.cfg.Username)
		answer(w, http.StatusCreated, map[string]any{"result": s.shape(name, s.tables[name].rows[id], r.URL.Query())})
	default:
		fail(w, http.StatusMethodNotAllowed, "Method not allowed", "")
	}
}

func (s *Server) list(w http.ResponseWriter, q url.Values, name string) {
	found, refused := s.find(name, q.Get("sysparm_query"))
	if refused {
		fail(w, http.StatusForbidden, "Insufficient rights to query records", "Field(s) present in the query do not have permission to be read")
		return
	}
	if name == "sys_journal_field" && !s.JournalRows {
		found = nil
	}
	limit, err := strconv.Atoi(q.Get("sysparm_limit"))
	if err != nil {
		limit = 10000
	}
	offset, _ := strconv.Atoi(q.Get("sysparm_offset"))
	w.Header().Set("X-Total-Count", strconv.Itoa(len(found)))
	page := found[min(offset, len(found)):min(offset+limit, len(found))]
	out := make([]map[string]any, 0, len(page))
	for _, r := range page {
		if s.Hide == nil || !s.Hide(name, r["sys_id"]) { // after the limit, as access rules are
			out = append(out, s.shape(name, r, q))
		}
	}
	answer(w, http.StatusOK, map[string]any{"result": out})
}

func (s *Server) record(w http.ResponseWriter, r *http.Request, name, id string) {
	found := s.table(name).rows[id]
	if found == nil || s.Hide != nil && s.Hide(name, id) {
		fail(w, http.StatusNotFound, "No Record found", "Record doesn't exist or ACL restricts the record retrieval")
		return
	}
	if r.Method == http.MethodPatch || r.Method == http.MethodPut {
		fields, ok := body(w, r)
		if !ok {
			return
		}
		if lacks := s.policy(name, found, fields); lacks != "" {
			fail(w, http.StatusForbidden, "Operation Failed", "Data Policy Exception: \n\tThe following fields are mandatory: "+lacks)
			return
		}
		s.update(name, found, s.writable(name, fields), s.cfg.Username)
	}
	answer(w, http.StatusOK, map[string]any{"result": s.shape(name, found, r.URL.Query())})
}

// writable leaves out what is no column and what may not be written: in silence.
func (s *Server) writable(name string, fields map[string]string) map[string]string {
	out := map[string]string{}
	for field, value := range fields {
		if s.table(name).columns[field] && !s.Unwritable[field] {
			out[field] = value
		}
	}
	return out
}

// policy is the data policy on resolving: a code that is known, and notes. An
// unknown choice counts as none.
func (s *Server) policy(name string, r row, fields map[string]string) string {
	if name != "incident" || fields["state"] != "6" {
		return ""
	}
	after := maps.Clone(r)
	maps.Copy(after, fields)
	var lacks []string
	if !slices.Contains([]string{
		"Solution provided", "Workaround provided", "Resolved by caller", "Resolved by change", "Resolved by problem", "Resolved by request", "User error", "Duplicate", "Known error", "No resolution provided",
	}, after["close_code"]) {
		lacks = append(lacks, "Resolution code")
	}
	if after["close_notes"] == "" {
		lacks = append(lacks, "Close notes")
	}
	return strings.Join(lacks, ", ")
}

// shape writes a row as the parameters ask: fields, raw or display values, and
// references with or without their link.
func (s *Server) shape(name string, r row, q url.Values) map[string]any {
	fields := strings.Split(q.Get("sysparm_fields"), ",")
	if q.Get("sysparm_fields") == "" {
		fields = slices.Sorted(maps.Keys(s.table(name).columns))
	}
	bare := q.Get("sysparm_exclude_reference_link") == "true"
	out := make(map[string]any, len(fields))
	for _, f := range fields {
		if !s.known(s.table(name), f) {
			continue
		}
		raw, shown := s.walk(r, f), ""
		if f == "comments" || f == "work_notes" {
			raw, shown = "", s.journalText(r["sys_id"], f)
		} else {
			shown = s.label(name, f, raw)
		}
		last := f[strings.LastIndexByte(f, '.')+1:]
		link := ""
		if len(reference(last)) > 0 && raw != "" && !bare {
			link = "https://instance.example/api/now/table/" + reference(last)[0] + "/" + raw
		}
		out[f] = cell(q.Get("sysparm_display_value"), raw, shown, link)
	}
	return out
}

func cell(mode, raw, shown, link string) any {
	switch {
	case mode == "all" && link != "":
		return map[string]string{"display_value": shown, "link": link, "value": raw}
	case mode == "all":
		return map[string]string{"display_value": shown, "value": raw}
	case mode == "true" && link != "":
		return map[string]string{"display_value": shown, "link": link}
	case mode == "true":
		return shown
	case link != "":
		return map[string]string{"link": link, "value": raw}
	}
	return raw
}

// journalText is the display form: newest first, with a header a person can forge.
func (s *Server) journalText(id, element string) string {
	var b strings.Builder
	for _, r := range slices.Backward(s.journals[id]) {
		if r["element"] == element {
			b.WriteString(r["sys_created_on"] + " - " + r["sys_created_by"] + " (" + map[string]string{"comments": "Additional comments", "work_notes": "Work notes"}[element] + ")\n" + r["value"] + "\n\n")
		}
	}
	return b.String()
}

// label is a choice's or a reference's display value.
func (s *Server) label(name, path, raw string) string {
	column := path[strings.LastIndexByte(path, '.')+1:]
	if to := s.referred(column, raw); to != nil {
		for _, f := range []string{"name", "number"} {
			if to[f] != "" {
				return to[f]
			}
		}
	}
	labels := map[string]map[string]string{
		"incident.state": {"1": "New", "2": "In Progress", "3": "On Hold", "6": "Resolved", "7": "Closed", "8": "Canceled"},
		"sc_task.state":  {"-5": "Pending", "1": "Open", "2": "Work in Progress", "3": "Closed Complete", "4": "Closed Incomplete", "7": "Closed Skipped"},
		".priority":      {"1": "1 - Critical", "2": "2 - High", "3": "3 - Moderate", "4": "4 - Low", "5": "5 - Planning"},
		".risk":          {"2": "High", "3": "Moderate", "4": "Low"},
	}
	for _, key := range []string{name + "." + column, "." + column} {
		if l := labels[key][raw]; l != "" {
			return l
		}
	}
	return raw
}

func (s *Server) admitted(r *http.Request) bool {
	if user, password, ok := r.BasicAuth(); ok {
		return same(user, s.cfg.Username) && same(password, s.cfg.Password)
	}
	if key := r.Header.Get("x-sn-apikey"); key != "" {
		return same(key, s.cfg.Key)
	}
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	s.mu.Lock()
	defer s.mu.Unlock()
	return ok && s.cfg.Now().Before(s.tokens[token])
}

func same(a, b string) bool { return a != "" && subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// token answers /oauth_token.do: the same token while it lives.
func (s *Server) token(w http.ResponseWriter, r *http.Request) {
	if r.ParseForm() != nil || r.Method != http.MethodPost {
		fail(w, http.StatusBadRequest, "bad request", "")
		return
	}
	ok := same(r.PostForm.Get("client_id"), s.cfg.ClientID) && same(r.PostForm.Get("client_secret"), s.cfg.ClientSecret)
	switch r.PostForm.Get("grant_type") {
	case "client_credentials":
	case "password":
		ok = ok && same(r.PostForm.Get("username"), s.cfg.Username) && same(r.PostForm.Get("password"), s.cfg.Password)
	default:
		ok = false
	}
	if !ok {
		answer(w, http.StatusUnauthorized, map[string]string{"error_description": "access_denied", "error": "server_error"})
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.cfg.Now()
	for token, until := range s.tokens {
		if now.Before(until) {
			answer(w, http.StatusOK, map[string]any{"access_token": token, "scope": "useraccount", "token_type": "Bearer", "expires_in": int(until.Sub(now).Seconds())})
			return
		}
	}
	raw := make([]byte, 24)
	rand.Read(raw)
	token := hex.EncodeToString(raw)
	s.tokens = map[string]time.Time{token: now.Add(30 * time.Minute)}
	answer(w, http.StatusOK, map[string]any{"access_token": token, "scope": "useraccount", "token_type": "Bearer", "expires_in": 1799})
}

func body(w http.ResponseWriter, r *http.Request) (map[string]string, bool) {
	raw, err := io.ReadAll(io.LimitReader(r.Body, 10<<20))
	var fields map[string]any
	if err != nil || json.Unmarshal(raw, &fields) != nil {
		fail(w, http.StatusBadRequest, "Exception while reading request", "The payload is not valid JSON.")
		return nil, false
	}
	out := map[string]string{}
	for name, v := range fields {
		switch v := v.(type) {
		case string:
			out[name] = v
		case nil:
			out[name] = ""
		default:
			out[name] = fmt.Sprint(v)
		}
	}
	return out, true
}

func fail(w http.ResponseWriter, status int, message, detail string) {
	answer(w, status, map[string]any{"error": map[string]string{"message": message, "detail": detail}, "status": "failure"})
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v) //nolint:errcheck,gosec,errchkjson // the client has gone
}
