# Targets of Eosin. "make help" lists them; "make run" and "make test" are all that a newcomer needs.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:

VERSION  := $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
BIN      := bin/eosin
FUZZTIME ?= 30s
BENCH    ?= .

# The lab and the packages under test/ need root and real Open vSwitch; the others need neither. They run side by side, the
# longest first: most of the time they wait.
REAL = ./test/e2e ./test/hostile ./test/soak ./lab ./test/load
UNIT = $$(go list ./... | grep -vE '/(lab|test/[a-z0-9]+)$$')

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: run
run: root deps build ## Build and show the demo lab until Ctrl-C (ONCE=1: until the table is complete); needs root
	@$(BIN) lab run $(if $(ONCE),--once)

.PHONY: build
build: ## Build bin/eosin
	@command -v go >/dev/null || { echo "Go is not installed or not in PATH: see https://go.dev/doc/install" >&2; exit 1; }
	@mkdir -p bin
	go build -trimpath -buildvcs=false -ldflags "-X main.version=$(VERSION)" -o $(BIN) ./cmd/eosin

.PHONY: test
test: root deps lint build ## Run every test: unit with the race detector, on real Open vSwitch, hostile peers; needs root
	go test -race -shuffle=on $(UNIT)
	go build -race -o $(BIN)-race ./cmd/eosin
	EOSIN_BIN=$(CURDIR)/$(BIN) EOSIN_RACE_BIN=$(CURDIR)/$(BIN)-race go test -p 4 -count=1 -timeout 20m $(REAL)

.PHONY: test-unit
test-unit: ## Run the tests that need neither root nor Open vSwitch
	go test -race -shuffle=on $(UNIT)

.PHONY: lint
lint: ## Check format and code (gofumpt, go vet, staticcheck)
	@unformatted=$$(go tool gofumpt -l .); if [ -n "$$unformatted" ]; then \
		echo "not formatted, run make fmt:" >&2; echo "$$unformatted" >&2; exit 1; fi
	go vet ./...
	go tool staticcheck ./...

.PHONY: bench
bench: ## Run the benchmarks (BENCH=regexp)
	go test -run '^$$' -bench '$(BENCH)' -benchmem $(UNIT)

.PHONY: bench-load
bench-load: build ## Compare with other controllers under load (LOAD=flags of test/load, as "-o json")
	@cd test/load/ancestor && go build -o $(CURDIR)/bin/ancestor .
	@go build -o bin/load ./test/load
	@bin/load -eosin $(BIN) -ancestor bin/ancestor $(LOAD)

.PHONY: soak
soak: root deps build ## Soak it on real and fake switches for FOR (default 10m), a schedule of disturbances by SEED; needs root
	@go build -o bin/soak ./test/soak
	@bin/soak -eosin $(BIN) -for $(or $(FOR),10m) -seed $(or $(SEED),0) $(SOAK)

.PHONY: fuzz
fuzz: ## Run every fuzz target for FUZZTIME each (default 30s)
	@for package in $(UNIT); do \
		listed=$$(go test -list '^Fuzz' $$package); \
		for target in $$(grep '^Fuzz' <<<"$$listed" || true); do \
			echo "$$package $$target"; \
			go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x $$package; \
		done; \
	done

.PHONY: fmt
fmt: ## Format the code
	go tool gofumpt -w .

.PHONY: check
check: fmt test ## What to run before a commit: format, lint and every test

.PHONY: deps
deps: ## Install the Debian packages that are missing; needs root
	@test/install.sh

.PHONY: root
root:
	@[ "$$(id -u)" -eq 0 ] || { \
		echo "This needs root, for network namespaces and Open vSwitch. Without root there are: make build, make test-unit, make lint." >&2; exit 1; }

.PHONY: clean
clean: ## Remove what was built
	rm -rf bin
