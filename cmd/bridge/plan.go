package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"bridge/connector"
	"bridge/plan"
	"bridge/store"
)

func newPlan(a *app) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "plan", Short: "What the next run would send, and why; nothing is written", Args: cobra.NoArgs,
		Long: "Reads both sides as a run does and prints every write that it would promise, with its reason, and\n" +
			"those that are owed already. It can only read: it is given nothing to write with.",
		Example: "  bridge plan\n  bridge plan --json | jq .ops",
		RunE: func(cmd *cobra.Command, _ []string) error {
			b, err := a.open(cmd.Context(), false)
			if err != nil {
				return err
			}
			defer b.ledger.Close() //nolint:errcheck // nothing was written
			return a.plan(cmd.Context(), b, asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// dry is a ledger that keeps what is promised for itself.
type dry struct {
	*store.Ledger
	mu    sync.Mutex
	ops   []plan.Op
	links map[string]plan.Link
}

// Promise takes down what a run would write.
func (d *dry) Promise(_ context.Context, p plan.Promise) ([]string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var added []string
	for _, op := range p.Ops {
		d.ops = append(d.ops, op)
		added = append(added, op.Key)
	}
	for _, link := range p.Links {
		d.links[link.ID] = link
	}
	return added, nil
}

// Hold writes nothing.
func (d *dry) Hold(context.Context, plan.Hold) error { return nil }

// SetMeta writes nothing.
func (d *dry) SetMeta(context.Context, string, string) error { return nil }

// planned is what plan prints.
type planned struct {
	Schema  string         `json:"schema"`
	Ops     []plannedOp    `json:"ops"`
	Skipped map[string]int `json:"skipped,omitempty"`
	Unread  []string       `json:"unread,omitempty"`
	Calls   int64          `json:"calls"`
}

type plannedOp struct {
	Kind   plan.Kind       `json:"kind"`
	Number string          `json:"number"`
	Rule   string          `json:"rule"`
	State  plan.State      `json:"state"`
	Owed   bool            `json:"owed_already"`
	Why    string          `json:"why"`
	Reason string          `json:"reason,omitempty"`
	Body   json.RawMessage `json:"body,omitempty"`
	// From says of each field what it came of.
	From     map[string]string `json:"from,omitempty"`
	Unmapped []string          `json:"unmapped,omitempty"`
}

func (a *app) plan(ctx context.Context, b *bridge, asJSON bool) error {
	d := &dry{Ledger: b.ledger, links: map[string]plan.Link{}}
	poller := b.loop.Poller
	poller.Ledger, poller.Ahead = d, b.config.Poll.Interval
	var report connector.Report
	if err := poller.Poll(ctx, &report); err != nil {
		return err
	}
	out := planned{Schema: "bridge.plan/v1", Skipped: report.Skipped, Unread: report.Unread, Calls: b.calls.desk.Load() + b.calls.vendor.Load()}
	numbers := map[string]string{}
	for link, err := range b.ledger.Links(ctx, plan.LinkQuery{Open: true}) {
		if err != nil {
			return err
		}
		numbers[link.ID] = link.Number
	}
	for id, link := range d.links {
		numbers[id] = link.Number
	}
	add := func(op plan.Op, owed bool) {
		out.Ops = append(out.Ops, plannedOp{op.Kind, numbers[op.Link], op.Rule, op.State, owed, op.Why, op.Reason, op.Body, op.From, op.Unmapped})
	}
	for op, err := range b.ledger.Ops(ctx, plan.OpQuery{Owed: true}) {
		if err != nil {
			return err
		}
		add(op, true)
	}
	for _, op := range d.ops {
		add(op, false)
	}
	if asJSON {
		return json.NewEncoder(a.stdout).Encode(out)
	}
	a.printPlan(out)
	if len(report.Unreadable) > 0 {
		return &failure{code: exitUnable, err: fmt.Errorf("%s", strings.Join(report.Unread, "; "))}
	}
	return nil
}

// printPlan prints each write with its fields and its reason.
func (a *app) printPlan(p planned) {
	signs := map[plan.Kind]string{
		plan.TicketCreate: "+ ticket", plan.TicketNote: "» note", plan.RecordNote: "« work note", plan.RecordUpdate: "~ record",
		plan.ElevationCreate: "+ elevation", plan.ElevationClose: "- elevation",
	}
	count := map[plan.Kind]int{}
	parked := 0
	for _, op := range p.Ops {
		sign := signs[op.Kind]
		if op.State == plan.Parked {
			sign, parked = "! parked "+string(op.Kind), parked+1
		} else {
			count[op.Kind]++
		}
		owed := ""
		if op.Owed {
			owed = "   owed already"
		}
		a.say("%-12s %-14s rule %s   %s%s\n", sign, op.Number, op.Rule, op.Why, owed)
		if op.Reason != "" {
			a.say("    %s\n", op.Reason)
		}
		a.printBody(op.Body, op.From)
		for _, text := range op.Unmapped {
			a.say("    ? %s\n", text)
		}
	}
	for _, why := range slices.Sorted(maps.Keys(p.Skipped)) {
		a.say("· skipped %d   %s\n", p.Skipped[why], why)
	}
	a.say("Plan: %d tickets to create, %d notes to send, %d work notes to write, %d records to update, %d elevations to open, %d to close. %d parked.   %d calls, GET only.\n",
		count[plan.TicketCreate], count[plan.TicketNote], count[plan.RecordNote], count[plan.RecordUpdate], count[plan.ElevationCreate], count[plan.ElevationClose], parked, p.Calls)
	for _, why := range p.Unread {
		a.tell("%s\n", why)
	}
}

// printBody prints the fields of a write, one line each, with what they came of.
func (a *app) printBody(body json.RawMessage, from map[string]string) {
	var fields map[string]any
	if len(body) == 0 || json.Unmarshal(body, &fields) != nil {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		text := fmt.Sprint(fields[name])
		if inner, ok := fields[name].(map[string]any); ok {
			var parts []string
			for _, key := range slices.Sorted(maps.Keys(inner)) {
				parts = append(parts, fmt.Sprint(inner[key]))
			}
			text = strings.Join(parts, ", ")
		}
		because := ""
		if why := from[name]; why != "" {
			because = "   ← " + why
		}
		a.say("    %-16s %s%s\n", name, strings.ReplaceAll(text, "\n", "⏎"), because)
	}
}
