package itsm

import (
	"strconv"
	"strings"
	"time"
)

// evaluate runs the few scripts that queries are known to hold. Any other is not
// resolved, and its condition vanishes as one on an unknown field does.
func (s *Server) evaluate(code string) (string, bool) {
	name, rest, ok := strings.Cut(strings.TrimSuffix(strings.TrimSpace(code), ";"), "(")
	arguments, closed := strings.CutSuffix(rest, ")")
	if !ok || !closed {
		return "", false
	}
	now := s.cfg.Now().UTC()
	day := now.Truncate(24 * time.Hour)
	n, _ := strconv.Atoi(arguments)
	ago := func(unit time.Duration) time.Duration { return -time.Duration(n * int(unit)) }
	var at time.Time
	switch name {
	case "gs.getUserID":
		return s.userID(s.cfg.Username), true
	case "gs.getUserName":
		return s.cfg.Username, true
	case "gs.dateGenerate":
		return strings.NewReplacer("'", "", `"`, "", ",", " ").Replace(arguments), true
	case "gs.now", "gs.nowDateTime":
		at = now
	case "gs.beginningOfToday":
		at = day
	case "gs.endOfToday":
		at = day.Add(24*time.Hour - time.Second)
	case "gs.daysAgo":
		at = now.AddDate(0, 0, -n)
	case "gs.daysAgoStart":
		at = day.AddDate(0, 0, -n)
	case "gs.daysAgoEnd":
		at = day.AddDate(0, 0, 1-n).Add(-time.Second)
	case "gs.hoursAgo", "gs.hoursAgoStart":
		at = now.Add(ago(time.Hour))
	case "gs.minutesAgo", "gs.minutesAgoStart":
		at = now.Add(ago(time.Minute))
	default:
		return "", false
	}
	return at.Format(time.DateTime), true
}
