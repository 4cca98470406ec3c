package main

import (
	"errors"
	"fmt"
	"iter"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bridge/cmd/bridge/config"
	"bridge/itsm"
	"bridge/mmd"
	"bridge/rest"
)

// newMMD is each method of the vendor's API by hand.
func newMMD(a *app) *cobra.Command {
	cmd := group("mmd", "The vendor's API by hand: devices, users, tickets, notes, elevation requests")
	cmd.Long = "Each method of the Microsoft Managed Desktop API, for admins and for scripts. The ledger is\n" +
		"neither asked nor told: what is made here has no link, and the bridge does not undo it."
	cmd.Example = "  bridge mmd devices --search MMD-0369\n  bridge mmd tickets --filter \"state eq 'active'\" --orderby \"createdDateTime desc\" --top 10"
	cmd.AddCommand(
		newDevices(a), newUsers(a), newTickets(a), newNotes(a), newAddNote(a), newCreateTicket(a),
		newElevations(a), newElevationDetails(a), newCreateElevation(a), newCloseElevation(a),
	)
	return cmd
}

// group is a command that only holds others.
func group(name, short string) *cobra.Command {
	return &cobra.Command{
		Use: name, Short: short,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				cmd.SetOut(cmd.ErrOrStderr())
				return errors.Join(cmd.Help(), &failure{code: exitUsage})
			}
			hint := cmd.CommandPath() + " --help lists them"
			cmd.SuggestionsMinimumDistance = 2
			if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
				hint = "did you mean " + strings.Join(near, " or ") + "?"
			}
			return misused("unknown command %q: %s", args[0], hint)
		},
	}
}

// sides makes the two clients, for a call by hand: no rules are read and no ledger
// is opened.
func (a *app) sides() (*bridge, error) {
	cfg, err := config.Load(a.configPath, a.env)
	if err != nil {
		return nil, err
	}
	b := &bridge{config: cfg, calls: &calls{}}
	if err := a.connect(b); err != nil {
		return nil, &failure{code: exitUsage, err: err}
	}
	return b, nil
}

// paging are the flags of a list of the vendor's.
type paging struct {
	top, skip               int
	filter, orderBy, search string
}

// Which flags a list has beside --top and --skip.
const (
	flagFilter  = "filter"
	flagOrderBy = "orderby"
	flagSearch  = "search"
	flagTop     = "top"
	flagSkip    = "skip"
)

// someShown is how many objects a list shows unless it is told otherwise.
const someShown = 50

func (p *paging) flags(cmd *cobra.Command, more ...string) {
	cmd.Flags().IntVar(&p.top, flagTop, someShown, "how many are shown at most; 0: all")
	cmd.Flags().IntVar(&p.skip, flagSkip, 0, "how many are passed over")
	for _, name := range more {
		switch name {
		case flagFilter:
			cmd.Flags().StringVar(&p.filter, name, "", "an OData filter, such as \"state eq 'active' and severity le 2\"")
		case flagOrderBy:
			cmd.Flags().StringVar(&p.orderBy, name, "", "an OData order, such as \"createdDateTime desc\"")
		case flagSearch:
			cmd.Flags().StringVar(&p.search, name, "", "a part of a name, a serial number or an e-mail address")
		}
	}
}

// check refuses flags that mean nothing: of one object there is no page.
func (p *paging) check(cmd *cobra.Command, args []string) error {
	if p.top < 0 || p.skip < 0 {
		return misused("--top and --skip are 0 or more")
	}
	if len(args) == 0 {
		return nil
	}
	for _, name := range []string{flagTop, flagSkip, flagFilter, flagOrderBy, flagSearch} {
		if cmd.Flags().Changed(name) {
			return misused("--%s goes with a list, not with %s", name, args[0])
		}
	}
	return nil
}

// options ask for one object more than is shown: it tells whether there are more.
func (p *paging) options() mmd.ListOptions {
	o := mmd.ListOptions{Filter: mmd.Filter(p.filter), OrderBy: p.orderBy, Search: p.search, Skip: p.skip}
	if p.top > 0 {
		o.Top = p.top + 1
	}
	return o
}

// onward says how to get those behind the shown ones.
func (p *paging) onward(shown int) string {
	return fmt.Sprintf("--skip %d goes on, --top 0 shows all", p.skip+shown)
}

// blame says in one line what a call by hand came to: what is not there, and where
// to look when credentials were refused. What the other side wrote is tamed.
func (b *bridge) blame(err error, what string) error {
	if err == nil {
		return nil
	}
	said := err.Error()
	switch {
	case errors.Is(err, itsm.ErrCredentials):
		said += ": look at itsm.auth in " + b.config.File
	case strings.Contains(said, "bridge login"): // it says what to do
	case errors.Is(err, mmd.ErrSignIn), rest.StatusOf(err) == http.StatusUnauthorized:
		said += ": look at mmd.auth in " + b.config.File
	case rest.RetryAfter(err) > 0:
		said += ": try again in " + rest.RetryAfter(err).Round(time.Second).String()
	case errors.Is(err, itsm.ErrNotFound):
		said = "there is no " + what + ", or this user may not read it"
	case what != "" && rest.StatusOf(err) == http.StatusNotFound:
		said = "there is no " + what
	}
	return &failure{code: exitUnable, err: errors.New(tame(said, " "))}
}

// worded is what has words that the API's document lists.
type worded interface{ Unlisted() []mmd.Word }

// reading passes objects on, and says at the end which of their words the document
// does not list.
func reading[T worded](a *app, list iter.Seq2[T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var odd []mmd.Word
		defer func() { a.oddWords(odd) }()
		for item, err := range list {
			for _, w := range item.Unlisted() {
				if !slices.Contains(odd, w) {
					odd = append(odd, w)
				}
			}
			if !yield(item, err) {
				return
			}
		}
	}
}

// oddWords says what is shown as it came.
func (a *app) oddWords(odd []mmd.Word) {
	for _, w := range odd {
		a.tell("%s %q is none of those in the API's document, and is shown as it came\n", w.Field, tame(w.Value, " "))
	}
}

// found is blame for one object; an answer without its name has none in it.
func (b *bridge) found(name string, err error, what string) error {
	if err == nil && name == "" {
		return &failure{code: exitUnable, err: errors.New("there is no " + tame(what, " "))}
	}
	return b.blame(err, what)
}

// wrote says what became of a write by hand. One whose answer was lost may have
// been done.
func (a *app) wrote(b *bridge, err error, what, look string) error {
	if err == nil {
		a.tell("%s\n", what)
		return nil
	}
	wrong := b.blame(err, "")
	if rest.OutcomeOf(err) != rest.Unknown {
		return wrong
	}
	return &failure{code: exitUnable, err: fmt.Errorf("%w: it may have been done: look before trying again (%s)", wrong, look)}
}

// readArgument gives a text that was written as an argument, or all of stdin for -.
func (a *app) readArgument(arg string) (string, error) {
	if arg != "-" {
		return arg, nil
	}
	raw, err := a.readFile("-")
	return strings.TrimRight(string(raw), "\r\n"), err
}

// longest is more than any text or file that is handed to a command.
const longest = 1 << 20

// readFile reads a file, or stdin for -.
func (a *app) readFile(path string) ([]byte, error) {
	from := a.stdin
	if path != "-" {
		file, err := os.Open(path) //nolint:gosec // whoever calls says which file
		if err != nil {
			return nil, misused("%v", err)
		}
		defer file.Close() //nolint:errcheck // it was only read
		from = file
	}
	return readLimited(from, path)
}

// came leaves out what the API did not say: null is another thing.
func came(missing []string, o object) object {
	return slices.DeleteFunc(o, func(m member) bool { return slices.Contains(missing, m.name) })
}
