package itsm

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	"bridge/rest"
)

// What an error is about; matched with errors.Is.
var (
	// ErrCredentials: nobody, or not this user (401).
	ErrCredentials = errors.New("the instance did not take the credentials")
	// ErrSignIn: the token endpoint refused what the configuration says (4xx). It is
	// not asked again for a while. It is ErrCredentials too.
	ErrSignIn = fmt.Errorf("sign in: %w", ErrCredentials)
	// ErrNotFound: it is not there, or it may not be read (404).
	ErrNotFound = errors.New("the record is not there or may not be read")
	// ErrAccess: a right is missing (403); those below name which, where the instance
	// says so.
	ErrAccess = errors.New("a right is missing")
	// ErrEndpoint: this user may not use the API at all.
	ErrEndpoint = fmt.Errorf("%w: this API is closed to the user", ErrAccess)
	// ErrQueryRight: a field of the query may not be queried, or does not exist.
	ErrQueryRight = fmt.Errorf("%w: a field of the query may not be queried, or does not exist", ErrAccess)
	// ErrWriteRight: the record may not be written.
	ErrWriteRight = fmt.Errorf("%w: the record may not be written", ErrAccess)
	// ErrPolicy: a data policy asks for more fields (403).
	ErrPolicy = errors.New("a data policy refused it")
	// ErrRule: a business rule aborted it (403).
	ErrRule = errors.New("a business rule aborted it")
	// ErrRate: the instance wants to be left alone for a while (429, or no request at
	// all while that lasts).
	ErrRate = errors.New("the instance wants to be left alone")
	// ErrElsewhere: the instance sent us to another address, which is not followed.
	ErrElsewhere = errors.New("the instance sent us elsewhere, as it does to a browser: single sign-on, or an instance that sleeps?")
	// ErrPage: a success that is no JSON, such as a sign-in or hibernation page.
	ErrPage = errors.New("a page instead of JSON")
	// ErrEmpty: a success without a body, such as a 202.
	ErrEmpty = errors.New("a reply without a body")
	// ErrTruncated: a success whose body is cut off, or is not whole JSON.
	ErrTruncated = errors.New("a reply that is cut off")
	// ErrPartial: a 200 that shows an error beside some of the result.
	ErrPartial = errors.New("the reply is not complete")
)

// named gives an error a name to be matched by, and leaves what it says as it is.
type named struct{ name, err error }

func (n named) Error() string   { return n.err.Error() }
func (n named) Unwrap() []error { return []error{n.name, n.err} }

// classify names what an error is about: by status, the beginning of the message
// (servicenow-api.md 1.9), and what came as a body.
func classify(err error, out rest.Response) error {
	e, ok := errors.AsType[*rest.Error](err)
	if !ok {
		return err
	}
	if out.Header.Get("Retry-After") == "" && e.Status != http.StatusTooManyRequests {
		e.RetryAfter = 0 // X-RateLimit-Reset stands on every reply that a rule counts
	}
	switch {
	case e.Err != nil && e.Status >= 200 && e.Status < 300:
		if name := halfSuccess(e, out); name != nil {
			e.Err = named{name, e.Err}
		}
	case e.Err != nil:
		signInFailed(e)
	default:
		e.Err = refused(e)
	}
	return err
}

// signInFailed carries the word of the token endpoint to the call that needed a token.
func signInFailed(e *rest.Error) {
	if inner, ok := errors.AsType[*rest.Error](e.Err); ok {
		e.RetryAfter = inner.RetryAfter
	}
	if errors.Is(e.Err, ErrSignIn) {
		e.Status = http.StatusUnauthorized
	}
}

// halfSuccess names a 2xx that is none.
func halfSuccess(e *rest.Error, out rest.Response) error {
	kind, _, err := mime.ParseMediaType(out.Header.Get("Content-Type"))
	switch {
	case errors.Is(e.Err, io.ErrUnexpectedEOF):
		return ErrTruncated
	case out.Status == 0:
		return nil // the body did not come, for a reason that the error says
	case len(bytes.TrimSpace(out.Body)) == 0:
		return ErrEmpty
	case err != nil, kind != "application/json" && !strings.HasSuffix(kind, "+json"):
		return ErrPage
	case !e.Complete && !json.Valid(out.Body):
		return ErrTruncated
	}
	e.Complete = true // whole, and in another shape than was asked for
	if _, message := explain(out.Body); message != "" {
		return ErrPartial
	}
	return nil
}

// refused names a refusal.
//
//	status  message                        name
//	3xx                                    ErrElsewhere
//	401                                    ErrCredentials
//	403     data policy                    ErrPolicy
//	403     business rule                  ErrRule
//	403     user not authorized            ErrEndpoint
//	403     rights to query                ErrQueryRight
//	403     ACL exception                  ErrWriteRight
//	403     any other                      ErrAccess
//	404                                    ErrNotFound
//	429                                    ErrRate
func refused(e *rest.Error) error {
	switch e.Status {
	case http.StatusUnauthorized:
		return ErrCredentials
	case http.StatusNotFound:
		return ErrNotFound
	case http.StatusTooManyRequests:
		return ErrRate
	case http.StatusForbidden:
		return forbidden(e.Message)
	}
	if e.Status >= 300 && e.Status < 400 {
		return ErrElsewhere
	}
	return nil
}

func forbidden(message string) error {
	families := []struct {
		says string
		is   error
	}{
		{"Data Policy Exception", ErrPolicy},
		{"Business Rule", ErrRule},
		{"User Not Authorized", ErrEndpoint},
		{"Insufficient rights to query", ErrQueryRight},
		{"ACL Exception", ErrWriteRight},
	}
	for _, f := range families {
		if strings.Contains(message, f.says) {
			return f.is
		}
	}
	return ErrAccess
}

// explain reads {"error":{"message":…,"detail":…},"status":"failure"}, and OAuth's
// {"error":…,"error_description":…}.
func explain(body []byte) (code, message string) {
	var envelope struct {
		Error       json.RawMessage `json:"error"`
		Description string          `json:"error_description"`
	}
	if json.Unmarshal(body, &envelope) != nil {
		return "", ""
	}
	var inner struct {
		Message string `json:"message"`
		Detail  string `json:"detail"`
	}
	if json.Unmarshal(envelope.Error, &inner) == nil {
		return "", strings.Join(strings.Fields(strings.TrimSuffix(inner.Message+": "+inner.Detail, ": ")), " ")
	}
	var word string
	if json.Unmarshal(envelope.Error, &word) != nil {
		return "", ""
	}
	return word, strings.TrimSuffix(word+": "+envelope.Description, ": ")
}
