package main

import (
	"context"
	"encoding/json"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"bridge/connector"
	"bridge/plan"
	"bridge/store"
)

// standing is what status shows, and what it prints as JSON.
type standing struct {
	Schema string      `json:"schema"`
	At     time.Time   `json:"at"`
	Counts plan.Counts `json:"counts"`
	Needs  []need      `json:"needs_you"`
	Holds  []plan.Hold `json:"holds"`
	// Forgotten is until when links ended that the ledger has let go of (retention.links).
	Forgotten time.Time `json:"forgotten_until,omitzero"`
	// Bytes is how large the ledger is.
	Bytes int64 `json:"bytes"`
	// Lag is the longest that one of its tickets was missing from the list, as in 1m30s.
	Lag string `json:"lag,omitempty"`
	// Next is when something is due next.
	Next time.Time `json:"next,omitzero"`
}

// need is one thing that does not settle by itself, or has not yet.
type need struct {
	What   string    `json:"what"`
	Number string    `json:"number"`
	Op     string    `json:"op,omitempty"`
	Kind   plan.Kind `json:"kind,omitempty"`
	Reason string    `json:"reason"`
	Since  time.Time `json:"since,omitzero"`
	Due    time.Time `json:"due,omitzero"`
	Do     string    `json:"do,omitempty"`
}

func newStatus(a *app) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use: "status", Short: "What is linked, owed, parked and held", Args: cobra.NoArgs,
		Example: "  bridge status\n  bridge status -o json | jq .counts",
		RunE: func(cmd *cobra.Command, _ []string) error {
			ledger, err := a.openForReading(cmd.Context())
			if err != nil {
				return err
			}
			defer ledger.Close() //nolint:errcheck // nothing was written
			s, err := a.standing(cmd.Context(), ledger)
			if err != nil {
				return err
			}
			if output == "json" {
				return json.NewEncoder(a.stdout).Encode(s)
			}
			a.printStanding(s)
			return nil
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	return cmd
}

// standing reads from the ledger what a person wants to know first.
func (a *app) standing(ctx context.Context, ledger *store.Ledger) (standing, error) {
	s := standing{Schema: "bridge.status/v1", At: a.now()}
	var err error
	if s.Counts, err = ledger.Counts(ctx, s.At); err != nil {
		return s, err
	}
	if s.Holds, err = ledger.Holds(ctx); err != nil {
		return s, err
	}
	if s.Next, err = ledger.NextDue(ctx, time.Time{}); err != nil {
		return s, err
	}
	if s.Bytes, err = ledger.Size(ctx); err != nil {
		return s, err
	}
	if err := s.measured(ctx, ledger); err != nil {
		return s, err
	}
	numbers := map[string]string{}
	for link, err := range ledger.Links(ctx, plan.LinkQuery{Open: true}) {
		if err != nil {
			return s, err
		}
		numbers[link.ID] = link.Number
		s.Needs = append(s.Needs, linkNeeds(link)...)
	}
	if err := s.ended(ctx, ledger); err != nil {
		return s, err
	}
	return s, s.owed(ctx, ledger, numbers)
}

// owed adds what the writes that are owed have to say. Those of ended links are few: what
// a person dropped and that is watched.
func (s *standing) owed(ctx context.Context, ledger *store.Ledger, numbers map[string]string) error {
	var ops []plan.Op
	ended := []string{}
	for op, err := range ledger.Ops(ctx, plan.OpQuery{Owed: true}) {
		if err != nil {
			return err
		}
		if _, open := numbers[op.Link]; !open {
			ended = append(ended, op.Link)
		}
		ops = append(ops, op)
	}
	for link, err := range ledger.Links(ctx, plan.LinkQuery{IDs: ended}) {
		if err != nil {
			return err
		}
		numbers[link.ID] = link.Number
	}
	for _, op := range ops {
		if n, ok := opNeed(op, numbers[op.Link], s.At); ok {
			s.Needs = append(s.Needs, n)
		}
	}
	return nil
}

// measured adds what the ledger knows of itself.
func (s *standing) measured(ctx context.Context, ledger *store.Ledger) error {
	lag, err := connector.Lag(ctx, ledger)
	if err != nil {
		return fmt.Errorf("read the measured lag: %w", err)
	}
	if lag > 0 {
		s.Lag = lag.Round(time.Second).String()
	}
	until, err := ledger.Meta(ctx, plan.MetaForgotten)
	if err != nil || until == "" {
		return err
	}
	if s.Forgotten, err = time.Parse(time.RFC3339Nano, until); err != nil {
		return fmt.Errorf("read what the ledger has forgotten: %w", err)
	}
	return nil
}

// ended adds what ended links have to say, if there are more twins or vanished notes than
// the open ones told of: they are many, and seldom have any.
func (s *standing) ended(ctx context.Context, ledger *store.Ledger) error {
	told := map[string]map[string]bool{"twin": {}, "vanished": {}}
	for _, n := range s.Needs {
		if told[n.What] != nil {
			told[n.What][n.Number] = true
		}
	}
	if len(told["twin"]) >= s.Counts.Twins && len(told["vanished"]) >= s.Counts.Vanished {
		return nil
	}
	for link, err := range ledger.Links(ctx, plan.LinkQuery{}) {
		if err != nil {
			return err
		}
		if !link.Ended.IsZero() && len(link.Twins)+len(link.Vanished) > 0 {
			s.Needs = append(s.Needs, linkNeeds(link)...)
		}
	}
	return nil
}

// linkNeeds is what a link itself has to say.
func linkNeeds(link plan.Link) []need {
	var out []need
	twins, vanished := link.Unseen()
	for _, twin := range twins {
		beside := " carries its mark beside " + link.MMD
		if link.MMD == "" {
			beside = " was opened although it was dropped: nothing is passed on, close it with the vendor"
		}
		out = append(out, need{What: "twin", Number: link.Number, Reason: objectOf(link) + " " + twin + beside, Do: "bridge resume " + link.Number})
	}
	for _, mark := range vanished {
		out = append(out, need{
			What: "vanished", Number: link.Number, Reason: "the note " + mark + " was taken by the vendor and is not to be seen on " + link.MMD,
			Do: "bridge resume " + link.Number,
		})
	}
	if link.Notice != "" {
		out = append(out, need{What: "notice", Number: link.Number, Reason: link.Notice, Do: "bridge resume (or end-link) " + link.Number})
	}
	if link.Unheard != "" {
		out = append(out, need{What: "unheard", Number: link.Number, Reason: link.Unheard, Do: "bridge resume (or end-link) " + link.Number})
	}
	return out
}

// objectOf is what a link is with, on the vendor's side.
func objectOf(link plan.Link) string {
	if link.Kind == plan.ElevationLink {
		return "elevation request"
	}
	return "ticket"
}

// opNeed is what an owed op has to say: nothing while it is simply due.
func opNeed(op plan.Op, number string, now time.Time) (need, bool) {
	n := need{Number: number, Op: op.Key, Kind: op.Kind, Reason: op.Reason, Since: op.Promised}
	switch op.State { //nolint:exhaustive // ended ops are not owed
	case plan.Parked:
		n.What, n.Do = "PARKED", "bridge retry (or drop) "+op.Key
	case plan.Doubt:
		n.What, n.Do = "DOUBT", "bridge retry (or drop) "+op.Key
	case plan.Unknown, plan.Begun:
		n.What, n.Due = "unknown", op.Due
	default:
		if !op.Due.After(now) {
			return n, false
		}
		n.What, n.Due = "waiting", op.Due
	}
	return n, true
}

// holds names what a hold stops.
func holds(h plan.Hold) string {
	switch h.What {
	case plan.HoldsNotes:
		return "notes of a record"
	case plan.HoldsReopened:
		return "a reopened record"
	case plan.HoldsAll:
		return "rule " + h.Rule + ", all it sends,"
	}
	return "rule " + h.Rule
}

func (a *app) printStanding(s standing) {
	c := s.Counts
	a.say("links  %d open · %d ended", c.LinksOpen, c.LinksEnded)
	if !s.Forgotten.IsZero() {
		a.say(" · those that ended by %s are forgotten", s.Forgotten.UTC().Format(time.DateOnly))
	}
	a.say("\n")
	a.say("owed   %d · due now %d · waiting %d · unknown %d · parked %d · in doubt %d", c.Owed, c.Due, c.Waiting, c.Unknown, c.Parked, c.Doubt)
	if !s.Next.IsZero() {
		a.say(" · next %s", s.Next.UTC().Format(time.TimeOnly))
	}
	a.say("\n")
	if c.Twins+c.Vanished > 0 {
		a.say("found  %d links with a twin ticket · %d with a vanished note\n", c.Twins, c.Vanished)
	}
	if s.Lag != "" {
		a.say("lag    the list of tickets was seen to lag by up to %s: absence counts after three times that, if that is longer than send.settle\n", s.Lag)
	}
	for _, h := range s.Holds {
		a.say("HELD   %s since %s: %s\n", holds(h), h.Since.UTC().Format(time.RFC3339), h.Reason)
	}
	table := tabwriter.NewWriter(a.stdout, 0, 4, 2, ' ', 0)
	for _, n := range s.Needs {
		when := ""
		switch {
		case !n.Due.IsZero():
			when = "next " + n.Due.UTC().Format(time.TimeOnly)
		case !n.Since.IsZero():
			when = "since " + n.Since.UTC().Format(time.RFC3339)
		}
		_, _ = fmt.Fprintf(table, "  %s\t%s\t%s\t%s\t%s\t%s\n", n.What, n.Number, n.Kind, n.Reason, when, n.Do)
	}
	table.Flush() //nolint:errcheck,gosec // the writer below says it
	if c.Owed == 0 && len(s.Needs) == 0 && len(s.Holds) == 0 {
		a.say("nothing is owed\n")
	}
}
