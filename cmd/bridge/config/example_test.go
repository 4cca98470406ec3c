package config_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bridge/cmd/bridge/config"
)

// example is the file that the project ships.
func example(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../../bridge.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestTheShippedExampleLoadsAndSaysTheDefaults(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "secrets"), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "secrets/itsm-password"), "x\n")
	write(t, filepath.Join(dir, "secrets/mmd-client"), "x\n")
	c, err := loadIn(t, dir, example(t), map[string]string{"MMD_CLIENT_ID": "app"})
	if err != nil {
		t.Fatal(err)
	}
	d, err := loadIn(t, dir, base, nil)
	if err != nil {
		t.Fatal(err)
	}
	got, want := *c, *d
	got.ITSM, got.MMD, want.ITSM, want.MMD = config.ITSM{}, config.MMD{}, config.ITSM{}, config.MMD{}
	if diff := cmp.Diff(fmt.Sprint(want), fmt.Sprint(got)); diff != "" {
		t.Errorf("the example is not the defaults (-want +got):\n%s", diff)
	}
	if c.MMD.Auth.Authority.String() != d.MMD.Auth.Authority.String() || strings.Join(c.MMD.Auth.Scopes, " ") != strings.Join(d.MMD.Auth.Scopes, " ") {
		t.Error("the example's authority or scopes are not the defaults")
	}
}

// TestTheShippedExampleNamesEveryKey takes the keys from the hints of an unknown one.
func TestTheShippedExampleNamesEveryKey(t *testing.T) {
	t.Parallel()
	text := example(t)
	for _, group := range []string{"", "itsm: ", "itsm: auth: ", "itsm: tls: ", "mmd: ", "mmd: auth: ", "mmd: tls: ", "poll: ", "send: ", "send: concurrency: ", "send: on_doubt: ", "limits: ", "links: ", "retention: "} {
		parts := strings.Fields(group)
		slip := "{ " + strings.ReplaceAll(group, ": ", ": { ") + "zzzzzzzzzzzz: 1" + strings.Repeat(" }", len(parts)+1)
		_, err := load(t, slip, nil)
		_, list, found := strings.Cut(said(err), "known here: ")
		if !found {
			t.Fatalf("no list of keys for %q in:\n%v", group, err)
		}
		list, _, _ = strings.Cut(list, "\n")
		for name := range strings.SplitSeq(list, ", ") {
			plain := strings.TrimSuffix(name, "_file")
			if !regexp.MustCompile(`[{ #]`+plain+`(_file)?: `).MatchString(text) && !regexp.MustCompile(`(?m)^( |#)*`+plain+`(_file)?:`).MatchString(text) {
				t.Errorf("the example does not name %s%s", group, name)
			}
		}
	}
}
