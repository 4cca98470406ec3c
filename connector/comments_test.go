package connector_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"bridge/plan"
	"bridge/simulator"
	"bridge/simulator/itsm"
	"bridge/simulator/mmd"
)

// journals closes or opens sys_journal_field: "", "empty", "refuse".
func (r *rig) journals(how string) {
	r.world.ITSM.Switch(func(s *itsm.Switches) { s.Journals = how })
}

// hears runs some cycles and gives what their reports say of what was not read.
func (r *rig) hears(n int) string {
	r.Helper()
	var said []string
	for range n {
		r.cycles(1)
		said = append(said, r.report.Unread...)
	}
	return strings.Join(said, "\n")
}

// scanned waits for a full scan, and until nothing is owed.
func (r *rig) scanned() {
	r.Helper()
	time.Sleep(time.Hour)
	r.rest()
}

// says counts the notes of a ticket that hold a text.
func (r *rig) says(ticket, text string) int {
	n := 0
	for _, note := range r.world.MMD.Notes(ticket) {
		if strings.Contains(note.Text, text) {
			n++
		}
	}
	return n
}

// each comment is to be on the ticket once, and nothing else is.
func (r *rig) once(ticket string, texts ...string) {
	r.Helper()
	for _, text := range texts {
		if n := r.says(ticket, text); n != 1 {
			r.Errorf("%q is on the ticket %d times\n%s", text, n, r.story())
		}
	}
	if n := len(r.world.MMD.Notes(ticket)); n != len(texts) {
		r.Errorf("%d notes, want %d\n%s", n, len(texts), r.story())
	}
}

func TestAClosedJournalIsReadAsText(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"empty", "refuse"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				r.journals(how)
				quiet := r.world.Incident(r.users, "Nobody says anything", nil)
				r.rest()
				incident := r.world.Incident(r.users, "Laptop does not start", nil)
				r.world.ITSM.Comment("incident", incident, "ada.byron", "Please help.")
				r.world.ITSM.Comment("incident", incident, "ada.byron", "Please help, now.\n\nIt is urgent.")
				r.rest()
				ticket := r.ticketOf(incident).ID
				r.once(ticket, "Please help.", "Please help, now.<br><br>It is urgent.")
				r.world.MMD.AddNote(ticket, "vera@vendor.example", "On it.")
				r.world.ITSM.Comment("incident", incident, "ada.byron", "Thanks.")
				time.Sleep(time.Hour)
				r.rest()
				r.start()
				r.rest()
				if n := r.says(ticket, "Thanks."); n != 1 {
					t.Errorf("%d thanks: %s", n, r.story())
				}
				if notes := r.world.ITSM.Journal(incident, "work_notes"); len(notes) != 1 {
					t.Errorf("%d work notes: %v", len(notes), notes)
				}
				if len(r.report.Unread) > 0 {
					t.Errorf("the report says %q", r.report.Unread)
				}
				r.ticketOf(quiet)
			})
		})
	}
}

func TestTheWayInWhichJournalsAreReadStays(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, first, then, said string }{
		{"text stays text when the rows are opened", "empty", "", ""},
		{"text stays text when the rows are refused", "empty", "refuse", ""},
		{"rows that are closed are said", "", "empty", "sys_journal_field is closed"},
		{"rows that are refused are said", "", "refuse", "refuses sys_journal_field"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				r.journals(tt.first)
				incident := r.world.Incident(r.users, "Laptop does not start", nil)
				r.world.ITSM.Comment("incident", incident, "ada.byron", "Please help.")
				r.rest()
				ticket := r.ticketOf(incident).ID
				r.journals(tt.then)
				r.world.ITSM.Comment("incident", incident, "ada.byron", "Any news?")
				other := r.world.Incident(r.users, "Another one", nil)
				r.world.ITSM.Comment("incident", other, "ada.byron", "The printer, too.")
				time.Sleep(2 * time.Minute)
				said := r.hears(5)
				if !strings.Contains(said, tt.said) || tt.said == "" && said != "" {
					t.Errorf("the report says %q", said)
				}
				if tt.said == "" {
					r.once(ticket, "Please help.", "Any news?")
					r.once(r.ticketOf(other).ID, "The printer, too.")
					return
				}
				r.once(ticket, "Please help.")
				r.once(r.ticketOf(other).ID)
				if unheard := r.linkOf(incident).Unheard; !strings.Contains(unheard, "sys_journal_field") {
					t.Errorf("the link says %q", unheard)
				}
				r.journals("")
				r.scanned()
				if unheard := r.linkOf(incident).Unheard; unheard != "" {
					t.Errorf("the link still says %q", unheard)
				}
				r.once(ticket, "Please help.", "Any news?")
				r.once(r.ticketOf(other).ID, "The printer, too.")
			})
		})
	}
}

func TestAJournalInAnotherZoneIsSaidAndNotPassedOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.world.ITSM.Switch(func(s *itsm.Switches) { s.Journals, s.ZoneHours = "empty", 2 })
		incident := r.world.Incident(r.users, "Laptop does not start", nil)
		r.world.ITSM.Comment("incident", incident, "ada.byron", "Please help.")
		if said := r.hears(5); !strings.Contains(said, "has to be GMT") {
			t.Errorf("the report says %q", said)
		}
		ticket := r.ticketOf(incident).ID
		r.once(ticket)
		r.world.ITSM.Switch(func(s *itsm.Switches) { s.ZoneHours = 0 })
		r.scanned()
		r.once(ticket, "Please help.")
		r.world.ITSM.Switch(func(s *itsm.Switches) { s.ZoneHours = 2 })
		r.world.ITSM.Comment("incident", incident, "ada.byron", "Any news?")
		time.Sleep(time.Minute)
		r.cycles(5)
		r.once(ticket, "Please help.")
		r.world.ITSM.Switch(func(s *itsm.Switches) { s.ZoneHours = 0 })
		r.scanned()
		r.once(ticket, "Please help.", "Any news?")
	})
}

// A ledger that was lost knew comments by another identity than the one that reads
// them in another way now: its notes are found by what they say.
func TestALostLedgerThatReadJournalsInAnotherWayIsNotRepeated(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, first, then string }{
		{"rows, then text", "", "empty"},
		{"text, then rows", "empty", ""},
		{"rows, then refused", "", "refuse"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				r.journals(tt.first)
				incident := r.world.Incident(r.users, "Laptop does not start", nil)
				r.world.ITSM.Comment("incident", incident, "ada.byron", "Please help.")
				r.world.ITSM.Comment("incident", incident, "bea.approver", "He & <I> wait for it.\n\n  Really.")
				r.rest()
				ticket := r.ticketOf(incident).ID
				texts := []string{"Please help.", "He &amp; &lt;I&gt; wait"}
				r.once(ticket, texts...)
				r.lose()
				r.journals(tt.then)
				if _, err := r.loop.Poller.Relink(t.Context()); err != nil {
					t.Fatal(err)
				}
				r.rest()
				time.Sleep(time.Hour)
				r.rest()
				r.once(ticket, texts...)
				r.world.ITSM.Comment("incident", incident, "ada.byron", "Thanks.")
				time.Sleep(time.Minute)
				r.rest()
				r.once(ticket, append(texts, "Thanks.")...)
				for link, err := range r.ledger.Links(t.Context(), plan.LinkQuery{}) {
					if err != nil || len(link.Vanished) > 0 {
						t.Errorf("%s misses %v, %v", link.ID, link.Vanished, err)
					}
				}
			})
		})
	}
}

func TestALedgerThatReadsJournalsAsTextAndLostOnlyNotesSendsNoneTwice(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, before string }{
		{"it knew that", "Please help."},
		{"it did not know yet", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				r.journals("empty")
				incident := r.world.Incident(r.users, "Laptop does not start", nil)
				if tt.before != "" {
					r.world.ITSM.Comment("incident", incident, "ada.byron", tt.before)
				}
				r.rest()
				time.Sleep(time.Hour)
				r.rest()
				backup := copyOf(t, r.ledger)
				way, err := r.ledger.Meta(t.Context(), "journals")
				if err == nil {
					err = backup.SetMeta(t.Context(), "journals", way)
				}
				if err != nil || (way == "") != (tt.before == "") {
					t.Fatalf("the way is %q, %v", way, err)
				}
				ticket := r.ticketOf(incident).ID
				r.world.ITSM.Comment("incident", incident, "ada.byron", "Any news?")
				r.world.MMD.AddNote(ticket, "vera@vendor.example", "On it.")
				r.rest()
				r.setBack(backup)
				for range 3 {
					r.rest()
					time.Sleep(20 * time.Minute)
				}
				if asked, told := r.says(ticket, "Any news?"), len(r.world.ITSM.Journal(incident, "work_notes")); asked != 1 || told != 1 {
					t.Errorf("%d notes and %d work notes, want one of each\n%s", asked, told, r.story())
				}
			})
		})
	}
}

func TestATicketWhoseNotesCannotBeReadIsSaidWhileTheyCannot(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		incident := r.world.Incident(r.users, "Laptop does not start", nil)
		r.world.MMD.Switch(func(s *mmd.Switches) { s.NoNotes = true })
		r.rest()
		if notice := r.linkOf(incident).Notice; !strings.Contains(notice, "cannot be read") {
			t.Errorf("the link says %q", notice)
		}
		r.world.MMD.Switch(func(s *mmd.Switches) { s.NoNotes = false })
		r.scanned()
		if notice := r.linkOf(incident).Notice; notice != "" {
			t.Errorf("the link still says %q", notice)
		}
	})
}

func TestWithoutAFullScanAClosedJournalKeepsItsFeedWaiting(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.loop.Poller.FullScan = 0
		incident := r.world.Incident(r.users, "Laptop does not start", nil)
		r.world.ITSM.Comment("incident", incident, "ada.byron", "Please help.")
		r.rest()
		r.journals("refuse")
		r.world.ITSM.Comment("incident", incident, "ada.byron", "Any news?")
		time.Sleep(2 * time.Minute)
		if said := r.hears(5); !strings.Contains(said, "403") {
			t.Errorf("the report says %q", said)
		}
		r.journals("")
		r.rest()
		r.once(r.ticketOf(incident).ID, "Please help.", "Any news?")
	})
}

// Under random faults, while rights on journals come and go, each comment arrives once.
func TestJournalsThatOpenAndCloseInAStorm(t *testing.T) {
	t.Parallel()
	seeds := 24
	if testing.Short() {
		seeds = 6
	}
	ways := []string{"", "empty", "refuse"}
	for _, seed := range from(max(number(t, "BRIDGE_SEED"), 1), max(number(t, "BRIDGE_SEEDS"), seeds)) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRigOn(t, simulator.New(simulator.Config{Seed: seed}))
				r.settle = 30 * time.Second
				r.start()
				for _, user := range r.world.ITSM.Rows("sys_user") { // a text shows names, and rows user names
					r.world.ITSM.Set("sys_user", user["sys_id"], map[string]string{"name": user["user_name"]})
				}
				turn := int(seed)
				r.journals(ways[turn%3])
				calm := func() {
					r.world.Faults.Random(0.06, simulator.ResetAfter, simulator.LostAfter, simulator.Error500After, simulator.Error503, simulator.Truncated, simulator.Partial, simulator.EmptyList)
					for range 20 {
						if _, err := r.loop.Cycle(t.Context()); err != nil {
							t.Fatalf("cycle: %v", err)
						}
						time.Sleep(30 * time.Second)
					}
					r.byHand()
					turn += 1 + int(seed/3)%2
					r.journals(ways[turn%3])
				}
				incidents, task := tell(r, calm)
				r.world.Faults.Clear()
				r.journals("")
				for range 3 {
					time.Sleep(time.Hour)
					r.byHand()
					r.rest()
				}
				r.exactlyOnce(incidents, task)
			})
		})
	}
}

// TestCommentsAreDatedByTheDesksClock has one written right before its record is given to
// another group while the journal cannot be read, and one right after the ticket was made
// where earlier ones are not passed on.
func TestCommentsAreDatedByTheDesksClock(t *testing.T) {
	t.Parallel()
	for _, ahead := range []time.Duration{0, 4 * time.Minute, -4 * time.Minute} {
		for name, play := range map[string]func(r *rig) (incident, told, never string){"left": leftUnread, "without history": withoutHistory} {
			t.Run(fmt.Sprintf("%s, the desk's clock is %s ahead", name, ahead), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					r := newRigOn(t, simulator.New(simulator.Config{Now: func() time.Time { return time.Now().Add(ahead) }}))
					incident, want, never := play(r)
					r.scanned()
					told := strings.Join(r.told(r.ticketOf(incident).ID), "\n")
					if !strings.Contains(told, want) || strings.Contains(told, never) {
						t.Errorf("the ticket was told %q\n%s", told, r.story())
					}
				})
			})
		}
	}
}

func leftUnread(r *rig) (incident, told, never string) {
	incident = r.world.Incident(r.users, "Laptop does not start", nil)
	r.world.ITSM.Comment("incident", incident, "ada.byron", "The first.") // journals are read as rows
	r.rest()
	r.journals("empty")
	r.world.ITSM.Comment("incident", incident, "ada.byron", "Before it left.")
	time.Sleep(2 * time.Second)
	group := r.world.ITSM.Row("incident", incident)["assignment_group"]
	r.world.ITSM.Set("incident", incident, map[string]string{"assignment_group": ""})
	r.cycles(4)
	r.world.ITSM.Comment("incident", incident, "ada.byron", "While it was away.")
	r.cycles(2)
	r.journals("")
	r.cycles(4)
	r.world.ITSM.Set("incident", incident, map[string]string{"assignment_group": group})
	return incident, "Before it left.", "While it was away."
}

func withoutHistory(r *rig) (incident, told, never string) {
	for _, rule := range r.rules.Tickets {
		rule.History = false
	}
	incident = r.world.Incident(r.users, "Laptop does not start", nil)
	r.world.ITSM.Comment("incident", incident, "ada.byron", "Before.")
	time.Sleep(2 * time.Second)
	r.cycle()
	time.Sleep(2 * time.Second)
	r.world.ITSM.Comment("incident", incident, "ada.byron", "After.")
	return incident, "After.", "Before."
}

// TestACommentOfTheMoveBackIsPassedOn has it come with the change that gives a record back.
func TestACommentOfTheMoveBackIsPassedOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		incident := r.world.Incident(r.users, "Laptop does not start", nil)
		r.rest()
		group := r.world.ITSM.Row("incident", incident)["assignment_group"]
		r.world.ITSM.Set("incident", incident, map[string]string{"assignment_group": ""})
		r.rest()
		r.world.ITSM.Set("incident", incident, map[string]string{"assignment_group": group})
		r.world.ITSM.Comment("incident", incident, "ada.byron", "Back to you, please look again.")
		r.rest()
		time.Sleep(time.Hour)
		r.rest()
		told := strings.Join(r.told(r.ticketOf(incident).ID), "\n")
		if !strings.Contains(told, "Back to you") {
			t.Errorf("the ticket was told %q; notice %q, unheard %q\n%s", told, r.linkOf(incident).Notice, r.linkOf(incident).Unheard, r.story())
		}
	})
}

// TestCommentsAfterTheReturnArePassedOnOrSaid has the bridge down while a record comes back.
func TestCommentsAfterTheReturnArePassedOnOrSaid(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		incident := r.world.Incident(r.users, "Laptop does not start", nil)
		r.rest()
		group := r.world.ITSM.Row("incident", incident)["assignment_group"]
		r.world.ITSM.Set("incident", incident, map[string]string{"assignment_group": ""})
		r.rest()
		time.Sleep(time.Minute)
		r.world.ITSM.Set("incident", incident, map[string]string{"assignment_group": group})
		time.Sleep(20 * time.Minute)
		r.world.ITSM.Comment("incident", incident, "ada.byron", "It is broken again.")
		time.Sleep(20 * time.Minute)
		r.world.ITSM.Comment("incident", incident, "ada.byron", "Hello?")
		time.Sleep(20 * time.Minute)
		r.start()
		r.rest()
		r.scanned()
		told := strings.Join(r.told(r.ticketOf(incident).ID), "\n")
		notice := r.linkOf(incident).Notice + r.linkOf(incident).Unheard
		if (!strings.Contains(told, "broken again") || !strings.Contains(told, "Hello?")) && notice == "" {
			t.Errorf("the ticket was told %q, and nobody says what is missing", told)
		}
	})
}
