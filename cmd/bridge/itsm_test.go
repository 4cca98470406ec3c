package main_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	main "bridge/cmd/bridge"
	"bridge/simulator/itsm"
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
		"--switch=itsm.unknown_fields=no_rows":    `--switch: there is no switch "itsm.unknown_fields"; bridge sim --help`,
		"--fault=the third POST tickets is eaten": `--fault: "the third POST tickets is eaten": the kind "eaten" is not one`,
		"--switch=mmd.lag=soon":                   `--switch: "soon" is no value of it: mmd.lag=10s; bridge sim --help`,
	} {
		if out := s.must(2, "sim", "--listen", "127.0.0.1:0", "--dir", t.TempDir(), flag); !strings.Contains(out, says) {
			t.Errorf("%s: it says %s", flag, out)
		}
	}
}

// others are the ways to sign in that the simulator's bridge.yaml names beside its own:
// what stands there, and what takes its place.
func others(config string) map[string]string {
	out := map[string]string{}
	for _, line := range regexp.MustCompile(`(?m)^ *# or: (.*)$`).FindAllStringSubmatch(config, -1) {
		way, _, _ := strings.Cut(line[1], "; then")
		own := regexp.MustCompile(`(?m)^  auth: \{.*$`).FindString(config)
		switch {
		case strings.HasPrefix(way, "tls:"):
			own = "  tls: { ca_file: ca.pem }\n  # or: " + way
			way = "  " + way
		case strings.HasPrefix(way, "type:"):
			own = regexp.MustCompile(`(?m)^    client_secret_file: .*$`).FindString(config)
			way = "    " + strings.ReplaceAll(way, ", ", "\n    ")
		default:
			way = "  " + way
		}
		changed := strings.Replace(config, own, way, 1)
		if strings.HasPrefix(strings.TrimSpace(way), "type:") {
			changed = strings.Replace(changed, "    type: client_secret\n", "", 1)
		}
		out[strings.TrimSpace(way)] = changed
	}
	return out
}

func TestEachWayToSignInThatTheSimulatorNamesWorks(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	if err := s.running.WriteClient(filepath.Dir(s.config)); err != nil {
		t.Fatal(err)
	}
	own := mustRead(t, s.config)
	ways := others(own)
	if len(ways) != 6 {
		t.Fatalf("%d ways in\n%s", len(ways), own)
	}
	for way, config := range ways {
		if config == own {
			t.Errorf("%s: nothing was changed", way)
		}
		if err := os.WriteFile(s.config, []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
		s.world.ITSM.Switch(func(desk *itsm.Switches) {
			*desk = itsm.Switches{NoBasic: strings.HasPrefix(way, "auth:"), ClientCertificate: strings.HasPrefix(way, "tls:")}
		})
		if strings.HasPrefix(way, "type: user") {
			p := &person{stage: s}
			var out strings.Builder
			code := main.Run(t.Context(), &out, p, s.env, "login", "-o", "json", "--config", s.config)
			if want := `{"user":"ada@contoso.example","tokenCacheFile":"` + filepath.Join(filepath.Dir(s.config), "tokens") + `"}` + "\n"; code != 0 || out.String() != want {
				t.Errorf("login ends with %d: %s%s", code, out.String(), p.said.String())
			}
		}
		if code, out, errs := s.run("run", "--once"); code != 0 {
			t.Errorf("%s: the run ends with %d\n%s%s", way, code, out, errs)
		}
	}
}
