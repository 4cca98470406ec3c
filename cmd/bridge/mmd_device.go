package main

import (
	"strings"

	"github.com/spf13/cobra"

	"bridge/mmd"
)

func newDevices(a *app) *cobra.Command {
	var form string
	var p paging
	cmd := &cobra.Command{
		Use: "devices [NAME]", Short: "Managed devices, or one with its groups and configurations", Args: cobra.MaximumNArgs(1),
		Long: "Lists the managed devices of the tenant (List devices), or shows one (Get device by device name).\n" +
			"--search looks in name, serial number, global id, and the user's UPN and e-mail.",
		Example: "  bridge mmd devices --search ada@acme.example\n  bridge mmd devices MMD-03690457680 -o yaml",
		RunE: func(cmd *cobra.Command, args []string) error {
			b, err := a.byHand(cmd, args, form, &p)
			if err != nil {
				return err
			}
			if len(args) == 1 {
				d, err := b.vendor.Devices.Get(cmd.Context(), args[0])
				if err := b.found(d.Name, err, "device "+args[0]); err != nil {
					return err
				}
				a.oddWords(d.Unlisted())
				return a.showOne(form, deviceObject(d))
			}
			return b.blame(showAll(a, form, kind[mmd.Device]{
				many: "devices", row: deviceRow, whole: deviceObject, onward: p.onward,
				columns: []column{{"NAME", 0}, {"MODEL", enoughText}, {"SERIAL", enoughText}, {"RING", 0}, {"COMPLIANCE", 0}, {"USER", enoughText}, {"LAST SYNC", enoughTime}},
			}, reading(a, b.vendor.Devices.List(cmd.Context(), p.options())), p.top), "")
		},
	}
	formFlag(cmd, &form)
	p.flags(cmd, flagSearch)
	return cmd
}

// byHand checks how a command of the vendor's was called, and makes the clients.
func (a *app) byHand(cmd *cobra.Command, args []string, form string, p *paging) (*bridge, error) {
	if err := formKnown(form); err != nil {
		return nil, err
	}
	if p != nil {
		if err := p.check(cmd, args); err != nil {
			return nil, err
		}
	}
	for i, arg := range args {
		if strings.TrimSpace(arg) == "" {
			return nil, misused("argument %d is empty", i+1)
		}
	}
	return a.sides()
}

func deviceRow(d mmd.Device) []string {
	return []string{d.Name, d.Model, d.SerialNumber, d.PrimaryUpdateRing, d.ComplianceState, text(d.UserUPN), clock(d.LastSync)}
}

func deviceObject(d mmd.Device) object {
	return came(d.Missing(), object{
		{"name", d.Name},
		{"intuneId", optional(d.IntuneID)},
		{"manufacturer", d.Manufacturer},
		{"model", d.Model},
		{"serialNumber", d.SerialNumber},
		{"globalDeviceId", optional(d.GlobalDeviceID)},
		{"enrolledIntoIntuneDateTimeUtc", moment(d.Enrolled)},
		{"tenantId", d.TenantID},
		{"tenantName", optional(d.TenantName)},
		{"assignedUser", optional(d.AssignedUser)},
		{"userUpn", optional(d.UserUPN)},
		{"userEmail", optional(d.UserEmail)},
		{"complianceState", d.ComplianceState},
		{"osVersion", optional(d.OSVersion)},
		{"primaryUpdateRing", d.PrimaryUpdateRing},
		{"lastIntuneSyncDateTimeUtc", moment(d.LastSync)},
		{"ageInMonths", d.AgeInMonths},
		{"planType", d.PlanType},
		{"persona", d.Persona},
		{"aadDeviceId", optional(d.AADDeviceID)},
		{"managementAgent", optional(d.ManagementAgent)},
		{"operatingSystemEdition", optional(d.OperatingSystemEdition)},
		{"profileAssignmentStatus", d.ProfileAssignmentStatus},
		{"groups", objects(d.Groups, groupObject)},
		{"configurations", objects(d.Configurations, configurationObject)},
	})
}

func groupObject(g mmd.Group) object {
	return object{{"id", g.ID}, {"displayName", g.DisplayName}, {"description", g.Description}, {"countMembers", optional(g.CountMembers)}}
}

func configurationObject(c mmd.Configuration) object {
	return object{
		{"id", c.ID},
		{"type", c.Type},
		{"name", c.Name},
		{"version", c.Version},
		{"deploymentStatus", c.DeploymentStatus},
		{"createdUtc", moment(c.Created)},
		{"lastModifiedUtc", moment(c.Modified)},
		{"lastReportedStatusUtc", moment(c.Reported)},
	}
}

func newUsers(a *app) *cobra.Command {
	var form string
	var p paging
	cmd := &cobra.Command{
		Use: "users [UPN]", Short: "People who have a managed device, or one of them", Args: cobra.MaximumNArgs(1),
		Long: "Lists the people of the tenant who have a managed device (List users), or shows one (Get user by\n" +
			"userUpn). --search looks in name, UPN, e-mail, and the names and serial numbers of devices.",
		Example: "  bridge mmd users --search Byron\n  bridge mmd users ada@acme.example -o json",
		RunE: func(cmd *cobra.Command, args []string) error {
			b, err := a.byHand(cmd, args, form, &p)
			if err != nil {
				return err
			}
			if len(args) == 1 {
				u, err := b.vendor.Users.Get(cmd.Context(), args[0])
				if err := b.found(u.UPN, err, "user "+args[0]); err != nil {
					return err
				}
				return a.showOne(form, userObject(u))
			}
			return b.blame(showAll(a, form, kind[mmd.User]{
				many: "users", row: userRow, whole: userObject, onward: p.onward,
				columns: []column{{"UPN", enoughText}, {"NAME", enoughText}, {"EMAIL", enoughText}, {"DEVICES", enoughText}},
			}, b.vendor.Users.List(cmd.Context(), p.options()), p.top), "")
		},
	}
	formFlag(cmd, &form)
	p.flags(cmd, flagSearch)
	return cmd
}

func userRow(u mmd.User) []string {
	var names []string
	for _, d := range u.Devices {
		names = append(names, d.Name)
	}
	return []string{u.UPN, u.Name, u.Email, strings.Join(names, " ")}
}

func userObject(u mmd.User) object {
	return object{
		{"name", u.Name},
		{"upn", u.UPN},
		{"email", u.Email},
		{"groups", objects(u.Groups, groupObject)},
		{"devices", objects(u.Devices, func(d mmd.UserDevice) object {
			return object{
				{"serialNumber", d.SerialNumber},
				{"name", d.Name},
				{"model", d.Model},
				{"ring", d.Ring},
				{"lastIntuneSyncTime", moment(d.LastSync)},
			}
		})},
	}
}
