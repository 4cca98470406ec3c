// Command bridge keeps a ServiceNow desk and Microsoft Managed Desktop in step.
// It reads flags and config, wires the packages together, and turns how a run
// ended into an exit code. It decides nothing about records or tickets.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bridge/cmd/bridge/config"
)

func main() {
	a := &app{
		stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, env: os.LookupEnv,
		now: time.Now, log: newLog(os.Stderr), exit: os.Exit, run: newRunID(),
	}
	os.Exit(a.main(context.Background(), os.Args[1:]))
}

// app is the world that a command sees.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	env            func(string) (string, bool)
	now            func() time.Time
	log            *slog.Logger
	// exit ends the process at once.
	exit func(code int)
	// run names this run in its summary.
	run string
	// configPath is what --config says.
	configPath string
	// ways lead to stand-ins of the sides, in place of the network.
	ways ways
}

// ways are the transports to stand-ins; nil is the network.
type ways struct{ itsm, mmd, authority http.RoundTripper }

// main runs one command and gives its exit code.
func (a *app) main(ctx context.Context, args []string) int {
	root := newRoot(a) //nolint:contextcheck // cobra hands each command its context
	began := false
	watch(root, &began)
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitFine
	}
	code := codeOf(err, began)
	text := err.Error()
	if began && code == exitUsage || text == "" {
		// What is wrong with a file begins with its name and line, for editors.
		a.tell("%s", lines(text))
	} else {
		a.tell("%s", lines(cmd.CommandPath()+": "+text))
	}
	return code
}

// say writes a result. A reader that went away has nobody to tell.
func (a *app) say(format string, args ...any) { _, _ = fmt.Fprintf(a.stdout, format, args...) }

// tell writes progress, and what went wrong.
func (a *app) tell(format string, args ...any) { _, _ = fmt.Fprintf(a.stderr, format, args...) }

// lines ends a text with one new line; an empty text has none.
func lines(text string) string {
	if text == "" {
		return ""
	}
	return strings.TrimRight(text, "\n") + "\n"
}

// newLog writes for people on a terminal, and JSON for what gathers logs elsewhere.
func newLog(to *os.File) *slog.Logger {
	if info, err := to.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
		return slog.New(slog.NewTextHandler(to, nil))
	}
	return slog.New(slog.NewJSONHandler(to, nil))
}

// codeOf is the exit code of an error. Before a command begins, all that can be
// wrong is how it was called.
func codeOf(err error, began bool) int {
	if f, ok := errors.AsType[*failure](err); ok {
		return f.code
	}
	if _, ok := errors.AsType[config.Problems](err); ok || !began {
		return exitUsage
	}
	return exitUnable
}

// watch notes when a command of the tree begins, and says how each is called.
func watch(cmd *cobra.Command, began *bool) {
	for _, child := range cmd.Commands() {
		watch(child, began)
	}
	if check := cmd.Args; check != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error { return miscalled(cmd, args, check(cmd, args)) }
	}
	if run := cmd.RunE; run != nil {
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			*began = true
			return run(cmd, args)
		}
	}
}

// miscalled says how a command is called, where the number of its arguments is wrong.
func miscalled(cmd *cobra.Command, args []string, err error) error {
	if err == nil || !strings.Contains(err.Error(), "arg(s)") {
		return err
	}
	_, wants, _ := strings.Cut(cmd.Use, " ")
	given := fmt.Sprintf("%d arguments were given", len(args))
	switch len(args) {
	case 0:
		given = "no argument was given"
	case 1:
		given = "one argument was given"
	}
	return fmt.Errorf("%s: it is called as %s %s", given, cmd.CommandPath(), wants)
}

func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use: "bridge", Short: "Keeps a ServiceNow desk and Microsoft Managed Desktop in step",
		Long: "bridge is a connector between a ServiceNow desk and Microsoft Managed Desktop.\n" +
			"bridge.yaml says where both are, mappings.yaml what becomes of which record.",
		Version:      version,
		SilenceUsage: true, SilenceErrors: true, SuggestionsMinimumDistance: 2,
		Args: commandKnown,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cmd.SetOut(a.stderr)
			return errors.Join(cmd.Help(), &failure{code: exitUsage})
		},
	}
	root.SetIn(a.stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	root.SetVersionTemplate("bridge {{ .Version }}\n")
	root.PersistentFlags().StringVar(&a.configPath, "config", a.defaultConfig(), "where both sides are, or $BRIDGE_CONFIG")
	root.AddCommand(
		newRun(a), newPlan(a), newStatus(a), newRetry(a), newDrop(a), newSkip(a), newEndLink(a), newEndRule(a), newResume(a), newRelink(a), newBackup(a), newHealth(a), newDemo(a),
		newCheck(a), newSim(a), newMMD(a), newITSM(a), newLogin(a), newVersion(a), newExitCodes(),
	)
	return root
}

// commandKnown refuses a word that is no command.
func commandKnown(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := "bridge --help lists them"
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		hint = "did you mean " + strings.Join(near, " or ") + "?"
	}
	return fmt.Errorf("unknown command %q: %s", args[0], hint)
}

func (a *app) defaultConfig() string {
	if path, ok := a.env("BRIDGE_CONFIG"); ok && path != "" {
		return path
	}
	return "bridge.yaml"
}
