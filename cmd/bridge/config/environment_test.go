package config_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestTheEnvironmentSetsEachKey(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "secret"), "from a file\n")
	write(t, filepath.Join(dir, "store"), "postgresql://db/bridge\n")
	c, err := loadIn(t, dir, "", map[string]string{
		"BRIDGE_ITSM_URL":                "https://acme.example",
		"BRIDGE_ITSM_AUTH_TYPE":          "basic",
		"BRIDGE_ITSM_AUTH_USERNAME":      "bridge",
		"BRIDGE_ITSM_AUTH_PASSWORD_FILE": "secret",
		"BRIDGE_MMD_URL":                 "https://mmd.example/odata",
		"BRIDGE_MMD_TENANT_ID":           "t",
		"BRIDGE_MMD_AUTH_TYPE":           "client_secret",
		"BRIDGE_MMD_AUTH_CLIENT_ID":      "app",
		"BRIDGE_MMD_AUTH_CLIENT_SECRET":  "pa$$${X}",
		"BRIDGE_MMD_AUTH_SCOPES":         "a/.default b",
		"BRIDGE_STORE_FILE":              "store",
		"BRIDGE_POLL_INTERVAL":           "1s",
		"BRIDGE_SEND_CONCURRENCY":        "2",
		"BRIDGE_SEND_CONCURRENCY_MMD":    "9",
		"BRIDGE_LISTEN":                  "",
		"BRIDGE_LISTEN_METRICS":          ":9090",
		"BRIDGE_VARS":                    "{ groups: [A, B$$], site: null }",
	})
	if err != nil {
		t.Fatal(err)
	}
	got := []any{
		c.ITSM.URL.String(), c.ITSM.Auth.Password.Reveal(), c.MMD.URL.String(), c.MMD.Auth.ClientSecret.Reveal(), c.MMD.Auth.Scopes,
		c.Store, c.Poll.Interval, c.Send.ITSM, c.Send.MMD, c.Listen, c.ListenMetrics, c.Vars,
	}
	want := []any{
		"https://acme.example", "from a file", "https://mmd.example/odata/", "pa$$${X}",
		[]string{"a/.default", "b"},
		"postgresql://db/bridge", time.Second, 2, 9, "", ":9090",
		map[string]any{"groups": []any{"A", "B$$"}, "site": nil},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWhatIsSetInBothPlaces(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		env  map[string]string
		want string
	}{
		{"a secret in the file and in a variable", map[string]string{"BRIDGE_ITSM_AUTH_PASSWORD": "x"}, "bridge.yaml:3:52: itsm.auth.password is set twice: here and in BRIDGE_ITSM_AUTH_PASSWORD"},
		{"a secret in the file and in a variable's file", map[string]string{"BRIDGE_ITSM_AUTH_PASSWORD_FILE": "pw"}, "bridge.yaml:3:52: itsm.auth.password is set twice: here and in BRIDGE_ITSM_AUTH_PASSWORD_FILE"},
		{"a variable and its file", map[string]string{"BRIDGE_POLL_INTERVAL": "1s", "BRIDGE_POLL_INTERVAL_FILE": "pw"}, "BRIDGE_POLL_INTERVAL: poll.interval is set twice: BRIDGE_POLL_INTERVAL_FILE is set too"},
		{"a variable that is wrong", map[string]string{"BRIDGE_POLL_INTERVAL": "30"}, `BRIDGE_POLL_INTERVAL: poll.interval: "30" is no time: write a number and a unit, such as 30s, 15m, 1h or 7d`},
		{"http in a variable", map[string]string{"BRIDGE_ITSM_URL": "http://acme"}, "BRIDGE_ITSM_URL: itsm.url: https is needed, http is refused"},
		{"vars that are no YAML", map[string]string{"BRIDGE_VARS": "{"}, "BRIDGE_VARS: vars: this is no YAML"},
		{"an empty variable sets nothing", map[string]string{"BRIDGE_ITSM_AUTH_PASSWORD": "", "BRIDGE_ITSM_AUTH_PASSWORD_FILE": "", "BRIDGE_POLL_INTERVAL": ""}, ""},
		{"any other key is the variable's", map[string]string{"BRIDGE_ITSM_AUTH_USERNAME": "other"}, ""},
		{"an empty variable closes the console", map[string]string{"BRIDGE_LISTEN": ""}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, filepath.Join(dir, "pw"), "x\n")
			c, err := loadIn(t, dir, base, tt.env)
			if diff := cmp.Diff(tt.want, said(err)); diff != "" {
				t.Fatalf("(-want +got):\n%s", diff)
			}
			if err != nil {
				return
			}
			if name, set := tt.env["BRIDGE_ITSM_AUTH_USERNAME"]; set && c.ITSM.Auth.Username != name {
				t.Errorf("got username %q, want %q", c.ITSM.Auth.Username, name)
			}
			if _, set := tt.env["BRIDGE_LISTEN"]; set && c.Listen != "" {
				t.Errorf("listens on %q", c.Listen)
			}
		})
	}
}

func TestEachWayToSignIn(t *testing.T) {
	t.Parallel()
	const desk = "type: basic, username: bridge, password: s3cret"
	const vendor = "type: client_secret, client_id: app, client_secret: hush"
	for _, tt := range []struct{ name, swap, with, want string }{
		{"basic needs a name and a password", desk, "type: basic", "needs password, needs username"},
		{"oauth_password needs four", desk, "type: oauth_password", "needs client_id, needs client_secret, needs password, needs username"},
		{"oauth_password is content with four", desk, "type: oauth_password, client_id: a, client_secret: b, username: c, password: d", ""},
		{"oauth_client_credentials needs two", desk, "type: oauth_client_credentials", "needs client_id, needs client_secret"},
		{"oauth_client_credentials is content with two", desk, "type: oauth_client_credentials, client_id: a, client_secret: b", ""},
		{"api_key needs one", desk, "type: api_key", "needs key"},
		{"api_key is content with one", desk, "type: api_key, key: k", ""},
		{"client_secret needs two", vendor, "type: client_secret", "needs client_id, needs client_secret"},
		{"client_certificate needs two", vendor, "type: client_certificate", "needs certificate_file, needs client_id"},
		{"client_certificate is content with two", vendor, "type: client_certificate, client_id: a, certificate_file: cert.pem", ""},
		{"client_certificate takes a password", vendor, "type: client_certificate, client_id: a, certificate_file: cert.pem, certificate_password: p", ""},
		{"user needs three", vendor, "type: user", "needs client_id, needs token_cache_file, needs token_cache_key"},
		{"user is content with three, before the cache is there", vendor, "type: user, client_id: a, token_cache_file: none, token_cache_key: k", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, filepath.Join(dir, "cert.pem"), "x")
			_, err := loadIn(t, dir, strings.Replace(base, tt.swap, tt.with, 1), nil)
			var needs []string
			for line := range strings.Lines(said(err)) {
				_, need, _ := strings.Cut(strings.TrimSpace(line), " needs ")
				needs = append(needs, "needs "+need)
			}
			if diff := cmp.Diff(tt.want, strings.Join(needs, ", ")); diff != "" {
				t.Errorf("(-want +got):\n%s\n%v", diff, err)
			}
		})
	}
}
