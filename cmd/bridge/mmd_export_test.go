package main

import (
	"context"
	"io"
	"log/slog"
	"reflect"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bridge/mmd"
)

// RunWith is Run with a stdin.
func RunWith(ctx context.Context, in io.Reader, out, errs io.Writer, env map[string]string, args ...string) int {
	a := &app{
		stdin: in, stdout: out, stderr: errs, now: time.Now, log: slog.New(slog.DiscardHandler), run: "test", exit: func(int) {},
		env: func(name string) (string, bool) {
			v, ok := env[name]
			return v, ok
		},
	}
	return a.main(ctx, args)
}

// ShownInHelp gives what the help of each command under a group shows, by the
// command's name.
func ShownInHelp(group string) map[string]string {
	root := newRoot(&app{env: func(string) (string, bool) { return "", false }})
	out := map[string]string{}
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		if strings.HasPrefix(cmd.CommandPath(), "bridge "+group) {
			out[cmd.CommandPath()] = cmd.Example
		}
		for _, child := range cmd.Commands() {
			walk(child)
		}
	}
	walk(root)
	return out
}

// Unshown names the types of the vendor's client of which a command shows fewer
// members than there are fields.
func Unshown() []string {
	var out []string
	for fields, shown := range map[reflect.Type]object{
		reflect.TypeFor[mmd.Device]():           deviceObject(mmd.Device{}),
		reflect.TypeFor[mmd.Group]():            groupObject(mmd.Group{}),
		reflect.TypeFor[mmd.Configuration]():    configurationObject(mmd.Configuration{}),
		reflect.TypeFor[mmd.User]():             userObject(mmd.User{}),
		reflect.TypeFor[mmd.Ticket]():           ticketObject(mmd.Ticket{}),
		reflect.TypeFor[mmd.Elevation]():        elevationObject(mmd.Elevation{}),
		reflect.TypeFor[mmd.ElevationDetails](): detailsObject(mmd.ElevationDetails{}, ""),
	} {
		exported := 0
		for field := range fields.Fields() {
			if field.IsExported() {
				exported++
			}
		}
		if exported > len(shown) {
			out = append(out, fields.String())
		}
	}
	return out
}

// Grid writes a table whose columns may all be cut.
func Grid(to io.Writer, places int, names []string, rows ...[]string) {
	t := table{rows: rows}
	for _, name := range names {
		t.columns = append(t.columns, column{name, enoughText})
	}
	t.write(to, places)
}

// Span, Cut, Wrap and OneLine are how texts are measured and shown.
var (
	Span    = span
	Cut     = cut
	Wrap    = wrap
	OneLine = oneLine
)
