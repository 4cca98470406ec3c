package simulator

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"strconv"
	"syscall"
	"time"
)

// Transport is the way to a world without sockets: all hosts lead to it.
func (w *World) Transport() http.RoundTripper { return transport{w} }

type transport struct{ world *World }

// RoundTrip makes one request as a network would: with its faults.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
		r.Body.Close() //nolint:errcheck,gosec // it is read
	}
	side, handler := t.world.side(r.URL.Path)
	seen := Request{Side: side, Method: r.Method, Path: r.URL.Path, Query: r.URL.RawQuery, Body: string(body)}
	if side == SideAuthority {
		seen.Body = ""
	}
	rule, before, after := t.world.Faults.draw(seen)
	if before != nil {
		before(seen)
	}
	execute := func() *recorder { //nolint:contextcheck // what was sent is done, whether its sender waits or not
		inner := r.Clone(context.WithoutCancel(r.Context()))
		inner.Body, inner.Host = io.NopCloser(bytes.NewReader(body)), r.URL.Host
		out := &recorder{header: http.Header{}, status: http.StatusOK}
		handler.ServeHTTP(out, inner)
		if after != nil {
			after(seen)
		}
		return out
	}
	began := t.world.Config.Now()
	answer, err := meet(r, rule, execute)
	if err != nil {
		return nil, err
	}
	return answer, pause(r.Context(), t.world.Config.Latency-t.world.Config.Now().Sub(began))
}

// meet carries out one fault, or none.
func meet(r *http.Request, rule Rule, execute func() *recorder) (*http.Response, error) {
	switch rule.Kind {
	case RefusedBefore:
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	case ResetBefore:
		return nil, &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
	case LostAfter:
		execute()
		return nil, io.ErrUnexpectedEOF
	case Late:
		go func() {
			timer := time.NewTimer(rule.Delay)
			defer timer.Stop()
			<-timer.C
			execute()
		}()
		<-r.Context().Done()
		return nil, r.Context().Err()
	case Slow:
		out := execute()
		if err := pause(r.Context(), rule.Delay); err != nil {
			return nil, err
		}
		return out.response(r), nil
	case Error500After, Error503After, HTMLAfter, Truncated:
		out := execute()
		return spoil(rule.Kind, out).response(r), nil
	case Error500, TooMany, HTML, EmptyList:
		out := spoil(rule.Kind, &recorder{header: http.Header{}})
		if rule.RetryAfter > 0 {
			out.header.Set("Retry-After", strconv.Itoa(rule.RetryAfter))
		}
		return out.response(r), nil
	}
	return execute().response(r), nil
}

// spoil is the answer of a fault.
func spoil(kind Kind, out *recorder) *recorder {
	const problem = `{"error":{"code":"500","message":"Transaction cancelled: maximum execution time exceeded"}}`
	page := func(status int, kind, body string) *recorder {
		return &recorder{header: http.Header{"Content-Type": {kind}}, status: status, body: *bytes.NewBufferString(body)}
	}
	switch kind { //nolint:exhaustive // the others have no answer
	case Error500, Error500After:
		return page(http.StatusInternalServerError, "application/json", problem)
	case Error503After:
		return page(http.StatusServiceUnavailable, "text/html", "<html>Service Unavailable</html>")
	case TooMany:
		return page(http.StatusTooManyRequests, "application/json", `{"error":{"message":"Rate limit exceeded"}}`)
	case HTML, HTMLAfter:
		return page(http.StatusOK, "text/html", "<html><title>Instance Hibernating page</title></html>")
	case EmptyList:
		return page(http.StatusOK, "application/json", `{"value":[],"result":[]}`)
	}
	whole := out.body.Bytes()
	return page(out.status, out.header.Get("Content-Type"), string(whole[:len(whole)/2]))
}

// recorder keeps an answer.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) WriteHeader(status int)      { r.status = status }
func (r *recorder) Write(b []byte) (int, error) { return r.body.Write(b) }

func (r *recorder) response(to *http.Request) *http.Response {
	return &http.Response{
		Status: strconv.Itoa(r.status) + " " + http.StatusText(r.status), StatusCode: r.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: r.header, Body: io.NopCloser(bytes.NewReader(r.body.Bytes())), ContentLength: int64(r.body.Len()), Request: to,
	}
}

func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
