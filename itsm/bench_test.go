package itsm_test

import (
	"bytes"
	"fmt"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"bridge/itsm"
)

const benchRows = 10_000

// archive answers pages of a table whose rows are one second apart. They are written
// before the clock runs, so that what is measured is the client.
type archive struct {
	start time.Time
	pages map[int][]byte
}

func newArchive(page int) *archive {
	a := &archive{start: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), pages: map[int][]byte{}}
	rows := make([]string, benchRows)
	for i := range rows {
		rows[i] = fmt.Sprintf(`{"sys_id":"%032x","number":"INC%07d","state":"2","active":"true","priority":"3","short_description":"Disk %d is full",`+
			`"caller_id":"%032x","caller_id.email":"person%d@acme.example","description":%q,"sys_updated_on":%q,"sys_mod_count":"4"}`,
			i, i, i, i%97, i%97, strings.Repeat("It hums and clicks. ", 10), a.start.Add(time.Duration(i)*time.Second).Format(time.DateTime))
	}
	// A page begins where the one before it ends.
	for first := 0; first < benchRows; first += page - 1 {
		a.pages[first] = []byte(`{"result":[` + strings.Join(rows[first:min(first+page, benchRows)], ",") + `]}`)
	}
	return a
}

func (a *archive) RoundTrip(r *http.Request) (*http.Response, error) {
	first := 0
	if _, from, ok := strings.Cut(r.URL.Query().Get("sysparm_query"), "sys_updated_on>="); ok {
		from, _, _ = strings.Cut(from, "^")
		at, err := time.Parse(time.DateTime, from)
		if err != nil {
			return nil, err
		}
		first = int(at.Sub(a.start) / time.Second)
	}
	page, ok := a.pages[first]
	if !ok {
		return nil, fmt.Errorf("no page begins at row %d", first)
	}
	w := &reply{status: http.StatusOK, header: http.Header{
		"Content-Type": {"application/json;charset=UTF-8"}, "Date": {"Mon, 23 Nov 2026 10:00:30 GMT"}, "X-Total-Count": {strconv.Itoa(benchRows - first)},
	}, body: *bytes.NewBuffer(page)}
	return w.response(r), nil
}

// heap is what is alive, in KB.
func heap() float64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc) / 1024
}

// BenchmarkChanges10000 lists 10,000 records page by page. What is alive at the end
// is as much as at the second page: heap-end/heap-page-2 is about 1.
func BenchmarkChanges10000(b *testing.B) {
	a := newArchive(itsm.Page)
	cfg := config(b, a)
	cfg.Page = itsm.Page
	ask := itsm.Ask{Table: "incident", Query: "active=true", Fields: []string{
		"number", "state", "active", "priority", "short_description", "description", "caller_id", "caller_id.email",
	}}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		for row, err := range open(b, cfg).Changes(b.Context(), ask, time.Time{}) {
			if err != nil {
				b.Fatal(err)
			}
			if n++; row.Value("sys_mod_count") != "4" {
				b.Fatal(row)
			}
		}
		if n != benchRows {
			b.Fatalf("%d rows", n)
		}
	}
	runtime.ReadMemStats(&after)
	rows := float64(b.N) * benchRows
	b.ReportMetric(rows/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric(float64(after.Mallocs-before.Mallocs)/rows, "allocs/row")
	early, late := growth(b, cfg, ask)
	b.ReportMetric(early, "heap-KB-at-page-2")
	b.ReportMetric(late, "heap-KB-at-end")
	b.ReportMetric(late/early, "heap-end/heap-page-2")
}

// growth reads a list once, and says how many KB more than before are alive at its
// second page and at its end.
func growth(tb testing.TB, cfg itsm.Config, ask itsm.Ask) (early, late float64) {
	tb.Helper()
	n, base := 0, heap()
	for _, err := range open(tb, cfg).Changes(tb.Context(), ask, time.Time{}) {
		if err != nil {
			tb.Fatal(err)
		}
		switch n++; n {
		case 3 * itsm.Page / 2:
			early = heap() - base
		case benchRows:
			late = heap() - base
		}
	}
	return early, late
}

func TestALongListDoesNotGrowWhileItIsRead(t *testing.T) {
	cfg := config(t, newArchive(itsm.Page))
	cfg.Page = itsm.Page
	early, late := growth(t, cfg, itsm.Ask{Table: "incident", Query: "active=true"})
	// 10,000 rows that were kept, by identity alone, are more than a megabyte.
	if late > early+512 {
		t.Errorf("%.0f KB more were alive at the second page, %.0f at the end", early, late)
	}
}
