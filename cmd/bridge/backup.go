package main

import "github.com/spf13/cobra"

// newBackup copies the ledger beside a running service.
func newBackup(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "backup FILE", Short: "Copy the ledger into a new file, while the service runs", Args: cobra.ExactArgs(1),
		Long: "Writes a whole and consistent copy of a ledger on SQLite into a file that is not there yet. A ledger that is\n" +
			"restored from it finds out that it was set back, and looks before it sends.\n\n" +
			"To restore one, stop the service, remove the ledger with what lies beside it (bridge.db-wal and bridge.db-shm:\n" +
			"a log that is left would be played into the copy), and put the copy in its place.",
		Example: "  bridge backup /var/backups/bridge-2026-11-23.db",
		RunE: func(cmd *cobra.Command, args []string) error {
			ledger, err := a.openForReading(cmd.Context())
			if err != nil {
				return err
			}
			defer ledger.Close() //nolint:errcheck // the copy was answered for itself
			if err := ledger.Backup(cmd.Context(), args[0]); err != nil {
				return &failure{code: exitUnable, err: err}
			}
			a.say("the ledger was copied into %s\n", args[0])
			return nil
		},
	}
}
