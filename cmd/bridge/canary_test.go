package main_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	main "bridge/cmd/bridge"
	"bridge/simulator"
	"bridge/simulator/authority"
)

// cage is a bridge without sockets, of which all is kept that it says: what no part of
// it may hold are the secrets that it was given and handed out.
type cage struct {
	*testing.T
	world *simulator.World
	users simulator.Users
	dir   string
	// said is all output and all of the log.
	said bytes.Buffer
	// wal is what the ledger's log held at one request or another: it goes when the
	// ledger is closed.
	wal bytes.Buffer
	// secrets are all that there ever were.
	secrets map[string]bool
	// codes is how often a command ended with an exit code.
	codes map[int]int
}

// key encrypts the token cache of a user.
const key = "canary-key-of-thirty-two-letters"

// newCage runs in a bubble.
func newCage(t *testing.T, desk, vendor string) *cage {
	t.Helper()
	c := &cage{T: t, dir: t.TempDir(), secrets: map[string]bool{key: true}, codes: map[int]int{}, world: simulator.New(simulator.Config{
		Password: "canary-password&<x>", ClientSecret: "canary-client/secret+1", DeskSecret: "canary-desk-secret", Key: "canary-api-key",
	})}
	c.users = c.world.Populate()
	rules, err := filepath.Abs("../../mappings.yaml")
	if err != nil {
		t.Fatal(err)
	}
	cfg := c.world.Config
	c.write("itsm.secret", cfg.Password)
	c.write("desk.secret", cfg.DeskSecret)
	c.write("mmd.secret", cfg.ClientSecret)
	c.write("key.secret", cfg.Key)
	c.write("cache.secret", key)
	c.write("bridge.yaml", `
itsm:
  url: https://itsm.test
  auth: { `+strings.ReplaceAll(desk, "USER", "username: "+cfg.Username+", password_file: itsm.secret")+` }
mmd:
  url: https://mmd.test/support/odata/v1/
  tenant_id: `+cfg.Tenant+`
  auth: { authority: "https://login.test/", client_id: `+cfg.ClientID+`, `+vendor+` }
store: sqlite:bridge.db
mappings: `+rules+`
listen: ""
poll: { interval: 1s, notes_max_interval: 1s }
send: { budget: 1s, settle: 1s }
`)
	return c
}

func (c *cage) write(name, text string) {
	c.Helper()
	if err := os.WriteFile(filepath.Join(c.dir, name), []byte(text), 0o600); err != nil {
		c.Fatal(err)
	}
}

// Write hears what a command says, and enters the code of a sign-in on a device.
func (c *cage) Write(text []byte) (int, error) {
	if code := regexp.MustCompile(`\b[A-Z0-9]{8,9}\b`).Find(text); code != nil {
		c.world.Authority.Approve(string(code), "ada@contoso.example")
	}
	return c.said.Write(text)
}

// run runs one command, and takes down which secrets there are.
func (c *cage) run(args ...string) string {
	c.Helper()
	var out bytes.Buffer
	log := &guarded{to: c}
	env := map[string]string{}
	command := main.Inside{In: strings.NewReader("{}"), Out: io.MultiWriter(&out, log), Errs: log, Log: log, Env: env, Way: c.world.Transport()}
	c.collect()
	c.codes[command.Run(context.Background(), append(args, "--config", filepath.Join(c.dir, "bridge.yaml"))...)]++
	c.collect()
	return out.String()
}

// guarded lets many write to one.
type guarded struct {
	mu sync.Mutex
	to io.Writer
}

func (g *guarded) Write(text []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.to.Write(text)
}

// watch keeps the ledger's log at each request at which it has grown.
func (c *cage) watch() {
	var mu sync.Mutex
	size := 0
	c.world.Faults.Watch(func(simulator.Request) {
		mu.Lock()
		defer mu.Unlock()
		if text, err := os.ReadFile(filepath.Join(c.dir, "bridge.db-wal")); err == nil && len(text) != size {
			size = len(text)
			c.wal.Write(text)
		}
	}, nil)
}

func (c *cage) collect() {
	for _, secret := range c.world.Secrets() {
		c.secrets[secret] = true
	}
}

// shapes are how a secret may look: as it is, in JSON, in a URL, in base64, and with
// the user's name before it.
func (c *cage) shapes(secret string) []string {
	quoted, err := json.Marshal(secret)
	if err != nil {
		c.Fatal(err)
	}
	both := base64.StdEncoding.EncodeToString([]byte(c.world.Config.Username + ":" + secret))
	return []string{
		secret, string(quoted[1 : len(quoted)-1]), url.QueryEscape(secret), url.PathEscape(secret), base64.StdEncoding.EncodeToString([]byte(secret)), both,
		strings.ReplaceAll(secret, "&", "&amp;"),
	}
}

// leaks names where secrets are found: in what was said, and in each file but those in
// which the operator gave them.
func (c *cage) leaks() []string {
	c.Helper()
	texts := map[string][]byte{"what was said": c.said.Bytes(), "the ledger's log while it was open": c.wal.Bytes()}
	err := fs.WalkDir(os.DirFS(c.dir), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.HasSuffix(name, ".secret") {
			return err
		}
		texts[name], err = os.ReadFile(filepath.Join(c.dir, name))
		return err
	})
	if err != nil {
		c.Fatal(err)
	}
	var found []string
	for secret := range c.secrets {
		for _, shape := range c.shapes(secret) {
			for name, text := range texts {
				if at := bytes.Index(text, []byte(shape)); at >= 0 {
					found = append(found, name+": "+string(text[max(0, at-80):min(len(text), at+len(shape)+20)]))
				}
			}
		}
	}
	return found
}

// files are those that the bridge has made.
func (c *cage) files() []string {
	c.Helper()
	entries, err := os.ReadDir(c.dir)
	if err != nil {
		c.Fatal(err)
	}
	var out []string
	for _, entry := range entries {
		if !strings.HasSuffix(entry.Name(), ".secret") && entry.Name() != "bridge.yaml" {
			out = append(out, entry.Name())
		}
	}
	return out
}

// story has something of each kind happen, with each command.
func (c *cage) story() {
	c.Helper()
	incident := c.world.Incident(c.users, "Laptop does not start", nil)
	number := c.world.ITSM.Row("incident", incident)["number"]
	c.world.ITSM.Comment("incident", incident, "ada.byron", "Please hurry")
	task, item := c.world.Task(c.users, incident)
	c.world.ITSM.RequestApproval("sc_req_item", item, c.users.Bea)
	c.run("check")
	c.run("plan")
	c.run("run", "--once")
	c.world.ITSM.Decide("sc_req_item", item, c.users.Bea, "approved")
	for _, ticket := range c.world.MMD.Tickets() {
		c.world.MMD.AddNote(ticket.ID, "vera", "Have you tried it again?")
		c.run("mmd", "notes", ticket.ID)
		c.run("mmd", "add-note", ticket.ID, "By hand")
	}
	c.run("run", "--once")
	c.run("plan", "--json")
	for _, args := range [][]string{
		{"status"},
		{"status", "-o", "json"},
		{"mmd", "devices"},
		{"mmd", "devices", device, "-o", "json"},
		{"mmd", "users"},
		{"mmd", "tickets", "-o", "yaml"},
		{"mmd", "elevations", "-o", "json"},
		{"mmd", "elevation-details", device},
		{"mmd", "elevation-details", device, "-o", "json"},
		{"mmd", "elevation-details", device, "-o", "yaml"},
		{"mmd", "create-elevation", "-f", "-"},
		{"itsm", "get", "incident", number},
		{"itsm", "list", "incident", "-o", "json"},
		{"itsm", "count", "incident"},
		{"retry", number},
		{"resume", "incident"},
		{"backup", filepath.Join(c.dir, "copy.db")},
		{"login"},
	} {
		c.run(args...)
	}
	c.world.ITSM.Set("sc_task", task, map[string]string{"state": "3", "close_notes": "Installed."})
	c.run("run", "--once")
}

// ways to sign in, by what bridge.yaml says of them.
func signIns() map[string][2]string {
	const secret = "type: client_secret, client_secret_file: mmd.secret"
	return map[string][2]string{
		"a name and a password": {"type: basic, USER", secret},
		"an API key":            {"type: api_key, key_file: key.secret", secret},
		"a password grant":      {"type: oauth_password, USER, client_id: " + simulator.DeskClientID + ", client_secret_file: desk.secret", secret},
		"a client's grant":      {"type: oauth_client_credentials, client_id: " + simulator.DeskClientID + ", client_secret_file: desk.secret", secret},
		"a user":                {"type: basic, USER", "type: user, token_cache_file: tokens, token_cache_key_file: cache.secret"},
	}
}

// listenForSignals starts what the process keeps for signals, which must not be of a bubble.
func listenForSignals() {
	c := make(chan os.Signal, 1)
	signal.Notify(c, os.Interrupt)
	signal.Stop(c)
}

func TestNoSecretIsSaidOrKept(t *testing.T) {
	t.Parallel()
	listenForSignals()
	for name, auth := range signIns() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := newCage(t, auth[0], auth[1])
				c.watch()
				c.run("login")
				c.story()
				if n := len(c.world.MMD.Tickets()); n != 1 || c.codes[0] < 15 {
					t.Errorf("%d tickets, and commands ended with %v: %s", n, c.codes, c.said.String())
				}
				if n := len(c.world.MMD.Elevations()); n != 1 {
					t.Errorf("%d elevation requests: %s", n, c.said.String())
				}
				c.world.Authority.Revoke()
				c.world.ITSM.EndTokens()
				c.story() // with tokens that are refused
				c.world.Authority.Switch(func(s *authority.Switches) { s.Deny = true })
				c.world.Authority.Revoke()
				c.story() // with nobody who gives any
				c.write("itsm.secret", "canary-wrong")
				c.write("mmd.secret", "canary-wrong")
				c.write("desk.secret", "canary-wrong")
				c.write("key.secret", "canary-wrong")
				c.secrets["canary-wrong"] = true
				c.story()
				for _, leak := range c.leaks() {
					t.Errorf("a secret in %s", leak)
				}
				for _, file := range []string{"bridge.db", "bridge.db.lock", "copy.db"} {
					if !slices.Contains(c.files(), file) {
						t.Errorf("no %s was looked at: %v", file, c.files())
					}
				}
				if !strings.Contains(c.said.String(), "•••") {
					t.Error("no elevation password was hidden")
				}
				if !bytes.Contains(c.wal.Bytes(), []byte("Laptop does not start")) {
					t.Error("the ledger's log was not looked at")
				}
				if len(c.secrets) < 7 || c.said.Len() < 10_000 {
					t.Errorf("%d secrets in %d bytes: too little happened", len(c.secrets), c.said.Len())
				}
			})
		})
	}
}

func TestNoSecretIsSaidOrKeptUnderAFault(t *testing.T) {
	t.Parallel()
	listenForSignals()
	if testing.Short() {
		t.Skip("what is said is the same under the race detector, and slower")
	}
	for _, side := range []string{simulator.SideITSM, simulator.SideMMD, simulator.SideAuthority} {
		for _, kind := range simulator.Kinds() {
			t.Run(string(kind)+" from "+side, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					auth := signIns()["a password grant"]
					c := newCage(t, auth[0], auth[1])
					c.world.Faults.Add(simulator.Rule{Side: side, Kind: kind, Every: 2, Delay: 20 * time.Second, Status: 418, Body: `{"error":{"code":"418","message":"a teapot"}}`})
					c.story()
					c.world.Faults.Clear()
					c.world.Faults.Add(simulator.Rule{Side: side, Kind: kind, Times: -1, Delay: 20 * time.Second, Status: 418, Body: `{"error":{"code":"418","message":"a teapot"}}`})
					c.world.Authority.Revoke()
					c.world.ITSM.EndTokens()
					c.run("run", "--once")
					c.run("mmd", "elevation-details", device)
					c.run("itsm", "list", "incident")
					c.world.Faults.Clear()
					c.run("run", "--once")
					for _, leak := range c.leaks() {
						t.Errorf("a secret in %s", leak)
					}
				})
			})
		}
	}
}

func TestASecretThatIsSaidOrKeptIsFound(t *testing.T) {
	t.Parallel()
	listenForSignals()
	auth := signIns()["a name and a password"]
	for name, plant := range map[string]func(c *cage, secret string){
		"in an output":        func(c *cage, secret string) { c.said.WriteString("password: " + secret + "\n") },
		"in JSON of the log":  func(c *cage, secret string) { c.said.WriteString(c.shapes(secret)[1]) },
		"in an address":       func(c *cage, secret string) { c.said.WriteString("https://x/?p=" + url.QueryEscape(secret)) },
		"in a header":         func(c *cage, secret string) { c.said.WriteString("Basic " + c.shapes(secret)[5]) },
		"in the ledger's log": func(c *cage, secret string) { c.write("bridge.db-wal", "\x00"+secret+"\x00") },
		"in any other file":   func(c *cage, secret string) { c.write("recording.yaml", secret) },
		"by the command that was told to": func(c *cage, _ string) {
			c.write("spare.yaml", "{DeviceName: MMD-SPARE, Title: Driver, Category: Devices, Subcategory: Elevation, PlanOfAction: Install it.}")
			c.world.MMD.AssignDevice("MMD-SPARE", "Ada Byron", "ada@acme.example")
			c.run("mmd", "create-elevation", "-f", filepath.Join(c.dir, "spare.yaml"))
			c.run("mmd", "elevation-details", "MMD-SPARE", "--reveal")
		},
		"in the operator's own": nil,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := newCage(t, auth[0], auth[1])
				c.run("run", "--once")
				if plant == nil {
					if found := c.leaks(); len(found) != 0 {
						t.Errorf("found: %v", found)
					}
					return
				}
				for _, secret := range slices.Sorted(maps.Keys(c.secrets)) {
					c.said.Reset()
					plant(c, secret)
					if len(c.leaks()) == 0 {
						t.Errorf("%q is not found", secret)
					}
				}
			})
		})
	}
}
