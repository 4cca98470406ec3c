package main

import "github.com/spf13/cobra"

// How a command ends. The numbers are a contract with those who schedule it.
const (
	exitFine        = 0
	exitUnable      = 1
	exitUsage       = 2
	exitParked      = 3
	exitWaiting     = 4
	exitInterrupted = 130
)

// failure ends a command with an exit code. Without an error, all was said already.
type failure struct {
	code int
	err  error
}

func (f *failure) Error() string {
	if f.err == nil {
		return ""
	}
	return f.err.Error()
}

func (f *failure) Unwrap() error { return f.err }

func newExitCodes() *cobra.Command {
	return &cobra.Command{
		Use: "exit-codes", Short: "What each exit code means",
		Long: `Exit codes

    0  all is well, and nothing is owed
    1  it could not work: a side could not be read at all, credentials were
       refused, the ledger is locked, the thing that was named is not there
    2  wrong usage or config: nothing was read and nothing was sent
    3  something needs a person: parked, held, in doubt, a twin ticket, a
       vanished note, a notice, comments that are not passed on
    4  something waits or is unknown: the next run goes on with it
  130  interrupted by a second signal

The lowest of 1, 3 and 4 that holds is the one that counts. "bridge run
--once --ok-exit 3,4" ends with 0 in place of 3 and 4: a Kubernetes Job takes
any other code for a failure. More codes may come: what is not known is a
failure.`,
	}
}
