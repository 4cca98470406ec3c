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
}

// Group is a group that a device or a user is in.
type Group struct {
	ID, DisplayName, Description string
	CountMembers                 *int
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
	type plain Device
	var wire struct {
		plain
		EnrolledIntoIntuneDateTimeUTC moment
		LastIntuneSyncDateTimeUTC     moment
	}
	if err := json.Unmarshal(raw, &wire); err != nil {
		return err
	}
	*d = Device(wire.plain)
	d.Enrolled, d.LastSync = wire.EnrolledIntoIntuneDateTimeUTC.Time, wire.LastIntuneSyncDateTimeUTC.Time
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

// List lists users: see "List users".
func (s *Users) List(ctx context.Context, o ListOptions) iter.Seq2[User, error] {
	return list(ctx, s.service, place{"tenants/" + segment(s.tenant) + "/users", "tenants/ID/users", true}, o, func(u User) string { return u.UPN })
}

// Get reads one user: see "Get user by userUpn". The answer is a collection of one.
func (s *Users) Get(ctx context.Context, upn string) (User, error) {
	return one[User](ctx, s.service, "tenants/"+segment(s.tenant)+"/users/"+segment(upn), "tenants/ID/users/ID", func(u User) string { return u.UPN })
}
