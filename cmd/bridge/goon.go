package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"bridge/mapping"
	"bridge/plan"
	"bridge/store"
)

// heldBy finds the holds of a rule, by any name that it had, or of a record by its number.
func heldBy(ctx context.Context, ledger *store.Ledger, rules *mapping.Rules, name string) ([]plan.Hold, error) {
	all, err := ledger.Holds(ctx)
	if err != nil {
		return nil, err
	}
	named := map[string]bool{}
	links, err := linksNamed(ctx, ledger, name)
	if err != nil {
		return nil, err
	}
	for _, link := range links {
		named[link.ID] = true
	}
	return slices.DeleteFunc(all, func(h plan.Hold) bool { return !named[h.Rule] && rules.Current(h.Rule) != rules.Current(name) }), nil
}

// seen takes what status says of a record as seen by a person.
func (a *app) seen(ctx context.Context, ledger *store.Ledger, name string) error {
	links, err := linksNamed(ctx, ledger, name)
	if err != nil {
		return err
	}
	n := 0
	for _, link := range links {
		needs := linkNeeds(link)
		if len(needs) == 0 {
			continue
		}
		n++
		if _, err := ledger.Revise(ctx, link.ID, func(story plan.Story) ([]plan.Op, plan.Promise, error) {
			return nil, plan.Promise{Links: []plan.Link{story.Link.TakenAsSeen(link)}, At: a.now()}, nil
		}); err != nil {
			return err
		}
		for _, n := range needs {
			a.say("%s: taken as seen: %s\n", link.Number, n.Reason)
		}
	}
	if n == 0 {
		return &failure{code: exitUnable, err: fmt.Errorf("%s is not held, and status says nothing of it", name)}
	}
	return nil
}

// goOn ends holds, all of them or none.
func (a *app) goOn(ctx context.Context, ledger *store.Ledger, holds []plan.Hold, waiting int) error {
	ended, number := map[string]bool{}, map[string]string{}
	err := ledger.GoOn(ctx, holds, func(link plan.Link, hold plan.Hold) plan.Link {
		number[link.ID], ended[link.ID] = link.Number, link.ByHand
		return plan.GoOn(link, hold, a.now())
	})
	if errors.Is(err, plan.ErrStale) {
		return &failure{code: exitUnable, err: errors.New("more came to be held meanwhile, and nothing was let go: look at it with bridge status, and try again")}
	}
	if err != nil {
		return err
	}
	for _, hold := range holds {
		name := orElse(number[hold.Rule], "rule "+hold.Rule)
		switch {
		case ended[hold.Rule]:
			a.say("%s is held no more, and stays as it is: it was ended by hand\n", name)
		case hold.What == "":
			a.say("%s goes on: %d creates will be sent\n", name, waiting)
		default:
			a.say("%s goes on\n", name)
		}
	}
	return nil
}
