# fmt lint test build bench simulate mutants crash soak network peers known demo: what each does is the comment in front of it.

SHELL       := bash
.SHELLFLAGS := -euo pipefail -c

export GOFLAGS ?= -buildvcs=false

VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LINT     := v2.15.0
TOOLS    := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/bridge-tools
LINTER   := $(TOOLS)/golangci-lint-$(LINT)/golangci-lint
PROXY    := v2.5.0
TOXIPROXY := $(TOOLS)/toxiproxy-$(PROXY)/server
FUZZTIME ?= 8000x
BENCH    ?= .

SEEDS    ?= 1000
SEED     ?= $(shell date +%s)
FOR      ?=

.PHONY: build test vet unit race fuzz left-out lint fmt bench simulate mutants crash soak network toxiproxy peers known demo clean

# One static binary, the same bytes from the same source.
build:
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o bin/bridge ./cmd/bridge

# Everything that proves the bridge, and what could not be proved here.
test: vet unit race fuzz left-out

vet:
	CGO_ENABLED=0 go vet ./...

# The whole of it, without the race detector: replays, suites, simulated schedules.
unit:
	CGO_ENABLED=0 go test ./...

# The race detector slows all by ten: -short leaves long schedules and benchmarks' worlds out.
# It is the only use of cgo; a machine without a C compiler goes without it, unless it must not.
race:
	@if command -v "$$(go env CC)" >/dev/null; then \
		echo "go test -race -short ./..."; CGO_ENABLED=1 go test -race -short ./...; \
	elif [[ ",$${BRIDGE_REQUIRE:-}," == *,race,* ]]; then \
		echo "race: no C compiler, and BRIDGE_REQUIRE asks for one" >&2; exit 1; \
	fi

# Each fuzz target for so many tries, or for so long (FUZZTIME=40s): go test takes one at a time. Up to Go 1.26 a time
# that ends on a busy machine can fail without a finding (golang/go#75804), so tries are the default.
fuzz:
	@grep -rlE '^func Fuzz' --include='*_test.go' . | sort | while read -r file; do \
		grep -oE '^func Fuzz[A-Za-z0-9_]+' "$$file" | cut -c6- | while read -r target; do \
			echo "fuzz $$target in $$(dirname "$$file") for $(FUZZTIME)"; \
			CGO_ENABLED=0 go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x "$$(dirname "$$file")" </dev/null; \
		done; \
	done

# Says which tests this machine could not run. BRIDGE_REQUIRE=postgres,race,browser,npm,network makes them failures.
left-out:
	@if grep -rlqs BRIDGE_TEST_POSTGRES --include='*.go' . && [[ -z "$${BRIDGE_TEST_POSTGRES:-}" ]] && ! command -v postgres >/dev/null && ! ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1; then \
		echo "left out: the ledger on PostgreSQL (no postgres here; apt-get install postgresql, or set BRIDGE_TEST_POSTGRES)"; fi
	@if ! command -v chromium >/dev/null && grep -rlqs chromedp --include='*_test.go' .; then \
		echo "left out: the console in a browser (no chromium here; apt-get install chromium)"; fi
	@if [[ -d simulator/peers ]] && { ! command -v node || ! command -v npm; } >/dev/null; then \
		echo "left out: the simulators under clients from npm (no node or npm here; apt-get install nodejs npm)"; fi
	@if [[ -z "$${BRIDGE_TOXIPROXY:-}" ]]; then \
		echo "left out: a network that fails (BRIDGE_TOXIPROXY names no binary; make network builds one)"; fi
	@if ! command -v "$$(go env CC)" >/dev/null; then \
		echo "left out: the race detector (no C compiler here)"; fi

lint: $(LINTER)
	$(LINTER) run ./...
	$(LINTER) fmt --diff ./...

fmt: $(LINTER)
	$(LINTER) fmt ./...

# The linter is built from source at a fixed version, kept out of go.mod and out of the checkout.
$(LINTER):
	mkdir -p $(@D)
	GOBIN=$(@D) GOFLAGS= CGO_ENABLED=0 go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT)

bench:
	CGO_ENABLED=0 go test -run '^$$' -bench '$(BENCH)' -benchmem ./...

# Plays schedules of faults from a seed on (the time of day, unless SEED=N names one): SEEDS of them, or for as long as
# FOR says. It stops at the first that fails and tells it as a story.
simulate:
	@echo "seeds from $(SEED) on"
	CGO_ENABLED=0 go test -c -o bin/simulation ./connector
	cd connector && BRIDGE_SEED=$(SEED) BRIDGE_SEEDS=$(SEEDS) BRIDGE_SIMULATE=$(FOR) ../bin/simulation -test.run 'TestSimulation$$' -test.failfast -test.timeout 24h

# Takes each rule of the protocol away in turn: a test has to find it. Writes docs/protocol.md.
mutants:
	CGO_ENABLED=0 BRIDGE_MUTANTS=all go test . -run TestEachRuleOfTheProtocolIsProven -v -timeout 2h

# Kills the real binary a hundred times over 200 incidents, on SQLite and as three replicas on PostgreSQL.
crash:
	CGO_ENABLED=0 BRIDGE_CRASH=1 go test ./cmd/bridge -run KilledForReal -v -timeout 20m

# Puts a proxy that cuts, delays, truncates and refuses between the real binary and both sides, over 200 incidents.
network: $(TOXIPROXY)
	CGO_ENABLED=0 BRIDGE_NETWORK=1 BRIDGE_TOXIPROXY=$(TOXIPROXY) go test ./cmd/bridge -run TheNetworkForReal -v -timeout 20m

toxiproxy: $(TOXIPROXY)
	@echo $(TOXIPROXY)

# The proxy is built like the linter.
$(TOXIPROXY):
	mkdir -p $(@D)
	GOBIN=$(@D) GOFLAGS= CGO_ENABLED=0 go install github.com/Shopify/toxiproxy/v2/cmd/server@$(PROXY)

# The same job by the bridge and as a Node-RED flow, with a kill in mid-run. Needs node and npm.
peers:
	CGO_ENABLED=0 BRIDGE_PEERS=1 go test ./cmd/bridge -run BesideAFlow -v -timeout 20m

# A working week under virtual time: expiries, outages, restarts, and a ledger that stays as large as it is.
soak:
	CGO_ENABLED=0 BRIDGE_SOAK=1 go test ./connector -run TestSoak -v -timeout 30m

# What is known to be wrong (docs/known.md): these tests fail.
known:
	CGO_ENABLED=0 go test -tags known ./connector ./store ./cmd/bridge -run "$$(find . -name known_test.go -exec grep -ohE '^func Test[A-Za-z]+' {} + | cut -c6- | paste -sd'|')"

demo:
	CGO_ENABLED=0 go run ./cmd/bridge demo

clean:
	rm -rf bin
