package itsm

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
)

// request is one call, and the answer as far as it is known.
type request struct {
	*http.Request
	params  map[string]string
	version string
	header  http.Header
	status  int
	body    bytes.Buffer
}

// ServeHTTP answers the table, aggregate and attachment APIs and the token endpoint.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := &request{Request: r, params: map[string]string{}, header: w.Header()}
	for name, values := range r.URL.Query() {
		q.params[name] = values[0]
	}
	if method := r.Header.Get("X-Http-Method-Override"); method != "" {
		q.Request = r.Clone(r.Context())
		q.Method = method
	}
	q.header.Set("Date", s.cfg.Now().UTC().Format(http.TimeFormat))
	q.header.Set("Server", "ServiceNow")
	q.header.Set("Cache-Control", "no-cache,no-store,must-revalidate,max-age=-1")
	s.alone(q)
	w.WriteHeader(q.status)
	if q.Method != http.MethodHead {
		w.Write(q.body.Bytes()) //nolint:errcheck,gosec // the client has gone
	}
}

// alone answers one request at a time. A switch that panics ends that request, and not
// the desk.
func (s *Server) alone(q *request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer(q)
}

func (s *Server) answer(q *request) {
	if q.URL.Path == "/oauth_token.do" {
		s.token(q)
		return
	}
	s.sign(q)
	if !s.admitted(q) {
		q.header.Set("WWW-Authenticate", `BASIC realm="Service-now"`)
		q.fail(http.StatusUnauthorized, "User Not Authenticated", "Required to provide Auth information")
		return
	}
	q.header.Set("X-Is-Logged-In", "true")
	if s.tooMany(q) || !q.acceptable() {
		return
	}
	s.route(q)
}

// route finds what a path means: /api/now[/vN]/table/TABLE[/SYS_ID] and its neighbours.
func (s *Server) route(q *request) {
	path, ok := strings.CutPrefix(q.URL.Path, "/api/now/")
	parts := strings.Split(strings.TrimSuffix(path, "/"), "/")
	if ok && (parts[0] == "v1" || parts[0] == "v2") {
		q.version, parts = parts[0], parts[1:]
	}
	switch {
	case !ok || len(parts) < 1 || len(parts) > 3:
	case parts[0] == "table" && s.switches.NoAPI:
		q.fail(http.StatusForbidden, "User Not Authorized", "Failed API level ACL Validation")
		return
	case parts[0] == "table" && len(parts) > 1:
		s.describe(parts[1])
		t := s.tables[parts[1]]
		switch {
		case t == nil:
			q.fail(http.StatusBadRequest, "Invalid table "+parts[1], "")
		case len(parts) == 2:
			s.collection(q, t)
		default:
			s.record(q, t, parts[2])
		}
		return
	case parts[0] == "stats" && len(parts) == 2:
		s.aggregate(q, parts[1])
		return
	case parts[0] == "attachment" && len(parts) == 1 && q.reads():
		s.list(q, s.tables["sys_attachment"])
		return
	case parts[0] == "attachment" && len(parts) == 2 && q.reads():
		s.record(q, s.tables["sys_attachment"], parts[1])
		return
	}
	q.fail(http.StatusBadRequest, "Requested URI does not represent any resource", "")
}

func (q *request) reads() bool { return q.Method == http.MethodGet || q.Method == http.MethodHead }

// verb is the method, or the one that a header puts in its place.
func (q *request) verb() string {
	if v := q.Header.Get("X-Http-Method-Override"); v != "" && q.Method == http.MethodPost {
		return v
	}
	return q.Method
}

// acceptable checks Accept and Content-Type: both are asked for.
func (q *request) acceptable() bool {
	accept, content := q.Header.Get("Accept"), q.Header.Get("Content-Type")
	switch {
	case accept == "":
		q.fail(http.StatusBadRequest, "Invalid Accept header", "The Accept header is required.")
	case !strings.Contains(accept, "json") && !strings.Contains(accept, "*/*"):
		q.fail(http.StatusNotAcceptable, "Not acceptable", "Supported: application/json.")
	case q.reads() || q.Method == http.MethodDelete || strings.HasPrefix(content, "application/json"):
		return true
	case content == "":
		q.fail(http.StatusBadRequest, "Invalid Content-Type header", "The Content-Type header is required.")
	default:
		q.fail(http.StatusUnsupportedMediaType, "Unsupported media type", "Supported: application/json.")
	}
	return false
}

func (s *Server) collection(q *request, t *table) {
	switch q.verb() {
	case http.MethodGet, http.MethodHead:
		s.list(q, t)
	case http.MethodPost:
		s.create(q, t)
	default:
		q.fail(http.StatusMethodNotAllowed, "Method not allowed", "")
	}
}

func (s *Server) record(q *request, t *table, id string) {
	r := s.seen(s.records[id])
	if r == nil || !r.table.is(t.name) || s.concealed(t, r) {
		q.fail(http.StatusNotFound, "No Record found", "Record doesn't exist or ACL restricts the record retrieval")
		return
	}
	switch q.verb() {
	case http.MethodGet, http.MethodHead:
		s.one(q, t, r, http.StatusOK)
	case http.MethodPatch, http.MethodPut:
		s.change(q, t, s.records[id])
	case http.MethodDelete:
		if s.refused(q, t, "Delete Failed") {
			return
		}
		s.delete(r, s.cfg.Username)
		q.status = http.StatusNoContent
	default:
		q.fail(http.StatusMethodNotAllowed, "Method not allowed", "")
	}
}

// concealed says whether access rules keep a row from being read.
func (s *Server) concealed(t *table, r *record) bool {
	hidden := s.switches.HiddenRows
	return hidden[r.id()] || hidden[r.fields["number"]] || s.switches.Hide != nil && s.switches.Hide(t.name, r.id())
}

// list answers a query: the limit comes before the access rules, the count before both.
func (s *Server) list(q *request, t *table) {
	found, err := s.find(t, q.query(t))
	switch {
	case err != nil:
		q.fail(http.StatusForbidden, "Insufficient rights to query records", "Field(s) present in the query do not have permission to be read")
		return
	case t.name == "sys_journal_field" && s.switches.Journals == "refuse":
		q.fail(http.StatusForbidden, "Insufficient rights", "Insufficient rights to query records")
		return
	case t.name == "sys_journal_field" && s.switches.Journals == "empty":
		found = nil
	case len(found) == 0 && q.version == "v1":
		q.fail(http.StatusNotFound, "No Record found", "Record doesn't exist or ACL restricts the record retrieval")
		return
	}
	limit, offset, ok := s.slice(q)
	if !ok {
		return
	}
	if q.params["sysparm_no_count"] != "true" {
		q.header.Set("X-Total-Count", strconv.Itoa(len(found)))
	}
	s.link(q, len(found), limit, offset)
	sh := s.shape(q, t)
	q.head(http.StatusOK)
	q.body.WriteString(`{"result":[`)
	first := true
	from := min(offset, len(found)) // no sum of two numbers that came: it may be none
	for _, r := range found[from:][:min(limit, len(found)-from)] {
		if s.concealed(t, r) {
			continue
		}
		if !first {
			q.body.WriteByte(',')
		}
		first = false
		sh.write(&q.body, r)
	}
	q.body.WriteString("]}")
}

// slice is which part of what was found is wanted; if that is none, it has been answered.
func (s *Server) slice(q *request) (limit, offset int, ok bool) {
	limit, offset = q.number("sysparm_limit", 10000), q.number("sysparm_offset", 0)
	if limit < 0 || offset < 0 {
		q.fail(http.StatusBadRequest, "Invalid paging parameter", "sysparm_limit and sysparm_offset are never negative.")
		return 0, 0, false
	}
	if most := s.switches.MaxPage; most > 0 {
		limit = min(limit, most)
	}
	return limit, offset, true
}

// one answers with a single row.
func (s *Server) one(q *request, t *table, r *record, status int) {
	q.head(status)
	q.body.WriteString(`{"result":`)
	s.shape(q, t).write(&q.body, r)
	q.body.WriteByte('}')
}

// query is sysparm_query, or what name=value parameters come to.
func (q *request) query(t *table) string {
	if text, ok := q.params["sysparm_query"]; ok {
		return text
	}
	var parts []string
	for name, value := range q.params {
		if t.columns[name] != nil {
			parts = append(parts, name+"="+strings.ReplaceAll(value, "^", "^^"))
		}
	}
	return strings.Join(parts, "^")
}

func (q *request) number(name string, otherwise int) int {
	n, err := strconv.Atoi(q.params[name])
	if err != nil {
		return otherwise
	}
	return n
}

// link writes the Link header: on the desk's own address, whatever host was asked.
func (s *Server) link(q *request, total, limit, offset int) {
	if q.params["sysparm_suppress_pagination_header"] == "true" || limit <= 0 || total <= limit {
		return
	}
	params := q.URL.Query()
	var all []string
	add := func(at int, rel string) {
		params.Set("sysparm_offset", strconv.Itoa(at))
		all = append(all, "<"+s.cfg.Instance+q.URL.Path+"?"+params.Encode()+`>;rel="`+rel+`"`)
	}
	add(0, "first")
	if offset > 0 {
		add(max(0, offset-limit), "prev")
	}
	if offset+limit < total {
		add(offset+limit, "next")
	}
	add((total-1)/limit*limit, "last")
	q.header.Set("Link", strings.Join(all, ","))
}

func (q *request) head(status int) {
	q.header.Set("Content-Type", "application/json;charset=UTF-8")
	q.status = status
}

// fail answers with the error envelope.
func (q *request) fail(status int, message, detail string) {
	envelope := struct {
		Error struct {
			Message string  `json:"message"`
			Detail  *string `json:"detail"`
		} `json:"error"`
		Status string `json:"status"`
	}{Status: "failure"}
	envelope.Error.Message = message
	if detail != "" {
		envelope.Error.Detail = &detail
	}
	q.json(status, envelope)
}

func (q *request) json(status int, v any) {
	q.head(status)
	json.NewEncoder(&q.body).Encode(v) //nolint:errcheck,gosec,errchkjson // texts and numbers in memory
}
