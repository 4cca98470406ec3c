package main

import (
	"errors"

	"github.com/spf13/cobra"
)

// newRelink rebuilds a lost ledger.
func newRelink(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "relink", Short: "Rebuild a lost ledger from both sides, and send nothing", Args: cobra.NoArgs,
		Long: "Reads the vendor's tickets and elevation requests that carry this bridge's mark, finds the records that they were\n" +
			"made for, and links them again in an empty ledger. Nothing is sent. What was said on both sides is compared by the\n" +
			"runs that follow: each note is looked for on the other side before it is sent.",
		Example: "  bridge relink\n  bridge run",
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			b, err := a.open(cmd.Context(), true)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, b.ledger.Close()) }()
			found, err := b.loop.Poller.Relink(cmd.Context())
			if err != nil {
				return err
			}
			a.say("linked again: %d tickets, %d elevation requests; nothing was sent\n", found.Tickets, found.Elevations)
			for _, line := range found.Strangers {
				a.say("  %s\n", line)
			}
			if len(found.Strangers) > 0 {
				return &failure{code: exitParked}
			}
			return nil
		},
	}
}
