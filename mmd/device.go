package mmd

import (
	"context"
	"encoding/json"
	"iter"
	"strings"
	"time"
)

// Device is a managed device. A field that is null stays apart from one that is empty.
type Device struct {
	Name              string
	IntuneID          *string
	Manufacturer      string
	Model             string
	SerialNumber      string
	GlobalDeviceID    *string
	UserUPN           *string
	UserEmail         *string
	ComplianceState   string
	PrimaryUpdateRing string
	AgeInMonths       float64
	Enrolled          time.Time
	LastSync          time.Time
	Groups            []Group
	Configurations    []Configuration

	TenantID                string
	TenantName              *string
	AssignedUser            *string
	OSVersion               *string
	OperatingSystemEdition  *string
	PlanType                string
	Persona                 string
	AADDeviceID             *string
	ManagementAgent         *string
	ProfileAssignmentStatus string

	missing gaps
}

// Missing names the fields that may be null and are not even that: the reply does not
// have them.
func (d Device) Missing() []string {
	return d.missing.of("intuneId", "globalDeviceId", "aadDeviceId", "userUpn", "userEmail", "tenantName", "assignedUser", "osVersion", "operatingSystemEdition", "managementAgent")
}

// Group is a group that a device or a user is in.
type Group struct {
	ID, DisplayName, Description string
	CountMembers                 *int
}

// UnmarshalJSON reads a group.
func (g *Group) UnmarshalJSON(raw []byte) error {
	var wire struct {
		ID, DisplayName, Description text

		CountMembers *number
	}
	if err := json.Unmarshal(raw, &wire); err != nil {
		return err
	}
	*g = Group{ID: string(wire.ID), DisplayName: string(wire.DisplayName), Description: string(wire.Description), CountMembers: (*int)(wire.CountMembers)}
	return nil
}

// Configuration is a policy, script or app of a device.
type Configuration struct {
	ID, Type, Name, Version, DeploymentStatus string
	Created, Modified, Reported               time.Time
}

// UnmarshalJSON reads a configuration.
func (c *Configuration) UnmarshalJSON(raw []byte) error {
	var wire struct {
		ID, Type, Name, Version, DeploymentStatus text

		CreatedUTC, LastModifiedUTC, LastReportedStatusUTC moment
	}
	if err := json.Unmarshal(raw, &wire); err != nil {
		return err
	}
	*c = Configuration{ID: string(wire.ID), Type: string(wire.Type), Name: string(wire.Name), Version: string(wire.Version), DeploymentStatus: string(wire.DeploymentStatus), Created: wire.CreatedUTC.Time, Modified: wire.LastModifiedUTC.Time, Reported: wire.LastReportedStatusUTC.Time}
	return nil
}

// UnmarshalJSON reads a device.
func (d *Device) UnmarshalJSON(raw []byte) error {
	var wire struct {
		Name, Manufacturer, Model, SerialNumber, ComplianceState, PrimaryUpdateRing text

		TenantID, PlanType, Persona, ProfileAssignmentStatus      text
		IntuneID, GlobalDeviceID, AADDeviceID, UserUPN, UserEmail optional[text, *text]
		TenantName, AssignedUser                                  optional[text, *text]
		OSVersion, OperatingSystemEdition, ManagementAgent        optional[text, *text]
		AgeInMonths                                               decimal
		EnrolledIntoIntuneDateTimeUTC, LastIntuneSyncDateTimeUTC  moment
		Groups                                                    []Group
		Configurations                                            []Configuration
	}
	if err := json.Unmarshal(raw, &wire); err != nil {
		return err
	}
	*d = Device{
		Name: string(wire.Name), Manufacturer: string(wire.Manufacturer), Model: string(wire.Model), SerialNumber: string(wire.SerialNumber),
		ComplianceState: string(wire.ComplianceState), PrimaryUpdateRing: string(wire.PrimaryUpdateRing), TenantID: string(wire.TenantID),
		PlanType: string(wire.PlanType), Persona: string(wire.Persona), ProfileAssignmentStatus: string(wire.ProfileAssignmentStatus),
		IntuneID: (*string)(wire.IntuneID.value), GlobalDeviceID: (*string)(wire.GlobalDeviceID.value), AADDeviceID: (*string)(wire.AADDeviceID.value),
		UserUPN: (*string)(wire.UserUPN.value), UserEmail: (*string)(wire.UserEmail.value), TenantName: (*string)(wire.TenantName.value), AssignedUser: (*string)(wire.AssignedUser.value),
		OSVersion: (*string)(wire.OSVersion.value), OperatingSystemEdition: (*string)(wire.OperatingSystemEdition.value), ManagementAgent: (*string)(wire.ManagementAgent.value),
		AgeInMonths: float64(wire.AgeInMonths), Enrolled: wire.EnrolledIntoIntuneDateTimeUTC.Time, LastSync: wire.LastIntuneSyncDateTimeUTC.Time,
		Groups: wire.Groups, Configurations: wire.Configurations,
		missing: missing(wire.IntuneID.came, wire.GlobalDeviceID.came, wire.AADDeviceID.came, wire.UserUPN.came, wire.UserEmail.came, wire.TenantName.came, wire.AssignedUser.came, wire.OSVersion.came, wire.OperatingSystemEdition.came, wire.ManagementAgent.came),
	}
	return nil
}

// key is what a device is told from others by: no single id is there of every device.
func (d Device) key() string {
	key := []string{d.Name, d.SerialNumber}
	for _, id := range []*string{d.IntuneID, d.GlobalDeviceID, d.AADDeviceID} {
		if id == nil {
			id = new(string)
		}
		key = append(key, *id)
	}
	return strings.Trim(strings.Join(key, "\n"), "\n")
}

// List lists devices: see "List devices".
func (s *Devices) List(ctx context.Context, o ListOptions) iter.Seq2[Device, error] {
	return list(ctx, s.service, place{"tenants/" + segment(s.tenant) + "/devices", "tenants/ID/devices", true}, o, Device.key)
}

// Get reads one device: see "Get device by device name".
func (s *Devices) Get(ctx context.Context, name string) (Device, error) {
	return one[Device](ctx, s.service, "tenants/"+segment(s.tenant)+"/devices/"+segment(name), "tenants/ID/devices/ID", func(d Device) string { return d.Name })
}

// User is a person who has managed devices.
type User struct {
	Name, UPN, Email string
	Groups           []Group
	Devices          []UserDevice
}

// UserDevice is a device as a user's list shows it: other names than a Device's.
type UserDevice struct {
	SerialNumber, Name, Model, Ring string
	LastSync                        time.Time
}

// UnmarshalJSON reads a user's device.
func (d *UserDevice) UnmarshalJSON(raw []byte) error {
	var wire struct {
		SerialNumber, Name, Model, Ring text

		LastIntuneSyncTime moment
	}
	if err := json.Unmarshal(raw, &wire); err != nil {
		return err
	}
	*d = UserDevice{SerialNumber: string(wire.SerialNumber), Name: string(wire.Name), Model: string(wire.Model), Ring: string(wire.Ring), LastSync: wire.LastIntuneSyncTime.Time}
	return nil
}

// UnmarshalJSON reads a user.
func (u *User) UnmarshalJSON(raw []byte) error {
	var wire struct {
		Name, UPN, Email text

		Groups  []Group
		Devices []UserDevice
	}
	if err := json.Unmarshal(raw, &wire); err != nil {
		return err
	}
	*u = User{Name: string(wire.Name), UPN: string(wire.UPN), Email: string(wire.Email), Groups: wire.Groups, Devices: wire.Devices}
	return nil
}

// List lists users: see "List users".
func (s *Users) List(ctx context.Context, o ListOptions) iter.Seq2[User, error] {
	return list(ctx, s.service, place{"tenants/" + segment(s.tenant) + "/users", "tenants/ID/users", true}, o, func(u User) string { return u.UPN })
}

// Get reads one user: see "Get user by userUpn". The answer is a collection of one.
func (s *Users) Get(ctx context.Context, upn string) (User, error) {
	return one[User](ctx, s.service, "tenants/"+segment(s.tenant)+"/users/"+segment(upn), "tenants/ID/users/ID", func(u User) string { return u.UPN })
}
