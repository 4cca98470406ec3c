package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

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
		if link.Notice == "" && link.Unheard == "" {
			continue
		}
		n++
		if _, err := ledger.Revise(ctx, link.ID, func(story plan.Story) ([]plan.Op, plan.Promise, error) {
			story.Link.Notice, story.Link.Unheard = "", ""
			return nil, plan.Promise{Links: []plan.Link{story.Link}, At: a.now()}, nil
		}); err != nil {
			return err
		}
		a.say("%s: taken as seen: %s\n", link.Number, strings.TrimSpace(link.Notice+" "+link.Unheard))
	}
	if n == 0 {
		return &failure{code: exitUnable, err: fmt.Errorf("%s is not held, and status says nothing of it", name)}
	}
	return nil
}

// goOn ends a hold.
func (a *app) goOn(ctx context.Context, ledger *store.Ledger, hold plan.Hold, waiting int) error {
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
	if err := ledger.ReleaseRead(ctx, hold); errors.Is(err, plan.ErrStale) {
		return &failure{code: exitUnable, err: fmt.Errorf("more came to be held of %s meanwhile: look at it with bridge status, and try again", name)}
	} else if err != nil {
		return err
	}
	if hold.What == "" {
		a.say("%s goes on: %d creates will be sent\n", name, waiting)
		return nil
	}
	a.say("%s goes on\n", name)
	return nil
}
