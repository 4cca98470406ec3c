package mmd

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"time"

	"software.sslmate.com/src/go-pkcs12"
)

// Certificate is what an application proves itself with, in the place of a secret:
// its certificate first, what issued it behind, and its key.
type Certificate struct {
	chain []*x509.Certificate
	key   *rsa.PrivateKey
}

// What can be wrong with a certificate's file; the text says what was expected.
var (
	errNoKey  = errors.New("it holds no private key: one file holds the certificate and its RSA key, as PEM or as PFX (PKCS #12)")
	errNoCert = errors.New("it holds no certificate: one file holds the certificate and its RSA key, as PEM or as PFX (PKCS #12)")
)

// ReadCertificate reads a certificate with its key from PEM or PFX; its content tells
// which. The password is the PFX file's, empty for PEM.
func ReadCertificate(content []byte, password string) (*Certificate, error) {
	var chain []*x509.Certificate
	var key crypto.PrivateKey
	var err error
	if bytes.Contains(content, []byte("-----BEGIN ")) {
		chain, key, err = readPEM(content)
	} else {
		chain, key, err = readPFX(content, password)
	}
	if err != nil {
		return nil, err
	}
	own, ok := key.(*rsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("its key is %T: the authority takes RSA keys", key)
	}
	at := slices.IndexFunc(chain, func(c *x509.Certificate) bool { return own.PublicKey.Equal(c.PublicKey) })
	if at < 0 {
		return nil, errors.New("its key belongs to none of its certificates")
	}
	chain[0], chain[at] = chain[at], chain[0]
	return &Certificate{chain: chain, key: own}, nil
}

// valid says whether the certificate, if there is one, can prove anything now.
func (c *Certificate) valid(now time.Time) error {
	if c == nil {
		return nil
	}
	own := c.chain[0]
	if now.After(own.NotAfter) {
		return fmt.Errorf("the certificate %s has expired on %s", own.Subject, own.NotAfter.UTC().Format(time.DateOnly))
	}
	return nil
}

func readPEM(content []byte) (chain []*x509.Certificate, key crypto.PrivateKey, err error) {
	for block, rest := pem.Decode(content); block != nil; block, rest = pem.Decode(rest) {
		var made any
		switch block.Type {
		case "CERTIFICATE":
			c, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return nil, nil, fmt.Errorf("its certificate cannot be read: %w", err)
			}
			chain = append(chain, c)
			continue
		case "PRIVATE KEY":
			made, err = x509.ParsePKCS8PrivateKey(block.Bytes)
		case "RSA PRIVATE KEY":
			if block.Headers["DEK-Info"] != "" {
				return nil, nil, errEncryptedPEM
			}
			made, err = x509.ParsePKCS1PrivateKey(block.Bytes)
		case "ENCRYPTED PRIVATE KEY":
			return nil, nil, errEncryptedPEM
		default:
			continue
		}
		if err != nil {
			return nil, nil, fmt.Errorf("its private key cannot be read (%s)", block.Type) // the parser's error could quote it
		}
		key = made
	}
	if key == nil {
		return nil, nil, errNoKey
	}
	if len(chain) == 0 {
		return nil, nil, errNoCert
	}
	return chain, key, nil
}

// errEncryptedPEM names the way round: PFX keeps a key under a password.
var errEncryptedPEM = errors.New("its key is encrypted PEM, which is not read: openssl pkcs12 -export -in FILE -out FILE.pfx makes a PFX file of it, which takes a password")

func readPFX(content []byte, password string) (chain []*x509.Certificate, key crypto.PrivateKey, err error) {
	key, own, others, err := pkcs12.DecodeChain(content, password)
	switch {
	case errors.Is(err, pkcs12.ErrIncorrectPassword):
		return nil, nil, errors.New("the password does not open it")
	case err != nil:
		return nil, nil, fmt.Errorf("it is neither PEM nor PFX (PKCS #12) with a certificate and its key: %w", err)
	}
	return append([]*x509.Certificate{own}, others...), key, nil
}
