package itsm_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"bridge/itsm"
)

// silence answers nothing for as long as anybody waits.
type silence struct{}

func (silence) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

func TestWhoWaitsForAnothersSignInMayGiveUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, err := itsm.New(itsm.Config{
			URL: &url.URL{Scheme: "https", Host: "itsm.test"}, Transport: silence{}, Now: time.Now,
			Auth: itsm.Auth{Type: "oauth_client_credentials", ClientID: "bridge", ClientSecret: "secret"},
		})
		if err != nil {
			t.Fatal(err)
		}
		go c.Count(t.Context(), "incident", "") //nolint:errcheck // it waits for longer than this test looks
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		if _, err := c.Count(ctx, "incident", ""); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("it ends with %v", err)
		}
		if took := time.Since(began); took != time.Second {
			t.Errorf("it waited for %s", took)
		}
	})
}
