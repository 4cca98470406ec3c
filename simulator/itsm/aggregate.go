package itsm

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
)

// aggregate answers the aggregate API: counts, in groups if wanted. Numbers are texts.
func (s *Server) aggregate(q *request, name string) {
	s.describe(name)
	t := s.tables[name]
	switch {
	case t == nil:
		q.fail(http.StatusBadRequest, "Invalid table "+name, "")
		return
	case !q.reads():
		q.fail(http.StatusMethodNotAllowed, "Method not allowed", "")
		return
	case q.params["sysparm_count"] != "true":
		q.fail(http.StatusBadRequest, "No request parameter for aggregate operation specified", "")
		return
	}
	found, err := s.find(t, q.query(t))
	if err != nil {
		q.fail(http.StatusForbidden, "Insufficient rights to query records", "Field(s) present in the query do not have permission to be read")
		return
	}
	type stats struct {
		Count string `json:"count"`
	}
	type group struct {
		Stats  stats               `json:"stats"`
		Fields []map[string]string `json:"groupby_fields,omitempty"`
	}
	by := q.params["sysparm_group_by"]
	p := s.path(t, by)
	if by == "" || p == nil {
		q.json(http.StatusOK, map[string]any{"result": group{Stats: stats{strconv.Itoa(len(found))}}})
		return
	}
	counts := map[string]int{}
	for _, r := range found {
		counts[p.value(r)]++
	}
	groups := []group{}
	for _, value := range slices.Sorted(maps.Keys(counts)) {
		groups = append(groups, group{stats{strconv.Itoa(counts[value])}, []map[string]string{{"field": by, "value": value}}})
	}
	q.json(http.StatusOK, map[string]any{"result": groups})
}
