package plan_test

import (
	"strings"
	"testing"

	"bridge/plan"
)

func TestMark(t *testing.T) {
	t.Parallel()
	pair := plan.Pair{Host: "acme.service-now.com", Tenant: "72f988bf-0000-0000-0000-2d7cd011db47"}
	mark := pair.Mark("9d385017c611228701d22104cc95c371", plan.TicketCreate, "1", "")
	if got := plan.MarkOf("INC0010042 · " + mark + "\nDisk full"); got != mark {
		t.Errorf("the mark of a description is %q, want %q", got, mark)
	}
	if !pair.Owns(mark) {
		t.Errorf("mark %s is not its own pair's", mark)
	}
	if upper := (plan.Pair{Host: "ACME.service-now.com", Tenant: pair.Tenant}); upper.Mark("9d385017c611228701d22104cc95c371", plan.TicketCreate, "1", "") != mark {
		t.Error("the case of a host name changes the mark")
	}
	other := plan.Pair{Host: "acme.service-now.com", Tenant: "another"}
	if other.Owns(mark) {
		t.Errorf("mark %s is owned by another tenant's bridge", mark)
	}
	seen := map[string]string{mark: "the first"}
	for _, item := range [][3]string{{"a", "1", ""}, {"9d385017c611228701d22104cc95c371", "2", ""}, {"9d385017c611228701d22104cc95c371", "1", "1"}} {
		m := pair.Mark(item[0], plan.TicketCreate, item[1], item[2])
		if seen[m] != "" {
			t.Errorf("%v has the mark of %s", item, seen[m])
		}
		seen[m] = strings.Join(item[:], "/")
	}
}

func TestMarkOf(t *testing.T) {
	t.Parallel()
	const mark = "b1-h3c-7f3k2q9dxe"
	tests := map[string]struct{ text, want string }{
		"at the end of the first line":              {"ada · 2026-11-23T10:04:05Z · INC1 · " + mark + "\nbody", mark},
		"as the whole first line":                   {mark, mark},
		"behind trailing blanks and a CR":           {"x · " + mark + " \r\nbody", mark},
		"in capitals":                               {"x · " + strings.ToUpper(mark), mark},
		"behind leading empty lines":                {"\n\nx · " + mark, mark},
		"not in the middle of the first line":       {"x " + mark + " y\nbody", ""},
		"not in a later line":                       {"He wrote:\nx · " + mark, ""},
		"not with a letter that is not Crockford's": {"x · b1-h3c-7f3k2q9dxi", ""},
		"not of another version":                    {"x · b9-h3c-7f3k2q9dxe", ""},
		"not glued to a word":                       {"x" + mark, ""},
		"of nothing":                                {"", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := plan.MarkOf(tt.text); got != tt.want {
				t.Errorf("MarkOf(%q) = %q, want %q", tt.text, got, tt.want)
			}
		})
	}
}
