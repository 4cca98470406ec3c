package mmd

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// device is a Device, as the document shows it.
type device struct {
	Context        string          `json:"@odata.context,omitempty"`
	Name           string          `json:"name"`
	Intune         *string         `json:"intuneId"`
	Manufacturer   string          `json:"manufacturer"`
	Model          string          `json:"model"`
	Serial         string          `json:"serialNumber"`
	Global         *string         `json:"globalDeviceId"`
	Enrolled       *string         `json:"enrolledIntoIntuneDateTimeUtc"`
	Tenant         string          `json:"tenantId"`
	TenantName     *string         `json:"tenantName"`
	Assigned       *string         `json:"assignedUser"`
	UPN            *string         `json:"userUpn"`
	Email          *string         `json:"userEmail"`
	Compliance     string          `json:"complianceState"`
	OS             *string         `json:"osVersion"`
	Ring           string          `json:"primaryUpdateRing"`
	Sync           *string         `json:"lastIntuneSyncDateTimeUtc"`
	Age            float32         `json:"ageInMonths"`
	Plan           string          `json:"planType"`
	Persona        string          `json:"persona"`
	AAD            string          `json:"aadDeviceId"`
	Agent          *string         `json:"managementAgent"`
	Edition        *string         `json:"operatingSystemEdition"`
	Profile        string          `json:"profileAssignmentStatus"`
	Groups         []group         `json:"groups"`
	Configurations []configuration `json:"configurations"`
}

type group struct {
	ID          string `json:"id"`
	Name        string `json:"displayName"`
	Description string `json:"description"`
	Members     *int   `json:"countMembers"`
}

type configuration struct {
	ID       string `json:"id"`
	Type     string `json:"type"`
	Name     string `json:"name"`
	Version  string `json:"version"`
	Created  string `json:"createdUtc"`
	Modified string `json:"lastModifiedUtc"`
	Status   string `json:"deploymentStatus"`
	Reported string `json:"lastReportedStatusUtc"`
}

// user is a User; its devices have another shape than a Device.
type user struct {
	Name    string       `json:"name"`
	UPN     string       `json:"upn"`
	Email   string       `json:"email"`
	Groups  []group      `json:"groups"`
	Devices []userDevice `json:"devices"`
}

type userDevice struct {
	Serial string  `json:"serialNumber"`
	Name   string  `json:"name"`
	Model  string  `json:"model"`
	Ring   string  `json:"ring"`
	Sync   *string `json:"lastIntuneSyncTime"`
}

func (*device) field(string) value { return value{} }
func (*user) field(string) value   { return value{} }

// AddDevice enrols a device that belongs to nobody.
func (s *Server) AddDevice(name string) { s.AssignDevice(name, "", "") }

// AssignDevice enrols a device and gives it to a user; without one, fields are null as
// in the document.
func (s *Server) AssignDevice(name, userName, upn string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.devices[name] != nil {
		return
	}
	n := len(s.names)
	now := s.cfg.Now().UTC()
	at := s.stamp(now.Add(-time.Duration(n) * time.Hour))
	d := &device{
		Name: name, Manufacturer: "Microsoft Corporation", Model: "Surface Laptop", Serial: "S-" + name, Tenant: s.cfg.Tenant, Compliance: "Unknown",
		Ring: []string{"Test", "First", "Fast", "Broad"}[n%4], Age: 13.978561, Plan: "Premium", Persona: "Standard", AAD: fmt.Sprintf("00000000-0000-4000-a000-%012d", n),
		Profile: "Successful", Groups: []group{}, Configurations: []configuration{},
	}
	if upn != "" {
		id, global, version, agent, edition := "intune-"+name, "g:"+name, "10.0.19043.1586", "Intune", "Enterprise"
		d.Intune, d.Global, d.Enrolled, d.Sync, d.OS, d.Agent, d.Edition = &id, &global, &at, &at, &version, &agent, &edition
		d.Assigned, d.UPN, d.Email, d.Compliance = &userName, &upn, &upn, "Compliant"
	}
	s.devices[name] = d
	s.names = append(s.names, name)
	slices.Sort(s.names)
}

// all gives the devices by name.
func (s *Server) all() func(func(*device) bool) {
	return func(yield func(*device) bool) {
		for _, name := range s.names {
			if !yield(s.devices[name]) {
				return
			}
		}
	}
}

// listDevices is "List devices": searchText on name, serialNumber, globalDeviceId,
// userUpn, userEmail. Groups and configurations are empty in a list.
func (s *Server) listDevices(q *request) {
	o, err := options(q, nil, "skip", "top", "searchText")
	if err != nil {
		q.fail(http.StatusBadRequest, err.Error())
		return
	}
	o.about = context("Devices")
	page(q, s.cap(o), func(yield func(*device) bool) {
		for d := range s.all() {
			if o.finds(d.Name, d.Serial, textAt(d.Global).text, textAt(d.UPN).text, textAt(d.Email).text) && !yield(d) {
				return
			}
		}
	}, func(d *device) any { return d })
}

// getDevice is "Get device by device name", with its groups and configurations.
func (s *Server) getDevice(q *request, name string) {
	d := s.devices[name]
	if d == nil {
		q.fail(http.StatusNotFound, "This device does not exist.")
		return
	}
	out := *d
	out.Context = context("Devices/$entity")
	out.Groups = []group{s.group(d)}
	out.Configurations = []configuration{
		{"57dc3bb4-7b7f-4052-b9af-0a9c31586e9e", "Policy", "Modern Workplace - Standard Device Profile Configuration", "1", "2021-06-22T01:29:53.4328287Z", "2021-06-22T01:29:53.4328287Z", "Compliant", "2021-02-09T07:44:52.6201692Z"},
		{"ba8215d7-1aed-4a77-8546-62b1e1a5a981", "App", "Modern Workplace - Teams Machine Wide Installer x32", "", "2021-02-05T19:26:46.6049199Z", "2021-10-20T17:28:49.654275Z", "NotApplicable", "0001-01-01T00:00:00Z"},
	}
	q.json(http.StatusOK, out)
}

func (s *Server) group(d *device) group {
	return group{ID: "46bde30a-9113-4f1e-b169-d9e178f41fa7", Name: "Modern Workplace Devices-" + d.Ring, Description: "Ring for device rollout"}
}

// users gives those who have a device, by UPN.
func (s *Server) users() []*user {
	by := map[string]*user{}
	var out []*user
	for d := range s.all() {
		if d.UPN == nil {
			continue
		}
		u := by[*d.UPN]
		if u == nil {
			u = &user{Name: *d.Assigned, UPN: *d.UPN, Email: *d.Email, Groups: []group{}}
			by[*d.UPN] = u
			out = append(out, u)
		}
		u.Devices = append(u.Devices, userDevice{d.Serial, d.Name, d.Model, d.Ring, d.Sync})
	}
	slices.SortFunc(out, func(a, b *user) int { return strings.Compare(a.UPN, b.UPN) })
	return out
}

// listUsers is "List users": searchText on name, upn, email, serialNumber, devices name.
func (s *Server) listUsers(q *request) {
	o, err := options(q, nil, "skip", "top", "searchText")
	if err != nil {
		q.fail(http.StatusBadRequest, err.Error())
		return
	}
	o.about = context("Users")
	page(q, s.cap(o), func(yield func(*user) bool) {
		for _, u := range s.users() {
			words := []string{u.Name, u.UPN, u.Email}
			for _, d := range u.Devices {
				words = append(words, d.Serial, d.Name)
			}
			if o.finds(words...) && !yield(u) {
				return
			}
		}
	}, func(u *user) any { return u })
}

// getUser is "Get user by userUpn": a collection of one, as the document shows it.
func (s *Server) getUser(q *request, upn string) {
	for _, u := range s.users() {
		if strings.EqualFold(u.UPN, upn) {
			u.Groups = []group{s.group(s.devices[u.Devices[0].Name])}
			q.json(http.StatusOK, struct {
				Context string  `json:"@odata.context"`
				Value   []*user `json:"value"`
			}{context("Users"), []*user{u}})
			return
		}
	}
	q.fail(http.StatusNotFound, "This user does not exist.")
}
