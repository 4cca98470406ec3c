package config

import (
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

// key is one key of the contract: what it is called and how its value is taken.
type key struct {
	path string
	take func(value) error
	// needed keys have no default.
	needed bool
	// secret keys have a _file twin, and are set once or not at all.
	secret bool
	// empty says that "" is a value.
	empty bool
	// deep values are lists or groups of their own.
	deep bool
}

// value is what a key was set to.
type value struct {
	at place
	// text is the value with the environment put in; shown is what may be said of
	// it in a message, and empty for what may be a secret.
	text, shown string
	// node is the value of a deep key.
	node *yaml.Node
}

// twin is the variable that sets a key from outside.
func twin(path string) string {
	return "BRIDGE_" + strings.ToUpper(strings.ReplaceAll(path, ".", "_"))
}

// contract is every key of bridge.yaml, with its default already in the config.
func (r *reader) contract(c *Config) []key {
	*c = Config{
		File: c.File, Dir: c.Dir,
		Store: "sqlite:///var/lib/bridge/bridge.db", Mappings: r.resolve("mappings.yaml"), Listen: "127.0.0.1:8080", Vars: map[string]any{},
		Poll:      Poll{Interval: 30 * time.Second, NotesMaxInterval: 15 * time.Minute, FullScan: time.Hour},
		Send:      Send{ITSM: 4, MMD: 8, Budget: time.Minute, Settle: 5 * time.Minute, Fresh: 30 * time.Second},
		Limits:    Limits{Creates: 100, NotesPerHour: 100},
		Links:     Links{EndAfter: 7 * day},
		Retention: Retention{Bodies: 7 * day, Links: 400 * day},
	}
	keys := append(r.deskKeys(c), r.vendorKeys(c)...)
	return append(keys, []key{
		{path: "store", take: storeURL(&c.Store)},
		{path: "mappings", take: r.path(&c.Mappings)},
		{path: "poll.interval", take: duration(&c.Poll.Interval)},
		{path: "poll.notes_max_interval", take: duration(&c.Poll.NotesMaxInterval)},
		{path: "poll.full_scan", take: duration(&c.Poll.FullScan)},
		{path: "send.concurrency", take: both(&c.Send)},
		{path: "send.concurrency.itsm", take: count(&c.Send.ITSM, 1)},
		{path: "send.concurrency.mmd", take: count(&c.Send.MMD, 1)},
		{path: "send.budget", take: duration(&c.Send.Budget)},
		{path: "send.settle", take: duration(&c.Send.Settle)},
		{path: "send.fresh", take: duration(&c.Send.Fresh)},
		{path: "send.on_doubt", take: onDoubt(&c.Send.Resend, doubtful()...)},
		{path: "send.on_doubt.ticket_create", take: onDoubt(&c.Send.Resend, "ticket.create")},
		{path: "send.on_doubt.ticket_note", take: onDoubt(&c.Send.Resend, "ticket.note")},
		{path: "send.on_doubt.record_note", take: onDoubt(&c.Send.Resend, "record.note")},
		{path: "send.on_doubt.record_update", take: onDoubt(&c.Send.Resend, "record.update")},
		{path: "send.on_doubt.elevation_close", take: onDoubt(&c.Send.Resend, "elevation.close")},
		{path: "limits.creates", take: count(&c.Limits.Creates, 0)},
		{path: "limits.notes_per_hour", take: count(&c.Limits.NotesPerHour, 0)},
		{path: "links.end_after", take: duration(&c.Links.EndAfter)},
		{path: "retention.bodies", take: duration(&c.Retention.Bodies)},
		{path: "retention.links", take: duration(&c.Retention.Links)},
		{path: "listen", take: address(&c.Listen), empty: true},
		{path: "listen_metrics", take: address(&c.ListenMetrics), empty: true},
		{path: "vars", take: r.vars(&c.Vars), deep: true},
	}...)
}

func (r *reader) deskKeys(c *Config) []key {
	auth := &c.ITSM.Auth
	return []key{
		{path: "itsm.url", take: httpsURL(&c.ITSM.URL, withoutSlash), needed: true},
		{path: "itsm.auth.type", take: choice(&auth.Type, deskAuths()), needed: true},
		{path: "itsm.auth.username", take: text(&auth.Username)},
		{path: "itsm.auth.password", take: secret(&auth.Password), secret: true},
		{path: "itsm.auth.client_id", take: text(&auth.ClientID)},
		{path: "itsm.auth.client_secret", take: secret(&auth.ClientSecret), secret: true},
		{path: "itsm.auth.key", take: secret(&auth.Key), secret: true},
		{path: "itsm.tls.ca_file", take: noted},
		{path: "itsm.tls.client_cert_file", take: noted},
		{path: "itsm.tls.client_key_file", take: noted},
	}
}

func (r *reader) vendorKeys(c *Config) []key {
	auth := &c.MMD.Auth
	auth.Authority = microsoft()
	auth.Scopes = []string{"https://mwaas-services-customerapi-prod.azurewebsites.net/.default"}
	return []key{
		{path: "mmd.url", take: httpsURL(&c.MMD.URL, withSlash), needed: true},
		{path: "mmd.tenant_id", take: tenant(&c.MMD.Tenant), needed: true},
		{path: "mmd.auth.type", take: choice(&auth.Type, vendorAuths()), needed: true},
		{path: "mmd.auth.authority", take: httpsURL(&auth.Authority, withSlash)},
		{path: "mmd.auth.client_id", take: text(&auth.ClientID)},
		{path: "mmd.auth.client_secret", take: secret(&auth.ClientSecret), secret: true},
		{path: "mmd.auth.certificate_file", take: r.readable(&auth.CertificateFile)},
		{path: "mmd.auth.certificate_password", take: secret(&auth.CertificatePassword), secret: true},
		{path: "mmd.auth.token_cache_file", take: r.path(&auth.TokenCacheFile)},
		{path: "mmd.auth.token_cache_key", take: secret(&auth.TokenCacheKey), secret: true},
		{path: "mmd.auth.scopes", take: r.list(&auth.Scopes), deep: true},
		{path: "mmd.tls.ca_file", take: noted},
		{path: "mmd.tls.client_cert_file", take: noted},
		{path: "mmd.tls.client_key_file", take: noted},
	}
}
