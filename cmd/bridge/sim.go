package main

import (
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"

	"bridge/simulator"
)

func newSim(a *app) *cobra.Command {
	var listen, dir string
	var seed int64
	cmd := &cobra.Command{
		Use: "sim", Short: "Stand-ins for both sides and for the identity authority", Args: cobra.NoArgs,
		Long: "Starts a desk, a vendor and an identity authority on one address, over TLS with a certificate\n" +
			"of their own, and writes its CA and a bridge.yaml that leads to them. Ctrl-C ends it.",
		Example: "  bridge sim --dir sim\n  bridge run --once --config sim/bridge.yaml",
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			if err := os.MkdirAll(dir, 0o700); err != nil {
				return fmt.Errorf("make the folder for the simulator's files: %w", err)
			}
			running, err := simulator.Listen(simulator.New(simulator.Config{Seed: seed, Now: a.now}), listen)
			if err != nil {
				return fmt.Errorf("start the simulators: %w", err)
			}
			defer running.Close()
			if err := a.introduce(running, dir); err != nil {
				return err
			}
			<-ctx.Done()
			return nil
		},
	}
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:8443", "where the stand-ins listen")
	cmd.Flags().StringVar(&dir, "dir", "sim", "where bridge.yaml and ca.pem are written")
	cmd.Flags().Int64Var(&seed, "seed", 1, "the same seed gives the same faults")
	return cmd
}

// introduce writes the files that lead to the stand-ins, and says where all is.
func (a *app) introduce(running *simulator.Running, dir string) error {
	text, err := running.BridgeYAML(dir)
	if err != nil {
		return fmt.Errorf("write the simulator's files: %w", err)
	}
	path := filepath.Join(dir, "bridge.yaml")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		return fmt.Errorf("write bridge.yaml: %w", err)
	}
	a.say("itsm       %s\nmmd        %s\nauthority  %s\nca file    %s\nconfig     %s\n\n%s",
		running.ITSMURL, running.MMDURL, running.AuthorityURL, filepath.Join(dir, "ca.pem"), path, text)
	return nil
}
