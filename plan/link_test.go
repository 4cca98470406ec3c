package plan_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"bridge/plan"
)

// What a link came to say after it was read, nobody has seen.
func TestWhatIsTakenAsSeenIsWhatWasRead(t *testing.T) {
	t.Parallel()
	read := plan.Link{Notice: "both sides moved state", Unheard: "closed", Held: map[string]string{"state": "6"}, Twins: []string{"a"}, Vanished: []string{"m"}}
	later := read
	later.Notice, later.Twins = "its record is gone", []string{"a", "b"}
	for _, tt := range []struct {
		name  string
		link  plan.Link
		says  []string
		twins []string
		held  bool
	}{
		{"nothing new", read, []string{"", ""}, nil, false},
		{"something new", later, []string{"its record is gone", ""}, []string{"b"}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := tt.link.TakenAsSeen(read)
			twins, vanished := got.Unseen()
			if diff := cmp.Diff(tt.says, []string{got.Notice, got.Unheard}); diff != "" {
				t.Errorf("it says (-want +got):\n%s", diff)
			}
			if len(twins) != len(tt.twins) || len(vanished) != 0 || (got.Held != nil) != tt.held {
				t.Errorf("twins %v, vanished %v, held %v", twins, vanished, got.Held)
			}
		})
	}
}
