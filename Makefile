# "make" or "make help" lists the targets.

LINT = go tool -modfile=tools/go.mod golangci-lint
TEST = CGO_ENABLED=1 go test -race -shuffle=on

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile

.PHONY: run
run: build ## build, then run the quickstart: a database through a broker into two destinations
	go run ./examples/quickstart

.PHONY: build
build: ## build bin/omconnect
	CGO_ENABLED=0 go build -o bin/omconnect ./cmd/omconnect

.PHONY: test
test: setup ## install what the tests need, then run them all with the race detector
	$(TEST) -timeout=15m ./...

.PHONY: test-full
test-full: setup ## the same tests with the counts that a release is held to
	OMCONNECT_TEST_FULL=1 $(TEST) -timeout=4h ./...

.PHONY: fuzz
fuzz: ## run every fuzz target for FUZZTIME (30s)
	@tools/fuzz.sh $(or $(FUZZTIME),30s)

.PHONY: setup
setup:
	@integration/setup.sh

.PHONY: check
check: ## everything but the tests: format, vet, lint, go.mod; changes nothing
	$(LINT) fmt --diff
	go vet ./...
	$(LINT) run
	go mod tidy -diff
	cd examples/connector && go mod tidy -diff

.PHONY: docs
docs: ## write docs/reference from the definitions in the code
	go run ./cmd/omconnect reference docs/reference

.PHONY: lint
lint: ## run the linters
	$(LINT) run

.PHONY: fmt
fmt: ## format the code
	$(LINT) fmt

.PHONY: bench
bench: ## measure what the gateway costs, beside the client library; writes docs/benchmarks.md
	CGO_ENABLED=0 go run ./benchmarks -o docs/benchmarks.md

.PHONY: brokers
brokers: setup ## start a Redis that stays, for tests and for trying things; prints its address
	@go run ./integration/brokers up

.PHONY: brokers-down
brokers-down: ## stop it, and remove its data
	@go run ./integration/brokers down
