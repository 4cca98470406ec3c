package main

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"bridge/mmd"
)

func newElevations(a *app) *cobra.Command {
	var form string
	var p paging
	cmd := &cobra.Command{
		Use: "elevations [ID]", Short: "Elevation requests, or one of them", Args: cobra.MaximumNArgs(1),
		Long: "Lists the elevation requests of the tenant (List elevation requests). The API has no method that\n" +
			"reads one: with an ID, the list is filtered by it.",
		Example: "  bridge mmd elevations --filter \"deviceName eq 'MMD-03690457680'\"\n" +
			"  bridge mmd elevations 00000000-0000-4000-8000-000000000002 -o yaml",
		RunE: func(cmd *cobra.Command, args []string) error {
			b, err := a.byHand(cmd, args, form, &p)
			if err != nil {
				return err
			}
			if len(args) == 1 {
				e, err := b.elevation(cmd, args[0])
				if err != nil {
					return err
				}
				return a.showOne(form, elevationObject(e))
			}
			return b.blame(showAll(a, form, kind[mmd.Elevation]{
				many: "elevation requests", row: elevationRow, whole: elevationObject, onward: p.onward,
				columns: []column{{"ID", 0}, {"STATE", 0}, {"DEVICE", enoughText}, {"CREATED", enoughTime}, {"TITLE", enoughText}},
			}, b.vendor.Elevations.List(cmd.Context(), p.options()), p.top), "")
		},
	}
	formFlag(cmd, &form)
	p.flags(cmd, flagFilter, flagOrderBy)
	return cmd
}

// elevation finds one elevation request; what a server gives beside it is passed over.
func (b *bridge) elevation(cmd *cobra.Command, id string) (mmd.Elevation, error) {
	for e, err := range b.vendor.Elevations.List(cmd.Context(), mmd.ListOptions{Filter: mmd.Eq("id", id)}) {
		if err != nil {
			return e, b.blame(err, "")
		}
		if strings.EqualFold(e.ID, id) {
			return e, nil
		}
	}
	return mmd.Elevation{}, b.found("", nil, "elevation request "+id)
}

func elevationRow(e mmd.Elevation) []string {
	state := "open"
	switch {
	case e.IsDeleted:
		state = "deleted"
	case !e.Closed.IsZero():
		state = "closed"
	}
	return []string{e.ID, state, e.DeviceName, clock(e.Created), e.Title}
}

func elevationObject(e mmd.Elevation) object {
	return object{
		{"id", e.ID},
		{"tenantId", e.TenantID},
		{"partnerId", e.PartnerID},
		{"requestingAgentUpn", e.RequestingAgentUPN},
		{"partnerTicketId", e.PartnerTicketID},
		{"deviceName", e.DeviceName},
		{"title", e.Title},
		{"category", e.Category},
		{"subcategory", e.Subcategory},
		{"planOfAction", e.PlanOfAction},
		{"actionsTaken", e.ActionsTaken},
		{"closingAgentUpn", e.ClosingAgentUPN},
		{"requestCreationTime", moment(e.Created)},
		{"requestClosureTime", moment(e.Closed)},
		{"requestRenewTime", moment(e.Renewed)},
		{"isSuccessfulRequest", e.IsSuccessful},
		{"viewerUpns", e.ViewerUPNs},
		{"passwordLastUpdatedTime", moment(e.PasswordUpdated)},
		{"isDeleted", e.IsDeleted},
		{"ttl", e.TTL},
		{"eTag", optional(e.ETag)},
	}
}

func newElevationDetails(a *app) *cobra.Command {
	var form string
	var reveal bool
	cmd := &cobra.Command{
		Use: "elevation-details DEVICE", Short: "The administrator's account of a device with an open elevation request", Args: cobra.ExactArgs(1),
		Long: "Shows the account of a device whose elevation request is open (Get elevation request details). The\n" +
			"password prints as ••• unless --reveal is given. The vendor notes who has looked, either way.",
		Example: "  bridge mmd elevation-details MMD-03690457680\n  bridge mmd elevation-details MMD-03690457680 --reveal -o json",
		RunE: func(cmd *cobra.Command, args []string) error {
			b, err := a.byHand(cmd, args, form, nil)
			if err != nil {
				return err
			}
			d, err := b.vendor.Elevations.Details(cmd.Context(), args[0])
			if err != nil {
				return b.blame(err, "open elevation request of device "+args[0])
			}
			password := d.Password.String()
			if reveal {
				password = d.Password.Reveal()
			}
			return a.showOne(form, detailsObject(d, password))
		},
	}
	formFlag(cmd, &form)
	cmd.Flags().BoolVar(&reveal, "reveal", false, "print the password itself, for whoever can read the output")
	return cmd
}

func detailsObject(d mmd.ElevationDetails, password string) object {
	return object{
		{"deviceName", d.DeviceName},
		{"openedElevationRequestId", d.OpenedElevationRequestID},
		{"accountUpn", d.AccountUPN},
		{"password", password},
		{"status", d.Status},
	}
}

func newCreateElevation(a *app) *cobra.Command {
	var form, file string
	cmd := &cobra.Command{
		Use: "create-elevation -f FILE", Short: "Open an elevation request", Args: cobra.NoArgs,
		Long: "Opens an elevation request (Create elevation request) from a JSON or YAML file, - for stdin, with the\n" +
			"API's names: PartnerTicketId (may be left out), DeviceName, Title, Category, Subcategory, PlanOfAction.",
		Example: "  echo '{DeviceName: MMD-03690457680, Title: Driver, Category: Devices, Subcategory: Elevation, PlanOfAction: Install it.}' |\n" +
			"    bridge mmd create-elevation -f -",
		RunE: func(cmd *cobra.Command, args []string) error {
			b, err := a.byHand(cmd, args, form, nil)
			if err != nil {
				return err
			}
			var e mmd.NewElevation
			if err := a.readObject(file, &e); err != nil {
				return err
			}
			if err := needed(file, member{"DeviceName", e.DeviceName}, member{"Title", e.Title}, member{"Category", e.Category},
				member{"Subcategory", e.Subcategory}, member{"PlanOfAction", e.PlanOfAction}); err != nil {
				return err
			}
			made, err := b.vendor.Elevations.Create(cmd.Context(), e)
			if err := a.wrote(b, err, "opened elevation request "+made.ID+" of device "+e.DeviceName, "bridge mmd elevations --filter \"deviceName eq '"+e.DeviceName+"'\""); err != nil {
				return err
			}
			return a.showOne(form, elevationObject(made))
		},
	}
	formFlag(cmd, &form)
	fileFlag(cmd, &file)
	return cmd
}

func newCloseElevation(a *app) *cobra.Command {
	var form, file string
	cmd := &cobra.Command{
		Use: "close-elevation ID [ACTIONS|-]", Short: "Close an elevation request", Args: cobra.RangeArgs(1, 2),
		Long: "Closes an elevation request (Close elevation request) and says what was done with it: as an argument,\n" +
			"- for stdin, or as ActionsTaken in a JSON or YAML file. One that was closed already is fine.",
		Example: "  bridge mmd close-elevation 00000000-0000-4000-8000-000000000002 \"Driver installed.\"",
		RunE: func(cmd *cobra.Command, args []string) error {
			b, err := a.byHand(cmd, args, form, nil)
			if err != nil {
				return err
			}
			if (file == "") != (len(args) == 2) {
				return misused("say what was done: as an argument, or with -f FILE")
			}
			var taken struct{ ActionsTaken string }
			if file != "" {
				err = a.readObject(file, &taken)
			} else {
				taken.ActionsTaken, err = a.readArgument(args[1])
			}
			if err == nil {
				err = needed(file, member{"ActionsTaken", taken.ActionsTaken})
			}
			if err != nil {
				return err
			}
			err = b.vendor.Elevations.Close(cmd.Context(), args[0], taken.ActionsTaken)
			if errors.Is(err, mmd.ErrAlreadyClosed) {
				a.tell("elevation request %s was closed already\n", args[0])
				return a.showWritten(form, object{{"id", args[0]}, {"closedAlready", true}})
			}
			if b.gone(err) {
				return b.blame(err, "elevation request "+args[0])
			}
			if err := a.wrote(b, err, "closed elevation request "+args[0], "bridge mmd elevations "+args[0]); err != nil {
				return err
			}
			return a.showWritten(form, object{{"id", args[0]}, {"closedAlready", false}})
		},
	}
	formFlag(cmd, &form)
	cmd.Flags().StringVarP(&file, "file", "f", "", "a JSON or YAML file with ActionsTaken; - is stdin")
	return cmd
}
