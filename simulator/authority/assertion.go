package authority

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // the first generation of thumbprints
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Why an assertion is refused.
var (
	errShape     = errors.New("it is not three parts of base64")
	errKey       = errors.New("the key is not one of the application's")
	errAlgorithm = errors.New("the algorithm is neither PS256 nor RS256")
	errAudience  = errors.New("it is for another endpoint")
	errIssuer    = errors.New("issuer and subject are not the application")
	errTime      = errors.New("it is not valid at this time")
	errReplay    = errors.New("it was used before")
)

// verify checks an assertion that a certificate's key has signed: the signature, who
// says it to whom, when, and that it is said for the first time.
func (s *Server) verify(assertion, endpoint string) error {
	parts := strings.Split(assertion, ".")
	if len(parts) != 3 {
		return errShape
	}
	var header struct {
		Algorithm string `json:"alg"`
		SHA256    string `json:"x5t#S256"`
		SHA1      string `json:"x5t"`
	}
	var claims struct {
		Audience  string `json:"aud"`
		Issuer    string `json:"iss"`
		Subject   string `json:"sub"`
		ID        string `json:"jti"`
		NotBefore int64  `json:"nbf"`
		Expires   int64  `json:"exp"`
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil || decode(parts[0], &header) != nil || decode(parts[1], &claims) != nil {
		return errShape
	}
	certificate := s.certificate(header.SHA256, header.SHA1)
	if certificate == nil {
		return errKey
	}
	if err := check(certificate, header.Algorithm, parts[0]+"."+parts[1], signature); err != nil {
		return err
	}
	now, from, until := s.cfg.Now(), time.Unix(claims.NotBefore, 0), time.Unix(claims.Expires, 0)
	switch _, before := s.used[claims.ID]; {
	case claims.Audience != endpoint:
		return errAudience
	case claims.Issuer != s.cfg.ClientID || claims.Subject != s.cfg.ClientID:
		return errIssuer
	case now.Add(5*time.Minute).Before(from) || now.After(until) || now.After(certificate.NotAfter):
		return errTime
	case claims.ID == "" || before:
		return errReplay
	}
	s.used[claims.ID] = until
	return nil
}

// certificate finds the one with a thumbprint, in either generation and any base64.
func (s *Server) certificate(by256, by1 string) *x509.Certificate {
	for _, c := range s.cfg.Certificates {
		long, short := sha256.Sum256(c.Raw), sha1.Sum(c.Raw) //nolint:gosec // a name, no proof
		if by256 != "" && plain(by256) == base64.RawURLEncoding.EncodeToString(long[:]) || by1 != "" && plain(by1) == base64.RawURLEncoding.EncodeToString(short[:]) {
			return c
		}
	}
	return nil
}

// plain is base64 for URLs without padding, whichever it was.
func plain(text string) string {
	return strings.NewReplacer("+", "-", "/", "_", "=", "").Replace(text)
}

func check(c *x509.Certificate, algorithm, signed string, signature []byte) error {
	key, ok := c.PublicKey.(*rsa.PublicKey)
	if !ok {
		return errKey
	}
	sum := sha256.Sum256([]byte(signed))
	var err error
	switch algorithm {
	case "PS256":
		err = rsa.VerifyPSS(key, crypto.SHA256, sum[:], signature, nil)
	case "RS256":
		err = rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], signature)
	default:
		return errAlgorithm
	}
	if err != nil {
		return fmt.Errorf("the signature: %w", err)
	}
	return nil
}

func decode(part string, into any) error {
	raw, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		return err
	}
	return json.Unmarshal(raw, into)
}
