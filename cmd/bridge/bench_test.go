package main_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// BenchmarkLinks turns 5,000 incidents into linked tickets with the real binary,
// the simulators in another process and TLS between them. Efficiency is calls ×
// latency ÷ in flight ÷ wall on the busiest side (ITSM: four in flight).
func BenchmarkLinks(b *testing.B) {
	binary := filepath.Join(b.TempDir(), "bridge")
	if out, err := exec.CommandContext(b.Context(), "go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	for _, latency := range []time.Duration{0, 20 * time.Millisecond} {
		b.Run("latency="+latency.String(), func(b *testing.B) {
			for range b.N {
				links(b, binary, latency)
			}
		})
	}
}

const incidents = 5000

// bare is how long an HTTP client needs that has nothing else to do: as many calls of
// the desk, four in flight.
func bare(b *testing.B, dir string) time.Duration {
	b.Helper()
	config, err1 := os.ReadFile(filepath.Join(dir, "bridge.yaml"))
	secret, err2 := os.ReadFile(filepath.Join(dir, "itsm.secret"))
	ca, err3 := os.ReadFile(filepath.Join(dir, "ca.pem"))
	if err := errors.Join(err1, err2, err3); err != nil {
		b.Fatal(err)
	}
	found := regexp.MustCompile(`itsm:\s+url: (\S+)\s+auth: \{ type: basic, username: ([^,]+)`).FindSubmatch(config)
	if found == nil {
		b.Fatalf("no desk in %s", config)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, MaxIdleConnsPerHost: 4}}
	began := time.Now()
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			for range incidents / 4 {
				if err := get(b.Context(), client, string(found[1])+"/api/now/v2/table/incident?sysparm_limit=1&sysparm_fields=sys_id", string(found[2]), strings.TrimSpace(string(secret))); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wait.Wait()
	return time.Since(began)
}

func get(ctx context.Context, client *http.Client, url, user, password string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	r.Header.Set("Accept", "application/json")
	r.SetBasicAuth(user, password)
	reply, err := client.Do(r)
	if err != nil {
		return err
	}
	defer reply.Body.Close() //nolint:errcheck // read to its end below
	if _, err := io.Copy(io.Discard, reply.Body); err != nil || reply.StatusCode != http.StatusOK {
		return fmt.Errorf("%s, %w", reply.Status, err)
	}
	return nil
}

func links(b *testing.B, binary string, latency time.Duration) {
	b.Helper()
	dir := b.TempDir()
	sim := exec.CommandContext(b.Context(), binary, "sim", "--listen", "127.0.0.1:0", "--dir", dir, "--mappings", "../../mappings.yaml",
		"--incidents", strconv.Itoa(incidents), "--latency", latency.String())
	if err := sim.Start(); err != nil {
		b.Fatal(err)
	}
	defer func() {
		_ = sim.Process.Kill()
		_ = sim.Wait()
	}()
	config := filepath.Join(dir, "bridge.yaml")
	for range 500 {
		if _, err := os.Stat(filepath.Join(dir, "mmd.secret")); err == nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	run := exec.CommandContext(b.Context(), binary, "run", "--once", "--config", config)
	run.Env = append(os.Environ(), "BRIDGE_LIMITS_CREATES=0")
	var out, errs bytes.Buffer
	run.Stdout, run.Stderr = &out, &errs
	if err := run.Run(); err != nil {
		b.Fatalf("%v\n%s%s", err, out.String(), errs.String())
	}
	keys := map[string]string{}
	for pair := range strings.FieldsSeq(out.String()) {
		name, value, _ := strings.Cut(pair, "=")
		keys[name] = value
	}
	if keys["created"] != strconv.Itoa(incidents) || keys["updated"] != keys["created"] || keys["owed"] != "0" {
		b.Fatalf("%s%s", out.String(), errs.String())
	}
	found := regexp.MustCompile(`(\d+) writes in (\S+)`).FindStringSubmatch(errs.String())
	if found == nil {
		b.Fatal(errs.String())
	}
	wall, err := time.ParseDuration(found[2])
	if err != nil {
		b.Fatal(err)
	}
	calls, err := strconv.Atoi(keys["calls"])
	if err != nil {
		b.Fatal(err)
	}
	usage, ok := run.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		b.Fatal("no resource usage on this system")
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(incidents/wall.Seconds(), "links/s")
	b.ReportMetric(float64(calls)/incidents, "calls/link")
	b.ReportMetric(float64(usage.Maxrss)/1024, "MB-peak")
	if latency > 0 {
		b.ReportMetric(incidents*latency.Seconds()/4/wall.Seconds(), "efficiency")
		b.ReportMetric(incidents*latency.Seconds()/4/bare(b, dir).Seconds(), "bare-efficiency")
	}
	fmt.Fprintf(os.Stderr, "%s  %s", errs.String(), out.String())
}
