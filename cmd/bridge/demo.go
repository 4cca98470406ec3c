package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"bridge/connector"
	"bridge/plan"
	"bridge/simulator"
)

func newDemo(a *app) *cobra.Command {
	var keep bool
	var rules string
	cmd := &cobra.Command{
		Use: "demo", Short: "The whole story in ten seconds, on simulators: no account, no network", Args: cobra.NoArgs,
		Example: "  bridge demo\n  bridge demo --keep",
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, err := os.MkdirTemp("", "bridge-demo-")
			if err != nil {
				return fmt.Errorf("make a folder for the demo: %w", err)
			}
			if !keep {
				defer os.RemoveAll(dir) //nolint:errcheck // a folder for temporary files
			}
			d := &demo{app: a, world: simulator.New(simulator.Config{Now: a.now}), keep: keep, names: map[string]string{}, told: map[string]plan.State{}}
			return d.run(cmd.Context(), dir, rules)
		},
	}
	cmd.Flags().BoolVar(&keep, "keep", false, "leave it running, with its files, until Ctrl-C")
	cmd.Flags().StringVar(&rules, "mappings", "mappings.yaml", "the rules that are played")
	return cmd
}

// demo plays people on both sides, and tells what the bridge makes of it.
type demo struct {
	*app
	world *simulator.World
	users simulator.Users
	keep  bool
	began time.Time
	names map[string]string
	// told is the state of each op that was last told.
	told map[string]plan.State
}

// run starts the simulators and the bridge, plays the story and prints what came of it.
func (d *demo) run(ctx context.Context, dir, rules string) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	running, err := d.world.Listen(ctx, "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("start the simulators: %w", err)
	}
	defer running.Close() //nolint:errcheck // all that it holds ends with it
	if rules, err = filepath.Abs(rules); err != nil {
		return err
	}
	path, err := running.WriteConfig(dir, rules)
	if err != nil {
		return fmt.Errorf("write the demo's files: %w", err)
	}
	inner := *d.app
	inner.configPath, inner.log = path, slog.New(slog.DiscardHandler)
	inner.env = func(string) (string, bool) { return "", false }
	b, err := inner.open(ctx, true)
	if err != nil {
		return err
	}
	defer b.ledger.Close() //nolint:errcheck // the demo's own
	d.say("bridge demo   no account, no network: both sides are simulated, on %s\n\n", running.URL)
	if err := d.story(ctx, b); err != nil {
		return err
	}
	if err := d.table(ctx, b); err != nil {
		return err
	}
	if d.keep {
		d.say("\nIt goes on until Ctrl-C. In another shell:\n  bridge status --config %s\n", path)
		return b.loop.Run(ctx, b.config.Poll.Interval, func(connector.Report, error) { d.progress(ctx, b) })
	}
	return nil
}

// scene is one step of the story: what people do, and how many cycles it takes.
type scene struct {
	text string
	do   func()
}

func (d *demo) story(ctx context.Context, b *bridge) error {
	d.began = d.now()
	d.users = d.world.Populate()
	w := d.world
	var incidents []string
	var task, item string
	ticket := func(n int) string { return w.ITSM.Row("incident", incidents[n])["correlation_id"] }
	scenes := []scene{
		{"three people call the desk; their incidents go to Microsoft Managed Desktop", func() {
			for _, title := range []string{"Laptop does not start", "No sound in meetings", "Outlook asks for a password"} {
				incidents = append(incidents, w.Incident(d.users, title, nil))
			}
		}},
		{"the vendor writes a note on the first ticket", func() {
			w.MMD.AddNote(ticket(0), "vera@vendor.example", "<p>We are shipping a <b>battery</b>.</p>")
		}},
		{"the customer answers with a comment", func() {
			w.ITSM.Comment("incident", incidents[0], "ada.byron", "Thanks! I will be at my desk.")
		}},
		{"the answer to a note gets lost on the way: the bridge looks before it sends again", func() {
			w.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "POST", Path: "addNote", Kind: simulator.LostAfter})
			w.ITSM.Comment("incident", incidents[1], "ada.byron", "It works with a headset.")
		}},
		{"a technician asks for local administrator rights: not yet approved, so nothing is done", func() {
			task, item = w.Task(d.users, incidents[0])
		}},
		{"Bea Long approves, who is not the requester", func() {
			w.ITSM.Decide("sc_req_item", item, d.users.Bea, "approved")
		}},
		{"the task is done and closed", func() {
			w.ITSM.Set("sc_task", task, map[string]string{"state": "3", "close_notes": "Replaced driver."})
		}},
		{"the vendor resolves the first ticket", func() {
			w.MMD.SetState(ticket(0), "resolved")
		}},
	}
	for _, s := range scenes {
		s.do()
		d.line("    ", s.text)
		if err := d.cycles(ctx, b); err != nil {
			return err
		}
	}
	return nil
}

// cycles lets the bridge work for a moment, and tells what it did.
func (d *demo) cycles(ctx context.Context, b *bridge) error {
	b.loop.Poller.Ahead = b.config.Poll.NotesMaxInterval
	for range 2 {
		if _, err := b.loop.Cycle(ctx); err != nil {
			return err
		}
		d.progress(ctx, b)
		select {
		case <-ctx.Done():
			return &failure{code: exitInterrupted}
		case <-time.After(550 * time.Millisecond): //nolint:forbidigo // a person reads along
		}
	}
	return nil
}

// line is one line of the story, with the seconds since it began.
func (d *demo) line(sign, text string) {
	d.say("%5.1fs %s %s\n", d.now().Sub(d.began).Seconds(), sign, text)
}

// progress tells the ops whose state has changed.
func (d *demo) progress(ctx context.Context, b *bridge) {
	for link, err := range b.ledger.Links(ctx, plan.LinkQuery{}) {
		if err == nil {
			d.names[link.ID] = strings.TrimSpace(link.Number + " " + link.MMD)
		}
	}
	for op, err := range b.ledger.Ops(ctx, plan.OpQuery{}) {
		if err != nil || d.told[op.Key] == op.State {
			continue
		}
		d.told[op.Key] = op.State
		what := map[plan.Kind]string{
			plan.TicketCreate: "ticket opened", plan.TicketNote: "note to the vendor", plan.RecordNote: "work note on the record",
			plan.RecordUpdate: "record updated", plan.ElevationCreate: "elevation opened", plan.ElevationClose: "elevation closed",
		}[op.Kind]
		switch op.State { //nolint:exhaustive // the others are on their way
		case plan.Done:
			why := op.Why
			if op.Reason != "" {
				why = op.Reason
			}
			d.line("  ✓", fmt.Sprintf("%-24s %-36s %s", what, d.names[op.Link], why))
		case plan.Unknown:
			d.line("  ?", fmt.Sprintf("%-24s %-36s outcome unknown, it is looked for", what, d.names[op.Link]))
		case plan.Parked:
			d.line("  !", fmt.Sprintf("%-24s %-36s %s", what, d.names[op.Link], op.Reason))
		}
	}
}

// notes counts the notes of a link, in both directions.
func (d *demo) notes(ctx context.Context, b *bridge, link string) (out, in int, err error) {
	for op, err := range b.ledger.Ops(ctx, plan.OpQuery{Links: []string{link}, States: []plan.State{plan.Done}}) {
		if err != nil {
			return 0, 0, err
		}
		switch op.Kind { //nolint:exhaustive // only notes are counted
		case plan.TicketNote:
			out++
		case plan.RecordNote:
			in++
		}
	}
	return out, in, nil
}

// table prints what happened, link by link.
func (d *demo) table(ctx context.Context, b *bridge) error {
	counts, err := b.ledger.Counts(ctx, d.now())
	if err != nil {
		return err
	}
	d.say("\n")
	table := tabwriter.NewWriter(d.stdout, 0, 4, 3, ' ', 0)
	row := func(cells ...any) {
		fmt.Fprintf(table, "  %v\t%v\t%v\t%v\t%v\t%v\n", cells...) //nolint:errcheck // Flush says it
	}
	row("record", "", "ticket or elevation", "notes out", "notes in", "stands")
	tickets := 0
	for link, err := range b.ledger.Links(ctx, plan.LinkQuery{}) {
		if err != nil {
			return err
		}
		out, in, err := d.notes(ctx, b, link.ID)
		if err != nil {
			return err
		}
		stands, title := "open", d.world.ITSM.Row(link.Table, link.Record)["short_description"]
		if link.Kind == plan.TicketLink {
			tickets++
			stands = map[string]string{"2": "in progress", "6": "resolved"}[d.world.ITSM.Row(link.Table, link.Record)["state"]]
		} else if !link.Ended.IsZero() {
			stands = "closed"
		}
		row(link.Number, title, link.MMD, out, in, stands)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	twice := len(d.world.MMD.Tickets()) - tickets
	d.say("\n  %d tickets · %d elevation · twice %d · owed %d · parked %d\n", len(d.world.MMD.Tickets()), len(d.world.MMD.Elevations()), twice, counts.Owed, counts.Parked)
	calls := b.calls.desk.Load() + b.calls.vendor.Load()
	d.say("  %d calls to the desk, %d to the vendor: %.0f a link, with %d polls of everything\n", b.calls.desk.Load(), b.calls.vendor.Load(), float64(calls)/float64(max(tickets, 1)), 16)
	if counts.Owed+counts.Twins+counts.Vanished+twice != 0 {
		return &failure{code: exitUnable, err: errors.New("the demo left something owed, lost or twice")}
	}
	return nil
}
