package main

import (
	"context"
	"crypto/tls"
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
	ledger *store.Ledger
	desk   *itsm.Client
	vendor *mmd.Client
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
		return nil, &failure{code: exitUsage, err: err}
	}
	b.ledger, err = a.openLedger(ctx, cfg, worker)
	if !worker && errors.Is(err, store.ErrMissing) { // to look at what the first run would do
		b.ledger, err = store.Open(ctx, store.Config{URL: "sqlite::memory:"})
	}
	if err != nil {
		return nil, err
	}
	if err := rulesOfLinks(ctx, rules, b.ledger); err != nil {
		return nil, errors.Join(err, b.ledger.Close())
	}
	b.loop = a.wire(b)
	return b, nil
}

// openForReading opens the ledger beside a running service: without its lock.
func (a *app) openForReading(ctx context.Context) (*store.Ledger, error) {
	cfg, _, err := a.load()
	if err != nil {
		return nil, err
	}
	return a.openLedger(ctx, cfg, false)
}

// openLedger opens the ledger and binds it to its pair of instances, for ever.
func (a *app) openLedger(ctx context.Context, cfg *config.Config, worker bool) (*store.Ledger, error) {
	ledger, err := store.Open(ctx, store.Config{URL: cfg.Store, Dir: cfg.Dir, Worker: worker, Holder: a.holder(), Now: a.now})
	if err != nil {
		return nil, err
	}
	a.now = ledger.Now
	bound := strings.Join([]string{cfg.ITSM.URL.String(), cfg.MMD.URL.String(), cfg.MMD.Tenant}, " ")
	was, err := ledger.Meta(ctx, "bound")
	switch {
	case err != nil:
	case was == "":
		err = ledger.SetMeta(ctx, "bound", bound)
	case was != bound:
		err = &failure{code: exitUsage, err: fmt.Errorf("the ledger %s belongs to %s and cannot serve %s", cfg.StoreName(), was, bound)}
	}
	if err != nil {
		return nil, errors.Join(err, ledger.Close())
	}
	return ledger, nil
}

// rulesOfLinks refuses to start while a rule with open links is not in the file:
// what becomes of them has to be said.
func rulesOfLinks(ctx context.Context, rules *mapping.Rules, ledger *store.Ledger) error {
	gone := map[string]int{}
	for link, err := range ledger.Links(ctx, plan.LinkQuery{Open: true}) {
		if err != nil {
			return err
		}
		if link.Kind == plan.TicketLink && rules.Ticket(link.Rule) == nil || link.Kind == plan.ElevationLink && rules.Elevation(link.Rule) == nil {
			gone[link.Rule]++
		}
	}
	for name, n := range gone {
		return &failure{code: exitUsage, err: fmt.Errorf("rule %q has %d open links and is not in the rules file: add was: [%s] to the rule that takes them, or bridge end-rule %s", name, n, name, name)}
	}
	return nil
}

// connect makes the two clients.
func (a *app) connect(b *bridge) error {
	cfg := b.config
	now := func() time.Time { return a.now() } // the ledger's, when it is open
	var err error
	b.desk, err = itsm.New(itsm.Config{
		URL: cfg.ITSM.URL, Transport: way(a.ways.itsm, cfg.ITSM.TLS), Observe: b.calls.itsm, Now: now,
		Auth: itsm.Auth{
			Type: cfg.ITSM.Auth.Type, Username: cfg.ITSM.Auth.Username, Password: cfg.ITSM.Auth.Password.Reveal(),
			ClientID: cfg.ITSM.Auth.ClientID, ClientSecret: cfg.ITSM.Auth.ClientSecret.Reveal(), Key: cfg.ITSM.Auth.Key.Reveal(),
		},
	})
	if err != nil {
		return fmt.Errorf("itsm: %w", err)
	}
	tokens, err := a.tokens(cfg)
	if err != nil {
		return fmt.Errorf("mmd.auth: %w", err)
	}
	b.vendor, err = mmd.New(mmd.Config{
		URL: cfg.MMD.URL, Tenant: cfg.MMD.Tenant, Tokens: tokens, Transport: way(a.ways.mmd, cfg.MMD.TLS), Observe: b.calls.mmd, Now: now,
	})
	if err != nil {
		return fmt.Errorf("mmd: %w", err)
	}
	return nil
}

// way is the way to a side: over TLS, unless a stand-in is there.
func way(standIn http.RoundTripper, config *tls.Config) http.RoundTripper {
	if standIn != nil {
		return standIn
	}
	return rest.Transport(config)
}

// wire is the wiring diagram of the loop.
func (a *app) wire(b *bridge) *connector.Connector {
	cfg := b.config
	planner := plan.Planner{
		Rules: b.rules, Pair: plan.Pair{Host: cfg.ITSM.URL.Hostname(), Tenant: cfg.MMD.Tenant},
		NotesEvery: cfg.Poll.Interval, NotesMax: cfg.Poll.NotesMaxInterval, Settle: cfg.Send.Settle,
		EndAfter: cfg.Links.EndAfter, NotesPerHour: cfg.Limits.NotesPerHour,
	}
	timing := plan.Timing{Budget: cfg.Send.Budget, Settle: cfg.Send.Settle, Resend: map[plan.Kind]bool{}}
	for _, kind := range cfg.Send.Resend {
		timing.Resend[plan.Kind(kind)] = true
	}
	return &connector.Connector{
		Now: a.now, Log: a.log,
		Poller: connector.Poller{
			Desk: b.desk, Tickets: b.vendor.Tickets, Elevations: b.vendor.Elevations, Ledger: b.ledger, Planner: planner,
			FullScan: cfg.Poll.FullScan, Creates: cfg.Limits.Creates, Readers: cfg.Send.MMD, Timing: timing, Log: a.log, Now: a.now,
		},
		Sender: connector.Sender{
			Desk: b.desk, DeskWriter: b.desk,
			Tickets: b.vendor.Tickets, TicketWriter: b.vendor.Tickets, Elevations: b.vendor.Elevations, ElevationWriter: b.vendor.Elevations,
			Ledger: b.ledger, Planner: planner,
			Timing:      timing,
			Concurrency: map[plan.Side]int{plan.ITSM: cfg.Send.ITSM, plan.MMD: cfg.Send.MMD},
			Fresh:       cfg.Send.Fresh, Log: a.log, Now: a.now,
		},
	}
}
