package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

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
	added, err := ledger.Revise(ctx, id, func(story plan.Story) (_ []plan.Op, _ plan.Promise, err error) {
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
	open := len(promise.Ops) > len(added)
	for _, op := range ops {
		a.say("%s is %s: %s\n", op.Key, op.State, op.Reason)
		open = open || op.Kind == plan.ElevationClose
	}
	if len(promise.Links) > 0 {
		if err := a.letGo(ctx, ledger, link); err != nil {
			return err
		}
	}
	switch {
	case open:
		a.say("%s: elevation request %s stays open, since its close was dropped by hand: bridge mmd close-elevation %s closes it\n", link.Number, link.MMD, link.MMD)
	case len(added) > 0:
		a.say("%s: elevation request %s is closed by the next run\n", link.Number, link.MMD)
	}
	return nil
}

// letGo ends what is held of a link that ended: there is nothing left to let go on.
func (a *app) letGo(ctx context.Context, ledger *store.Ledger, link plan.Link) error {
	for _, what := range []string{plan.HoldsNotes, plan.HoldsReopened} {
		if err := ledger.Release(ctx, plan.Hold{Rule: link.ID, What: what}); err != nil {
			return fmt.Errorf("let go of what is held of %s: %w", link.Number, err)
		}
	}
	a.say("%s is not linked to %s any more\n", link.Number, orElse(link.MMD, "a ticket"))
	return nil
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
