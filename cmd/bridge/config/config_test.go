package config_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bridge/cmd/bridge/config"
)

// base is a bridge.yaml with nothing but what is needed.
const base = `itsm:
  url: https://acme.service-now.com
  auth: { type: basic, username: bridge, password: s3cret }
mmd:
  url: https://mmd.example/support/odata/v1/
  tenant_id: 72f988bf-0000-0000-0000-2d7cd011db47
  auth: { type: client_secret, client_id: app, client_secret: hush }
`

// load loads text as a bridge.yaml in a folder of its own.
func load(t *testing.T, text string, env map[string]string) (*config.Config, error) {
	t.Helper()
	return loadIn(t, t.TempDir(), text, env)
}

func loadIn(t *testing.T, dir, text string, env map[string]string) (*config.Config, error) {
	t.Helper()
	path := filepath.Join(dir, "bridge.yaml")
	write(t, path, text)
	return config.Load(path, func(name string) (string, bool) {
		v, ok := env[name]
		return v, ok
	})
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// said is an error as it is printed, with the folder cut off.
func said(err error) string {
	if err == nil {
		return ""
	}
	lines := strings.Split(err.Error(), "\n")
	for i, line := range lines {
		if j := strings.Index(line, "bridge.yaml"); j > 0 && strings.HasPrefix(line, "/") {
			lines[i] = line[j:]
		}
	}
	return strings.Join(lines, "\n")
}

func TestEveryKeyHasTheDefaultOfTheContract(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c, err := loadIn(t, dir, base, nil)
	if err != nil {
		t.Fatal(err)
	}
	day := 24 * time.Hour
	for _, tt := range []struct {
		name      string
		got, want any
	}{
		{"store", c.Store, "sqlite:///var/lib/bridge/bridge.db"},
		{"mappings lies beside bridge.yaml", c.Mappings, filepath.Join(dir, "mappings.yaml")},
		{"poll", c.Poll, config.Poll{Interval: 30 * time.Second, NotesMaxInterval: 15 * time.Minute, FullScan: time.Hour}},
		{"send", c.Send, config.Send{ITSM: 4, MMD: 8, Budget: time.Minute, Settle: 5 * time.Minute, Fresh: 30 * time.Second}},
		{"limits", c.Limits, config.Limits{Creates: 100, NotesPerHour: 100}},
		{"links", c.Links, config.Links{EndAfter: 7 * day}},
		{"retention", c.Retention, config.Retention{Bodies: 7 * day, Links: 400 * day}},
		{"listen", c.Listen, "127.0.0.1:8080"},
		{"listen_metrics", c.ListenMetrics, ""},
		{"vars", c.Vars, map[string]any{}},
		{"authority", c.MMD.Auth.Authority.String(), "https://login.microsoftonline.com/"},
		{"scopes", c.MMD.Auth.Scopes, []string{"https://mwaas-services-customerapi-prod.azurewebsites.net/.default"}},
		{"dir", c.Dir, dir},
	} {
		if diff := cmp.Diff(tt.want, tt.got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestEveryKeyIsTaken(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "pw"), "from a file\n")
	c, err := loadIn(t, dir, `
itsm:
  url: https://ACME.service-now.com/
  auth: { type: oauth_password, client_id: id, client_secret: cs, username: u, password_file: pw }
mmd:
  url: https://mmd.example/support/odata/v1
  tenant_id: acme.onmicrosoft.com
  auth: { type: user, authority: https://login.example, client_id: id, token_cache_file: cache, token_cache_key: k, scopes: [a, b] }
store: sqlite:bridge.db
mappings: rules/mappings.yaml
poll: { interval: 1s, notes_max_interval: 2s, full_scan: 1h30m }
send: { concurrency: { itsm: 2, mmd: 16 }, budget: 3s, settle: 4s, fresh: 5ms, on_doubt: { ticket_note: resend, record_note: hold } }
limits: { creates: 0, notes_per_hour: 7 }
links: { end_after: 1d12h }
retention: { bodies: 0.5d, links: 90d }
listen: ""
listen_metrics: :9090
vars: { groups: [EUC Devices, 007], site: null, deep: { on: yes } }
`, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name      string
		got, want any
	}{
		{"the desk's URL", c.ITSM.URL.String(), "https://acme.service-now.com"},
		{"the vendor's URL ends with a slash", c.MMD.URL.String(), "https://mmd.example/support/odata/v1/"},
		{"the authority ends with a slash", c.MMD.Auth.Authority.String(), "https://login.example/"},
		{"the tenant", c.MMD.Tenant, "acme.onmicrosoft.com"},
		{"one newline of the file is cut", c.ITSM.Auth.Password.Reveal(), "from a file"},
		{"a secret", c.ITSM.Auth.ClientSecret.Reveal(), "cs"},
		{"the token cache", c.MMD.Auth.TokenCacheFile, filepath.Join(dir, "cache")},
		{"scopes", c.MMD.Auth.Scopes, []string{"a", "b"}},
		{"store", c.Store, "sqlite:bridge.db"},
		{"mappings", c.Mappings, filepath.Join(dir, "rules/mappings.yaml")},
		{"poll", c.Poll, config.Poll{Interval: time.Second, NotesMaxInterval: 2 * time.Second, FullScan: 90 * time.Minute}},
		{"send", c.Send, config.Send{ITSM: 2, MMD: 16, Budget: 3 * time.Second, Settle: 4 * time.Second, Fresh: 5 * time.Millisecond, Resend: []string{"ticket.note"}}},
		{"limits", c.Limits, config.Limits{Creates: 0, NotesPerHour: 7}},
		{"links", c.Links.EndAfter, 36 * time.Hour},
		{"retention", c.Retention, config.Retention{Bodies: 12 * time.Hour, Links: 90 * 24 * time.Hour}},
		{"listen", c.Listen, ""},
		{"listen_metrics", c.ListenMetrics, ":9090"},
		{"vars are text as written", c.Vars, map[string]any{
			"groups": []any{"EUC Devices", "007"}, "site": nil, "deep": map[string]any{"on": "yes"},
		}},
	} {
		if diff := cmp.Diff(tt.want, tt.got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestOneConcurrencyIsForBothSides(t *testing.T) {
	t.Parallel()
	c, err := load(t, base+"send: { concurrency: 3 }\n", nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.Send.ITSM != 3 || c.Send.MMD != 3 {
		t.Errorf("got %d and %d, want 3 and 3", c.Send.ITSM, c.Send.MMD)
	}
}

// TestEachSlipIsNamedWithItsPlace swaps one text of base for another, or adds some.
func TestEachSlipIsNamedWithItsPlace(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, swap, with, add, want string
	}{
		{name: "an unknown key says what was meant", add: "pol: {}\n", want: `bridge.yaml:8:1: unknown key "pol": did you mean poll?`},
		{name: "letters that are swapped", add: "poll: { intervla: 1s }\n", want: `bridge.yaml:8:9: unknown key "intervla": did you mean interval?`},
		{name: "a key cut short", swap: "tenant_id", with: "tenant", want: "bridge.yaml:4:1: mmd.tenant_id is missing\n" +
			`bridge.yaml:6:3: unknown key "tenant": did you mean tenant_id?`},
		{name: "a key of another group", add: "interval: 1s\n", want: `bridge.yaml:8:1: unknown key "interval": did you mean poll.interval?`},
		{name: "a twin of another group", add: "password_file: x\n", want: `bridge.yaml:8:1: unknown key "password_file": did you mean itsm.auth.password_file?`},
		{name: "a key like no other", add: "links: { colour: red }\n", want: `bridge.yaml:8:10: unknown key "colour": known here: end_after`},
		{name: "a key with a dash", add: "listen-metrics: :1\n", want: `bridge.yaml:8:1: unknown key "listen-metrics": did you mean listen_metrics?`},
		{name: "no switch skips verification", swap: "  tenant_id", with: "  tls: { insecure_skip_verify: true }\n  tenant_id", want: `bridge.yaml:6:10: unknown key "insecure_skip_verify": verification cannot be switched off: name the certificate in tls.ca_file`},
		{name: "a key that is repeated", add: "listen: :1\nlisten: :2\n", want: `bridge.yaml:9:1: key "listen" is repeated: it is set in line 8`},
		{name: "http is refused for the desk", swap: "https://acme.service-now.com", with: "http://127.0.0.1:8080", want: "bridge.yaml:2:8: itsm.url: https is needed, http is refused"},
		{name: "http is refused for the vendor", swap: "https://mmd.example", with: "http://localhost", want: "bridge.yaml:5:8: mmd.url: https is needed, http is refused"},
		{name: "http is refused for the authority", swap: "client_id: app", with: "authority: http://127.0.0.1:1/, client_id: app", want: "bridge.yaml:7:43: mmd.auth.authority: https is needed, http is refused"},
		{name: "a URL that is none", swap: "https://acme.service-now.com", with: "acme.service-now.com", want: "bridge.yaml:2:8: itsm.url: a URL such as https://acme.service-now.com is needed"},
		{name: "a URL with a bad port", swap: "https://acme.service-now.com", with: "https://acme:port/", want: "bridge.yaml:2:8: itsm.url: this is no URL"},
		{name: "a password in a URL is not repeated", swap: "https://acme", with: "https://u:pw@acme", want: "bridge.yaml:2:8: itsm.url: a URL here holds no name or password: they go under auth"},
		{name: "a query in a URL", swap: ".com", with: ".com/?a=b", want: "bridge.yaml:2:8: itsm.url: a URL here ends with its path: no ? and no #"},
		{name: "a duration without a unit", add: "poll: { interval: 30 }\n", want: `bridge.yaml:8:19: poll.interval: "30" is no time: write a number and a unit, such as 30s, 15m, 1h or 7d`},
		{name: "a duration of nothing", add: "poll: { interval: 0s }\n", want: `bridge.yaml:8:19: poll.interval: "0s" is no positive time`},
		{name: "a duration before now", add: "poll: { interval: -1s }\n", want: `bridge.yaml:8:19: poll.interval: "-1s" is no positive time`},
		{name: "a duration beyond all", add: "retention: { links: 99999999d }\n", want: `bridge.yaml:8:21: retention.links: "99999999d" is no time: write a number and a unit, such as 30s, 15m, 1h or 7d`},
		{name: "a duration that is not a number", add: "retention: { links: NaNd }\n", want: `bridge.yaml:8:21: retention.links: "NaNd" is no time: write a number and a unit, such as 30s, 15m, 1h or 7d`},
		{name: "no calls in flight at all", add: "send: { concurrency: 0 }\n", want: `bridge.yaml:8:22: send.concurrency: "0" is no whole number from 1 on`},
		{name: "an unknown word for a doubt", add: "send: { on_doubt: { ticket_note: twice } }\n", want: `bridge.yaml:8:34: send.on_doubt.ticket_note: "twice" is neither hold nor resend`},
		{name: "an elevation that would be sent again", add: "send: { on_doubt: { elevation_create: resend } }\n", want: `bridge.yaml:8:21: unknown key "elevation_create": did you mean elevation_close?`},
		{name: "no calls in flight on one side", add: "send: { concurrency: { mmd: none } }\n", want: `bridge.yaml:8:29: send.concurrency.mmd: "none" is no whole number from 1 on`},
		{name: "a limit below none", add: "limits: { creates: -1 }\n", want: `bridge.yaml:8:20: limits.creates: "-1" is no whole number from 0 on`},
		{name: "an address without a port", add: "listen: localhost\n", want: `bridge.yaml:8:9: listen: "localhost" is no address: write HOST:PORT, such as 127.0.0.1:8080, or "" for none`},
		{name: "a store of another kind", add: "store: mysql://db\n", want: "bridge.yaml:8:8: store: sqlite:///PATH, sqlite:PATH, postgres://… or postgresql://… is needed"},
		{name: "a store with a host in its path", add: "store: sqlite://var/lib/bridge.db\n", want: "bridge.yaml:8:8: store: write sqlite:///var/lib/bridge/bridge.db for a full path, sqlite:bridge.db for one beside bridge.yaml"},
		{name: "a store on no server", add: "store: \"postgres:\"\n", want: "bridge.yaml:8:8: store: a URL such as postgres://bridge@db.example/bridge is needed"},
		{name: "a tenant that is a path", swap: "72f988bf-0000-0000-0000-2d7cd011db47", with: "a/b", want: "bridge.yaml:6:14: mmd.tenant_id: the tenant's id or domain is needed, such as 72f988bf-0000-0000-0000-2d7cd011db47"},
		{name: "a variable that is not set", swap: "s3cret", with: "${PASSWORD}", want: "bridge.yaml:3:52: itsm.auth.password: ${PASSWORD} is not set in the environment"},
		{name: "a variable without an end", swap: "s3cret", with: "\"a${PASSWORD\"", want: "bridge.yaml:3:52: itsm.auth.password: ${ has no closing }: a dollar sign itself is $$"},
		{name: "a variable that cannot be", swap: "s3cret", with: "\"${A-B}\"", want: "bridge.yaml:3:52: itsm.auth.password: ${A-B} is no name of a variable"},
		{name: "a variable of vars that is not set", add: "vars: { a: [\"${GROUP}\"] }\n", want: "bridge.yaml:8:7: vars: a: ${GROUP} is not set in the environment"},
		{name: "a secret set as text and as file", swap: "password: s3cret", with: "password: s3cret, password_file: x", want: "bridge.yaml:3:75: itsm.auth.password is set twice: as password in line 3 and as password_file here"},
		{name: "a secret file that is not there", swap: "password: s3cret", with: "password_file: none", want: "bridge.yaml:3:57: itsm.auth.password_file: none cannot be read: no such file or directory"},
		{name: "a secret file that is a folder", swap: "password: s3cret", with: "password_file: .", want: "bridge.yaml:3:57: itsm.auth.password_file: . cannot be read: is a directory"},
		{name: "an empty secret", swap: "s3cret", with: `""`, want: "bridge.yaml:3:52: itsm.auth.password is empty"},
		{name: "a certificate that is not there", swap: "  tenant_id", with: "  tls: { ca_file: ca.pem }\n  tenant_id", want: "bridge.yaml:6:19: ca_file ca.pem cannot be read: no such file or directory"},
		{name: "a client certificate without its key", swap: "  tenant_id", with: "  tls: { client_cert_file: c.pem }\n  tenant_id", want: "bridge.yaml:6:28: mmd.tls.client_cert_file needs mmd.tls.client_key_file"},
		{name: "an unknown way to sign in", swap: "type: basic", with: "type: Basik", want: `bridge.yaml:3:17: itsm.auth.type: "Basik" is not known: did you mean basic?`},
		{name: "a way to sign in like no other", swap: "type: basic", with: "type: kerberos", want: `bridge.yaml:3:17: itsm.auth.type: "kerberos" is not known: known are basic, oauth_password, oauth_client_credentials, api_key`},
		{name: "a way to sign in without what it needs", swap: ", password: s3cret", want: "bridge.yaml:3:3: itsm.auth of type basic needs password"},
		{name: "a key of another way to sign in", swap: "password: s3cret", with: "password: s3cret, key: k", want: "bridge.yaml:3:65: itsm.auth.key does not belong to auth of type basic, which takes username, password"},
		{name: "a list where a value belongs", add: "mappings: [a, b]\n", want: "bridge.yaml:8:11: mappings is one value, not a list or a group"},
		{name: "a value where a group belongs", add: "poll: 30s\n", want: "bridge.yaml:8:7: poll is a group of keys: interval, notes_max_interval, full_scan"},
		{name: "vars that are a list", add: "vars: [a]\n", want: "bridge.yaml:8:7: vars: names with their values are needed"},
		{name: "vars that are repeated", add: "vars: { a: { b: 1, b: 2 } }\n", want: "bridge.yaml:8:7: vars: a: key \"b\" is repeated"},
		{name: "a second document", add: "---\nstore: sqlite:x\n", want: "bridge.yaml:8:1: a second document: nothing after --- would be read"},
		{name: "a tab", add: "poll:\n\tinterval: 1s\nlisten: \"\"\n", want: "bridge.yaml:9:1: a tab at the beginning of a line: YAML is indented with blanks"},
		{name: "a bracket left open", add: "poll: { interval: 1s\nlisten: :1\nstore: sqlite:x\n", want: "bridge.yaml:8:1: this is no YAML: did not find expected ',' or '}'"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if !strings.Contains(base, tt.swap) {
				t.Fatalf("base holds no %q", tt.swap)
			}
			text := base
			if tt.swap != "" {
				text = strings.Replace(base, tt.swap, tt.with, 1)
			}
			_, err := load(t, text+tt.add, nil)
			if diff := cmp.Diff(tt.want, said(err)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestAllSlipsOfAFileAreToldAtOnce(t *testing.T) {
	t.Parallel()
	_, err := load(t, "itsm:\n  url: http://acme\n  auth: { type: basic }\nmmd:\npoll: { interval: never }\ncolour: red\n", nil)
	want := `bridge.yaml:1:1: mmd.auth.type is missing
bridge.yaml:1:1: mmd.tenant_id is missing
bridge.yaml:1:1: mmd.url is missing
bridge.yaml:2:8: itsm.url: https is needed, http is refused
bridge.yaml:3:3: itsm.auth of type basic needs password
bridge.yaml:3:3: itsm.auth of type basic needs username
bridge.yaml:5:19: poll.interval: "never" is no time: write a number and a unit, such as 30s, 15m, 1h or 7d
bridge.yaml:6:1: unknown key "colour": known here: itsm, mmd, store, mappings, poll, send, limits, links, retention, listen, listen_metrics, vars`
	if diff := cmp.Diff(want, said(err)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	var one config.Problem
	if !errors.As(err, &one) || one.Line != 1 || one.Column != 1 {
		t.Errorf("errors.As gave %+v", one)
	}
}

func TestAFileThatIsNotThereIsNamed(t *testing.T) {
	t.Parallel()
	_, err := config.Load("/nowhere/bridge.yaml", nil)
	if got, want := fmt.Sprint(err), "/nowhere/bridge.yaml: cannot be read: no such file or directory"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestDollarsInValues(t *testing.T) {
	t.Parallel()
	env := map[string]string{"WORD": "w$$x${Y}", "EMPTY": ""}
	for _, tt := range []struct{ name, written, want string }{
		{"a variable is put in as it is", "a${WORD}b", "aw$$x${Y}b"},
		{"two of them", "${WORD}${WORD}", "w$$x${Y}w$$x${Y}"},
		{"an empty variable is set", "a${EMPTY}", "a"},
		{"two dollars are one", "a$$b", "a$b"},
		{"two dollars before a brace", "$${WORD}", "${WORD}"},
		{"three dollars before a brace", "$$${WORD}", "$w$$x${Y}"},
		{"a dollar before a letter stays", "pa$word", "pa$word"},
		{"a dollar at the end stays", "pass$", "pass$"},
		{"braces of its own stay", "{a}", "{a}"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c, err := load(t, strings.Replace(base, "s3cret", `"`+tt.written+`"`, 1), env)
			if err != nil {
				t.Fatal(err)
			}
			if got := c.ITSM.Auth.Password.Reveal(); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestAVariableNeedsNoQuotesInsideBraces(t *testing.T) {
	t.Parallel()
	c, err := load(t, strings.Replace(base, "s3cret", "a${X}b", 1), map[string]string{"X": "{}: #"})
	if err != nil {
		t.Fatal(err)
	}
	if got := c.ITSM.Auth.Password.Reveal(); got != "a{}: #b" {
		t.Errorf("got %q", got)
	}
}

func TestOneTrailingNewlineOfASecretFileIsCut(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, file, want string }{
		{"none", "pw", "pw"},
		{"one", "pw\n", "pw"},
		{"one of Windows", "pw\r\n", "pw"},
		{"one of two", "pw\n\n", "pw\n"},
		{"blanks and dollars stay", " ${X} \n", " ${X} "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, filepath.Join(dir, "pw"), tt.file)
			c, err := loadIn(t, dir, strings.Replace(base, "password: s3cret", "password_file: pw", 1), nil)
			if err != nil {
				t.Fatal(err)
			}
			if got := c.ITSM.Auth.Password.Reveal(); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestNothingShowsASecret(t *testing.T) {
	t.Parallel()
	text := strings.ReplaceAll(base, "hush", "CANARY-1")
	text = strings.ReplaceAll(text, "s3cret", "CANARY-2") + "store: postgres://u:CANARY-3@db/bridge?password=CANARY-4\n"
	c, err := load(t, text, nil)
	if err != nil {
		t.Fatal(err)
	}
	asJSON, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	hidden := struct{ c *config.Config }{c}
	password := c.ITSM.Auth.Password
	shown := []string{string(asJSON), fmt.Sprint(c), fmt.Sprintf("%+v %#v %s %q", c, *c, c, *c), fmt.Sprintf("%+v", hidden), c.StoreName()}
	shown = append(shown, fmt.Sprintf("%v %+v %#v %s %q %x %d", password, password, password, password, password, password, password))
	shown = append(shown, fmt.Sprintf("%+v %#v", struct{ s config.Secret }{password}, struct{ s config.Secret }{password}))
	for _, s := range shown {
		if strings.Contains(s, "CANARY") || strings.Contains(s, "43414e415259") {
			t.Errorf("shows a secret: %s", s)
		}
	}
	if !strings.Contains(string(asJSON), "acme.service-now.com") || !strings.Contains(string(asJSON), "•••") {
		t.Errorf("shows too little: %s", asJSON)
	}
}

func TestNoMessageShowsASecret(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "pw"), "CANARY\n")
	env := map[string]string{"X": "CANARY", "BRIDGE_LIMITS_CREATES_FILE": "pw", "BRIDGE_SEND_BUDGET_FILE": "pw", "BRIDGE_LISTEN_FILE": "pw", "BRIDGE_ITSM_URL_FILE": "pw"}
	text := strings.Replace(base, "https://mmd.example", "http://u:CANARY@mmd.example", 1)
	text = strings.Replace(text, "type: basic", "type: \"${X}\"", 1)
	text += "poll: { interval: \"${X}\" }\nstore: \"${X}\"\nmappings: [\"${X}\"]\n"
	_, err := loadIn(t, dir, text, env)
	if err == nil || strings.Contains(err.Error(), "CANARY") || len(strings.Split(err.Error(), "\n")) != 9 {
		t.Errorf("9 problems and no canary are wanted, got:\n%v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(base)
	f.Add(base + "vars: { a: &a [x], b: *a, c: null }\nsend: { concurrency: { itsm: 1 } }\n")
	f.Add("a: &a { b: *a }\nvars: *a\n")
	f.Add("itsm: *x\n---\n")
	f.Add("? [a]\n: b\n")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := config.Parse("bridge.yaml", []byte(text), nil)
		if (c == nil) == (err == nil) {
			t.Fatalf("config %v, error %v", c, err)
		}
		var problems config.Problems
		if err != nil && !errors.As(err, &problems) {
			t.Fatalf("an error of another type: %v", err)
		}
		for _, p := range problems {
			if strings.Contains(p.Message, "\n") && !strings.Contains(text, "\n") {
				t.Errorf("more than one line: %q", p.Message)
			}
		}
	})
}
