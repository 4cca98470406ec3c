package bridge_test

import (
	"context"
	"iter"
	"net/http"
	"reflect"
	"slices"
	"testing"
	"time"

	"bridge/itsm"
	"bridge/mmd"
	"bridge/simulator"
)

// call is one call of a method of a client.
type call struct {
	// name is the method, as package.Type.Method.
	name string
	side string
	// writes is the HTTP method of a write; empty: it reads.
	writes string
	// status is what the server answers when all is well.
	status int
	// one says that an empty list is no answer.
	one bool
	// pages is how many requests it takes when all is well, blank when nothing is found.
	pages, blank int
	make         func(context.Context, *world) error
	// did says whether the server has done a write.
	did func(*world) bool
	// redo is the call after a fault; nil: make. A write that was done once may not
	// be possible twice.
	redo func(context.Context, *world) error
}

func (c call) again(ctx context.Context, w *world) error {
	if c.redo != nil {
		return c.redo(ctx, w)
	}
	return c.make(ctx, w)
}

// last reads a list to its end, and gives the error that it ends with.
func last[T any](list iter.Seq2[T, error]) error {
	var last error
	for _, err := range list {
		last = err
	}
	return last
}

func second[T any](_ T, err error) error { return err }

// calls are all methods of both clients that ask a server.
func calls() []call { return slices.Concat(vendorReads(), vendorWrites(), deskReads(), deskWrites()) }

func vendorReads() []call {
	read := func(name string, one bool, make func(context.Context, *world) error) call {
		return call{name: "mmd." + name, side: simulator.SideMMD, status: http.StatusOK, one: one, pages: 1, blank: 1, make: make}
	}
	// A short page may be one that the server has cut: a list asks once more.
	list := func(name string, make func(context.Context, *world) error) call {
		c := read(name, false, make)
		c.pages = 2
		return c
	}
	everything := mmd.ListOptions{}
	return []call{
		list("Tickets.List", func(ctx context.Context, w *world) error { return last(w.vendor.Tickets.List(ctx, everything)) }),
		read("Tickets.Get", true, func(ctx context.Context, w *world) error { return second(w.vendor.Tickets.Get(ctx, w.ticket)) }),
		read("Tickets.Notes", false, func(ctx context.Context, w *world) error { return second(w.vendor.Tickets.Notes(ctx, w.ticket)) }),
		list("Elevations.List", func(ctx context.Context, w *world) error { return last(w.vendor.Elevations.List(ctx, everything)) }),
		read("Elevations.Details", true, func(ctx context.Context, w *world) error { return second(w.vendor.Elevations.Details(ctx, laptop)) }),
		list("Devices.List", func(ctx context.Context, w *world) error { return last(w.vendor.Devices.List(ctx, everything)) }),
		read("Devices.Get", true, func(ctx context.Context, w *world) error { return second(w.vendor.Devices.Get(ctx, laptop)) }),
		list("Users.List", func(ctx context.Context, w *world) error { return last(w.vendor.Users.List(ctx, everything)) }),
		read("Users.Get", true, func(ctx context.Context, w *world) error { return second(w.vendor.Users.Get(ctx, "ada@acme.example")) }),
	}
}

func vendorWrites() []call {
	return []call{
		{
			name: "mmd.Tickets.Create", side: simulator.SideMMD, writes: http.MethodPost, status: http.StatusOK, one: true,
			make: func(ctx context.Context, w *world) error {
				return second(w.vendor.Tickets.Create(ctx, mmd.NewTicket{
					Title: "Made", Description: "By a test.", Type: "Incident", Category: "Devices", Subcategory: "Other", Severity: 3,
					Contact: mmd.Contact{GivenName: "Ada", Surname: "Byron", Email: "ada@acme.example", PhoneNumber: "1"},
				}))
			},
			did: func(w *world) bool { return len(w.MMD.Tickets()) == 2 },
		},
		{
			name: "mmd.Tickets.AddNote", side: simulator.SideMMD, writes: http.MethodPost, status: http.StatusNoContent, one: true,
			make: func(ctx context.Context, w *world) error { return w.vendor.Tickets.AddNote(ctx, w.ticket, "Hello") },
			did:  func(w *world) bool { return len(w.MMD.Notes(w.ticket)) == 2 },
		},
		{
			name: "mmd.Elevations.Create", side: simulator.SideMMD, writes: http.MethodPost, status: http.StatusCreated, one: true,
			make: func(ctx context.Context, w *world) error {
				return second(w.vendor.Elevations.Create(ctx, request(spare)))
			},
			did: func(w *world) bool { return len(w.MMD.Elevations()) == 2 },
			redo: func(ctx context.Context, w *world) error {
				for _, e := range w.MMD.Elevations() {
					w.MMD.CloseElevation(e.ID)
				}
				return second(w.vendor.Elevations.Create(ctx, request(spare)))
			},
		},
		{
			name: "mmd.Elevations.Close", side: simulator.SideMMD, writes: http.MethodPatch, status: http.StatusNoContent, one: true,
			make: func(ctx context.Context, w *world) error {
				return w.vendor.Elevations.Close(ctx, w.elevation, "Installed.")
			},
			did: func(w *world) bool { return !w.MMD.Elevations()[0].Open },
			redo: func(ctx context.Context, w *world) error {
				made, err := w.vendor.Elevations.Create(ctx, request(spare))
				if err != nil {
					return err
				}
				return w.vendor.Elevations.Close(ctx, made.ID, "Installed.")
			},
		},
	}
}

func incident() itsm.Ask {
	return itsm.Ask{Table: "incident", Fields: []string{"number", "short_description"}}
}

func deskReads() []call {
	read := func(name string, one bool, pages int, make func(context.Context, *world) error) call {
		return call{name: "itsm.Client." + name, side: simulator.SideITSM, status: http.StatusOK, one: one, pages: pages, blank: (pages + 1) / 2, make: make}
	}
	var never time.Time
	comments := []string{"comments"}
	return []call{
		read("Changes", false, 1, func(ctx context.Context, w *world) error { return last(w.desk.Changes(ctx, incident(), never)) }),
		read("Records", false, 1, func(ctx context.Context, w *world) error {
			return last(w.desk.Records(ctx, incident(), []string{w.incident}))
		}),
		read("Get", true, 1, func(ctx context.Context, w *world) error { return second(w.desk.Get(ctx, incident(), w.incident)) }),
		read("Count", true, 1, func(ctx context.Context, w *world) error { return second(w.desk.Count(ctx, "incident", "active=true")) }),
		read("Journal", false, 1, func(ctx context.Context, w *world) error {
			return last(w.desk.Journal(ctx, []string{w.incident}, comments, never))
		}),
		read("JournalText", false, 1, func(ctx context.Context, w *world) error {
			return last(w.desk.JournalText(ctx, "incident", []string{w.incident}, comments, itsm.Dates{}))
		}),
		read("Approvals", false, 1, func(ctx context.Context, w *world) error { return last(w.desk.Approvals(ctx, []string{w.task})) }),
		read("Extends", false, 2, func(ctx context.Context, w *world) error { return second(w.desk.Extends(ctx, "incident")) }),
		read("Dictionary", false, 4, func(ctx context.Context, w *world) error { return last(w.desk.Dictionary(ctx, "incident")) }),
		read("Choices", false, 3, func(ctx context.Context, w *world) error { return last(w.desk.Choices(ctx, "incident", "state")) }),
		read("Attachments", false, 1, func(ctx context.Context, w *world) error {
			return last(w.desk.Attachments(ctx, "incident", w.incident))
		}),
	}
}

func deskWrites() []call {
	return []call{
		{
			name: "itsm.Client.Create", side: simulator.SideITSM, writes: http.MethodPost, status: http.StatusCreated, one: true,
			make: func(ctx context.Context, w *world) error {
				return second(w.desk.Create(ctx, incident(), map[string]string{"short_description": "Made"}))
			},
			did: func(w *world) bool { return len(w.ITSM.Rows("incident")) == 2 },
		},
		{
			name: "itsm.Client.Update", side: simulator.SideITSM, writes: http.MethodPatch, status: http.StatusOK, one: true,
			make: func(ctx context.Context, w *world) error {
				return second(w.desk.Update(ctx, incident(), w.incident, map[string]string{"short_description": "Changed"}))
			},
			did: func(w *world) bool { return w.ITSM.Row("incident", w.incident)["short_description"] == "Changed" },
		},
	}
}

// asksNobody are the methods of the clients that make no request.
func asksNobody() []string {
	return []string{"itsm.Client.Clock", "itsm.Client.Rate", "mmd.Tickets.Clock"}
}

func TestNoMethodOfAClientIsLeftOut(t *testing.T) {
	t.Parallel()
	known := asksNobody()
	for _, c := range calls() {
		known = append(known, c.name)
	}
	for _, of := range []reflect.Type{
		reflect.TypeFor[*mmd.Tickets](), reflect.TypeFor[*mmd.Elevations](), reflect.TypeFor[*mmd.Devices](), reflect.TypeFor[*mmd.Users](), reflect.TypeFor[*itsm.Client](),
	} {
		for m := range of.Methods() {
			if name := of.Elem().String() + "." + m.Name; !slices.Contains(known, name) {
				t.Errorf("%s is tried with no fault", name)
			}
		}
	}
	if n := reflect.TypeFor[mmd.Client]().NumField(); n != 4 {
		t.Errorf("the vendor's client has %d parts; those that are looked at are four", n)
	}
}

func TestNoFaultOfTheSimulatorIsLeftOut(t *testing.T) {
	t.Parallel()
	tried := map[simulator.Kind]bool{}
	for _, wrong := range troubles() {
		tried[wrong.rule.Kind] = true
	}
	for _, kind := range simulator.Kinds() {
		if !tried[kind] {
			t.Errorf("%q is on no line of the table", kind)
		}
	}
}
