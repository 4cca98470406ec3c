package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"bridge/connector"
	"bridge/plan"
	"bridge/rest"
)

// calls counts the requests of a run, by side.
type calls struct {
	desk, vendor atomic.Int64
	// ended hears of each that ended, however it did; nil: nobody wants to.
	ended func()
}

func (c *calls) itsm(rest.Call) { c.count(&c.desk) }
func (c *calls) mmd(rest.Call)  { c.count(&c.vendor) }

func (c *calls) count(side *atomic.Int64) {
	side.Add(1)
	if c.ended != nil {
		c.ended()
	}
}

func newRun(a *app) *cobra.Command {
	var once bool
	var okExit []int
	cmd := &cobra.Command{
		Use: "run", Short: "Poll both sides and send what is owed, until told to stop", Args: cobra.NoArgs,
		Long: "Polls both sides and sends what is owed until SIGTERM or SIGINT; what is in flight then is finished\n" +
			"or handed back. With --once it does one full cycle for a scheduler, and its last line says what it did.",
		Example: "  bridge run --config /etc/bridge/bridge.yaml\n  bridge run --once --ok-exit 3,4",
		RunE: func(cmd *cobra.Command, _ []string) error {
			b, err := a.open(cmd.Context(), true)
			if err != nil {
				return err
			}
			if once {
				err = a.runOnce(cmd.Context(), b)
			} else {
				err = a.serve(cmd.Context(), b)
			}
			return okay(errors.Join(err, b.ledger.Close()), okExit)
		},
	}
	cmd.Flags().BoolVar(&once, "once", false, "one full cycle: read everything due, send until nothing is due now, exit")
	cmd.Flags().IntSliceVar(&okExit, "ok-exit", nil, "exit codes that count as 0, for a scheduler that takes any other for a failure (3,4)")
	return cmd
}

// okay turns the exit codes that an operator counts as well into 0.
func okay(err error, okExit []int) error {
	if f, ok := errors.AsType[*failure](err); ok && slices.Contains(okExit, f.code) {
		return nil
	}
	return err
}

// runOnce is one full cycle, and its summary as the last line of stdout.
func (a *app) runOnce(ctx context.Context, b *bridge) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	b.loop.Poller.Ahead = b.config.Poll.Interval
	report, err := b.loop.Cycle(ctx)
	if err != nil {
		return err
	}
	counts, err := b.ledger.Counts(context.WithoutCancel(ctx), a.now())
	if err != nil {
		return err
	}
	for _, why := range concerns(report, counts) {
		a.tell("%s\n", why)
	}
	a.tellUnmapped(report)
	a.prune(ctx, b)
	if sent := report.Sent(); sent > 0 {
		a.tell("%d writes in %s\n", sent, report.LastSettle.Sub(report.FirstSend).Round(time.Millisecond))
	}
	code := exitCode(report, counts)
	a.say("%s\n", summary(a.run, report, counts, b.calls, code))
	if code == exitFine {
		return nil
	}
	return &failure{code: code}
}

// serve runs until SIGTERM or SIGINT; a second signal ends it at once.
func (a *app) serve(ctx context.Context, b *bridge) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, func() {
		second := make(chan os.Signal, 1)
		signal.Notify(second, os.Interrupt, syscall.SIGTERM)
		<-second
		a.exit(exitInterrupted)
	})
	well := &wellness{interval: b.config.Poll.Interval, budget: b.config.Send.Budget, now: time.Now}
	well.beat()
	b.calls.ended = well.beat // a pass of many pages or sends takes longer than any interval
	served, err := listen(ctx, b.config, well)
	if err != nil {
		return &failure{code: exitUsage, err: err}
	}
	defer served.close()
	a.tell("bridge runs: %s and %s, every %s\n", b.config.ITSM.URL.Host, b.config.MMD.URL.Host, b.config.Poll.Interval)
	var before connector.Report
	return b.loop.Run(ctx, b.config.Poll.Interval, func(report connector.Report, err error) {
		well.cycled(err)
		if err != nil && ctx.Err() == nil {
			a.tell("cycle: %v\n", err)
		}
		a.tellNews(before, report)
		before = report
		a.tellUnmapped(report)
		a.prune(ctx, b)
	})
}

// tellNews says what a service has not just said. A feed that does not answer is said
// once, and when it does again; what is read only now and then is not over when it is not.
func (a *app) tellNews(before, now connector.Report) {
	said := concerns(before, plan.Counts{})
	for _, why := range concerns(now, plan.Counts{}) {
		if !slices.Contains(said, why) {
			a.tell("%s\n", why)
		}
	}
	for _, why := range before.Silent {
		if !slices.Contains(now.Silent, why) {
			a.tell("over: %s\n", why)
		}
	}
}

// tellUnmapped counts what met no entry of a map: a slip of the rules that stops
// nothing is still said.
func (a *app) tellUnmapped(report connector.Report) {
	for _, text := range slices.Sorted(maps.Keys(report.Unmapped)) {
		a.tell("%s, %d×\n", text, report.Unmapped[text])
	}
}

// summary is the last line of a run: the same keys, always.
func summary(run string, r connector.Report, c plan.Counts, calls *calls, code int) string {
	desk, vendor := calls.desk.Load(), calls.vendor.Load()
	var out strings.Builder
	field := func(name string, value any) { fmt.Fprintf(&out, "%s=%v ", name, value) }
	field("run", run)
	field("read", r.Records+r.Tickets)
	field("created", r.Done[plan.TicketCreate])
	field("noted", r.Done[plan.TicketNote]+r.Done[plan.RecordNote])
	field("updated", r.Done[plan.RecordUpdate])
	field("opened", r.Done[plan.ElevationCreate])
	field("closed", r.Done[plan.ElevationClose])
	field("owed", c.Owed)
	field("waiting", c.Waiting)
	field("unknown", c.Unknown)
	field("parked", c.Parked)
	field("held", c.Held)
	field("doubt", c.Doubt)
	field("twins", c.Twins)
	field("vanished", c.Vanished)
	field("lag", r.Lag.Round(time.Second))
	field("noticed", c.Noticed)
	field("unheard", c.Unheard)
	field("calls", desk+vendor)
	field("calls_itsm", desk)
	field("calls_mmd", vendor)
	field("took", r.Took.Round(time.Millisecond))
	return out.String() + "exit=" + strconv.Itoa(code)
}

// exitCode is how a run ended:
//
//	1  a side could not be read at all, or its credentials were refused
//	3  else something is parked, held, in doubt, a twin or vanished, a link has a notice, or
//	   comments are not passed on
//	4  else something waits, is unknown or was not read
//	0  else
func exitCode(r connector.Report, c plan.Counts) int {
	switch {
	case len(r.Unreadable) > 0 || len(r.Refused) > 0:
		return exitUnable
	case c.Parked+c.Doubt+c.Held+c.Twins+c.Vanished+c.Noticed+c.Unheard > 0:
		return exitParked
	case c.Owed > 0 || len(r.Unread) > 0:
		return exitWaiting
	}
	return exitFine
}

// concerns says in a line each what keeps a run from being fine.
func concerns(r connector.Report, c plan.Counts) []string {
	out := slices.Clone(r.Unread)
	for _, side := range []plan.Side{plan.ITSM, plan.MMD} {
		if err := r.Refused[side]; err != nil {
			out = append(out, fmt.Sprintf("%s refused the credentials: %v", side, err))
		}
	}
	for _, hold := range r.Held {
		out = append(out, holds(hold)+" is held: "+hold.Reason)
	}
	add := func(n int, what string) {
		if n > 0 {
			out = append(out, fmt.Sprintf("%d %s: bridge status says which", n, what))
		}
	}
	add(c.Parked, "parked")
	add(c.Doubt, "in doubt")
	add(c.Twins, "with a twin ticket")
	add(c.Vanished, "with a vanished note")
	add(c.Noticed, "with a notice")
	add(c.Unheard, "whose comments are not passed on")
	return out
}
