package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The token cache of a user who acts at the vendor's is nothing to the desk.
func TestTheDeskIsReadWithoutASignInAtTheVendors(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.world.Incident(s.users, "Laptop does not start", nil)
	s.authAs("type: user", "token_cache_file: tokens", "token_cache_key: canary-key-of-thirty-two-letters")
	if err := os.WriteFile(filepath.Join(filepath.Dir(s.config), "tokens"), []byte("no token cache"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := s.must(0, "itsm", "count", "incident"); out != "1\n" {
		t.Errorf("it says %s", out)
	}
	if out := s.must(0, "itsm", "get", "incident", "INC0010001"); !strings.Contains(out, "Laptop does not start") {
		t.Errorf("it says %s", out)
	}
	if out := s.must(0, "itsm", "list", "incident"); !strings.Contains(out, "INC0010001") {
		t.Errorf("it says %s", out)
	}
	if out := s.must(2, "mmd", "tickets"); !strings.Contains(out, "is no token cache of this version") {
		t.Errorf("it says %s", out)
	}
}

func TestASimulatorThatCannotBeIsNotStarted(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	for flag, says := range map[string]string{
		"--incidents=-1": "are 0 or more", "--latency=-1s": "are 0 or more",
		"--switch=itsm.unknown_fields=no_rows": `--switch: there is no switch "itsm.unknown_fields"; bridge sim --help`,
		"--switch=mmd.lag=soon":                `--switch: "soon" is no value of it: mmd.lag=10s; bridge sim --help`,
	} {
		if out := s.must(2, "sim", "--listen", "127.0.0.1:0", "--dir", t.TempDir(), flag); !strings.Contains(out, says) {
			t.Errorf("%s: it says %s", flag, out)
		}
	}
}
