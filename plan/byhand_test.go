package plan_test

import (
	"testing"
	"time"

	"bridge/plan"
)

// TestWhoEndsALinkHasItsElevationClosed whatever became of a close before.
func TestWhoEndsALinkHasItsElevationClosed(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	later := now.Add(time.Hour)
	for name, test := range map[string]struct {
		is, want plan.Op
	}{
		"one that waits is sent all the same":          {is: plan.Op{State: plan.Promised, Due: later}},
		"one that is being sent is left alone":         {is: plan.Op{State: plan.Begun}},
		"one that is looked for is left alone":         {is: plan.Op{State: plan.Unknown, Due: later}},
		"one that is parked is sent again":             {plan.Op{State: plan.Parked, Frozen: true}, plan.Op{State: plan.Promised, Due: now}},
		"one in doubt is looked for, and sent again":   {plan.Op{State: plan.Doubt, Frozen: true}, plan.Op{State: plan.Unknown, Frozen: true, Asked: true, Due: now}},
		"one that was dropped is looked for, and sent": {plan.Op{State: plan.Unknown, Undo: true, Due: later}, plan.Op{State: plan.Unknown, Asked: true, Due: now}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			link := plan.Link{ID: "elevation/t", Kind: plan.ElevationLink, Record: "t", MMD: "e", Generation: 1}
			test.is.Key, test.is.Kind = "elevation.close/t/1", plan.ElevationClose
			ops, promise, err := plan.EndByHand(plan.Story{Link: link, Ops: []plan.Op{test.is}}, "ended by hand: contract", now)
			if err != nil || len(promise.Ops) != 0 || len(promise.Links) != 1 || !promise.Links[0].ByHand {
				t.Fatalf("%+v %v", promise, err)
			}
			if test.want.State == "" {
				if len(ops) != 0 {
					t.Errorf("it is changed: %+v", ops)
				}
				return
			}
			if len(ops) != 1 {
				t.Fatalf("it is left as it was: %+v", ops)
			}
			is, want := ops[0], test.want
			if is.State != want.State || is.Frozen != want.Frozen || is.Asked != want.Asked || is.Undo || !is.Due.Equal(want.Due) {
				t.Errorf("%+v, not %+v", is, want)
			}
		})
	}
}

// TestWhatAPersonHasSeenIsNotSaidAgain, and another one is.
func TestWhatAPersonHasSeenIsNotSaidAgain(t *testing.T) {
	t.Parallel()
	read := plan.Link{Twins: []string{"a"}, Vanished: []string{"n"}, Notice: "look"}
	link := read
	link.Twins = []string{"a", "b"} // found since
	link = link.TakenAsSeen(read)
	twins, vanished := link.Unseen()
	if len(twins) != 1 || twins[0] != "b" || len(vanished) != 0 || link.Notice != "" {
		t.Errorf("twins %v, vanished %v, notice %q", twins, vanished, link.Notice)
	}
}
