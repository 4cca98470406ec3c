package mmd_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"bridge/mmd"
)

// silence answers nothing for as long as anybody waits.
type silence struct{}

func (silence) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

func TestWhoWaitsForAnothersTokenMayGiveUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tokens, err := mmd.NewApplicationTokens(mmd.Application{
			Authority: &url.URL{Scheme: "https", Host: "login.test", Path: "/"}, Tenant: tenant, ClientID: "app", Secret: "secret",
			Scopes: []string{"https://mmd.test/.default"}, HTTP: &http.Client{Transport: silence{}},
		}, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		go tokens.Token(t.Context()) //nolint:errcheck // it waits for longer than this test looks
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		if _, err := tokens.Token(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("it ends with %v", err)
		}
		if took := time.Since(began); took != time.Second {
			t.Errorf("it waited for %s", took)
		}
	})
}
