package main

import (
	"fmt"
	"net/http"
	"os"
	"time"

	"bridge/cmd/bridge/config"
	"bridge/mmd"
)

// tokens makes what signs in to the vendor's API, as mmd.auth says.
func (a *app) tokens(cfg *config.Config) (mmd.Tokens, error) {
	auth := cfg.MMD.Auth
	application := mmd.Application{
		Authority: auth.Authority, Tenant: cfg.MMD.Tenant, ClientID: auth.ClientID, Secret: auth.ClientSecret.Reveal(), Scopes: auth.Scopes, HTTP: a.signInWay(cfg),
	}
	switch auth.Type {
	case "client_secret":
		return mmd.NewApplicationTokens(application, a.now)
	case "client_certificate":
		return a.certified(application, auth)
	case "user":
		return mmd.NewUserTokens(a.user(cfg), a.now)
	}
	return nil, fmt.Errorf("type %q is not known", auth.Type)
}

// certified proves the application with the certificate that mmd.auth names.
func (a *app) certified(application mmd.Application, auth config.VendorAuth) (mmd.Tokens, error) {
	content, err := os.ReadFile(auth.CertificateFile)
	if err != nil {
		return nil, fmt.Errorf("certificate_file: %w", err)
	}
	var tokens mmd.Tokens
	if application.Certificate, err = mmd.ReadCertificate(content, auth.CertificatePassword.Reveal()); err == nil {
		tokens, err = mmd.NewApplicationTokens(application, a.now)
	}
	if err != nil {
		return nil, fmt.Errorf("certificate_file %s: %w", auth.CertificateFile, err)
	}
	return tokens, nil
}

// user is the user context: who has signed in is in the cache.
func (a *app) user(cfg *config.Config) mmd.UserContext {
	auth := cfg.MMD.Auth
	return mmd.UserContext{
		Authority: auth.Authority, Tenant: cfg.MMD.Tenant, ClientID: auth.ClientID, Scopes: auth.Scopes, HTTP: a.signInWay(cfg),
		Cache: &mmd.TokenCache{Path: auth.TokenCacheFile, Key: auth.TokenCacheKey.Reveal()},
	}
}

// signInWay is the way to the authority.
func (a *app) signInWay(cfg *config.Config) *http.Client {
	return &http.Client{Transport: way(a.ways.authority, cfg.MMD.TLS), Timeout: time.Minute}
}
