//go:build known

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

// This one fails: it is a defect that docs/known.md names.

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
				continue2(from)
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

// continue2 goes on to swallow.
func continue2(from net.Conn) { _, _ = io.Copy(io.Discard, from) }

// TestAServerThatVanishesIsNoticed has the machine of the server go away without a
// word, as one does that loses its power: what is written then has to end some time.
func TestAServerThatVanishesIsNoticed(t *testing.T) {
	t.Parallel()
	u, err := url.Parse(pgtest.URL(t))
	if err != nil {
		t.Fatal(err)
	}
	address, cut := relay(t, u.Host)
	u.Host = address
	l, err := store.Open(t.Context(), store.Config{URL: u.String(), Worker: true, Silence: 2 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	cut.Store(true)
	wrote := make(chan error, 1)
	ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
	defer stop()
	go func() { wrote <- l.SetMeta(ctx, "a", "b") }()
	select {
	case err := <-wrote:
		t.Log(err)
	case <-time.After(45 * time.Second):
		t.Error("a write waits for ever, though nobody waits for it any more, and its session is long over")
	}
}
