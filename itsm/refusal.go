package itsm

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"bridge/rest"
)

// What a refusal is about; matched with errors.Is.
var (
	// ErrCredentials: nobody, or not this user (401).
	ErrCredentials = errors.New("the instance did not take the credentials")
	// ErrNotFound: it is not there, or it may not be read (404).
	ErrNotFound = errors.New("the record is not there or may not be read")
	// ErrAccess: a right is missing (403).
	ErrAccess = errors.New("a right is missing")
	// ErrPolicy: a data policy asks for more fields (403).
	ErrPolicy = errors.New("a data policy refused it")
	// ErrRule: a business rule aborted it (403).
	ErrRule = errors.New("a business rule aborted it")
	// ErrPartial: a 200 that is not complete.
	ErrPartial = errors.New("the reply is not complete")
)

// classify names what a refusal is about: by status and the beginning of the
// message, as servicenow-api.md 1.9 lists them.
func classify(err error) error {
	var e *rest.Error
	if !errors.As(err, &e) || e.Err != nil {
		return err
	}
	switch e.Status {
	case http.StatusUnauthorized:
		e.Err = ErrCredentials
	case http.StatusNotFound:
		e.Err = ErrNotFound
	case http.StatusForbidden:
		switch {
		case strings.Contains(e.Message, "Data Policy Exception"):
			e.Err = ErrPolicy
		case strings.Contains(e.Message, "Business Rule"):
			e.Err = ErrRule
		default:
			e.Err = ErrAccess
		}
	case http.StatusAccepted:
		e.Outcome = rest.Unknown
	}
	return err
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
