package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"bridge/cmd/bridge/config"
	"bridge/connector"
	"bridge/itsm"
	"bridge/mapping"
	"bridge/mmd"
	"bridge/plan"
	"bridge/rest"
	"bridge/store"
)

// bridge is everything that one run needs, wired together.
type bridge struct {
	config *config.Config
	rules  *mapping.Rules
	ledger store.Ledger
	itsm   *itsm.Client
	mmd    *mmd.Client
	loop   *connector.Connector
	calls  *calls
}

// open loads config and rules, opens the ledger and wires the loop. Nothing is
// asked of a side, and nothing is sent, before all of it stands.
func (a *app) open(ctx context.Context, worker bool) (*bridge, error) {
	cfg, rules, err := a.load()
	if err != nil {
		return nil, err
	}
	b := &bridge{config: cfg, rules: rules, calls: &calls{}}
	if err := a.connect(b); err != nil {
		return nil, err
	}
	if b.ledger, err = a.openLedger(ctx, cfg, worker); err != nil {
		return nil, err
	}
	b.loop = a.wire(b)
	return b, nil
}

// Close closes the ledger.
func (b *bridge) Close() error { return b.ledger.Close() }

// openLedger opens the ledger and binds it to its pair of instances, for ever.
func (a *app) openLedger(ctx context.Context, cfg *config.Config, worker bool) (store.Ledger, error) {
	ledger, err := store.Open(ctx, store.Config{URL: cfg.Store, Dir: cfg.Dir, Worker: worker, Holder: a.holder()})
	if err != nil {
		return nil, err
	}
	bound := strings.Join([]string{cfg.ITSM.URL.String(), cfg.MMD.URL.String(), cfg.MMD.Tenant}, " ")
	was, err := ledger.Meta(ctx, "bound")
	switch {
	case err != nil:
	case was == "":
		err = ledger.SetMeta(ctx, "bound", bound)
	case was != bound:
		err = &failure{code: exitUsage, err: fmt.Errorf("the ledger %s belongs to %s and cannot serve %s", cfg.Store, was, bound)}
	}
	if err != nil {
		return nil, errors.Join(err, ledger.Close())
	}
	return ledger, nil
}

// connect makes the two clients.
func (a *app) connect(b *bridge) error {
	cfg := b.config
	desk, err := itsm.New(itsm.Config{
		URL: cfg.ITSM.URL, Auth: deskAuth(cfg), Transport: a.transport(cfg.ITSM.TLS, a.ways.itsm),
		Observe: b.calls.itsm, Now: a.now,
	})
	if err != nil {
		return fmt.Errorf("itsm: %w", err)
	}
	authority := a.transport(cfg.MMD.TLS, a.ways.authority)
	tokens, err := vendorTokens(cfg, &http.Client{Transport: authority, Timeout: time.Minute})
	if err != nil {
		return fmt.Errorf("mmd.auth: %w", err)
	}
	vendor, err := mmd.New(mmd.Config{
		URL: cfg.MMD.URL, Tenant: cfg.MMD.Tenant, Token: tokens, Transport: a.transport(cfg.MMD.TLS, a.ways.mmd), Observe: b.calls.mmd,
	})
	if err != nil {
		return fmt.Errorf("mmd: %w", err)
	}
	b.itsm, b.mmd = desk, vendor
	return nil
}

// wire is the wiring diagram of the loop.
func (a *app) wire(b *bridge) *connector.Connector {
	cfg := b.config
	planner := plan.Planner{
		Rules: b.rules, Pair: plan.Pair{Host: cfg.ITSM.URL.Hostname(), Tenant: cfg.MMD.Tenant},
		NotesEvery: cfg.Poll.Interval, NotesMax: cfg.Poll.NotesMaxInterval, Settle: cfg.Send.Settle,
	}
	return &connector.Connector{
		Now: a.now, Log: a.log,
		Poller: connector.Poller{
			Desk: b.itsm, Tickets: b.mmd.Tickets, Elevations: b.mmd.Elevations, Ledger: b.ledger, Planner: planner,
			FullScan: cfg.Poll.FullScan, Creates: cfg.Limits.Creates, Readers: cfg.Send.MMD, Log: a.log, Now: a.now,
		},
		Sender: connector.Sender{
			Desk: b.itsm, DeskWriter: b.itsm,
			Tickets: b.mmd.Tickets, TicketWriter: b.mmd.Tickets, Elevations: b.mmd.Elevations, ElevationWriter: b.mmd.Elevations,
			Ledger: b.ledger, Planner: planner,
			Timing:      plan.Timing{Budget: cfg.Send.Budget, Settle: cfg.Send.Settle},
			Concurrency: map[plan.Side]int{plan.ITSM: cfg.Send.ITSM, plan.MMD: cfg.Send.MMD},
			Fresh:       cfg.Send.Fresh, Log: a.log, Now: a.now,
		},
	}
}

// transport is the way to a side: over TLS, unless a simulator stands in for it.
func (a *app) transport(_ any, way http.RoundTripper) http.RoundTripper {
	if way != nil {
		return way
	}
	return rest.Transport(nil)
}
