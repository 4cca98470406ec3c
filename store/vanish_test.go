package store_test

import (
	"context"
	"io"
	"net"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"bridge/store"
	"bridge/store/pgtest"
)

// relay passes bytes on until it is cut: then it swallows all, and nobody hears of it.
func relay(t *testing.T, to string) (address string, cut *atomic.Bool) {
	t.Helper()
	cut = new(atomic.Bool)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	pass := func(from, to net.Conn) {
		buf := make([]byte, 64<<10)
		for {
			n, err := from.Read(buf)
			if cut.Load() {
				_, _ = io.Copy(io.Discard, from)
				return
			}
			if n > 0 {
				_, _ = to.Write(buf[:n])
			}
			if err != nil {
				_ = to.Close()
				return
			}
		}
	}
	go func() {
		for {
			a, err := l.Accept()
			if err != nil {
				return
			}
			b, err := net.Dial("tcp", to)
			if err != nil {
				_ = a.Close()
				continue
			}
			go pass(a, b)
			go pass(b, a)
		}
	}()
	return l.Addr().String(), cut
}

// TestAServerThatVanishesIsNoticed has the machine of the server go away without a
// word, as one does that loses its power: what is asked of it then has to end some time,
// and the worker goes on when another one is there.
func TestAServerThatVanishesIsNoticed(t *testing.T) {
	t.Parallel()
	u, err := url.Parse(pgtest.URL(t))
	if err != nil {
		t.Fatal(err)
	}
	address, cut := relay(t, u.Host)
	u.Host = address
	l := open(t, store.Config{URL: u.String(), Worker: true, Silence: 2 * time.Second})
	held, release, err := l.Claim(t.Context(), "link/one")
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	if _, err := l.Meta(t.Context(), "a"); err != nil { // the connection that reads is there, too
		t.Fatal(err)
	}
	cut.Store(true)
	ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
	defer stop()
	for name, ask := range map[string]func() error{
		"write": func() error { return l.SetMeta(ctx, "a", "b") },
		"read": func() error {
			_, err := l.Meta(context.WithoutCancel(ctx), "a")
			return err
		},
		"start": func() error {
			another, err := store.Open(context.WithoutCancel(ctx), store.Config{URL: u.String(), Worker: true, Silence: 2 * time.Second})
			if err == nil {
				_ = another.Close()
			}
			return err
		},
	} {
		asked := make(chan error, 1)
		go func() { asked <- ask() }()
		select {
		case err := <-asked:
			if err == nil {
				t.Errorf("a %s was answered by nobody", name)
			}
		case <-time.After(30 * time.Second):
			t.Fatalf("a %s waits for ever, and its session is long over", name)
		}
	}
	if held.Err() == nil {
		t.Error("what was claimed in that session still counts as claimed")
	}
	cut.Store(false) // the load balancer has another server
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		err := l.SetMeta(t.Context(), "a", "c")
		if err == nil {
			_, release, err = l.Claim(t.Context(), "link/one") // when the server has ended the old session
		}
		if err == nil {
			release()
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	began := time.Now()
	for range 10 {
		if value, err := l.Meta(t.Context(), "a"); value != "c" || err != nil {
			t.Errorf("%q: %v", value, err)
		}
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("connections of the old server were asked for %s", took)
	}
}
