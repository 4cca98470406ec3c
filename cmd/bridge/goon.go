package main

import (
	"context"
	"fmt"

	"bridge/plan"
	"bridge/store"
)

// heldBy finds the hold of a rule, or of a record by its number.
func heldBy(ctx context.Context, ledger *store.Ledger, name string) (plan.Hold, error) {
	holds, err := ledger.Holds(ctx)
	if err != nil {
		return plan.Hold{}, err
	}
	named := map[string]bool{name: true}
	links, err := linksNamed(ctx, ledger, name)
	if err != nil {
		return plan.Hold{}, err
	}
	for _, link := range links {
		named[link.ID] = true
	}
	for _, h := range holds {
		if named[h.Rule] {
			return h, nil
		}
	}
	return plan.Hold{}, &failure{code: exitUnable, err: fmt.Errorf("%s is not held", name)}
}

// goOn ends a hold that is not about how many creates there are.
func (a *app) goOn(ctx context.Context, ledger *store.Ledger, hold plan.Hold) error {
	name := "rule " + hold.Rule
	for link, err := range ledger.Links(ctx, plan.LinkQuery{IDs: []string{hold.Rule}}) {
		if err != nil {
			return err
		}
		name, link.Calmed, link.Notice = link.Number, a.now(), ""
		if _, err := ledger.Promise(ctx, plan.Promise{Links: []plan.Link{plan.GoOn(link, hold)}, At: a.now()}); err != nil {
			return err
		}
	}
	if err := ledger.Release(ctx, hold.Rule); err != nil {
		return err
	}
	a.say("%s goes on\n", name)
	return nil
}
