// Package config reads bridge.yaml and its twins in the environment, checks every
// word of them at once, and says where each slip stands. It connects to nothing,
// and never shows a secret.
package config

import (
	"cmp"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"
)

// maxFile is more than any bridge.yaml needs.
const maxFile = 256 << 10

// Config is a checked bridge.yaml.
type Config struct {
	// File is bridge.yaml as it was named, Dir the folder that paths are relative to.
	File string
	Dir  string

	ITSM ITSM
	MMD  MMD
	// Store is the ledger's URL. It may hold a password: show StoreName instead.
	Store string
	// Mappings is the path of the rules file.
	Mappings   string
	mappingsAt place

	Poll      Poll
	Send      Send
	Limits    Limits
	Links     Links
	Retention Retention

	// Listen is the console's address; empty: none.
	Listen string
	// ListenMetrics is the address of metrics and health; empty: on the console's.
	ListenMetrics string
	// Vars are set for the rules file. A scalar is its text as written, null is nil.
	Vars map[string]any
}

// ITSM says where the service desk is and how to sign in.
type ITSM struct {
	URL  *url.URL
	Auth DeskAuth
	TLS  *tls.Config `json:"-"`
}

// DeskAuth holds what Type needs, and nothing else.
type DeskAuth struct {
	// Type is basic, oauth_password, oauth_client_credentials or api_key.
	Type         string
	Username     string
	Password     Secret
	ClientID     string
	ClientSecret Secret
	Key          Secret
}

// MMD says where the vendor's API is and how to sign in. TLS also covers the authority.
type MMD struct {
	URL    *url.URL
	Tenant string
	Auth   VendorAuth
	TLS    *tls.Config `json:"-"`
}

// VendorAuth holds what Type needs, and nothing else.
type VendorAuth struct {
	// Type is client_secret, client_certificate or user.
	Type                string
	Authority           *url.URL `json:"-"`
	ClientID            string
	ClientSecret        Secret
	CertificateFile     string
	CertificatePassword Secret
	TokenCacheFile      string
	TokenCacheKey       Secret
	Scopes              []string
}

// Poll says how often both sides are read.
type Poll struct {
	Interval         time.Duration
	NotesMaxInterval time.Duration
	FullScan         time.Duration
}

// Send says how many calls a side takes at once, the times of protocol.md, and of
// which kinds a write that was sent twice and found never is sent again.
type Send struct {
	ITSM, MMD int
	Budget    time.Duration
	Settle    time.Duration
	Fresh     time.Duration
	Resend    []string
}

// Limits are the brakes; 0 is no limit.
type Limits struct {
	Creates      int
	NotesPerHour int
}

// Links says how long a link is watched after both of its objects have ended.
type Links struct {
	EndAfter time.Duration
}

// Retention says how long the ledger keeps what it no longer needs.
type Retention struct {
	Bodies time.Duration
	Links  time.Duration
}

// Load reads the file at path, with the environment as env gives it. What is wrong
// comes back as Problems, all of them at once.
func Load(path string, env func(string) (string, bool)) (*Config, error) {
	src, err := read(path)
	if err != nil {
		return nil, Problems{{File: path, Message: err.Error()}}
	}
	return Parse(path, src, env)
}

// Parse is Load for a bridge.yaml that has been read: path says what it is called
// and which folder its own paths are relative to.
func Parse(path string, src []byte, env func(string) (string, bool)) (*Config, error) {
	if env == nil {
		env = func(string) (string, bool) { return "", false }
	}
	if len(src) > maxFile {
		return nil, Problems{{File: path, Message: tooLong().Error()}}
	}
	dir := filepath.Dir(path)
	cfg := &Config{File: path, Dir: dir}
	r := &reader{
		file: path, dir: dir, env: env,
		written: map[string]value{}, found: map[string]value{}, groups: map[string]place{},
	}
	keys := r.contract(cfg)
	root, slip := parse(src)
	if slip != nil {
		return nil, Problems{slip.in(path)}
	}
	if root != nil {
		r.walk(root, "", keys)
	}
	for _, k := range keys {
		r.settle(k)
	}
	r.auth("itsm", cfg.ITSM.Auth.Type, deskAuths())
	r.auth("mmd", cfg.MMD.Auth.Type, vendorAuths())
	cfg.mappingsAt = r.found["mappings"].at
	cfg.ITSM.TLS = r.tls("itsm")
	cfg.MMD.TLS = r.tls("mmd")
	if err := r.problems.err(); err != nil {
		return nil, err
	}
	return cfg, nil
}

// read reads a file that is no longer than a bridge.yaml can be.
func read(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("cannot be read: %w", cause(err))
	}
	if info.Size() > maxFile {
		return nil, tooLong()
	}
	src, err := os.ReadFile(path) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, fmt.Errorf("cannot be read: %w", cause(err))
	}
	return src, nil
}

func tooLong() error { return fmt.Errorf("is longer than %d KiB: this is no bridge.yaml", maxFile>>10) }

// cause is a file error without its path, which the line begins with.
func cause(err error) error {
	if path, ok := errors.AsType[*os.PathError](err); ok {
		return path.Err
	}
	return err
}

// Rules reads the rules file. Where it cannot be read, the line that names it is at fault.
func (c Config) Rules() ([]byte, error) {
	src, err := os.ReadFile(c.Mappings)
	if err != nil {
		at := c.mappingsAt
		return nil, Problems{{
			File: cmp.Or(at.source, c.File), Line: at.line, Column: at.column,
			Message: fmt.Sprintf("the rules in %s cannot be read: %v", c.Mappings, cause(err)),
		}}
	}
	return src, nil
}

// StoreName is the ledger's URL without its password.
func (c Config) StoreName() string {
	if u, err := url.Parse(c.Store); err == nil && (u.Host != "" || u.Scheme == "sqlite") {
		u.RawQuery, u.Fragment = "", ""
		return u.Redacted()
	}
	return "(a store)"
}

// Format writes the config without its secrets, whatever the verb.
func (c Config) Format(s fmt.State, _ rune) {
	text, err := json.Marshal(c)
	if err != nil {
		text = []byte(c.File)
	}
	s.Write(text) //nolint:errcheck,gosec // fmt keeps the error
}

// MarshalJSON writes the config without its secrets.
func (c Config) MarshalJSON() ([]byte, error) {
	type plain Config
	shown := struct {
		plain
		ITSM struct {
			URL  string
			Auth DeskAuth
		}
		MMD struct {
			URL, Tenant, Authority string
			Auth                   VendorAuth
		}
	}{plain: plain(c)}
	shown.Store = c.StoreName()
	shown.ITSM.URL, shown.ITSM.Auth = show(c.ITSM.URL), c.ITSM.Auth
	shown.MMD.URL, shown.MMD.Tenant, shown.MMD.Auth = show(c.MMD.URL), c.MMD.Tenant, c.MMD.Auth
	shown.MMD.Authority = show(c.MMD.Auth.Authority)
	text, err := json.Marshal(shown) //nolint:musttag // read by people, who know the names in Go
	if err != nil {
		return nil, fmt.Errorf("show the config: %w", err)
	}
	return text, nil
}

func show(u *url.URL) string {
	if u == nil {
		return ""
	}
	return u.Redacted()
}
