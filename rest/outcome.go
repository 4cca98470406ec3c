package rest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Outcome is how a call ended.
type Outcome int

// The outcomes of a call.
const (
	// Done: the reply shows it.
	Done Outcome = iota
	// Refused: not done; it may be tried again.
	Refused
	// Unknown: it may have been done; look before trying again.
	Unknown
	// Impossible: it will never succeed as it was sent.
	Impossible
)

// String is the outcome in a word.
func (o Outcome) String() string {
	switch o {
	case Done:
		return "done"
	case Refused:
		return "refused"
	case Impossible:
		return "impossible"
	case Unknown:
	}
	return "unknown"
}

// Error says what was asked for, what came back, and which outcome that is.
type Error struct {
	Method string
	// Path is the name of the call: no identity and no query.
	Path      string
	Status    int
	Code      string
	Message   string
	RequestID string
	// RetryAfter is how long the server asked to be left alone, however long.
	RetryAfter time.Duration
	Outcome    Outcome
	// Complete says that a whole reply came.
	Complete bool
	Err      error
}

// Error says what was asked for and what came back.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s: ", e.Method, e.Path)
	switch {
	case e.Status != 0 && (e.Status < 200 || e.Status > 299):
		fmt.Fprintf(&b, "%d %s", e.Status, http.StatusText(e.Status))
		if e.Message != "" {
			fmt.Fprintf(&b, ": %s", e.Message)
		}
		if e.Err != nil && !strings.Contains(strings.ToLower(e.Message), strings.ToLower(e.Err.Error())) { // said already
			fmt.Fprintf(&b, ": %v", e.Err)
		}
	case e.Err != nil:
		b.WriteString(e.Err.Error())
	default:
		b.WriteString(e.Message)
	}
	if e.RequestID != "" {
		fmt.Fprintf(&b, " (request %s)", e.RequestID)
	}
	return b.String()
}

// Unwrap gives what lies behind it.
func (e *Error) Unwrap() error { return e.Err }

// LogValue keeps a log line to what the error says.
func (e *Error) LogValue() slog.Value { return slog.StringValue(e.Error()) }

// OutcomeOf reads the outcome that an error carries. One that says nothing is
// unknown: it is looked at before anything is sent again.
func OutcomeOf(err error) Outcome {
	var e *Error
	switch {
	case err == nil:
		return Done
	case errors.As(err, &e):
		return e.Outcome
	}
	return Unknown
}

// StatusOf is the HTTP status that an error carries; 0: no reply came.
func StatusOf(err error) int {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Status
	}
	return 0
}

// RetryAfter is how long the server asked to be left alone.
func RetryAfter(err error) time.Duration {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.RetryAfter
	}
	return 0
}

// outcomeOf is what a status alone says. 4xx is impossible unless the side's
// client knows better.
func outcomeOf(status int) Outcome {
	switch {
	case status == http.StatusUnauthorized, status == http.StatusTooManyRequests:
		return Refused
	case status >= 400 && status < 500 && status != http.StatusRequestTimeout:
		return Impossible
	}
	return Unknown
}

// notSent wraps an error from before the first byte.
type notSent struct{ err error }

func (e *notSent) Error() string { return e.err.Error() }
func (e *notSent) Unwrap() error { return e.err }

// neverWrote says that an attempt certainly wrote nothing: it was not connected.
func neverWrote(err error) bool {
	if err == nil {
		return false
	}
	var op *net.OpError
	var dns *net.DNSError
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	var verify *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var before *notSent
	return errors.As(err, &op) && (op.Op == "dial" || op.Op == "remote error" || op.Op == "proxyconnect") || errors.As(err, &dns) || errors.As(err, &unknown) ||
		errors.As(err, &host) || errors.As(err, &invalid) || errors.As(err, &verify) || errors.As(err, &record) || errors.As(err, &before)
}

// retry decides whether an attempt is repeated inside the call: what certainly
// did nothing, and reads whose answer may be had a moment later.
func retry(ctx context.Context, reply *http.Response, err error) (bool, error) {
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	track, _ := ctx.Value(trackerKey{}).(*tracker)
	reads := track != nil && (track.method == http.MethodGet || track.method == http.MethodHead)
	if err != nil {
		if _, ok := errors.AsType[*notSent](err); ok {
			return false, nil // credentials: asking again at once locks accounts
		}
		return reads || neverWrote(err) && !certificate(err), nil
	}
	switch reply.StatusCode {
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return reads && short(reply), nil
	case http.StatusTooManyRequests:
		return reply.Header.Get("Retry-After") != "" && short(reply), nil
	}
	return false, nil
}

// certificate says that a connection failed for a reason that no waiting cures.
func certificate(err error) bool {
	var verify *tls.CertificateVerificationError
	return errors.As(err, &verify)
}

// short says that a reply asks for no wait, or for one that is slept in place.
func short(reply *http.Response) bool {
	raw := reply.Header.Get("Retry-After")
	wait, ok := seconds(raw)
	return raw == "" || ok && wait <= patience
}

// backoff waits a random part of a doubling time, or as long as the server says.
func backoff(least, most time.Duration, n int, reply *http.Response) time.Duration {
	if reply != nil {
		if wait, ok := seconds(reply.Header.Get("Retry-After")); ok {
			return wait
		}
	}
	return jitter(min(most, least<<min(n, 10)))
}

// Wait reads Retry-After in both of its forms (RFC 9110, 10.2.3), and ServiceNow's
// X-RateLimit-Reset beside it.
func Wait(h http.Header, now time.Time) time.Duration {
	raw := h.Get("Retry-After")
	if wait, ok := seconds(raw); ok {
		return wait
	}
	if at, err := http.ParseTime(raw); err == nil {
		return min(max(at.Sub(now), 0), longest)
	}
	if reset, ok := seconds(h.Get("X-RateLimit-Reset")); ok && h.Get("X-RateLimit-Limit") != "" {
		return min(max(time.Unix(0, 0).Add(reset).Sub(now), 0), time.Hour)
	}
	return 0
}

// longest is the longest wait: a longer one would overflow what a wait is counted
// in, and become none.
const longest = 100 * 365 * 24 * time.Hour

// seconds reads a whole number of seconds, of any length.
func seconds(raw string) (wait time.Duration, ok bool) {
	if raw == "" || strings.Trim(raw, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(raw, 10, 64)
	if err != nil { // digits alone can only be too many
		return longest, true
	}
	return time.Duration(min(n, int64(longest/time.Second))) * time.Second, true
}

// truncated is a reply that ended too early.
type truncated struct{ err error }

func (e *truncated) Error() string { return "the reply is cut off or is not JSON: " + e.err.Error() }
func (e *truncated) Unwrap() error { return e.err }

// decode reads the JSON of a success; everything else in a 2xx is an error.
func decode(r Request, out Response) error {
	switch {
	case r.Into == nil && out.Status == http.StatusNoContent:
		return nil
	case r.Into == nil && isJSON(out.Header), r.Into == nil && len(out.Body) == 0:
		return fmt.Errorf("%d where 204 says that it was done", out.Status)
	case len(strings.TrimSpace(string(out.Body[:min(len(out.Body), 64)]))) == 0 && len(out.Body) < 64:
		return fmt.Errorf("%d without a body", out.Status)
	case !isJSON(out.Header):
		return fmt.Errorf("%d with %s instead of JSON: a sign-in, maintenance or hibernation page?", out.Status, contentType(out.Header))
	}
	err := json.Unmarshal(out.Body, r.Into)
	if err != nil && json.Valid(out.Body) {
		return fmt.Errorf("the reply is JSON of another shape: %w", err)
	} else if err != nil {
		return &truncated{err}
	}
	return nil
}

func isJSON(h http.Header) bool {
	kind := contentType(h)
	return kind == "application/json" || strings.HasSuffix(kind, "+json")
}

func contentType(h http.Header) string {
	kind, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil {
		return "no content type"
	}
	return kind
}

// scrub takes the URL out of an error: its query may hold what is nobody's business.
func scrub(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}
