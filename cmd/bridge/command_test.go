package main_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	main "bridge/cmd/bridge"
)

// connections is a bridge.yaml with nothing but what is needed.
const connections = `itsm:
  url: https://acme.service-now.com
  auth: { type: basic, username: bridge, password: s3cret }
mmd:
  url: https://mmd.example/support/odata/v1/
  tenant_id: 72f988bf-0000-0000-0000-2d7cd011db47
  auth: { type: client_secret, client_id: app, client_secret: hush }
`

// files makes a folder with a bridge.yaml and the rules that the project ships.
func files(t *testing.T, connections string) string {
	t.Helper()
	dir := t.TempDir()
	rules, err := os.ReadFile("../../mappings.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"bridge.yaml": connections, "mappings.yaml": string(rules)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestAWrongCallIsOneLineAndExitCode2(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		args []string
		want string
	}{
		{"an unknown command", []string{"chekc"}, "bridge: unknown command \"chekc\": did you mean check?\n"},
		{"an unknown command like no other", []string{"frobnicate"}, "bridge: unknown command \"frobnicate\": bridge --help lists them\n"},
		{"an unknown flag", []string{"check", "--fast"}, "bridge check: unknown flag: --fast\n"},
		{"a word too many", []string{"check", "now"}, "bridge check: unknown command \"now\" for \"bridge check\"\n"},
		{"a file that is not there", []string{"check", "--config", "none.yaml"}, "none.yaml: cannot be read: no such file or directory\n"},
		{"an unknown form", []string{"version", "-o", "xml"}, "-o xml is not known: text or json\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var out, errs strings.Builder
			code := main.Run(t.Context(), &out, &errs, nil, tt.args...)
			if code != 2 {
				t.Errorf("exit code %d, want 2", code)
			}
			if diff := cmp.Diff(tt.want, errs.String()); diff != "" {
				t.Errorf("stderr (-want +got):\n%s", diff)
			}
			if out.Len() > 0 {
				t.Errorf("stdout holds %q", out.String())
			}
		})
	}
}

func TestNoCommandAtAllShowsTheHelp(t *testing.T) {
	t.Parallel()
	var out, errs strings.Builder
	if code := main.Run(t.Context(), &out, &errs, nil); code != 2 {
		t.Errorf("exit code %d, want 2", code)
	}
	if out.Len() > 0 || !strings.Contains(errs.String(), "Available Commands:") {
		t.Errorf("stdout %q, stderr %q", out.String(), errs.String())
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	var out, errs strings.Builder
	if code := main.Run(t.Context(), &out, &errs, nil, "version", "-o", "json"); code != 0 {
		t.Fatalf("exit code %d: %s", code, errs.String())
	}
	var got map[string]string
	if err := json.Unmarshal([]byte(out.String()), &got); err != nil {
		t.Fatal(err)
	}
	if got["schema"] != "bridge.version/v1" || got["version"] != "dev" || !strings.HasPrefix(got["go"], "go1.") {
		t.Errorf("got %v", got)
	}
}

func TestTheHelpExplainsEveryExitCode(t *testing.T) {
	t.Parallel()
	var out, errs strings.Builder
	if code := main.Run(t.Context(), &out, &errs, nil, "help", "exit-codes"); code != 0 {
		t.Fatalf("exit code %d: %s", code, errs.String())
	}
	for _, code := range []string{"\n    0  ", "\n    1  ", "\n    2  ", "\n    3  ", "\n    4  ", "\n  130  "} {
		if !strings.Contains(out.String(), code) {
			t.Errorf("nothing is said of %q", code)
		}
	}
}

func TestCheckSaysWhatWasChecked(t *testing.T) {
	t.Parallel()
	dir := files(t, connections)
	var out, errs strings.Builder
	code := main.Run(t.Context(), &out, &errs, map[string]string{"BRIDGE_CONFIG": filepath.Join(dir, "bridge.yaml")}, "check", "--strict")
	want := dir + "/bridge.yaml and " + dir + "/mappings.yaml are fine: 2 rules (incident, elevation); 0 errors, 0 warnings. Neither side was asked.\n"
	if diff := cmp.Diff(want, out.String()); diff != "" || code != 0 || errs.Len() > 0 {
		t.Errorf("exit code %d, stderr %q, stdout (-want +got):\n%s", code, errs.String(), diff)
	}
}

func TestCheckNamesTheLineOfASlip(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, connections, rules, stdout, stderr string
	}{
		{name: "in bridge.yaml", connections: connections + "pol: {}\n", stderr: `DIR/bridge.yaml:8:1: unknown key "pol": did you mean poll?`},
		{name: "in the rules", connections: connections, rules: "version: 1\ntickts: []\n", stdout: "DIR/mappings.yaml:2:1: error: unknown key \"tickts\""},
		{name: "in the rules' name", connections: connections + "mappings: none.yaml\n", stderr: "DIR/bridge.yaml:8:11: the rules in DIR/none.yaml cannot be read: no such file or directory"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := files(t, tt.connections)
			if tt.rules != "" {
				if err := os.WriteFile(filepath.Join(dir, "mappings.yaml"), []byte(tt.rules), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			var out, errs strings.Builder
			code := main.Run(t.Context(), &out, &errs, nil, "check", "--config", filepath.Join(dir, "bridge.yaml"))
			stdout, stderr := strings.ReplaceAll(out.String(), dir, "DIR"), strings.ReplaceAll(errs.String(), dir, "DIR")
			if code != 2 || !strings.HasPrefix(stdout, tt.stdout) || !strings.HasPrefix(stderr, tt.stderr) || (tt.stderr == "") != (stderr == "") {
				t.Errorf("exit code %d\nstdout %s\nstderr %s", code, stdout, stderr)
			}
		})
	}
}

func TestTheSimulatorWritesAConfigThatChecks(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "sim")
	ctx, stop := context.WithCancel(t.Context())
	stop() // it introduces itself, and ends
	var out, errs strings.Builder
	if code := main.Run(ctx, &out, &errs, nil, "sim", "--listen", "127.0.0.1:0", "--dir", dir, "--mappings", "../../mappings.yaml"); code != 0 {
		t.Fatalf("exit code %d: %s", code, errs.String())
	}
	for _, want := range []string{"itsm       https://127.0.0.1:", "ca file    " + dir + "/ca.pem\n", "\nitsm:\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("stdout lacks %q:\n%s", want, out.String())
		}
	}
	out.Reset()
	if code := main.Run(t.Context(), &out, &errs, nil, "check", "--config", filepath.Join(dir, "bridge.yaml")); code != 0 {
		t.Errorf("check ends with %d: %s%s", code, out.String(), errs.String())
	}
}
