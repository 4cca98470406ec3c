package main

import (
	"context"
	"errors"
	"fmt"

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
			"sent again, and watched: an elevation request that appears all the same is closed.",
		Example: "  bridge drop INC0012340 --reason \"solved by phone\"",
	}, func(ctx context.Context, ledger *store.Ledger, name, reason string) error {
		ops, err := owedBy(ctx, ledger, name)
		if err != nil {
			return err
		}
		ended := map[string]bool{}
		for _, op := range ops {
			if ended[op.Link] {
				continue // it was behind a ticket that was dropped
			}
			if err := a.drop(ctx, ledger, op, reason); err != nil {
				return err
			}
			if op.Kind == plan.TicketCreate { // nothing waits for it any more
				if err := a.endLinks(ctx, ledger, op.Link, "its ticket was dropped: "+reason); err != nil {
					return err
				}
				ended[op.Link] = true
			}
		}
		return nil
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

// drop cancels one write, or has it watched.
func (a *app) drop(ctx context.Context, ledger *store.Ledger, op plan.Op, reason string) error {
	dropped, err := plan.Dropped(op, reason, a.now())
	if err != nil {
		return &failure{code: exitUnable, err: err}
	}
	if _, err := ledger.Settle(ctx, dropped, plan.Promise{At: a.now()}); err != nil {
		return fmt.Errorf("drop %s: %w", op.Key, err)
	}
	a.say("%s is %s: %s\n", dropped.Key, dropped.State, dropped.Reason)
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
