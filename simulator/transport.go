package simulator

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"
)

// Transport is the way to a world without sockets: all hosts lead to it. It starts
// goroutines only for faults that come late, and they end with their delay.
func (w *World) Transport() http.RoundTripper { return transport{w} }

type transport struct{ world *World }

// RoundTrip makes one request as a network would: with its faults.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		var err error
		body, err = io.ReadAll(r.Body)
		r.Body.Close() //nolint:errcheck,gosec // it is read
		if err != nil {
			return nil, err
		}
	}
	ctx := r.Context()
	side, handler := t.world.side(r.URL.Path)
	x := t.world.Faults.draw(redacted(Request{Side: side, Method: r.Method, Path: r.URL.Path, Query: r.URL.RawQuery, Body: string(body)}))
	if x.before != nil {
		x.before(*x.request)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	free, err := t.world.sessions.enter(ctx, r)
	if err != nil {
		return nil, err
	}
	defer free()
	began := t.world.Config.Now()
	inner := arrived(ctx, r, body)
	out, err := meet(ctx, x, side, func() *recorder {
		answer := &recorder{header: http.Header{}, status: http.StatusOK}
		handler.ServeHTTP(answer, inner)
		t.world.Faults.settle(x.request, answer.status)
		if x.after != nil {
			x.after(*x.request)
		}
		return answer
	})
	if err == nil {
		err = t.world.Config.Wait(ctx, t.world.Config.Latency-t.world.Config.Now().Sub(began))
	}
	if err != nil {
		t.world.Faults.settle(x.request, 0)
		return nil, err
	}
	t.world.Faults.settle(x.request, out.status)
	return out.response(r), nil
}

// arrived is a request as the server has it: a copy, since when its caller has given up
// waiting, the request is his again.
func arrived(ctx context.Context, r *http.Request, body []byte) *http.Request {
	inner := r.Clone(context.WithoutCancel(ctx))
	inner.Body, inner.ContentLength, inner.RequestURI = io.NopCloser(bytes.NewReader(body)), int64(len(body)), r.URL.RequestURI()
	if inner.Host == "" {
		inner.Host = r.URL.Host
	}
	return inner
}

// meet carries out one fault, or none.
func meet(ctx context.Context, x exchange, side string, execute func() *recorder) (*recorder, error) {
	reset := &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
	switch x.Kind { //nolint:exhaustive // the others have an answer
	case RefusedBefore:
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	case ResetBefore:
		return nil, reset
	case ResetAfter:
		execute()
		return nil, reset
	case LostAfter:
		execute()
		return nil, io.ErrUnexpectedEOF
	case Late:
		return nil, late(ctx, x.Delay, execute)
	case Slow:
		out := execute()
		return out, pause(ctx, x.Delay)
	}
	var out *recorder
	if x.Kind.Executes() || x.Kind == "" {
		out = execute()
	}
	if x.Kind != "" {
		out = spoil(x, side, out)
	}
	return out, nil
}

// late does what is asked after a delay, whether anybody still waits or not. Who waits
// sees the connection end.
func late(ctx context.Context, delay time.Duration, execute func() *recorder) error {
	done := make(chan struct{})
	go func() {
		defer close(done)
		timer := time.NewTimer(delay)
		defer timer.Stop()
		<-timer.C
		execute()
	}()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-done:
		return io.ErrUnexpectedEOF
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

// sessions let the requests of one session through one by one, once they are told apart.
type sessions struct {
	mu sync.Mutex
	// busy is nil while all are let through.
	busy map[string]chan struct{}
}

// apart says whether they are told apart from now on.
func (s *sessions) apart(are bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case !are:
		s.busy = nil
	case s.busy == nil:
		s.busy = map[string]chan struct{}{}
	}
}

// are says whether they are told apart.
func (s *sessions) are() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.busy != nil
}

// turn is what a request waits for; nil: nothing. One without a cookie is a session of
// its own.
func (s *sessions) turn(r *http.Request) chan struct{} {
	cookies := r.CookiesNamed("JSESSIONID")
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.busy == nil || len(cookies) == 0 {
		return nil
	}
	turn := s.busy[cookies[0].Value]
	if turn == nil {
		turn = make(chan struct{}, 1)
		s.busy[cookies[0].Value] = turn
	}
	return turn
}

// enter waits for a request's turn.
func (s *sessions) enter(ctx context.Context, r *http.Request) (leave func(), err error) {
	turn := s.turn(r)
	if turn == nil {
		return func() {}, nil
	}
	select {
	case turn <- struct{}{}:
		return func() { <-turn }, nil
	case <-ctx.Done():
		return func() {}, ctx.Err()
	}
}
