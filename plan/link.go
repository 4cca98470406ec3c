package plan

import (
	"maps"
	"slices"
	"time"

	"bridge/mapping"
)

// LinkKind tells the two sorts of link apart: a record may have one of each.
type LinkKind string

// The kinds of link.
const (
	TicketLink    LinkKind = "ticket"
	ElevationLink LinkKind = "elevation"
)

// Link is the lasting pair of one record and one ticket (or elevation request),
// under one rule. It is written with the promise of its create, when it has no
// MMD id yet.
type Link struct {
	ID     string
	Kind   LinkKind
	Rule   string
	Table  string
	Record string // sys_id
	Number string
	// MMD is the ticket's or elevation request's id; empty while its create is owed.
	MMD string
	// Device is the one that its elevation was opened for; empty: not known.
	Device string `json:",omitempty"`
	// Generation counts the objects that one record had in turn.
	Generation int
	// Ended is when it ended; zero while it is open.
	Ended time.Time
	// Created is when it was promised, Linked when it got its MMD id, Moved when
	// something last happened on either side.
	Created time.Time
	Linked  time.Time
	Moved   time.Time
	// Rev is the record's sys_mod_count that was last dealt with.
	Rev string
	// Base holds, by "record.FIELD" and "ticket.FIELD", what each side last said, and how often that has changed.
	Base map[string]Baseline
	// NotesDue is when the ticket's notes are to be read next, NotesWait the silence that led there.
	NotesDue  time.Time
	NotesWait time.Duration
	// Twins are tickets that carry the link's mark and are not its ticket.
	Twins []string
	// Vanished lists marks of notes that were acknowledged and are not to be seen.
	Vanished []string
	// Seen are those of both that a person has looked at: they are not said again.
	Seen []string `json:",omitempty"`
	// Adopted says that the link was found, not made: the first read that shows notes only
	// takes down those from before.
	Adopted bool `json:",omitempty"`
	// Notice is said about the link in status: empty when all is well.
	Notice string
	// Unheard says why comments of the record are not passed on; empty: they are.
	Unheard string `json:",omitempty"`
	// EndedBy says why the link ended. One that a person ended (ByHand) is not
	// opened again by anything that is read.
	EndedBy string `json:",omitempty"`
	ByHand  bool   `json:",omitempty"`
	// Left is since when the record is out of its rule's query while it is active; of an
	// elevation: since when its task cannot be read.
	Left time.Time `json:",omitzero"`
	// Held are the fields that both sides moved, with the ticket's value: nothing
	// is set until they agree.
	Held map[string]string `json:",omitempty"`
	// Untold is the ticket as its record was last told of it before that left its rule: what
	// moved since is told when it is back.
	Untold mapping.Row `json:",omitempty"`
	// UntoldSince is when it was last seen to be so.
	UntoldSince time.Time `json:",omitzero"`
	// Calmed is when a person let the notes flow again: those before do not count
	// towards the limit of an hour.
	Calmed time.Time `json:",omitzero"`
	// Given is what approves a task, as it was first seen; nil: nothing.
	Given *Given `json:",omitempty"`
	// Version rises with each write; an older one is refused.
	Version int64
}

// Baseline is one side's last value of one field, its label, and its turn.
type Baseline struct {
	Value string
	Label string `json:",omitempty"`
	Turn  int    `json:",omitempty"`
	// Moved is when a person was seen to have moved a record's field, since the bridge
	// wrote it; zero: nobody has.
	Moved time.Time `json:",omitzero"`
}

// LinkID names the link of a record.
func LinkID(kind LinkKind, record string) string { return string(kind) + "/" + record }

// clone gives a copy that shares nothing, so that no observation changes its argument.
func (l Link) clone() Link {
	l.Base = maps.Clone(l.Base)
	if l.Base == nil {
		l.Base = map[string]Baseline{}
	}
	l.Held, l.Untold = maps.Clone(l.Held), maps.Clone(l.Untold)
	l.Twins = append([]string(nil), l.Twins...)
	l.Vanished = append([]string(nil), l.Vanished...)
	l.Seen = append([]string(nil), l.Seen...)
	return l
}

// Unseen are the twins and the vanished notes that no person has looked at.
func (l Link) Unseen() (twins, vanished []string) {
	seen := func(what string) bool { return slices.Contains(l.Seen, what) }
	return slices.DeleteFunc(slices.Clone(l.Twins), seen), slices.DeleteFunc(slices.Clone(l.Vanished), seen)
}

// TakenAsSeen is a link of which a person has looked at what it had to say when it was
// read. Fields that were held stay as they are.
func (l Link) TakenAsSeen(read Link) Link {
	l = l.clone()
	twins, vanished := read.Unseen()
	l.Seen = append(l.Seen, append(twins, vanished...)...)
	if l.Notice == read.Notice {
		l.Notice, l.Held = "", nil
	}
	if l.Unheard == read.Unheard {
		l.Unheard = ""
	}
	return l
}

// with is the link with its MMD id: what was taken for a twin while it had none is none.
func (l Link) with(id string, at time.Time) Link {
	l = l.clone()
	l.MMD, l.Linked = id, at
	l.Twins = slices.DeleteFunc(l.Twins, func(twin string) bool { return twin == id })
	return l
}

// Note is a note or comment that was seen on one side of a link.
type Note struct {
	Link string
	Side Side
	// ID is its identity: a journal row's sys_id, or a ticket note's time, sender and ordinal among equals.
	ID string
	// Hash is of its visible text.
	Hash string
	// Mark is the one that it carries when it is the bridge's own.
	Mark string
	Seen time.Time
}

// LinkQuery selects links; the zero value selects all.
type LinkQuery struct {
	IDs     []string
	Records []string
	MMD     []string
	Kind    LinkKind
	Rule    string
	Table   string
	Open    bool
	// NotesDueBy selects open ticket links with an MMD id whose notes are due by then.
	NotesDueBy time.Time
	// Newest selects those of a kind with an MMD id, the one that got it last first, at most 1,000.
	Newest bool
	// Limit is how many there are at most; 0: any number.
	Limit int
	// Brief leaves out all but ID, Kind, Rule, Table, Record, MMD and Linked: a walk over
	// all open links reads an index then, and not their documents.
	Brief bool
}

// OpQuery selects ops; the zero value selects all. They come in the order of Seq.
type OpQuery struct {
	Keys   []string
	Links  []string
	Marks  []string
	States []State
	Kinds  []Kind
	Rule   string
	// Owed selects ops that have not ended.
	Owed bool
	// Brief leaves out the rows that ended ops were decided on: most of what is read of a
	// link that has existed for long, and nothing is decided on them again.
	Brief bool
}
