// Package pgtest gives tests a PostgreSQL server: the one that BRIDGE_TEST_POSTGRES
// names, or one that it starts for one test binary and takes down with it. It is for
// tests only.
package pgtest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver
)

// server is the one of this test binary.
type server struct {
	once sync.Once
	url  string
	why  error
	stop func()
	made int
	mu   sync.Mutex
}

var one server //nolint:gochecknoglobals // one server for a test binary

// Run runs the tests of a package and takes the server down.
func Run(m *testing.M) int {
	defer func() {
		if one.stop != nil {
			one.stop()
		}
	}()
	return m.Run()
}

// URL gives a schema of its own on the server. Without a server the test is left
// out, unless BRIDGE_REQUIRE names postgres.
func URL(t *testing.T) string {
	t.Helper()
	one.once.Do(func() { one.url, one.stop, one.why = start() })
	if one.why != nil {
		if slices.Contains(strings.Split(os.Getenv("BRIDGE_REQUIRE"), ","), "postgres") {
			t.Fatalf("PostgreSQL is required here: %v", one.why)
		}
		t.Skipf("left out, no PostgreSQL: %v", one.why)
	}
	one.mu.Lock()
	one.made++
	schema := fmt.Sprintf("t%d_%d", os.Getpid(), one.made)
	one.mu.Unlock()
	db, err := sql.Open("pgx", one.url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // what it did was answered
	if _, err := db.ExecContext(t.Context(), "CREATE SCHEMA "+schema); err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(one.url)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set("search_path", schema)
	u.RawQuery = q.Encode()
	return u.String()
}

// start finds a server, or starts one.
func start() (address string, stop func(), err error) {
	if address = os.Getenv("BRIDGE_TEST_POSTGRES"); address != "" {
		return address, nil, nil
	}
	bin, err := programs()
	if err != nil {
		return "", nil, err
	}
	dir, err := os.MkdirTemp("", "bridge-postgres")
	if err != nil {
		return "", nil, err
	}
	address, stop, err = startIn(dir, bin)
	if err != nil {
		return "", nil, errors.Join(err, os.RemoveAll(dir))
	}
	return address, stop, nil
}

// startIn makes a database in a folder and serves it, as a user without rights.
func startIn(dir, bin string) (address string, stop func(), err error) {
	attr, err := unprivileged(dir)
	if err != nil {
		return "", nil, err
	}
	run := func(name string, args ...string) *exec.Cmd {
		c := exec.CommandContext(context.Background(), filepath.Join(bin, name), args...) //nolint:gosec // found by programs
		c.SysProcAttr, c.Dir = attr, dir
		return c
	}
	data := filepath.Join(dir, "data")
	if out, err := run("initdb", "-D", data, "-A", "trust", "-U", "bridge", "--no-sync", "-E", "UTF8", "--locale=C").CombinedOutput(); err != nil {
		return "", nil, fmt.Errorf("initdb: %w: %s", err, out)
	}
	port, err := freePort()
	if err != nil {
		return "", nil, err
	}
	postgres := run("postgres", "-D", data, "-k", dir, "-h", "127.0.0.1", "-p", strconv.Itoa(port), "-c", "fsync=off", "-c", "max_connections=300")
	if err := postgres.Start(); err != nil {
		return "", nil, err
	}
	stop = func() {
		_ = postgres.Process.Signal(syscall.SIGQUIT)
		_ = postgres.Wait()
		_ = os.RemoveAll(dir)
	}
	address = fmt.Sprintf("postgres://bridge@127.0.0.1:%d/postgres?sslmode=disable", port)
	if err := answers(address); err != nil {
		stop()
		return "", nil, err
	}
	return address, stop, nil
}

// programs finds the folder of initdb and postgres: on the path, or where Debian
// keeps them.
func programs() (string, error) {
	var folders []string
	if found, err := exec.LookPath("initdb"); err == nil {
		folders = append(folders, filepath.Dir(found))
	}
	debian, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil {
		return "", err
	}
	slices.Sort(debian)
	slices.Reverse(debian)
	for _, folder := range append(folders, debian...) {
		if _, err := os.Stat(filepath.Join(folder, "initdb")); err == nil {
			return folder, nil
		}
	}
	return "", errors.New("neither BRIDGE_TEST_POSTGRES nor initdb is there: apt-get install postgresql")
}

// unprivileged gives the folder to a user without rights when this is root:
// PostgreSQL refuses to run as root.
func unprivileged(dir string) (*syscall.SysProcAttr, error) {
	if os.Getuid() != 0 {
		return &syscall.SysProcAttr{}, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err := errors.Join(err1, err2); err != nil {
			return nil, err
		}
		if err := os.Chown(dir, int(uid), int(gid)); err != nil {
			return nil, err
		}
		return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}, nil
	}
	return nil, errors.New("this is root, and there is neither a user postgres nor nobody")
}

func freePort() (int, error) {
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close() //nolint:errcheck // nothing was sent
	address, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		return 0, errors.New("no TCP address")
	}
	return address.Port, nil
}

// answers waits until the server takes connections.
func answers(address string) error {
	db, err := sql.Open("pgx", address)
	if err != nil {
		return err
	}
	defer db.Close() //nolint:errcheck // it only asked
	for range 200 {
		if err = db.PingContext(context.Background()); err == nil {
			return nil
		}
		time.Sleep(50 * time.Millisecond) //nolint:forbidigo // a server needs a moment to start
	}
	return fmt.Errorf("the server does not answer: %w", err)
}
