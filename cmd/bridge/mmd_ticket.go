package main

import (
	"encoding/json"
	"errors"
	"html"
	"iter"
	"regexp"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"bridge/mmd"
)

func newTickets(a *app) *cobra.Command {
	var form string
	var p paging
	cmd := &cobra.Command{
		Use: "tickets [ID]", Short: "Support tickets, or one of them", Args: cobra.MaximumNArgs(1),
		Long: "Lists the support tickets of the tenant (List tickets), or shows one (Get ticket by ID).",
		Example: "  bridge mmd tickets --orderby \"createdDateTime desc\" --top 10\n" +
			"  bridge mmd tickets --filter \"contains(title,'INC0010001')\"\n  bridge mmd tickets MMD-1465001-HV8KX",
		RunE: func(cmd *cobra.Command, args []string) error {
			b, err := a.byHand(cmd, args, form, &p)
			if err != nil {
				return err
			}
			if len(args) == 1 {
				t, err := b.vendor.Tickets.Get(cmd.Context(), args[0])
				if err := b.found(t.ID, err, "ticket "+args[0]); err != nil {
					return err
				}
				a.oddWords(t.Unlisted())
				return a.showOne(form, ticketObject(t))
			}
			return b.blame(showAll(a, form, kind[mmd.Ticket]{
				many: "tickets", row: ticketRow, whole: ticketObject, onward: p.onward,
				columns: []column{{"ID", 0}, {"STATE", 0}, {"TYPE", enoughText}, {"SEV", 0}, {"CREATED", enoughTime}, {"NEXT", 0}, {"TITLE", enoughText}},
			}, reading(a, b.vendor.Tickets.List(cmd.Context(), p.options())), p.top), "")
		},
	}
	formFlag(cmd, &form)
	p.flags(cmd, flagFilter, flagOrderBy)
	return cmd
}

func ticketRow(t mmd.Ticket) []string {
	return []string{t.ID, t.State, t.Type, wholeNumber(t.Severity), clock(t.Created), t.NextActionOwner, t.Title}
}

func ticketObject(t mmd.Ticket) object {
	return came(t.Missing(), object{
		{"id", t.ID},
		{"title", t.Title},
		{"description", t.Description},
		{"isPartner", t.IsPartner},
		{"type", t.Type},
		{"category", t.Category},
		{"subcategory", t.Subcategory},
		{"compromiseIndicator", optional(t.CompromiseIndicator)},
		{"usersOrDevicesImpacted", optional(t.UsersOrDevicesImpacted)},
		{"relatedAlerts", optional(t.RelatedAlerts)},
		{"businessImpact", optional(t.BusinessImpact)},
		{"issueFirstNoticed", moment(t.IssueFirstNoticed)},
		{"issueReproduced", optional(t.IssueReproduced)},
		{"endUserSupportEngaged", optional(t.EndUserSupportEngaged)},
		{"troubleshootingSteps", optional(t.TroubleshootingSteps)},
		{"nextActionTime", moment(t.NextActionTime)},
		{"reproSteps", optional(t.ReproSteps)},
		{"severity", t.Severity},
		{"state", t.State},
		{"nextActionOwner", t.NextActionOwner},
		{"createdDateTime", moment(t.Created)},
		{"resolvedDateTime", moment(t.Resolved)},
		{"contact", object{
			{"id", t.Contact.ID},
			{"givenName", t.Contact.GivenName},
			{"surname", t.Contact.Surname},
			{"email", t.Contact.Email},
			{"phoneNumber", t.Contact.PhoneNumber},
			{"preferredLanguageId", t.Contact.PreferredLanguageID},
		}},
		{"emails", asTheyCame(t.Emails)},
		{"attachments", asTheyCame(t.Attachments)},
		{"notes", objects(t.Notes, noteObject)},
	})
}

// asTheyCame are members that the document shows empty, and says nothing of.
func asTheyCame(raw []json.RawMessage) []any {
	out := make([]any, 0, len(raw))
	for _, one := range raw {
		var v any
		if err := json.Unmarshal(one, &v); err == nil {
			out = append(out, v)
		}
	}
	return out
}

func newNotes(a *app) *cobra.Command {
	var form string
	cmd := &cobra.Command{
		Use: "notes TICKET", Short: "The notes of a ticket", Args: cobra.ExactArgs(1),
		Long: "Lists the notes of a ticket (Get ticket notes). A table shows their text; JSON and YAML show the\n" +
			"HTML as it came.",
		Example: "  bridge mmd notes MMD-1465001-HV8KX",
		RunE: func(cmd *cobra.Command, args []string) error {
			b, err := a.byHand(cmd, args, form, nil)
			if err != nil {
				return err
			}
			notes, err := b.vendor.Tickets.Notes(cmd.Context(), args[0])
			if err != nil {
				return b.blameNotes(cmd, err, args[0])
			}
			return showAll(a, form, kind[mmd.Note]{
				many: "notes", row: noteRow, whole: noteObject,
				columns: []column{{"ID", 0}, {"CREATED", enoughTime}, {"SENDER", enoughText}, {"TYPE", 0}, {"TEXT", enoughText}},
			}, each(notes), 0)
		},
	}
	formFlag(cmd, &form)
	return cmd
}

// each gives a list that is there as one that is read.
func each[T any](items []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, item := range items {
			if !yield(item, nil) {
				return
			}
		}
	}
}

// blameNotes tells a ticket that is not there from a server that has no notes: both
// answer 404.
func (b *bridge) blameNotes(cmd *cobra.Command, err error, ticket string) error {
	if !errors.Is(err, mmd.ErrNotes) {
		return b.blame(err, "")
	}
	if _, missing := b.vendor.Tickets.Get(cmd.Context(), ticket); missing != nil {
		return b.blame(missing, "ticket "+ticket)
	}
	return &failure{code: exitUnable, err: mmd.ErrNotes}
}

func noteRow(n mmd.Note) []string {
	shown := n.Text
	if strings.EqualFold(n.RenderType, "html") {
		shown = plainText(shown)
	}
	return []string{n.ID, clock(n.Created), n.Sender, n.Type, shown}
}

// plainText is what a person reads of a note; a table only shows it.
func plainText(source string) string {
	source = regexp.MustCompile(`(?i)<(?:br|/p|/div|/li|/tr)\b[^>]*>`).ReplaceAllString(source, "\n")
	source = regexp.MustCompile(`(?s)<[a-zA-Z/!][^>]*>`).ReplaceAllString(source, "")
	return html.UnescapeString(source)
}

func noteObject(n mmd.Note) object {
	var id any = n.ID
	if index, err := strconv.Atoi(n.ID); err == nil {
		id = index // as the API has it
	}
	return object{
		{"id", id},
		{"type", n.Type},
		{"renderType", n.RenderType},
		{"createdDateTime", moment(n.Created)},
		{"modifiedDateTime", moment(n.Modified)},
		{"text", n.Text},
		{"sender", n.Sender},
	}
}

func newAddNote(a *app) *cobra.Command {
	var asHTML bool
	var form string
	cmd := &cobra.Command{
		Use: "add-note TICKET TEXT|-", Short: "Add a note to a ticket", Args: cobra.RangeArgs(1, 2),
		Long: "Adds a note to a ticket (Add notes to ticket); - or nothing reads it from stdin. A running bridge\n" +
			"takes it for what it is, a note that is not its own, and copies it to the linked record.",
		Example: "  bridge mmd add-note MMD-1465001-HV8KX \"The user is back on Monday.\"\n" +
			"  echo \"The user is back on Monday.\" | bridge mmd add-note MMD-1465001-HV8KX -",
		RunE: func(cmd *cobra.Command, args []string) error {
			b, err := a.byHand(cmd, args, form, nil)
			if err != nil {
				return err
			}
			note, err := a.readArgument(append(args, "-")[1])
			if err != nil {
				return err
			}
			if strings.TrimSpace(note) == "" {
				return misused("the note is empty")
			}
			if !asHTML {
				note = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "\r\n", "<br>", "\n", "<br>").Replace(note)
			}
			err = b.vendor.Tickets.AddNote(cmd.Context(), args[0], note)
			if errors.Is(err, mmd.ErrNotes) {
				return b.blameNotes(cmd, err, args[0])
			}
			if err := a.wrote(b, err, "added a note to "+args[0], "bridge mmd notes "+args[0]); err != nil {
				return err
			}
			return a.showWritten(form, object{{"id", args[0]}, {"text", note}})
		},
	}
	formFlag(cmd, &form)
	cmd.Flags().BoolVar(&asHTML, "html", false, "the text is HTML, and is sent as it stands")
	return cmd
}
