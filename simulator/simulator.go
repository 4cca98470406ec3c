// Package simulator stands in for both sides and for the identity authority, in
// one process or over TLS, with faults that are scripted or drawn by a seed. It
// knows nothing of the bridge.
package simulator

import (
	"maps"
	"net/http"
	"strings"
	"time"

	"bridge/simulator/itsm"
	"bridge/simulator/mmd"
)

// Config says who may sign in, and how the world behaves. What is empty gets a
// plausible value.
type Config struct {
	Tenant                 string
	ClientID, ClientSecret string
	Username, Password     string
	Seed                   int64
	// Latency is how long each answer takes, on both sides.
	Latency time.Duration
	Now     func() time.Time
}

// The accounts of a world that names none.
const (
	Tenant       = "72f988bf-86f1-41af-91ab-2d7cd011db47"
	ClientID     = "6f1c9a5e-0d4b-4f5e-9a50-0a7f1f8f8f11"
	ClientSecret = "simulated-client-secret"
	Username     = "bridge.mmd"
	Password     = "simulated-password"
)

// World is both sides and the authority.
type World struct {
	Config    Config
	ITSM      *itsm.Server
	MMD       *mmd.Server
	Authority *Authority
	Faults    *Faults
}

// New makes an empty world.
func New(cfg Config) *World {
	set := func(field *string, value string) {
		if *field == "" {
			*field = value
		}
	}
	set(&cfg.Tenant, Tenant)
	set(&cfg.ClientID, ClientID)
	set(&cfg.ClientSecret, ClientSecret)
	set(&cfg.Username, Username)
	set(&cfg.Password, Password)
	if cfg.Now == nil {
		cfg.Now = time.Now //nolint:forbidigo // the clock of a world that is given none
	}
	w := &World{Config: cfg, Authority: newAuthority(cfg), Faults: newFaults(cfg.Seed, cfg.Now)}
	w.ITSM = itsm.New(itsm.Config{
		Username: cfg.Username, Password: cfg.Password, ClientID: "itsm-" + cfg.ClientID, ClientSecret: cfg.ClientSecret, Key: "simulated-key", Now: cfg.Now,
	})
	w.MMD = mmd.New(mmd.Config{Tenant: cfg.Tenant, App: "app-" + cfg.ClientID, Good: w.Authority.Good, Now: cfg.Now})
	return w
}

// The sides of a world, as faults name them.
const (
	SideITSM      = "itsm"
	SideMMD       = "mmd"
	SideAuthority = "authority"
)

// side says which part of the world answers a path.
func (w *World) side(path string) (string, http.Handler) {
	switch {
	case strings.HasPrefix(path, "/api/now/"), path == "/oauth_token.do":
		return SideITSM, w.ITSM
	case strings.HasPrefix(path, "/support/odata/"):
		return SideMMD, w.MMD
	}
	return SideAuthority, w.Authority
}

// Users is a small plausible desk: a group, people, and devices on both sides.
type Users struct{ Group, Ada, Bea, Device string }

// Populate makes it.
func (w *World) Populate() Users {
	u := Users{
		Group: w.ITSM.Insert("sys_user_group", map[string]string{"name": "Microsoft Managed Desktop"}),
		Ada: w.ITSM.Insert("sys_user", map[string]string{
			"user_name": "ada.byron", "name": "Ada Byron", "first_name": "Ada", "last_name": "Byron", "email": "ada@acme.example", "phone": "+44 20 1", "vip": "false",
		}),
		Bea: w.ITSM.Insert("sys_user", map[string]string{
			"user_name": "bea.long", "name": "Bea Long", "first_name": "Bea", "last_name": "Long", "email": "bea@acme.example", "mobile_phone": "+44 7",
		}),
		Device: w.ITSM.Insert("cmdb_ci", map[string]string{"name": "MMD-03690457680"}),
	}
	w.MMD.AddDevice("MMD-03690457680")
	return u
}

// Incident adds an incident of the group's, called in by Ada.
func (w *World) Incident(u Users, title string, more map[string]string) string {
	fields := map[string]string{
		"short_description": title, "description": title + ", since this morning.", "caller_id": u.Ada, "assignment_group": u.Group,
		"category": "hardware", "impact": "2", "urgency": "2", "opened_by": u.Ada,
	}
	maps.Copy(fields, more)
	return w.ITSM.Insert("incident", fields)
}

// Task adds a task that asks for elevation on the device, under a request item
// that Ada asked for.
func (w *World) Task(u Users, parent string) (task, item string) {
	item = w.ITSM.Insert("sc_req_item", map[string]string{"short_description": "Local administrator", "requested_for": u.Ada, "opened_by": u.Ada})
	task = w.ITSM.Insert("sc_task", map[string]string{
		"short_description": "Local admin elevation", "description": "Install the printer driver.", "request_item": item, "parent": parent,
		"cmdb_ci": u.Device, "opened_by": u.Ada, "assignment_group": u.Group,
	})
	return task, item
}
