package connector_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"bridge/plan"
	"bridge/simulator"
	"bridge/simulator/mmd"
)

// opOf gives the only op of a kind.
func (r *rig) opOf(kind plan.Kind) plan.Op {
	r.Helper()
	var out []plan.Op
	for op, err := range r.ledger.Ops(r.Context(), plan.OpQuery{Kinds: []plan.Kind{kind}}) {
		if err != nil {
			r.Fatal(err)
		}
		out = append(out, op)
	}
	if len(out) != 1 {
		r.Fatalf("%d ops of kind %s, want one\n%s", len(out), kind, r.story())
	}
	return out[0]
}

// doubted is a rig with an incident whose ticket was posted twice and found never, since
// the lists do not show what is new.
func doubted(t *testing.T) (r *rig, incident string) {
	t.Helper()
	r = newRig(t)
	r.world.Incident(r.users, "Known to both", nil)
	r.rest()
	time.Sleep(11 * time.Hour) // longer than lists lag from now on: this one is shown
	r.rest()
	r.world.MMD.Switch(func(s *mmd.Switches) { s.Lag = 10 * time.Hour })
	r.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "POST", Path: "tickets", Kind: simulator.ResetAfter, Times: 2})
	incident = r.world.Incident(r.users, "Laptop does not start", nil)
	time.Sleep(time.Second)
	for range 80 {
		r.cycles(1)
		if r.counts().Doubt == 1 {
			return r, incident
		}
	}
	t.Fatalf("nothing is in doubt\n%s", r.story())
	return nil, ""
}

// TestADoubtEndsWhenWhatWasSentIsListed wants both tickets of a create that was sent
// twice: one is the link's, the other its twin.
func TestADoubtEndsWhenWhatWasSentIsListed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, incident := doubted(t)
		r.world.MMD.Switch(func(s *mmd.Switches) { s.Lag = 0 })
		r.cycles(4)
		link := r.linkOf(incident)
		if c := r.counts(); c.Doubt != 0 || c.Twins != 1 || link.MMD == "" || len(link.Twins) != 1 || len(r.world.MMD.Tickets()) != 3 {
			t.Errorf("%+v, link %+v\n%s", c, link, r.story())
		}
	})
}

// TestOfSeveralTicketsWithOneMarkTheOneThatTheRecordNamesIsTaken has a person write the
// older of them on the record.
func TestOfSeveralTicketsWithOneMarkTheOneThatTheRecordNamesIsTaken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, incident := doubted(t)
		number := r.world.ITSM.Row("incident", incident)["number"]
		var both []string
		for _, ticket := range r.world.MMD.Tickets() {
			if strings.HasPrefix(ticket.Title, number) {
				both = append(both, ticket.ID)
			}
		}
		slices.Sort(both)
		r.world.ITSM.Set("incident", incident, map[string]string{"correlation_id": both[0]})
		r.world.MMD.Switch(func(s *mmd.Switches) { s.Lag = 0 })
		r.cycles(4)
		if link := r.linkOf(incident); link.MMD != both[0] || !slices.Equal(link.Twins, both[1:]) {
			t.Errorf("of %q it is linked with %s, twins %q\n%s", both, link.MMD, link.Twins, r.story())
		}
	})
}

func TestTwoTwinsThatAreListedAtOnceAreBothTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		incident := r.world.Incident(r.users, "Laptop does not start", nil)
		r.rest()
		first := r.ticketOf(incident)
		twins := []string{r.world.MMD.AddTicket("A twin", first.Description), r.world.MMD.AddTicket("Another", first.Description)}
		r.cycles(2)
		slices.Sort(twins)
		if got := slices.Sorted(slices.Values(r.linkOf(incident).Twins)); !slices.Equal(got, twins) {
			t.Errorf("twins %q, want %q", got, twins)
		}
	})
}

// TestADoubtThatAPersonRetriesIsLookedForFirst resolves the ticket before: no list of
// tickets that can still change shows it any more.
func TestADoubtThatAPersonRetriesIsLookedForFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, incident := doubted(t)
		number := r.world.ITSM.Row("incident", incident)["number"]
		for _, ticket := range r.world.MMD.Tickets() {
			if strings.HasPrefix(ticket.Title, number) {
				r.world.MMD.SetState(ticket.ID, "resolved")
			}
		}
		r.world.MMD.Switch(func(s *mmd.Switches) { s.Lag = 0 })
		r.cycles(2)
		key := plan.LinkID("ticket.create", incident) + "/1"
		if err := r.ledger.Retry(t.Context(), key, "nobody sees it", time.Now()); err != nil {
			t.Fatal(err)
		}
		r.cycles(2)
		if n := len(r.world.MMD.Tickets()); n != 3 || r.linkOf(incident).MMD == "" {
			t.Errorf("%d tickets, link %+v\n%s", n, r.linkOf(incident), r.story())
		}
	})
}

// TestAnAnswerThatIsLateProvesNothingOfTheTimeInWhichItCame lets a note appear while
// the list that does not show it is on its way.
func TestAnAnswerThatIsLateProvesNothingOfTheTimeInWhichItCame(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.settle = 30 * time.Second
		r.start()
		incident := r.world.Incident(r.users, "Laptop does not start", nil)
		r.rest()
		r.world.MMD.AddNote(r.ticketOf(incident).ID, "vera@vendor.example", "On it.")
		time.Sleep(time.Minute)
		r.rest()
		r.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "POST", Path: "addNote", Kind: simulator.Late, Delay: 80 * time.Second, Times: 1})
		r.world.ITSM.Comment("incident", incident, "ada.byron", "Any news?")
		r.cycle() // gives up after 60 s; absence counts after 90
		r.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "GET", Path: "/notes", Kind: simulator.Slow, Delay: 25 * time.Second, Times: -1})
		time.Sleep(12 * time.Second)
		r.cycles(4)
		r.world.Faults.Clear()
		r.rest()
		if n := strings.Count(strings.Join(r.told(r.ticketOf(incident).ID), "\n"), "Any news?"); n != 1 {
			t.Errorf("the comment is on the ticket %d times\n%s", n, r.story())
		}
	})
}

// TestAnElevationThatNobodyKnowsOfIsTakenBack sets the ledger back to before an
// elevation was asked for, and takes the approval away: rights would stay open.
func TestAnElevationThatNobodyKnowsOfIsTakenBack(t *testing.T) {
	t.Parallel()
	for _, lag := range []time.Duration{0, 20 * time.Minute} {
		t.Run(fmt.Sprintf("with lists that lag by %s", lag), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				r.world.Incident(r.users, "Known to both", nil)
				task, item := r.world.Task(r.users, "")
				r.rest()
				backup := copyOf(t, r.ledger)
				time.Sleep(time.Hour)
				r.world.MMD.Switch(func(s *mmd.Switches) { s.Lag = lag })
				r.world.ITSM.Decide("sc_req_item", item, r.users.Bea, "approved")
				r.cycle()
				r.elevation(true)
				r.world.ITSM.Withdraw(item)
				r.setBack(backup)
				r.cycles(4 + int((lag+time.Hour)/(30*time.Second)))
				r.elevation(false)
				if link := r.elevationLinkOf(task); link.Ended.IsZero() || link.MMD == "" {
					t.Errorf("link %+v\n%s", link, r.story())
				}
			})
		})
	}
}

// TestASecondElevationOfATaskIsATwin shows one that is open beside the link's own.
func TestASecondElevationOfATaskIsATwin(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, task := elevated(t)
		r.world.MMD.Switch(func(s *mmd.Switches) { s.OpenLimit = 5 })
		r.world.MMD.CopyElevation(r.world.MMD.Elevations()[0].ID)
		r.cycles(2 * 60)
		if link := r.elevationLinkOf(task); len(link.Twins) != 1 || link.Notice == "" {
			t.Errorf("%+v\n%s", link, r.story())
		}
		if c := r.counts(); c.Twins != 1 {
			t.Errorf("%+v", c)
		}
	})
}

// TestALateTwinOfAClosedElevationIsTold: its task is closed, and its close was sent.
func TestALateTwinOfAClosedElevationIsTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, task := elevated(t)
		first := r.world.MMD.Elevations()[0].ID
		r.world.ITSM.Set("sc_task", task, map[string]string{"state": "3", "close_notes": "Done."})
		r.rest()
		r.elevation(false)
		twin := r.world.MMD.CopyElevation(first)
		r.cycles(2 * 60)
		link := r.elevationLinkOf(task)
		if link.MMD != first || link.Ended.IsZero() || !slices.Equal(link.Twins, []string{twin}) || !strings.Contains(link.Notice, twin) {
			t.Errorf("%+v\n%s", link, r.story())
		}
		if c := r.counts(); c.Twins != 1 {
			t.Errorf("%+v", c)
		}
	})
}

// elevationLinkOf gives the link of a task with its elevation request.
func (r *rig) elevationLinkOf(task string) plan.Link {
	r.Helper()
	for link, err := range r.ledger.Links(r.Context(), plan.LinkQuery{Records: []string{task}, Kind: plan.ElevationLink}) {
		if err != nil {
			r.Fatal(err)
		}
		return link
	}
	r.Fatalf("the task has no link\n%s", r.story())
	return plan.Link{}
}

// TestANoteThatWasEditedBeforeALossIsToldAsEdited loses the ledger before it saw that.
func TestANoteThatWasEditedBeforeALossIsToldAsEdited(t *testing.T) {
	t.Parallel()
	for _, journals := range []string{"", "refuse", "empty"} {
		for _, told := range []bool{false, true} {
			t.Run(fmt.Sprintf("told before: %t, journal rows: %q", told, journals), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { editedBeforeALoss(t, journals, told) })
			})
		}
	}
}

func editedBeforeALoss(t *testing.T, journals string, told bool) {
	t.Helper()
	r := newRig(t)
	incident := r.world.Incident(r.users, "Laptop does not start", nil)
	r.journals(journals)
	r.rest()
	ticket := r.ticketOf(incident).ID
	r.world.MMD.AddNote(ticket, "vera@vendor.example", "On it.")
	time.Sleep(time.Hour)
	r.rest()
	r.world.MMD.EditNote(ticket, 0, "On it, really.")
	if told {
		time.Sleep(time.Hour)
		r.rest()
	}
	r.lose()
	if _, err := r.loop.Poller.Relink(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		time.Sleep(time.Hour)
		r.rest()
	}
	want := []string{"On it.", "Edited, now:\nOn it, really."}
	if said := r.said(incident); !slices.Equal(said, want) {
		t.Errorf("said on the record %q, want %q\n%s", said, want, r.story())
	}
}

// TestARecordThatNamesATicketWhoseCreateIsUnknownProvesALoss: nobody but a ledger that
// knew the ticket can have written its id there.
func TestARecordThatNamesATicketWhoseCreateIsUnknownProvesALoss(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "POST", Path: "tickets", Kind: simulator.HTML, Times: 1})
		incident := r.world.Incident(r.users, "Laptop does not start", nil)
		r.cycle()
		if op := r.opOf(plan.TicketCreate); op.State != plan.Unknown {
			t.Fatalf("the create is %s", op.State)
		}
		backup := copyOf(t, r.ledger)
		r.rest()
		r.setBack(backup)
		r.world.MMD.AddNote(r.ticketOf(incident).ID, "vera@vendor.example", "On it.")
		for range 3 {
			time.Sleep(20 * time.Minute)
			r.rest()
		}
		if said := r.said(incident); !slices.Equal(said, []string{"On it."}) {
			t.Errorf("said on the record %q\n%s", said, r.story())
		}
		r.ticketOf(incident)
	})
}

// TestInATenantWithNothingInItOneCreateIsTriedAtATime: ten creates are lost on their
// way, and no list shows whether it sees.
func TestInATenantWithNothingInItOneCreateIsTriedAtATime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "POST", Path: "tickets", Kind: simulator.ResetAfter, Times: 10})
		r.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "GET", Path: "tickets", Kind: simulator.EmptyList, Times: -1})
		for i := range 10 {
			r.world.Incident(r.users, fmt.Sprintf("Laptop %d does not start", i), nil)
		}
		posted := len(r.world.MMD.Tickets())
		for range 60 {
			r.cycles(1)
			now := len(r.world.MMD.Tickets())
			if posted > 0 && now > posted+1 {
				t.Fatalf("%d tickets were made in one cycle while no list shows any\n%s", now-posted, r.story())
			}
			if posted = now; posted > 10 {
				break
			}
		}
		if posted != 11 {
			t.Errorf("%d tickets, want the ten that were lost and one try\n%s", posted, r.story())
		}
		r.world.Faults.Clear()
		for range 3 {
			time.Sleep(20 * time.Minute)
			r.rest()
		}
		if n, c := len(r.world.MMD.Tickets()), r.counts(); n != 11 || c.Twins != 1 {
			t.Errorf("%d tickets, %+v\n%s", n, c, r.story())
		}
	})
}

// TestWhatALedgerThatWasSetBackHoldsBackIsSaid sets it back to a time in which the
// record was with another group: nobody knows since when it is back.
func TestWhatALedgerThatWasSetBackHoldsBackIsSaid(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		incident := r.world.Incident(r.users, "Laptop does not start", nil)
		r.rest()
		group := r.world.ITSM.Row("incident", incident)["assignment_group"]
		r.world.ITSM.Set("incident", incident, map[string]string{"assignment_group": ""})
		r.rest()
		backup := copyOf(t, r.ledger)
		r.world.ITSM.Set("incident", incident, map[string]string{"assignment_group": group})
		time.Sleep(time.Hour)
		r.rest()
		r.world.ITSM.Comment("incident", incident, "ada.byron", "Nobody has seen this.")
		time.Sleep(time.Minute)
		r.world.ITSM.Comment("incident", incident, "ada.byron", "The newest change, so it is back.")
		r.world.Incident(r.users, "The older copy does not know it", nil)
		r.setBack(backup)
		time.Sleep(time.Minute)
		r.rest()
		if link := r.linkOf(incident); !strings.Contains(link.Notice, "may not have been passed on") {
			t.Errorf("nothing is said: %+v\n%s", link, r.story())
		}
		if n := strings.Count(strings.Join(r.told(r.ticketOf(incident).ID), "\n"), "The newest change"); n != 1 {
			t.Errorf("the newest comment is on the ticket %d times\n%s", n, r.story())
		}
	})
}

// TestARelinkThatIsShownAnEmptyListAsksAgain: a closed record comes by no other way.
func TestARelinkThatIsShownAnEmptyListAsksAgain(t *testing.T) {
	t.Parallel()
	for path, side := range map[string]string{
		"incident": simulator.SideITSM, "sc_task": simulator.SideITSM, "tickets": simulator.SideMMD, "elevationRequests": simulator.SideMMD,
	} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r, _ := elevated(t)
				r.world.Incident(r.users, "Laptop does not start", nil)
				r.rest()
				r.lose()
				r.world.Faults.Add(simulator.Rule{Side: side, Method: "GET", Path: path, Kind: simulator.EmptyList, Times: 1})
				found, err := r.loop.Poller.Relink(t.Context())
				if err != nil || found.Tickets != 1 || found.Elevations != 1 || len(found.Strangers) > 0 {
					t.Errorf("%+v, %v", found, err)
				}
			})
		})
	}
}

// TestARecordThatWasNotToldOfItsTicketIsToldAfterARelink loses the ledger between the two.
func TestARecordThatWasNotToldOfItsTicketIsToldAfterARelink(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		incident := r.world.Incident(r.users, "Laptop does not start", nil)
		r.world.Faults.Add(simulator.Rule{Side: simulator.SideITSM, Method: "PATCH", Kind: simulator.TooMany, Times: 1})
		r.cycles(1)
		ticket := r.ticketOf(incident)
		r.lose()
		if found, err := r.loop.Poller.Relink(t.Context()); err != nil || found.Tickets != 1 {
			t.Fatalf("%+v, %v", found, err)
		}
		r.cycles(4)
		if row := r.world.ITSM.Row("incident", incident); row["correlation_id"] != ticket.ID || row["state"] != "2" {
			t.Errorf("the record names %q, in state %q\n%s", row["correlation_id"], row["state"], r.story())
		}
	})
}

// TestACopyOfALedgerThatWasRelinkedJustNowIsOlderToo takes the copy before the relinked
// ledger has read anything.
func TestACopyOfALedgerThatWasRelinkedJustNowIsOlderToo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		incident := r.world.Incident(r.users, "Laptop does not start", nil)
		r.rest()
		r.lose()
		if _, err := r.loop.Poller.Relink(t.Context()); err != nil {
			t.Fatal(err)
		}
		backup := copyOf(t, r.ledger)
		time.Sleep(time.Minute)
		r.rest()
		r.world.ITSM.Comment("incident", incident, "ada.byron", "Any news?")
		r.world.MMD.AddNote(r.ticketOf(incident).ID, "vera@vendor.example", "On it.")
		time.Sleep(time.Hour)
		r.rest()
		r.setBack(backup)
		for range 3 {
			time.Sleep(20 * time.Minute)
			r.rest()
		}
		all := append(r.told(r.ticketOf(incident).ID), r.said(incident)...)
		for _, text := range []string{"Any news?", "On it."} {
			if n := strings.Count(strings.Join(all, "\n"), text); n != 1 {
				t.Errorf("%q is there %d times\n%s", text, n, r.story())
			}
		}
	})
}

// TestWhatFollowsFromAWriteThatALedgerKnewIsNotSaidTwice sets the ledger back to while
// an elevation was looked for: it was found, and said on its task, since.
func TestWhatFollowsFromAWriteThatALedgerKnewIsNotSaidTwice(t *testing.T) {
	t.Parallel()
	for name, meanwhile := range map[string]func(*rig){
		"something else shows that it was set back": func(r *rig) {
			time.Sleep(time.Hour)
			r.world.Incident(r.users, "The older copy does not know it", nil)
			r.rest()
		},
		"nothing else does": func(*rig) {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				// What follows is promised a moment after the loss was noticed.
				r := newRigOn(t, simulator.New(simulator.Config{Latency: 100 * time.Millisecond}))
				task, item := r.world.Task(r.users, "")
				r.rest()
				r.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "POST", Path: "elevationRequests", Kind: simulator.HTMLAfter, Times: 1})
				r.world.ITSM.Decide("sc_req_item", item, r.users.Bea, "approved")
				r.cycle()
				if op := r.opOf(plan.ElevationCreate); op.State != plan.Unknown {
					t.Fatalf("the elevation is %s", op.State)
				}
				backup := copyOf(t, r.ledger)
				r.rest()
				said := r.said(task)
				meanwhile(r)
				r.setBack(backup)
				for range 3 {
					r.rest()
					time.Sleep(20 * time.Minute)
				}
				r.rest()
				if now := r.said(task); len(said) != 1 || !slices.Equal(said, now) {
					t.Errorf("said on the task %q, and then %q\n%s", said, now, r.story())
				}
			})
		})
	}
}

// TestACloseThatIsDoneAlreadyIsNotToldAgain sets the ledger back to before a close that
// was told, or has a person close the request: that is told once.
func TestACloseThatIsDoneAlreadyIsNotToldAgain(t *testing.T) {
	t.Parallel()
	for _, byUs := range []bool{true, false} {
		t.Run(fmt.Sprintf("by an earlier process: %t", byUs), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r, task := elevated(t)
				time.Sleep(time.Minute)
				backup := copyOf(t, r.ledger)
				r.world.ITSM.Set("sc_task", task, map[string]string{"state": "3", "close_notes": "Done."})
				if byUs {
					r.rest()
					time.Sleep(time.Minute)
				} else {
					r.world.MMD.CloseElevation(r.world.MMD.Elevations()[0].ID)
				}
				// The list does not tell that the request is closed, before the close is answered.
				r.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "GET", Path: "elevationRequests", Kind: simulator.WrongType, Times: 2})
				r.setBack(backup)
				r.cycles(2 * 60)
				closed := 0
				for _, said := range r.said(task) {
					closed += strings.Count(said, "was closed: Done.")
				}
				if closed != 1 || r.counts().Owed > 0 {
					t.Errorf("the close is told %d times\n%s", closed, r.story())
				}
			})
		})
	}
}

// TestANoteThatWasRefusedIsLookedForAfterAStart sets the ledger back to when a note had
// been refused a few times; it was written since, or was not.
func TestANoteThatWasRefusedIsLookedForAfterAStart(t *testing.T) {
	t.Parallel()
	for _, written := range []bool{true, false} {
		t.Run(fmt.Sprintf("written since: %t", written), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				incident := r.world.Incident(r.users, "Laptop does not start", nil)
				r.rest()
				r.world.MMD.AddNote(r.ticketOf(incident).ID, "vera@vendor.example", "On it.")
				r.world.Faults.Add(simulator.Rule{Side: simulator.SideITSM, Method: "PATCH", Kind: simulator.TooMany, Times: 3})
				for r.attempts(plan.RecordNote) < 3 {
					r.cycles(1)
				}
				backup := copyOf(t, r.ledger)
				if written {
					time.Sleep(time.Minute)
					r.cycles(3)
				}
				r.setBack(backup)
				time.Sleep(time.Minute)
				r.cycles(5)
				if said := r.said(incident); len(said) != 1 || r.counts().Owed > 0 {
					t.Errorf("said on the record: %q\n%s", said, r.story())
				}
			})
		})
	}
}

// attempts is how often a write of a kind was begun.
func (r *rig) attempts(kind plan.Kind) (n int) {
	r.Helper()
	for op, err := range r.ledger.Ops(r.Context(), plan.OpQuery{Kinds: []plan.Kind{kind}}) {
		if err != nil {
			r.Fatal(err)
		}
		n += op.Attempt
	}
	return n
}

// TestADeskThatShowsNothingDoesNotProveThatALedgerIsWhole sets the ledger back while
// the desk answers with nothing for some reads: nothing is sent before it shows something.
func TestADeskThatShowsNothingDoesNotProveThatALedgerIsWhole(t *testing.T) {
	t.Parallel()
	for empty := 1; empty <= 4; empty++ {
		t.Run(fmt.Sprintf("%d times", empty), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				incident := r.world.Incident(r.users, "Laptop does not start", nil)
				r.rest()
				backup := copyOf(t, r.ledger)
				time.Sleep(time.Minute)
				r.world.ITSM.Comment("incident", incident, "ada.byron", "Any news?")
				r.rest()
				time.Sleep(time.Minute)
				r.world.Faults.Add(simulator.Rule{Side: simulator.SideITSM, Method: "GET", Kind: simulator.EmptyList, Times: empty})
				r.setBack(backup)
				r.cycles(20)
				if n := strings.Count(strings.Join(r.told(r.ticketOf(incident).ID), "\n"), "Any news?"); n != 1 {
					t.Errorf("the comment is on the ticket %d times\n%s", n, r.story())
				}
			})
		})
	}
}

// TestATicketThatHidesItsNotesDoesNotProveThatALedgerIsWhole sets the ledger back while
// the list of the ticket's notes is empty: what it sent since then has to be looked for.
func TestATicketThatHidesItsNotesDoesNotProveThatALedgerIsWhole(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		incident := r.world.Incident(r.users, "Laptop does not start", nil)
		r.rest()
		r.world.MMD.AddNote(r.ticketOf(incident).ID, "vera@vendor.example", "On it.")
		time.Sleep(time.Hour)
		r.rest()
		backup := copyOf(t, r.ledger)
		r.world.ITSM.Comment("incident", incident, "ada.byron", "Any news?")
		r.rest()
		r.blind("notes")
		r.setBack(backup)
		r.world.ITSM.Comment("incident", incident, "ada.byron", "Hello?")
		r.cycles(5)
		r.world.Faults.Clear()
		time.Sleep(time.Hour)
		r.rest()
		for _, text := range []string{"Any news?", "Hello?"} {
			if n := strings.Count(strings.Join(r.told(r.ticketOf(incident).ID), "\n"), text); n != 1 {
				t.Errorf("%q is on the ticket %d times\n%s", text, n, r.story())
			}
		}
	})
}

// TestWhatWasRefusedWasNotSent has a ticket refused by a busy vendor, and lost once: that
// is one send of which nobody knows, and no doubt.
func TestWhatWasRefusedWasNotSent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.world.Incident(r.users, "Known to both", nil)
		r.rest()
		r.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "POST", Path: "tickets$", Kind: simulator.TooMany, Times: 3})
		r.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "POST", Path: "tickets$", Nth: 4, Kind: simulator.ResetBefore})
		incident := r.world.Incident(r.users, "Laptop does not start", nil)
		r.rest()
		r.ticketOf(incident)
		if n := r.counts().Doubt; n != 0 {
			t.Errorf("%d doubts\n%s", n, r.story())
		}
	})
}

// TestATwinThatBecomesItsLinksTicketIsNoneAnyMore has a ticket made too late for an
// incident that was given to another group meanwhile, and is given back right when the
// list shows nothing: it is made once, and looked for before a second one is.
func TestATwinThatBecomesItsLinksTicketIsNoneAnyMore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.world.Incident(r.users, "Known to both", nil)
		r.rest()
		r.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "POST", Path: "tickets$", Kind: simulator.Late, Delay: 20 * time.Minute, Times: 1})
		incident := r.world.Incident(r.users, "Laptop does not start", nil)
		group := r.world.ITSM.Row("incident", incident)["assignment_group"]
		r.cycles(2)
		r.world.ITSM.Set("incident", incident, map[string]string{"assignment_group": ""})
		r.cycles(45)
		ticket := r.ticketOf(incident)
		if link := r.linkOf(incident); link.MMD != "" || !slices.Equal(link.Twins, []string{ticket.ID}) {
			t.Fatalf("link %+v\n%s", link, r.story())
		}
		r.world.ITSM.Set("incident", incident, map[string]string{"assignment_group": group})
		r.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "GET", Path: "tickets$", Kind: simulator.EmptyList, Times: 1})
		r.cycles(4)
		if link := r.linkOf(incident); link.MMD != ticket.ID || len(link.Twins) != 0 {
			t.Errorf("link %+v\n%s", link, r.story())
		}
	})
}

// The first send was done and shows late, the second was not: it is found behind what was
// made between both.
func TestAFirstSendThatShowsLateIsFoundAfterTheSecond(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.world.Incident(r.users, "Known to both", nil)
		r.rest()
		time.Sleep(2 * time.Hour)
		r.rest()
		r.world.MMD.Switch(func(s *mmd.Switches) { s.Lag = 40 * time.Minute })
		r.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "POST", Path: "tickets$", Kind: simulator.ResetAfter, Times: 1})
		incident := r.world.Incident(r.users, "Laptop does not start", nil)
		for r.attempts(plan.TicketCreate) < 2 {
			r.cycles(1)
		}
		r.world.Incident(r.users, "Another one", nil) // its ticket is newer than the one that is looked for
		for r.attempts(plan.TicketCreate) < 3 {
			r.cycles(1)
		}
		r.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "POST", Path: "tickets$", Kind: simulator.ResetBefore, Times: 1})
		for r.attempts(plan.TicketCreate) < 4 {
			r.cycles(1)
		}
		r.world.MMD.Switch(func(s *mmd.Switches) { s.Lag = 0 })
		r.cycles(20)
		if n := len(r.world.MMD.Tickets()); n != 3 || r.linkOf(incident).MMD == "" || r.counts().Doubt > 0 {
			t.Errorf("%d tickets, %+v\n%s", n, r.counts(), r.story())
		}
	})
}
