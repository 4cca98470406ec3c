package itsm_test

import (
	"bytes"
	"io"
	"iter"
	"net/http"
	"testing"
)

// reply is an answer that is written in process.
type reply struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *reply) Header() http.Header         { return r.header }
func (r *reply) WriteHeader(status int)      { r.status = status }
func (r *reply) Write(b []byte) (int, error) { return r.body.Write(b) }

func (r *reply) response(to *http.Request) *http.Response {
	return &http.Response{StatusCode: r.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: r.header, Body: io.NopCloser(&r.body), Request: to}
}

// last reads a list to its end and gives the error that ended it.
func last[T any](list iter.Seq2[T, error]) (err error) {
	for _, err = range list {
		if err != nil {
			break
		}
	}
	return err
}

// collect reads a list that is expected to succeed.
func collect[T any](t *testing.T, list iter.Seq2[T, error]) []T {
	t.Helper()
	var out []T
	for one, err := range list {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, one)
	}
	return out
}
