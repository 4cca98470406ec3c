package main_test

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	main "bridge/cmd/bridge"
	"bridge/simulator"
)

// aYear is a bridge that a scheduler starts now and then, over virtual time.
type aYear struct {
	*testing.T
	world *simulator.World
	users simulator.Users
	file  string
	log   bytes.Buffer
}

func newYear(t *testing.T, retention string) *aYear {
	t.Helper()
	y := &aYear{T: t, world: simulator.New(simulator.Config{})}
	y.users = y.world.Populate()
	rules, err := filepath.Abs("../../mappings.yaml")
	if err != nil {
		t.Fatal(err)
	}
	y.file = filepath.Join(t.TempDir(), "bridge.yaml")
	err = os.WriteFile(y.file, []byte(`
itsm: { url: "https://itsm.test", auth: { type: basic, username: `+simulator.Username+`, password: `+simulator.Password+` } }
mmd:
  url: https://mmd.test/support/odata/v1/
  tenant_id: `+simulator.Tenant+`
  auth: { type: client_secret, authority: "https://login.test/", client_id: `+simulator.ClientID+`, client_secret: `+simulator.ClientSecret+`, scopes: [a/.default] }
store: sqlite:bridge.db
mappings: `+rules+`
listen: ""
links: { end_after: 1d }
retention: `+retention+`
`), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	return y
}

// run runs one command that must end well.
func (y *aYear) run(args ...string) string {
	y.Helper()
	var out, errs bytes.Buffer
	command := main.Inside{In: strings.NewReader(""), Out: &out, Errs: io.MultiWriter(&out, &errs), Log: &y.log, Way: y.world.Transport()}
	if code := command.Run(context.Background(), append(args, "--config", y.file)...); code != 0 {
		y.Fatalf("bridge %s ended with %d:\n%s", strings.Join(args, " "), code, &out)
	}
	return out.String()
}

// poll has the scheduler start it some times, so far apart.
func (y *aYear) poll(times int, apart time.Duration) {
	y.Helper()
	for range times {
		time.Sleep(apart)
		y.run("run", "--once", "--ok-exit", "4")
	}
}

func TestALinkIsForgottenWhenItsRetentionIsOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		y := newYear(t, "{ bodies: 2d, links: 10d }")
		incident := y.world.Incident(y.users, "Laptop does not start", nil)
		y.poll(3, time.Minute)
		for _, ticket := range y.world.MMD.Tickets() {
			y.world.MMD.SetState(ticket.ID, "resolved")
		}
		y.poll(3, time.Minute)
		y.world.ITSM.Set("incident", incident, map[string]string{"state": "7"})
		y.poll(20, time.Hour)
		if out := y.run("status"); !strings.Contains(out, "1 open · 0 ended\n") {
			t.Errorf("after 20 hours status says\n%s", out)
		}
		y.poll(20, 12*time.Hour) // it ended ten days ago at most
		if out := y.run("status"); !strings.Contains(out, "0 open · 1 ended\n") || !strings.Contains(y.log.String(), `"the ledger was pruned","bodies":`) {
			t.Errorf("before its retention is over, status says\n%s", out)
		}
		y.poll(6, 12*time.Hour)
		if out := y.run("status"); !strings.Contains(out, "0 open · 0 ended · those that ended by 2000-01-0") {
			t.Errorf("after its retention status says\n%s", out)
		}
		if out := y.run("status", "-o", "json"); !strings.Contains(out, `"forgotten_until":"2000-01-0`) || !strings.Contains(out, `"bytes":`) {
			t.Errorf("after its retention status says\n%s", out)
		}
		if !strings.Contains(y.log.String(), `"links":1,`) {
			t.Error("the log does not say that a link was forgotten")
		}
		y.poll(3, time.Hour)
		if n := len(y.world.MMD.Tickets()); n != 1 {
			t.Errorf("%d tickets after it was forgotten", n)
		}
	})
}
