package plan_test

import (
	"testing"
	"time"

	"bridge/plan"
)

var timing = plan.Timing{Budget: time.Minute, Settle: 5 * time.Minute}

func TestAfter(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		reply  plan.Reply
		sends  int
		timing plan.Timing
		state  plan.State
		due    time.Duration // after the reply
		waits  time.Duration // after begin
		frozen bool
	}{
		"a reply that shows it ends the op": {
			reply: plan.Reply{Outcome: plan.WasDone}, state: plan.Done, frozen: true,
		},
		"a refusal is tried again after two seconds": {
			reply: plan.Reply{Outcome: plan.WasRefused}, state: plan.Promised, due: 2 * time.Second,
		},
		"the fourth refusal is tried again after sixteen seconds": {
			reply: plan.Reply{Outcome: plan.WasRefused}, sends: 4, state: plan.Promised, due: 16 * time.Second,
		},
		"no refusal waits longer than a quarter of an hour": {
			reply: plan.Reply{Outcome: plan.WasRefused}, sends: 60, state: plan.Promised, due: 15 * time.Minute,
		},
		"a Retry-After is obeyed however long": {
			reply: plan.Reply{Outcome: plan.WasRefused, After: time.Hour}, state: plan.Promised, due: time.Hour,
		},
		"what can never succeed is parked": {
			reply: plan.Reply{Outcome: plan.WasImpossible}, state: plan.Parked,
		},
		"a lost answer waits for budget and settle delay from begin": {
			reply: plan.Reply{Outcome: plan.WasUnknown}, state: plan.Unknown, due: 5 * time.Second, waits: 6 * time.Minute, frozen: true,
		},
		"a complete reply waits for thirty seconds from the reply": {
			reply: plan.Reply{Outcome: plan.WasUnknown, Complete: true}, state: plan.Unknown, due: 5 * time.Second, waits: 40 * time.Second, frozen: true,
		},
		"a measured lag raises the wait to three times it": {
			reply: plan.Reply{Outcome: plan.WasUnknown}, timing: plan.Timing{Budget: time.Minute, Settle: 5 * time.Minute, Lag: 10 * time.Minute},
			state: plan.Unknown, due: 30 * time.Second, waits: 31 * time.Minute, frozen: true,
		},
		"a complete reply under a short settle delay waits for that": {
			reply: plan.Reply{Outcome: plan.WasUnknown, Complete: true}, timing: plan.Timing{Budget: time.Second, Settle: 6 * time.Second},
			state: plan.Unknown, due: 100 * time.Millisecond, waits: 16 * time.Second, frozen: true,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			with := timing
			if tt.timing.Settle > 0 {
				with = tt.timing
			}
			tt.reply.At = noon.Add(10 * time.Second)
			op := plan.Op{State: plan.Begun, Kind: plan.TicketCreate, Attempt: max(tt.sends, 1), Begun: noon, Frozen: true}
			got := with.After(op, tt.reply)
			if got.State != tt.state || got.Frozen != tt.frozen {
				t.Errorf("state %s, frozen %t; want %s, %t", got.State, got.Frozen, tt.state, tt.frozen)
			}
			if !got.State.Ended() && got.Due.Sub(tt.reply.At) != tt.due {
				t.Errorf("due %s after the reply, want %s", got.Due.Sub(tt.reply.At), tt.due)
			}
			if got.State == plan.Unknown && got.Waits.Sub(noon) != tt.waits {
				t.Errorf("absence counts %s after begin, want %s", got.Waits.Sub(noon), tt.waits)
			}
			if got.State.Ended() && got.Ended.IsZero() {
				t.Error("an ended op has no time of its end")
			}
		})
	}
}

func TestLooked(t *testing.T) {
	t.Parallel()
	waited := 6 * time.Minute
	tests := map[string]struct {
		kind  plan.Kind
		sends int
		// refused is how many of them were definitely refused.
		refused int
		at      time.Duration // after begin
		look    plan.Look
		// took is how long the answer took.
		took  time.Duration
		asked bool
		// undo says that a person dropped it.
		undo bool
		// resend is the kind that on_doubt names.
		resend plan.Kind
		state  plan.State
	}{
		"sent twice and found never is sent again where on_doubt says so": {
			kind: plan.TicketNote, sends: 5, at: waited, look: plan.Look{Sees: true}, resend: plan.TicketNote, state: plan.Promised,
		},
		"even then only when absence counts": {
			kind: plan.TicketNote, sends: 5, at: waited - time.Second, look: plan.Look{Sees: true}, resend: plan.TicketNote, state: plan.Unknown,
		},
		"and only that kind":                                                       {kind: plan.TicketCreate, sends: 2, at: waited, look: plan.Look{Sees: true}, resend: plan.TicketNote, state: plan.Doubt},
		"a hit settles at once":                                                    {look: plan.Look{Found: true, ID: "T1"}, state: plan.Done},
		"absence before the wait is over proves nothing":                           {at: waited - time.Second, look: plan.Look{Sees: true}, state: plan.Unknown},
		"absence that was waited for is sent once more":                            {at: waited, look: plan.Look{Sees: true}, state: plan.Promised},
		"an answer is as old as its question":                                      {at: waited + time.Second, took: 2 * time.Second, look: plan.Look{Sees: true}, state: plan.Unknown},
		"a doubt that a person retries is looked for first":                        {sends: 2, at: waited, look: plan.Look{Found: true}, asked: true, state: plan.Done},
		"and sent again when it is not there":                                      {sends: 2, at: waited, look: plan.Look{Blind: "empty"}, asked: true, state: plan.Promised},
		"but not while nobody answers":                                             {sends: 2, at: waited, look: plan.Look{Failed: true}, asked: true, state: plan.Unknown},
		"a look that cannot see proves nothing, ever":                              {at: 100 * waited, look: plan.Look{Blind: "empty"}, state: plan.Unknown},
		"sent twice and found never is a doubt":                                    {sends: 2, at: waited, look: plan.Look{Sees: true}, state: plan.Doubt},
		"what was refused was not sent":                                            {sends: 5, refused: 4, at: waited, look: plan.Look{Sees: true}, state: plan.Promised},
		"two sends besides are a doubt":                                            {sends: 5, refused: 3, at: waited, look: plan.Look{Sees: true}, state: plan.Doubt},
		"a hit after two sends still settles":                                      {sends: 2, at: waited, look: plan.Look{Found: true}, state: plan.Done},
		"what was written to a record that is gone waits for the right to read it": {kind: plan.RecordNote, at: waited + time.Hour - time.Second, look: plan.Look{Gone: true, Blind: "gone"}, state: plan.Unknown},
		"for an hour, and is a doubt then":                                         {kind: plan.RecordNote, at: waited + time.Hour, look: plan.Look{Gone: true, Blind: "gone"}, state: plan.Doubt},
		"one that a person dropped is cancelled":                                   {kind: plan.RecordNote, at: waited, look: plan.Look{Gone: true, Blind: "gone"}, undo: true, state: plan.Cancelled},
		"but not before absence would count":                                       {kind: plan.RecordNote, at: waited - time.Second, look: plan.Look{Gone: true, Blind: "gone"}, undo: true, state: plan.Unknown},
		"an elevation is never sent a second time by itself":                       {kind: plan.ElevationCreate, at: waited, look: plan.Look{Sees: true}, state: plan.Doubt},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			op := plan.Op{State: plan.Unknown, Kind: tt.kind, Attempt: max(tt.sends, 1), Refused: tt.refused, Begun: noon, Waits: noon.Add(waited), Frozen: true, Undo: tt.undo}
			tt.look.At = noon.Add(tt.at)
			tt.look.Began = tt.look.At.Add(-tt.took)
			op.Asked = tt.asked
			with := timing
			if tt.resend != "" {
				with.Resend = map[plan.Kind]bool{tt.resend: true}
			}
			got := with.Looked(op, tt.look)
			if got.State != tt.state {
				t.Errorf("state %s (%s), want %s", got.State, got.Reason, tt.state)
			}
			if !got.Frozen {
				t.Error("the body may be rendered again, although the first send may still arrive")
			}
			if got.State == plan.Unknown && !got.Due.After(tt.look.At) {
				t.Error("an unknown op is not looked for again later")
			}
			if tt.look.ID != got.Result {
				t.Errorf("result %q, want %q", got.Result, tt.look.ID)
			}
		})
	}
}

func TestProbesComeAtTwiceTheDistanceAndWhenAbsenceCounts(t *testing.T) {
	t.Parallel()
	op := timing.After(plan.Op{State: plan.Begun, Begun: noon, Attempt: 1}, plan.Reply{Outcome: plan.WasUnknown, At: noon})
	var at []time.Duration
	for op.State == plan.Unknown {
		at = append(at, op.Due.Sub(noon))
		op = timing.Looked(op, plan.Look{Sees: true, Began: op.Due, At: op.Due})
	}
	want := []time.Duration{5 * time.Second, 15 * time.Second, 35 * time.Second, 75 * time.Second, 155 * time.Second, 315 * time.Second, 6 * time.Minute}
	if len(at) != len(want) {
		t.Fatalf("looked at %v, want %v", at, want)
	}
	for i := range want {
		if at[i] != want[i] {
			t.Errorf("look %d is %s after begin, want %s", i+1, at[i], want[i])
		}
	}
}
