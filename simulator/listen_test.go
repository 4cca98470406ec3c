package simulator_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/confidential"

	"bridge/simulator"
	"bridge/simulator/itsm"
)

func scopes() []string { return []string{"https://mmd.test/.default"} }

// tickets asks the vendor's side with a token.
func tickets(t *testing.T, c *http.Client, running *simulator.Running, token string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, running.URL+"/support/odata/v1/tickets", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	answer, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close() //nolint:errcheck // its status is enough
	return answer.StatusCode
}

func TestAnApplicationSignsInWithASecretOrACertificate(t *testing.T) {
	t.Parallel()
	w, running, c := listening(t)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "app"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	bySecret, err := confidential.NewCredFromSecret(simulator.ClientSecret)
	if err != nil {
		t.Fatal(err)
	}
	wrong, err := confidential.NewCredFromSecret("wrong")
	if err != nil {
		t.Fatal(err)
	}
	byCertificate, err := confidential.NewCredFromCert([]*x509.Certificate{certificate}, key)
	if err != nil {
		t.Fatal(err)
	}
	sign := func(cred confidential.Credential) (string, error) {
		app, err := confidential.New(running.URL+"/"+simulator.Tenant, simulator.ClientID, cred, confidential.WithHTTPClient(c), confidential.WithInstanceDiscovery(false))
		if err != nil {
			return "", err
		}
		got, err := app.AcquireTokenByCredential(t.Context(), scopes())
		return got.AccessToken, err
	}
	if _, err := sign(byCertificate); err == nil {
		t.Error("a certificate that nobody trusts was taken")
	}
	w.Authority.Trust(certificate)
	for name, cred := range map[string]confidential.Credential{"secret": bySecret, "certificate": byCertificate} {
		token, err := sign(cred)
		if err != nil {
			t.Fatalf("with a %s: %v", name, err)
		}
		if status := tickets(t, c, running, token); status != http.StatusOK {
			t.Errorf("with a %s: the vendor says %d", name, status)
		}
	}
	if _, err := sign(wrong); err == nil || !strings.Contains(err.Error(), "AADSTS7000215") {
		t.Errorf("a wrong secret: %v", err)
	}
}

func TestADeskThatAsksForACertificate(t *testing.T) {
	t.Parallel()
	w, running, c := listening(t)
	w.ITSM.Switch(func(s *itsm.Switches) { s.ClientCertificate = true })
	address := running.URL + "/api/now/table/incident"
	if got := look(t.Context(), c, "GET", address, ""); got.Status != http.StatusUnauthorized {
		t.Errorf("without one: %+v", got)
	}
	certificate, key, err := running.ClientCertificate("bridge")
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		t.Fatal(err)
	}
	if got := look(t.Context(), trusting(running, pair), "GET", address, ""); got.Status != http.StatusOK {
		t.Errorf("with one: %+v", got)
	}
}

func TestAWorldIsAdministered(t *testing.T) {
	t.Parallel()
	w, running, c := listening(t)
	users := w.Populate()
	incident := w.Incident(users, "x", nil)
	ticket := w.MMD.AddTicket("T", "D")
	sim := func(method, path, body string) seen {
		return look(t.Context(), c, method, running.URL+"/_sim/"+path, body)
	}
	for _, step := range []struct{ method, path, body, want string }{
		{"POST", "faults", `{"side":"itsm","path":"sc_task","kind":"500 before","times":-1}`, `"added"`},
		{"GET", "faults", ``, `"kind":"500 before"`},
		{"POST", "faults", `the third POST nowhere is lost after`, `"added"`},
		{"POST", "faults", `lose it`, `no fault in words`},
		{"POST", "faults", `{"kind":"nonsense"}`, "not one of those"},
		{"PUT", "faults/random", `{"chance":1,"kinds":["nonsense"]}`, "not one of those"},
		{"PATCH", "switches", `{"itsm":{"hidden_rows":{"INC9":true},"aborts":{"incident.state":"Lock rule"}}}`, `"switched"`},
		{"PATCH", "switches", `{"itsm":{"hidden_rows":{"INC9":false}}}`, `"switched"`},
		{"GET", "switches", ``, `"hidden_rows":{"INC9":false}`},
		{"GET", "switches", ``, `"aborts":{"incident.state":"Lock rule"}`},
		{"POST", "faults", `{"knd":"429"}`, "unknown field"},
		{"PUT", "faults/random", `{"chance":0,"kinds":["429"]}`, `"drawn"`},
		{"PATCH", "switches", `{"itsm":{"rate_per_hour":1000},"mmd":{"no_notes":false},"authority":{"approve":true}}`, `"switched"`},
		{"PATCH", "switches", `{"mmd":{"lag":"x"}}`, "cannot unmarshal"},
		{"PATCH", "switches", `{"mmd":{"lag":"2s"},"itsm":{"zone_hours":1}}`, `"switched"`},
		{"GET", "switches", ``, `"lag":2000000000`},
		{"PATCH", "switches", `{"itsm":{"zone_hours":0}}`, `"switched"`},
		{"GET", "switches", ``, `"rate_per_hour":1000`},
		{"PATCH", "switches", `{"mmd":{"lagg":1}}`, `unknown field "lagg"`},
		{"PATCH", "switches", `{"mmd":{"lag":0}}`, `"switched"`},
		{"PATCH", "switches", `{"itsm":{"journals":"vanish"}}`, `"vanish" is no value of it: itsm.journals=empty|refuse, or empty`},
		{"PATCH", "switches", `{"sessions":true}`, `"switched"`},
		{"GET", "switches", ``, `"sessions":true`},
		{"GET", "", ``, "itsm.unknown_field=no_rows|refuse"},
		{"POST", "faults", `{"side":"desk","kind":"429"}`, `the side "desk" is not one of those`},
		{"POST", "faults", `{"side":"mmd","path":"nowhere","kind":"slow","delay":"1500ms"}`, `"added"`},
		{"GET", "faults", ``, `"delay":1500000000`},
		{"GET", "", ``, "/_sim/faults"},
		{"GET", "", ``, "empty list, answer."},
		{"POST", "itsm/comment", `{"table":"incident","number":"` + w.ITSM.Row("incident", incident)["number"] + `","by":"ada.byron","text":"Hello"}`, `"done"`},
		{"POST", "itsm/comment", `{"table":"incident","number":"INC9","by":"ada.byron","text":"Hello"}`, "there is no incident INC9"},
		{"POST", "itsm/delete", `{"table":"sys_user","sys_id":"none"}`, "there is no sys_user none"},
		{"POST", "itsm/delete", `{"table":"incident","sys_id":"` + w.Incident(users, "gone", nil) + `"}`, `"done"`},
		{"POST", "mmd/note", `{"ticket":"MMD-9","by":"vera","text":"Hi"}`, "there is no ticket MMD-9"},
		{"POST", "itsm/insert", `{"table":"incident","fields":{"short_description":"made"}}`, `"sys_id"`},
		{"POST", "itsm/set", `{"table":"incident","sys_id":"` + incident + `","fields":{"state":"2"}}`, `"done"`},
		{"POST", "itsm/comment", `{"table":"incident","sys_id":"` + incident + `","by":"ada.byron","text":"Hello"}`, `"done"`},
		{"POST", "itsm/work_note", `{"table":"incident","sys_id":"` + incident + `","by":"bea.long","text":"Hm"}`, `"done"`},
		{"POST", "itsm/decide", `{"table":"incident","sys_id":"` + incident + `","by":"` + users.Bea + `","state":"approved"}`, `"done"`},
		{"POST", "mmd/note", `{"ticket":"` + ticket + `","by":"vera","text":"Hi"}`, `"done"`},
		{"POST", "mmd/state", `{"ticket":"` + ticket + `","state":"resolved"}`, `"done"`},
		{"POST", "mmd/device", `{"name":"D-1","by":"Ada","upn":"ada@x"}`, `"done"`},
		{"POST", "mmd/close", `{"elevation":"none"}`, "there is no elevation request none"},
		{"POST", "authority/approve", `{"code":"x"}`, `"approved":false`},
		{"POST", "authority/revoke", `{}`, `"done"`},
		{"POST", "itsm/revoke", `{}`, `"done"`},
		{"POST", "mmd/nonsense", `{}`, "there is no nonsense that mmd does"},
	} {
		if got := sim(step.method, step.path, step.body); !strings.Contains(got.Body, step.want) {
			t.Errorf("%s %s: %+v, want %s", step.method, step.path, got, step.want)
		}
	}
	row := w.ITSM.Row("incident", incident)
	if row["state"] != "2" || row["approval"] != "approved" || len(w.ITSM.Journal(incident, "comments")) != 2 || len(w.ITSM.Journal(incident, "work_notes")) != 1 {
		t.Errorf("the incident: %v", row)
	}
	if one, _ := w.MMD.Ticket(ticket); one.State != "resolved" || len(w.MMD.Notes(ticket)) != 1 || len(w.ITSM.Rows("incident")) != 2 {
		t.Errorf("the ticket: %+v", one)
	}
	sim("GET", "log", "")
	if got := look(t.Context(), c, "GET", running.URL+"/api/now/table/sc_task", ""); got.Status != http.StatusInternalServerError {
		t.Errorf("a scripted fault: %+v", got)
	}
	if got := sim("GET", "log?after=0", "").Body; !strings.Contains(got, `"path":"/api/now/table/sc_task"`) || !strings.Contains(got, `"status":500`) {
		t.Errorf("the log: %s", got)
	}
	sim("DELETE", "faults", "")
	if got := look(t.Context(), c, "GET", running.URL+"/api/now/table/sc_task", ""); got.Status != http.StatusOK {
		t.Errorf("after all faults were ended: %+v", got)
	}
}

func TestAConfigIsWritten(t *testing.T) {
	t.Parallel()
	_, running, _ := listening(t)
	dir := t.TempDir()
	path, err := running.WriteConfig(dir, "mappings.yaml")
	if err != nil || path != filepath.Join(dir, "bridge.yaml") {
		t.Fatalf("%s, %v", path, err)
	}
	text, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(text), "url: "+running.URL+"/support/odata/v1/") || strings.Contains(string(text), simulator.Password) {
		t.Errorf("%v\n%s", err, text)
	}
	for _, name := range []string{"ca.pem", "itsm.secret", "mmd.secret"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := running.WriteConfig(filepath.Join(dir, "none"), "x"); err == nil {
		t.Error("written into a folder that there is not")
	}
}
