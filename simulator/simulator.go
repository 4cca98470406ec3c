// Package simulator stands in for both sides and for the identity authority, in
// one process or over TLS, with faults that are scripted or drawn by a seed. It
// knows nothing of the bridge, and is no place for data that anybody misses.
package simulator

import (
	"context"
	"net/http"
	"strings"
	"time"

	"bridge/simulator/authority"
	"bridge/simulator/itsm"
	"bridge/simulator/mmd"
)

// Config says who may sign in, and how the world behaves. What is empty gets a
// plausible value.
type Config struct {
	Tenant                 string
	ClientID, ClientSecret string
	Username, Password     string
	// DeskClientID and DeskSecret are the desk's own application, Key its API key.
	DeskClientID, DeskSecret, Key string
	Seed                          int64
	// Latency is the least that each answer takes, on all sides.
	Latency time.Duration
	// Wait lets latency pass. Nil: a timer of the clock that tests can turn.
	Wait func(context.Context, time.Duration) error
	// Sessions lets the desk answer the requests of one session one by one.
	Sessions bool
	Now      func() time.Time
}

// The accounts of a world that names none.
const (
	Tenant       = "72f988bf-86f1-41af-91ab-2d7cd011db47"
	ClientID     = "6f1c9a5e-0d4b-4f5e-9a50-0a7f1f8f8f11"
	ClientSecret = "simulated-client-secret"
	Username     = "bridge.mmd"
	Password     = "simulated-password"
	DeskClientID = "0f5c1d2ea0b34d6c8f7e9a1b2c3d4e5f"
	DeskSecret   = "simulated-desk-secret"
	Key          = "simulated-api-key"
)

// World is both sides and the authority.
type World struct {
	Config    Config
	ITSM      *itsm.Server
	MMD       *mmd.Server
	Authority *authority.Server
	Faults    *Faults

	sessions sessions
	admin    http.Handler
}

// New makes an empty world.
func New(cfg Config) *World {
	for field, value := range map[*string]string{
		&cfg.Tenant: Tenant, &cfg.ClientID: ClientID, &cfg.ClientSecret: ClientSecret, &cfg.Username: Username, &cfg.Password: Password,
		&cfg.DeskClientID: DeskClientID, &cfg.DeskSecret: DeskSecret, &cfg.Key: Key,
	} {
		if *field == "" {
			*field = value
		}
	}
	if cfg.Now == nil {
		cfg.Now = time.Now //nolint:forbidigo // the clock of a world that is given none
	}
	if cfg.Wait == nil {
		cfg.Wait = pause
	}
	w := &World{Config: cfg, Faults: newFaults(cfg.Seed, cfg.Now)}
	w.Authority = authority.New(authority.Config{Tenant: cfg.Tenant, ClientID: cfg.ClientID, ClientSecret: cfg.ClientSecret, Now: cfg.Now})
	w.ITSM = itsm.New(itsm.Config{
		Username: cfg.Username, Password: cfg.Password, ClientID: cfg.DeskClientID, ClientSecret: cfg.DeskSecret, Key: cfg.Key, Now: cfg.Now,
	})
	w.MMD = mmd.New(mmd.Config{Tenant: cfg.Tenant, Who: w.sender, Now: cfg.Now})
	w.sessions.apart(cfg.Sessions)
	w.admin = w.administration()
	return w
}

// sender is how the vendor's side calls who a token was given to.
func (w *World) sender(token string) (string, bool) {
	who, ok := w.Authority.Who(token)
	if who == w.Config.ClientID {
		who = "app-" + who
	}
	return who, ok
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
	case strings.HasPrefix(path, "/api/"), path == "/oauth_token.do":
		return SideITSM, w.ITSM
	case strings.Contains(path, "/odata/"):
		return SideMMD, w.MMD
	}
	return SideAuthority, w.Authority
}

// Secrets gives all that must be found in no log, file or output: what was configured,
// and what was ever handed out.
func (w *World) Secrets() []string {
	c := w.Config
	out := []string{c.ClientSecret, c.Password, c.DeskSecret, c.Key}
	out = append(out, w.Authority.Secrets()...)
	out = append(out, w.ITSM.Secrets()...)
	return append(out, w.MMD.Secrets()...)
}
