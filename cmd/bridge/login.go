package main

import (
	"context"
	"errors"
	"os/exec"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"bridge/cmd/bridge/config"
	"bridge/mmd"
)

// newLogin signs a person in at the vendor's authority.
func newLogin(a *app) *cobra.Command {
	var device, browser bool
	var hint, form string
	cmd := &cobra.Command{
		Use: "login", Short: "Sign in as a user, for mmd.auth.type user", Args: cobra.NoArgs,
		Long: "Signs a person in and keeps what is needed to act for them in mmd.auth.token_cache_file, encrypted with\n" +
			"mmd.auth.token_cache_key. --device (the default) shows a code that is entered on any other device; --browser\n" +
			"opens a browser here ($BROWSER, or the desktop's own) and listens on the loopback address for its answer.",
		Example: "  bridge login\n  bridge login --browser --user ada@acme.example",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := formKnown(form); err != nil {
				return err
			}
			cfg, err := config.Load(a.configPath, a.env)
			if err != nil {
				return err
			}
			if cfg.MMD.Auth.Type != "user" {
				return misused("%s: mmd.auth.type is %s: only a user signs in by hand", cfg.File, cfg.MMD.Auth.Type)
			}
			who, err := a.signIn(cmd.Context(), cfg, browser, hint)
			if err != nil {
				return &failure{code: exitUnable, err: errors.New(tame(err.Error(), " "))}
			}
			if form == formTable {
				a.say("signed in as %s; kept in %s\n", oneLine(who), cfg.MMD.Auth.TokenCacheFile)
			}
			if hint != "" && !strings.EqualFold(who, hint) {
				a.tell("this is not %s: bridge login again to change it\n", oneLine(hint))
			}
			return a.showWritten(form, object{{"user", who}, {"tokenCacheFile", cfg.MMD.Auth.TokenCacheFile}})
		},
	}
	formFlag(cmd, &form)
	cmd.Flags().BoolVar(&device, "device", false, "by a code that is entered on any other device")
	cmd.Flags().BoolVar(&browser, "browser", false, "in a browser on this machine")
	cmd.Flags().StringVar(&hint, "user", "", "who is expected to sign in; the browser's form is filled in with it")
	cmd.MarkFlagsMutuallyExclusive("device", "browser")
	return cmd
}

// signIn waits until a person has signed in.
func (a *app) signIn(ctx context.Context, cfg *config.Config, browser bool, hint string) (string, error) {
	if browser {
		return mmd.SignInInBrowser(ctx, a.user(cfg), func(address string) error { return a.browse(ctx, address) }, hint)
	}
	return mmd.SignInOnDevice(ctx, a.user(cfg), func(message string) { a.tell("%s\n", tame(message, " ")) })
}

// browse shows an address to a person, and opens a browser on it if there is one.
func (a *app) browse(ctx context.Context, address string) error {
	a.tell("Sign in at %s\n", tame(address, ""))
	command, named := a.env("BROWSER")
	if !named || command == "" {
		command = map[string]string{"darwin": "open", "windows": "explorer"}[runtime.GOOS]
	}
	if command == "" {
		command = "xdg-open"
	}
	program := exec.CommandContext(ctx, command, address) //nolint:gosec // the command is the operator's own
	if err := program.Start(); err != nil {
		a.tell("no browser could be opened (%v): open the address yourself\n", err)
		return nil
	}
	go program.Wait() //nolint:errcheck // how it ends says nothing of the sign-in
	return nil
}
