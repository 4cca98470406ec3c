package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"bridge/plan"
	"bridge/store"
)

// newDrop cancels writes on a person's word.
func newDrop(a *app) *cobra.Command {
	return a.onWord(&cobra.Command{
		Use: "drop KEY|NUMBER … --reason WHY", Short: "Cancel writes that are owed", Args: cobra.MinimumNArgs(1),
		Long: "Cancels writes that are parked, in doubt or not sent yet: those named by their key (as status shows it), or all\n" +
			"of a record named by its number. They are never sent again by themselves. One that may have been done is not\n" +
			"sent again, and watched: an elevation request that appears all the same is closed, a ticket is told as a twin.\n" +
			"While one of a record is being sent, none of that record is dropped.",
		Example: "  bridge drop INC0012340 --reason \"solved by phone\"",
	}, func(ctx context.Context, ledger *store.Ledger, name, reason string) error {
		ops, err := owedBy(ctx, ledger, name)
		if err != nil {
			return err
		}
		var keys []string // all that is owed
		if ops[0].Key == name {
			keys = []string{name}
		}
		var links []string
		for _, op := range ops {
			if !slices.Contains(links, op.Link) {
				links = append(links, op.Link)
			}
		}
		for _, link := range links {
			err = errors.Join(err, a.revise(ctx, ledger, link, func(story plan.Story) ([]plan.Op, plan.Promise, error) {
				return plan.DropByHand(story, keys, reason, a.now())
			}))
		}
		return err
	})
}

// onWord makes a command that changes the ledger for a reason that has to be given.
func (a *app) onWord(cmd *cobra.Command, do func(ctx context.Context, ledger *store.Ledger, name, reason string) error) *cobra.Command {
	var reason string
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if reason == "" {
			return &failure{code: exitUsage, err: errors.New("--reason says why, for those who read the story later")}
		}
		ledger, err := a.openForReading(cmd.Context())
		if err != nil {
			return err
		}
		defer ledger.Close() //nolint:errcheck // each write was answered for itself
		if _, err := ledger.RecoverByHand(cmd.Context(), a.now()); err != nil {
			return fmt.Errorf("recover what a worker left behind: %w", err)
		}
		for _, name := range args {
			if err := do(cmd.Context(), ledger, name, reason); err != nil {
				return err
			}
		}
		return nil
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why, for those who read the story later")
	return cmd
}

// revise changes a link and what is owed under it, all of it or nothing, and says so.
func (a *app) revise(ctx context.Context, ledger *store.Ledger, id string, decide func(plan.Story) ([]plan.Op, plan.Promise, error)) error {
	var link plan.Link
	var ops []plan.Op
	var promise plan.Promise
	after, err := ledger.Revise(ctx, id, func(story plan.Story) (_ []plan.Op, _ plan.Promise, err error) {
		link = story.Link
		ops, promise, err = decide(story)
		return ops, promise, err
	})
	switch {
	case errors.Is(err, plan.ErrBegun):
		return &failure{code: exitUnable, err: fmt.Errorf("nothing was changed: %w", err)}
	case err != nil:
		return fmt.Errorf("change link %s: %w", id, err)
	}
	for _, op := range ops {
		a.say("%s is %s: %s\n", op.Key, op.State, op.Reason)
	}
	if len(promise.Links) > 0 {
		a.say("%s is not linked to %s any more\n", link.Number, orElse(link.MMD, "a ticket"))
	}
	if said := a.rights(after, append(ops, promise.Ops...), len(promise.Links) > 0); said != "" {
		a.say("%s: elevation request %s %s\n", link.Number, link.MMD, said)
	}
	return nil
}

// rights says what becomes of the rights of a link's elevation request, if a person's word
// was about its close, or ended the link while that is owed.
func (a *app) rights(after plan.Story, named []plan.Op, ended bool) string {
	var last plan.Op
	for _, op := range after.Ops {
		if op.Kind == plan.ElevationClose {
			last = op
		}
	}
	if last.State.Ended() && !slices.ContainsFunc(named, func(op plan.Op) bool { return op.Key == last.Key }) || !last.State.Ended() && !ended && !last.Undo {
		return ""
	}
	byHand := ": bridge mmd close-elevation " + after.Link.MMD + " closes it"
	switch {
	case last.Key == "" || last.State == plan.Done:
		return ""
	case last.State == plan.Cancelled:
		return "stays open, since its close was dropped by hand" + byHand
	case last.Undo:
		return "may stay open, since its close may have been done and is not sent again" + byHand
	case last.Due.After(a.now()):
		return "is closed by the first run after " + last.Due.UTC().Format(time.RFC3339)
	}
	return "is closed by the next run"
}

// owedBy finds what is owed under a key, or to a record.
func owedBy(ctx context.Context, ledger *store.Ledger, name string) ([]plan.Op, error) {
	q := plan.OpQuery{Keys: []string{name}}
	links, err := linksNamed(ctx, ledger, name)
	if err != nil {
		return nil, err
	}
	if len(links) > 0 {
		q = plan.OpQuery{Owed: true}
		for _, link := range links {
			q.Links = append(q.Links, link.ID)
		}
	}
	var out []plan.Op
	for op, err := range ledger.Ops(ctx, q) {
		if err != nil {
			return nil, err
		}
		out = append(out, op)
	}
	if len(out) == 0 {
		return nil, &failure{code: exitUnable, err: fmt.Errorf("%s: no such write in the ledger, and no record that is owed one: bridge status lists them", name)}
	}
	return out, nil
}
