package mmd_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"bridge/mmd"
)

const benchTickets = 10_000

// archive answers pages of a list of tickets. They are written before the clock runs, so
// that what is measured is the client.
type archive struct{ pages [][]byte }

func newArchive() *archive {
	a := &archive{}
	var items []string
	for i := range benchTickets {
		items = append(items, fmt.Sprintf(`{"id":"MMD-%d-R5V8P","title":"INC%07d: Disk is full","description":%q,"type":"Incident","category":"Devices","subcategory":"Other",`+
			`"severity":3,"state":"active","nextActionOwner":"Microsoft","createdDateTime":"2021-12-14T04:28:18.1234567Z","resolvedDateTime":null,"isPartner":false,`+
			`"contact":{"id":null,"givenName":"Ada","surname":"Byron","email":"ada@acme.example","phoneNumber":"1","preferredLanguageId":"en"},"notes":[],"emails":[],"attachments":[]}`,
			i, i, strings.Repeat("It hums and clicks. ", 10)))
		if len(items) == mmd.Page {
			a.pages = append(a.pages, []byte(`{"@odata.context":"x","value":[`+strings.Join(items, ",")+`]}`))
			items = nil
		}
	}
	a.pages = append(a.pages, []byte(`{"value":[]}`))
	return a
}

func (a *archive) RoundTrip(r *http.Request) (*http.Response, error) {
	skip, err := strconv.Atoi(r.URL.Query().Get("$skip"))
	if err != nil || skip%mmd.Page != 0 || skip/mmd.Page >= len(a.pages) {
		return nil, fmt.Errorf("no page begins at %q", r.URL.RawQuery)
	}
	page := a.pages[skip/mmd.Page]
	return &http.Response{
		StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r, ContentLength: int64(len(page)),
		Header: http.Header{"Content-Type": {"application/json; odata.metadata=minimal"}}, Body: io.NopCloser(bytes.NewReader(page)),
	}, nil
}

func reader(tb testing.TB, a *archive) *mmd.Client {
	tb.Helper()
	c, err := mmd.New(mmd.Config{URL: &url.URL{Scheme: "https", Host: "mmd.test", Path: "/"}, Tenant: tenant, Tokens: &fixed{}, Transport: a, Now: time.Now})
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// alive is how much memory is in use, in KB.
func alive() float64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc) / 1024
}

// growth reads a list once, and says how many KB more than before are alive at its
// second page and at its end.
func growth(tb testing.TB, c *mmd.Client) (early, late float64) {
	tb.Helper()
	n, base := 0, alive()
	for _, err := range c.Tickets.List(tb.Context(), mmd.ListOptions{}) {
		if err != nil {
			tb.Fatal(err)
		}
		switch n++; n {
		case 3 * mmd.Page / 2:
			early = alive() - base
		case benchTickets:
			late = alive() - base
		}
	}
	if n != benchTickets {
		tb.Fatalf("%d tickets", n)
	}
	return early, late
}

// BenchmarkTickets10000 lists 10,000 tickets page by page. What a list keeps of a ticket
// is its id, so that one that moves to another page is not given twice.
func BenchmarkTickets10000(b *testing.B) {
	c := reader(b, newArchive())
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		for ticket, err := range c.Tickets.List(b.Context(), mmd.ListOptions{}) {
			if err != nil {
				b.Fatal(err)
			}
			if n++; ticket.Severity != 3 {
				b.Fatalf("%+v", ticket)
			}
		}
		if n != benchTickets {
			b.Fatalf("%d tickets", n)
		}
	}
	runtime.ReadMemStats(&after)
	rows := float64(b.N) * benchTickets
	b.ReportMetric(rows/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric(float64(after.Mallocs-before.Mallocs)/rows, "allocs/row")
	early, late := growth(b, c)
	b.ReportMetric(early, "heap-KB-at-page-2")
	b.ReportMetric(late, "heap-KB-at-end")
	b.ReportMetric((late-early)*1024/benchTickets, "heap-B/row")
}

func TestALongListKeepsNoMoreThanIds(t *testing.T) {
	early, late := growth(t, reader(t, newArchive()))
	// 10,000 whole tickets are more than ten megabytes; their ids about one.
	if late > early+2048 {
		t.Errorf("%.0f KB more were alive at the second page, %.0f at the end", early, late)
	}
}
