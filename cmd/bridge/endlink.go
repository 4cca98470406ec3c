package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bridge/itsm"
	"bridge/plan"
	"bridge/store"
)

// newEndLink ends the links of a record.
func newEndLink(a *app) *cobra.Command {
	return a.onWord(&cobra.Command{
		Use: "end-link NUMBER|TICKET … --reason WHY", Short: "End the link of a record: nothing is passed on any more", Args: cobra.MinimumNArgs(1),
		Long: "Ends the links of a record, named by its number, sys_id or ticket. What is owed and not sent is cancelled; an\n" +
			"elevation request that is open is closed by the next run. Nothing that is read opens such a link again. While a\n" +
			"write of a link is being sent, that link is left as it is.",
		Example: "  bridge end-link INC0012340 --reason \"goes on with another vendor\"",
	}, func(ctx context.Context, ledger *store.Ledger, name, reason string) error {
		links, err := linksNamed(ctx, ledger, name)
		if err == nil && len(links) == 0 {
			err = &failure{code: exitUnable, err: fmt.Errorf("no link of %s in the ledger", name)}
		}
		for _, link := range links {
			err = errors.Join(err, a.endLink(ctx, ledger, link.ID, "ended by hand: "+reason))
		}
		return err
	})
}

// newEndRule ends the links of a rule that is gone.
func newEndRule(a *app) *cobra.Command {
	return a.onWord(&cobra.Command{
		Use: "end-rule RULE --reason WHY", Short: "End all open links of a rule", Args: cobra.ExactArgs(1),
		Long: "Ends every open link of a rule that is not in the rules file any more (or is to end), as bridge end-link does. To\n" +
			"hand its links to another rule instead, write was: [RULE] there.",
		Example: "  bridge end-rule incident --reason \"the contract ended\"",
	}, func(ctx context.Context, ledger *store.Ledger, name, reason string) error {
		links, err := a.linksOfRule(ctx, ledger, name)
		if err != nil {
			return err
		}
		if len(links) == 0 {
			return &failure{code: exitUnable, err: fmt.Errorf("rule %s has no open links", name)}
		}
		var left []error
		for i, link := range links {
			err := a.endLink(ctx, ledger, link.ID, "its rule ended: "+reason)
			if err == nil {
				continue
			}
			left = append(left, fmt.Errorf("%s is still linked: %w", link.Number, err))
			if !errors.Is(err, plan.ErrBegun) {
				return errors.Join(append(left, fmt.Errorf("%d links of rule %s were not looked at", len(links)-i-1, name))...)
			}
		}
		if len(left) > 0 {
			a.say("%d of %d links of rule %s were ended: run it again for the others\n", len(links)-len(left), len(links), name)
		}
		return errors.Join(left...)
	})
}

// linksOfRule finds the open links of a rule, under any name that it had.
func (a *app) linksOfRule(ctx context.Context, ledger *store.Ledger, name string) (out []plan.Link, err error) {
	_, rules, err := a.load()
	if err != nil {
		return nil, err
	}
	for link, err := range ledger.Links(ctx, plan.LinkQuery{Open: true}) {
		if err != nil {
			return nil, err
		}
		if rules.Current(link.Rule) == rules.Current(name) {
			out = append(out, link)
		}
	}
	return out, nil
}

// endLink cancels what is owed under a link, and ends it, or does nothing of that.
func (a *app) endLink(ctx context.Context, ledger *store.Ledger, id, why string) error {
	return a.revise(ctx, ledger, id, func(story plan.Story) ([]plan.Op, plan.Promise, error) {
		return plan.EndByHand(story, why, a.now())
	})
}

// newSkip keeps a record from ever becoming a ticket.
func newSkip(a *app) *cobra.Command {
	return a.onWord(&cobra.Command{
		Use: "skip NUMBER … --reason WHY", Short: "Never make a ticket of a record", Args: cobra.MinimumNArgs(1),
		Long: "Keeps a record from becoming a ticket: what is owed for it and not sent is cancelled. A record that has its\n" +
			"ticket already is ended with bridge end-link.",
		Example: "  bridge skip INC0012340 --reason \"was sent by hand\"",
	}, func(ctx context.Context, ledger *store.Ledger, name, reason string) error {
		links, err := linksNamed(ctx, ledger, name)
		if err != nil {
			return err
		}
		for _, link := range links {
			if link.Kind != plan.TicketLink {
				continue
			}
			if link.MMD != "" {
				return &failure{code: exitUnable, err: fmt.Errorf("%s has ticket %s: bridge end-link ends that", link.Number, link.MMD)}
			}
			return a.endLink(ctx, ledger, link.ID, "skipped by hand: "+reason)
		}
		link, err := a.stranger(ctx, name)
		if err != nil {
			return err
		}
		link.EndedBy = "skipped by hand: " + reason
		if _, err := ledger.Promise(ctx, plan.Promise{Links: []plan.Link{link}, At: a.now()}); err != nil {
			return fmt.Errorf("skip %s: %w", name, err)
		}
		a.say("%s will never become a ticket\n", link.Number)
		return nil
	})
}

// stranger finds a record on the desk that the ledger does not know, and gives the
// ended link that keeps it from becoming a ticket.
func (a *app) stranger(ctx context.Context, number string) (plan.Link, error) {
	cfg, rules, err := a.load()
	if err != nil {
		return plan.Link{}, err
	}
	b := &bridge{config: cfg, rules: rules, calls: &calls{}}
	if err := a.connect(b); err != nil {
		return plan.Link{}, &failure{code: exitUsage, err: err}
	}
	if strings.ContainsAny(number, "^=: ") {
		return plan.Link{}, &failure{code: exitUsage, err: fmt.Errorf("%q is no record number", number)}
	}
	for _, rule := range rules.Tickets {
		ask := itsm.Ask{Table: rule.Table, Query: "number=" + number, Fields: []string{"sys_id", "number", "sys_mod_count", "sys_updated_on"}}
		for rec, err := range b.desk.Changes(ctx, ask, time.Time{}) {
			if err != nil {
				return plan.Link{}, fmt.Errorf("look for %s in %s: %w", number, rule.Table, err)
			}
			if rec.Value("number") != number {
				continue // the instance dropped the condition
			}
			id := rec.Value("sys_id")
			return plan.Link{
				ID: plan.LinkID(plan.TicketLink, id), Kind: plan.TicketLink, Rule: rule.Name, Table: rule.Table, Record: id, Number: number,
				Generation: 1, Created: a.now(), Moved: a.now(), Ended: a.now(), ByHand: true, Rev: rec.Value("sys_mod_count"),
			}, nil
		}
	}
	return plan.Link{}, &failure{code: exitUnable, err: fmt.Errorf("no record %s in a table of the rules", number)}
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
