package plan_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bridge/plan"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func TestNext(t *testing.T) {
	t.Parallel()
	later, hourAgo := noon.Add(time.Minute), noon.Add(-2*time.Hour)
	op := func(key string, kind plan.Kind, state plan.State, due time.Time) plan.Op {
		return plan.Op{Key: key, Kind: kind, State: state, Due: due}
	}
	tests := map[string]struct {
		ops        []plan.Op
		unlinked   bool
		want       string
		superseded []string
	}{
		"nothing owed has nothing to send": {},
		"ended ops are passed over": {
			ops:  []plan.Op{op("a", plan.TicketNote, plan.Done, noon), op("b", plan.TicketNote, plan.Promised, noon)},
			want: "b",
		},
		"what is promised first is sent first": {
			ops:  []plan.Op{op("a", plan.TicketNote, plan.Promised, noon), op("b", plan.RecordNote, plan.Promised, noon)},
			want: "a",
		},
		"a refused op that waits blocks the link": {
			ops: []plan.Op{op("a", plan.TicketNote, plan.Promised, later), op("b", plan.RecordNote, plan.Promised, noon)},
		},
		"an op in flight blocks the link": {
			ops: []plan.Op{op("a", plan.TicketNote, plan.Begun, noon), op("b", plan.RecordNote, plan.Promised, noon)},
		},
		"an unknown op is looked for when it is due": {
			ops:  []plan.Op{op("a", plan.TicketNote, plan.Unknown, noon), op("b", plan.TicketNote, plan.Promised, noon)},
			want: "a",
		},
		"an unknown op that is not due blocks the link": {
			ops: []plan.Op{op("a", plan.TicketNote, plan.Unknown, later), op("b", plan.TicketNote, plan.Promised, noon)},
		},
		"a doubt blocks the link": {
			ops: []plan.Op{op("a", plan.TicketNote, plan.Doubt, noon), op("b", plan.TicketNote, plan.Promised, noon)},
		},
		"a parked create blocks what is behind it": {
			ops:      []plan.Op{op("a", plan.TicketCreate, plan.Parked, hourAgo), op("b", plan.TicketNote, plan.Promised, noon)},
			unlinked: true,
		},
		"a parked create lets the report about it through": {
			ops:      []plan.Op{op("a", plan.ElevationCreate, plan.Parked, noon), op("b", plan.RecordNote, plan.Promised, noon)},
			unlinked: true, want: "b",
		},
		"a parked note blocks its own direction": {
			ops:  []plan.Op{op("a", plan.TicketNote, plan.Parked, noon), op("b", plan.TicketNote, plan.Promised, noon), op("c", plan.RecordNote, plan.Promised, noon)},
			want: "c",
		},
		"a parked note blocks for an hour": {
			ops:  []plan.Op{op("a", plan.TicketNote, plan.Parked, hourAgo), op("b", plan.TicketNote, plan.Promised, noon)},
			want: "b",
		},
		"an update is superseded by a newer one": {
			ops:  []plan.Op{op("a", plan.RecordUpdate, plan.Promised, noon), op("b", plan.RecordNote, plan.Promised, noon), op("c", plan.RecordUpdate, plan.Promised, noon)},
			want: "b", superseded: []string{"a"},
		},
		"a parked update is superseded by a newer one": {
			ops:  []plan.Op{op("a", plan.RecordUpdate, plan.Parked, noon), op("c", plan.RecordUpdate, plan.Promised, noon)},
			want: "c", superseded: []string{"a"},
		},
		"an update that was begun is never superseded": {
			ops: []plan.Op{
				{Key: "a", Kind: plan.RecordUpdate, State: plan.Unknown, Frozen: true, Due: later}, op("c", plan.RecordUpdate, plan.Promised, noon),
			},
		},
		"a close waits for no note that waits": {
			ops:  []plan.Op{op("a", plan.RecordNote, plan.Promised, later), op("b", plan.ElevationClose, plan.Promised, noon)},
			want: "b",
		},
		"a close waits for no note in doubt": {
			ops:  []plan.Op{op("a", plan.RecordNote, plan.Doubt, noon), op("b", plan.ElevationClose, plan.Unknown, noon)},
			want: "b",
		},
		"a close that is not due waits": {
			ops: []plan.Op{op("a", plan.RecordNote, plan.Doubt, noon), op("b", plan.ElevationClose, plan.Promised, later)},
		},
		"without a request there is none to close": {
			ops:      []plan.Op{op("a", plan.ElevationCreate, plan.Unknown, later), op("b", plan.ElevationClose, plan.Promised, noon)},
			unlinked: true,
		},
		"without a ticket there is none to write to": {
			ops:      []plan.Op{op("a", plan.TicketNote, plan.Promised, noon)},
			unlinked: true,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			next, superseded := plan.Next(tt.ops, !tt.unlinked, noon)
			got := ""
			if next != nil {
				got = next.Key
			}
			var ended []string
			for _, o := range superseded {
				if o.State != plan.Superseded || o.Reason == "" || o.Ended.IsZero() {
					t.Errorf("op %s ended as %s, reason %q, at %s", o.Key, o.State, o.Reason, o.Ended)
				}
				ended = append(ended, o.Key)
			}
			if got != tt.want {
				t.Errorf("next op is %q, want %q", got, tt.want)
			}
			if diff := cmp.Diff(tt.superseded, ended); diff != "" {
				t.Errorf("superseded ops (-want +got):\n%s", diff)
			}
		})
	}
}
