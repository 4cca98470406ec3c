package connector

import (
	"strconv"
	"time"

	"bridge/itsm"
	"bridge/mapping"
	"bridge/mmd"
	"bridge/plan"
)

// row gives a record as the rules read it: nothing is tidied.
func row(r itsm.Record) mapping.Row {
	out := make(mapping.Row, len(r))
	for path, field := range r {
		out[path] = mapping.Cell{Value: field.Value, Display: field.Display}
	}
	return out
}

func comment(e itsm.Entry) plan.Comment {
	return plan.Comment{ID: e.ID, Element: e.Element, By: e.By, Text: e.Text, At: e.Created}
}

func approval(a itsm.Approval) plan.Approval {
	return plan.Approval{ID: a.ID, Of: a.Of, Approver: a.Approver, State: a.State, At: a.Updated}
}

// ticket gives a ticket as the rules read it.
func ticket(t mmd.Ticket, seen time.Time) plan.Ticket {
	all := cells(t)
	row := make(mapping.Row, len(all))
	for _, cell := range all {
		row[cell.field] = mapping.Cell{Value: cell.value}
	}
	return plan.Ticket{ID: t.ID, Description: t.Description, Row: row, Created: t.Created, Seen: seen}
}

// cells are what the rules can read of a ticket, under the API's own field names.
func cells(t mmd.Ticket) [11]struct{ field, value string } {
	return [...]struct{ field, value string }{
		{"id", t.ID},
		{"title", t.Title},
		{"description", t.Description},
		{"type", t.Type},
		{"category", t.Category},
		{"subcategory", t.Subcategory},
		{"state", t.State},
		{"nextActionOwner", t.NextActionOwner},
		{"severity", strconv.Itoa(t.Severity)},
		{"createdDateTime", utc(t.Created)},
		{"resolvedDateTime", utc(t.Resolved)},
	}
}

func ticketNote(n mmd.Note) plan.VendorNote {
	return plan.VendorNote{Sender: n.Sender, Text: n.Text, HTML: n.RenderType == "html", At: n.Created, Raw: n.CreatedRaw}
}

// utc writes a time as RFC 3339; a time that never was is empty.
func utc(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}
