package connector

import (
	"context"
	"iter"
	"time"

	"bridge/itsm"
	"bridge/mmd"
	"bridge/plan"
)

// Desk is what the loop reads on the ITSM side.
type Desk interface {
	Rows
	// Journal lists journal rows of records, oldest first.
	Journal(ctx context.Context, ids, elements []string, since time.Time) iter.Seq2[itsm.Entry, error]
	// JournalText reads the journals of records by what they show as text.
	JournalText(ctx context.Context, table string, ids, elements []string, dates itsm.Dates) iter.Seq2[itsm.Entry, error]
	// Approvals lists approval rows of objects.
	Approvals(ctx context.Context, ids []string) iter.Seq2[itsm.Approval, error]
	// Clock tells how far the desk's clock is ahead of ours.
	Clock() (offset time.Duration, known bool)
}

// Rows are the records of the desk's tables.
type Rows interface {
	// Changes lists the rows of a query that changed since, oldest first.
	Changes(ctx context.Context, ask itsm.Ask, since time.Time) iter.Seq2[itsm.Record, error]
	// Records reads rows by sys_id: those that it shows.
	Records(ctx context.Context, ask itsm.Ask, ids []string) iter.Seq2[itsm.Record, error]
	// Get reads one row; itsm.ErrNotFound: the desk says that it is not there, which an
	// empty list does not say.
	Get(ctx context.Context, ask itsm.Ask, id string) (itsm.Record, error)
}

// DeskWriter is what the loop writes on the ITSM side.
type DeskWriter interface {
	Update(ctx context.Context, ask itsm.Ask, id string, set map[string]string) (itsm.Record, error)
}

// Tickets is what the loop reads of the vendor's tickets.
type Tickets interface {
	List(ctx context.Context, options mmd.ListOptions) iter.Seq2[mmd.Ticket, error]
	Get(ctx context.Context, id string) (mmd.Ticket, error)
	Notes(ctx context.Context, id string) ([]mmd.Note, error)
	// Clock tells how far the vendor's clock is ahead of ours.
	Clock() (offset time.Duration, known bool)
}

// TicketWriter is what the loop writes there.
type TicketWriter interface {
	Create(ctx context.Context, ticket mmd.NewTicket) (mmd.Ticket, error)
	AddNote(ctx context.Context, id, text string) error
}

// Elevations is what the loop reads of the vendor's elevation requests.
type Elevations interface {
	List(ctx context.Context, options mmd.ListOptions) iter.Seq2[mmd.Elevation, error]
}

// ElevationWriter is what the loop writes there.
type ElevationWriter interface {
	Create(ctx context.Context, request mmd.NewElevation) (mmd.Elevation, error)
	Close(ctx context.Context, id, actionsTaken string) error
}

// Ledger is the durable list of what is owed, and of what is known.
type Ledger interface {
	Book
	Journal
	Settler
	Claimer
}

// Book is what planning reads, and the one transaction that it writes.
type Book interface {
	Links(ctx context.Context, q plan.LinkQuery) iter.Seq2[plan.Link, error]
	Ops(ctx context.Context, q plan.OpQuery) iter.Seq2[plan.Op, error]
	Notes(ctx context.Context, links []string) ([]plan.Note, error)
	Cursor(ctx context.Context, feed string) (plan.Cursor, error)
	Promise(ctx context.Context, p plan.Promise) (added []string, err error)
}

// Journal is what the ledger keeps about the loop itself.
type Journal interface {
	Holds(ctx context.Context) ([]plan.Hold, error)
	Hold(ctx context.Context, h plan.Hold) error
	Meta(ctx context.Context, key string) (string, error)
	SetMeta(ctx context.Context, key, value string) error
}

// Claimer divides the work between workers that share a ledger.
type Claimer interface {
	// Claim takes what is named for this worker, until release is called or its
	// session ends: held ends with it then. plan.ErrClaimed: another worker has it.
	Claim(ctx context.Context, name string) (held context.Context, release func(), err error)
	// Recover makes unknown what was begun and not settled by a worker that is gone.
	Recover(ctx context.Context, now time.Time) (int, error)
}

// Settler is what sending needs: each step durable before the next.
type Settler interface {
	// Due lists the links that have something to do now.
	Due(ctx context.Context, now time.Time) ([]string, error)
	NextDue(ctx context.Context, after time.Time) (time.Time, error)
	// Story reads a link and what is owed under it, as they stand at one moment.
	Story(ctx context.Context, id string) (plan.Story, error)
	// Begin writes down that an op is about to be sent.
	Begin(ctx context.Context, op plan.Op, now time.Time) (plan.Op, error)
	// Settle writes down how it ended, and what follows from it.
	Settle(ctx context.Context, op plan.Op, p plan.Promise) (added []string, err error)
}
