package config

import (
	"crypto/tls"
	"crypto/x509"
	"os"
)

// tls makes a side's TLS: 1.2 or later, the system's roots and those of ca_file,
// and a client certificate where there is one. There is no way to skip verification.
func (r *reader) tls(side string) *tls.Config {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	prefix := side + ".tls."
	if ca, ok := r.found[prefix+"ca_file"]; ok && ca.text != "" {
		r.roots(config, ca)
	}
	cert, hasCert := r.found[prefix+"client_cert_file"]
	key, hasKey := r.found[prefix+"client_key_file"]
	switch {
	case cert.text == "" && hasCert || key.text == "" && hasKey: // told already
	case hasCert && hasKey:
		r.certificate(config, cert, key)
	case hasCert:
		r.wrong(cert.at, "%sclient_cert_file needs %sclient_key_file", prefix, prefix)
	case hasKey:
		r.wrong(key.at, "%sclient_key_file needs %sclient_cert_file", prefix, prefix)
	}
	return config
}

// roots adds the certificates of a ca_file to the system's.
func (r *reader) roots(config *tls.Config, ca value) {
	pem, err := os.ReadFile(r.resolve(ca.text))
	if err != nil {
		r.wrong(ca.at, "ca_file %s cannot be read: %v", ca.shown, cause(err))
		return
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		r.wrong(ca.at, "the system's certificates cannot be read: %v", err)
		return
	}
	if !pool.AppendCertsFromPEM(pem) {
		r.wrong(ca.at, "ca_file %s holds no certificate in PEM form", ca.shown)
		return
	}
	config.RootCAs = pool
}

func (r *reader) certificate(config *tls.Config, cert, key value) {
	certPEM, err := os.ReadFile(r.resolve(cert.text))
	if err != nil {
		r.wrong(cert.at, "client_cert_file %s cannot be read: %v", cert.shown, cause(err))
		return
	}
	keyPEM, err := os.ReadFile(r.resolve(key.text))
	if err != nil {
		r.wrong(key.at, "client_key_file %s cannot be read: %v", key.shown, cause(err))
		return
	}
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		r.wrong(cert.at, "client_cert_file and client_key_file are no pair: %v", err)
		return
	}
	config.Certificates = []tls.Certificate{pair}
}
