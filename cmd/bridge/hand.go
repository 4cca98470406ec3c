package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"bridge/mapping"
	"bridge/plan"
	"bridge/store"
)

// newRetry makes parked, doubtful and waiting ops due now.
func newRetry(a *app) *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use: "retry KEY|NUMBER …", Short: "Send parked, doubtful or waiting writes again", Args: cobra.MinimumNArgs(1),
		Long: "Makes writes due now: those named by their key (as status shows it), or all of a record named by its number.\n" +
			"What they were decided on is read again before they are sent.",
		Example: "  bridge retry INC0012340 --reason \"caller has an e-mail now\"",
		RunE: func(cmd *cobra.Command, args []string) error {
			ledger, err := a.openForReading(cmd.Context())
			if err != nil {
				return err
			}
			defer ledger.Close() //nolint:errcheck // each write was answered for itself
			for _, name := range args {
				keys, err := opsNamed(cmd.Context(), ledger, name)
				if err != nil {
					return err
				}
				for _, key := range keys {
					if err := ledger.Retry(cmd.Context(), key, reason, a.now()); err != nil {
						return err
					}
					a.say("%s is due now\n", key)
				}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "by hand", "why, for those who read the story later")
	return cmd
}

// opsNamed finds the ops that wait for a person, by key or by record number.
func opsNamed(ctx context.Context, ledger *store.Ledger, name string) ([]string, error) {
	if strings.Contains(name, "/") {
		return []string{name}, nil
	}
	found, err := linksNamed(ctx, ledger, name)
	if err != nil {
		return nil, err
	}
	var links []string
	for _, link := range found {
		links = append(links, link.ID)
	}
	if len(links) == 0 {
		return nil, &failure{code: exitUnable, err: fmt.Errorf("no link of %s in the ledger", name)}
	}
	var keys []string
	for op, err := range ledger.Ops(ctx, plan.OpQuery{Links: links, States: []plan.State{plan.Parked, plan.Doubt, plan.Promised}}) {
		if err != nil {
			return nil, err
		}
		keys = append(keys, op.Key)
	}
	if len(keys) == 0 {
		return nil, &failure{code: exitUnable, err: fmt.Errorf("%s has nothing that waits for a retry", name)}
	}
	return keys, nil
}

// linksNamed finds the links of a record or ticket, by number or id.
func linksNamed(ctx context.Context, ledger *store.Ledger, name string) ([]plan.Link, error) {
	var out []plan.Link
	for link, err := range ledger.Links(ctx, plan.LinkQuery{}) {
		if err != nil {
			return nil, err
		}
		if strings.EqualFold(link.Number, name) || link.Record == name || link.MMD == name {
			out = append(out, link)
		}
	}
	return out, nil
}

// newResume lets go on what is held: a rule, or the notes of a link.
func newResume(a *app) *cobra.Command {
	var accept int
	cmd := &cobra.Command{
		Use: "resume RULE|NUMBER [--accept N]", Short: "Let go on what is held: a rule, or the notes of a record", Args: cobra.ExactArgs(1),
		Long: "A rule that promised more creates in one cycle than limits.creates is held until a person accepts them.\n" +
			"N is how many: if more are waiting now than were looked at, nothing is let through.\n" +
			"A rule whose writes are refused one after the other, a record whose notes ran away, and one that was opened\n" +
			"again under reopen: hold go on without a number. What status says of a record that is not held is taken as\n" +
			"seen: a notice is said again if it is found again, a twin or a vanished note only if it is another one.",
		Example: "  bridge plan\n  bridge resume incident --accept 4000\n  bridge resume INC0012340",
		RunE: func(cmd *cobra.Command, args []string) error {
			ledger, err := a.openForReading(cmd.Context())
			if err != nil {
				return err
			}
			defer ledger.Close() //nolint:errcheck // the release was answered for itself
			return a.resume(cmd.Context(), ledger, args[0], accept)
		},
	}
	cmd.Flags().IntVar(&accept, "accept", 0, "how many creates are accepted")
	return cmd
}

// resume ends all holds of a name, or none: creates that nobody has looked at hold the
// rest back.
func (a *app) resume(ctx context.Context, ledger *store.Ledger, name string, accept int) error {
	_, rules, err := a.load()
	if err != nil {
		return err
	}
	holds, err := heldBy(ctx, ledger, rules, name)
	if err != nil {
		return err
	}
	if len(holds) == 0 {
		return a.seen(ctx, ledger, name)
	}
	waiting := 0
	if slices.ContainsFunc(holds, func(h plan.Hold) bool { return h.What == "" }) { // counted after they were read: more is held anew
		if waiting, err = accepted(ctx, ledger, rules, name, accept); err != nil {
			return err
		}
	}
	return a.goOn(ctx, ledger, holds, waiting)
}

// accepted counts the creates of a rule that wait, under any name that it had, and refuses
// more than were accepted.
func accepted(ctx context.Context, ledger *store.Ledger, rules *mapping.Rules, rule string, accept int) (waiting int, err error) {
	for op, err := range ledger.Ops(ctx, plan.OpQuery{States: []plan.State{plan.Promised}}) {
		if err != nil {
			return 0, err
		}
		if op.Kind.Creates() && rules.Current(op.Rule) == rules.Current(rule) {
			waiting++
		}
	}
	if waiting > accept {
		return waiting, &failure{code: exitUnable, err: fmt.Errorf("%d creates of rule %s wait, %d were accepted: look at them with bridge status, then accept %d", waiting, rule, accept, waiting)}
	}
	return waiting, nil
}
