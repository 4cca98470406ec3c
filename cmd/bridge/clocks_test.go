package main_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	main "bridge/cmd/bridge"
	"bridge/simulator"
	"bridge/simulator/mmd"
	"bridge/store/pgtest"
)

// TestAMachineWhoseClockIsWrongSendsNothingTwice loses the answer to a create whose
// ticket the list shows four seconds later, less than the settle delay. By the ledger's
// clock that is soon; by this machine's it may seem long ago.
func TestAMachineWhoseClockIsWrongSendsNothingTwice(t *testing.T) {
	t.Parallel()
	for _, ahead := range []time.Duration{0, 10 * time.Minute, -10 * time.Minute} {
		t.Run(fmt.Sprintf("it is %s ahead of the ledger's", ahead), func(t *testing.T) {
			t.Parallel()
			world := simulator.New(simulator.Config{})
			users := world.Populate()
			rules, err := filepath.Abs("../../mappings.yaml")
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(t.TempDir(), "bridge.yaml")
			err = os.WriteFile(file, []byte(`
itsm: { url: "https://itsm.test", auth: { type: basic, username: `+simulator.Username+`, password: `+simulator.Password+` } }
mmd:
  url: https://mmd.test/support/odata/v1/
  tenant_id: `+simulator.Tenant+`
  auth: { type: client_secret, authority: "https://login.test/", client_id: `+simulator.ClientID+`, client_secret: `+simulator.ClientSecret+`, scopes: [a/.default] }
store: "`+pgtest.URL(t)+`"
mappings: `+rules+`
listen: ""
send: { budget: 1s, settle: 6s }
`), 0o600)
			if err != nil {
				t.Fatal(err)
			}
			run := func() (code int, said string) {
				var out, log bytes.Buffer
				command := main.Inside{
					In: strings.NewReader(""), Out: &out, Errs: &out, Log: &log, Way: world.Transport(),
					Now: func() time.Time { return time.Now().Add(ahead) },
				}
				code = command.Run(t.Context(), "run", "--once", "--config", file)
				return code, out.String() + log.String()
			}
			world.Incident(users, "Known to exist", nil)
			if code, said := run(); code != 0 {
				t.Fatalf("it ended with %d:\n%s", code, said)
			}
			world.MMD.Switch(func(s *mmd.Switches) { s.Lag = 4 * time.Second })
			world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "POST", Path: "tickets$", Kind: simulator.LostAfter})
			world.Incident(users, "Lost", nil)
			code, said := run()
			for end := time.Now().Add(30 * time.Second); code != 0 && time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
				code, said = run()
			}
			if n := len(world.MMD.Tickets()); code != 0 || n != 2 {
				t.Errorf("%d tickets for two incidents, the last run ended with %d:\n%s", n, code, said)
			}
		})
	}
}
