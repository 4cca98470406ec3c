package main

import (
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"bridge/simulator"
)

// staging is what the stand-ins are to be.
type staging struct {
	listen, dir, rules string
	seed               int64
	incidents          int
	latency            time.Duration
	switches, faults   []string
}

func newSim(a *app) *cobra.Command {
	var s staging
	cmd := &cobra.Command{
		Use: "sim", Short: "Stand-ins for both sides and for the identity authority", Args: cobra.NoArgs,
		Long: "Starts a desk, a vendor and an identity authority on one address, over TLS with a certificate\n" +
			"of their own, and writes its CA and a bridge.yaml that leads to them. Incidents wait for\n" +
			"their tickets. Ctrl-C ends it.\n\n" +
			"What people do on both sides, what goes wrong, how the instance behaves and which requests came\n" +
			"is under /_sim/ of that address, whose first page says how. --switch sets how they behave from\n" +
			"the start:\n\n  " + strings.Join(simulator.Switches(), "\n  "),
		Example: "  bridge sim --dir sim\n  bridge run --once --config sim/bridge.yaml\n" +
			"  bridge sim --switch itsm.unknown_field=no_rows --switch mmd.max_page=50\n" +
			"  curl --cacert sim/ca.pem https://127.0.0.1:8443/_sim/\n" +
			"  bridge sim --fault \"the third POST tickets is lost after\"\n" +
			"  curl --cacert sim/ca.pem https://127.0.0.1:8443/_sim/faults -d '{\"side\": \"mmd\", \"method\": \"POST\", \"kind\": \"lost after\"}'",
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			world, err := s.world(a.now)
			if err != nil {
				return err
			}
			running, err := world.Listen(ctx, s.listen)
			if err != nil {
				return fmt.Errorf("start the simulators: %w", err)
			}
			defer running.Close() //nolint:errcheck // all that it holds ends with it
			if err := a.introduce(running, s.dir, s.rules); err != nil {
				return err
			}
			<-ctx.Done()
			return nil
		},
	}
	cmd.Flags().StringVar(&s.listen, "listen", "127.0.0.1:8443", "where the stand-ins listen; port 0 takes any")
	cmd.Flags().StringVar(&s.dir, "dir", "sim", "where bridge.yaml and ca.pem are written")
	cmd.Flags().StringVar(&s.rules, "mappings", "mappings.yaml", "the rules that the bridge.yaml names")
	cmd.Flags().IntVar(&s.incidents, "incidents", 1, "how many incidents wait for their ticket")
	cmd.Flags().StringArrayVar(&s.switches, "switch", nil, "how they behave, as `SIDE.NAME=VALUE`; may be repeated")
	cmd.Flags().StringArrayVar(&s.faults, "fault", nil, "what goes wrong, as in \"the third POST tickets is lost after\"; may be repeated")
	cmd.Flags().DurationVar(&s.latency, "latency", 0, "how long each answer takes")
	cmd.Flags().Int64Var(&s.seed, "seed", 1, "the same seed draws the same faults")
	return cmd
}

// world makes both sides, behaving and failing as they are told to.
func (s staging) world(now func() time.Time) (*simulator.World, error) {
	if s.incidents < 0 || s.latency < 0 {
		return nil, misused("--incidents and --latency are 0 or more")
	}
	world := simulator.New(simulator.Config{Seed: s.seed, Now: now, Latency: s.latency, Wait: simulator.Exactly})
	for _, assignment := range s.switches {
		if err := world.Set(assignment); err != nil {
			return nil, misused("--switch: %v; bridge sim --help lists what there is", err)
		}
	}
	for _, text := range s.faults {
		fault, err := simulator.Scripted(text)
		if err != nil {
			return nil, misused("--fault: %v", err)
		}
		world.Faults.Add(fault)
	}
	users := world.Populate()
	for range s.incidents {
		world.Incident(users, "Laptop does not start", nil)
	}
	return world, nil
}

// introduce writes the files that lead to the stand-ins, and says where all is.
func (a *app) introduce(running *simulator.Running, dir, rules string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the folder for the simulator's files: %w", err)
	}
	rules, err := filepath.Abs(rules)
	if err != nil {
		return fmt.Errorf("find the rules: %w", err)
	}
	path, err := running.WriteConfig(dir, rules)
	if err != nil {
		return fmt.Errorf("write the simulator's files: %w", err)
	}
	if err := running.WriteClient(dir); err != nil {
		return fmt.Errorf("write the simulator's files: %w", err)
	}
	text, err := os.ReadFile(path) //nolint:gosec // written a moment ago
	if err != nil {
		return fmt.Errorf("read the simulator's bridge.yaml: %w", err)
	}
	a.say("itsm       %[1]s\nmmd        %[1]s/support/odata/v1/\nauthority  %[1]s/\nby hand    %[1]s/_sim/\nca file    %[2]s\nconfig     %[3]s\n\n%[4]s",
		running.URL, filepath.Join(dir, "ca.pem"), path, text)
	return nil
}
