# "make" or "make help" lists the targets.

LINT = go tool -modfile=tools/go.mod golangci-lint
TEST = CGO_ENABLED=1 go test -race -shuffle=on -p $(PACKAGES)

# Packages that run at once. What takes minutes mostly waits for brokers, so it
# is two more than there are processors.
PACKAGES = $(shell expr $$(getconf _NPROCESSORS_ONLN) + 2)

# The packages that take minutes begin first, so that none of them runs alone at
# the end. Go runs each package once, in the order in which they are named.
ALL = ./drivers/... ./integration ./integration/... ./...

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
	$(TEST) -timeout=25m $(ALL)

.PHONY: test-full
test-full: setup ## the same tests with the counts that a release is held to
	OMCONNECT_TEST_FULL=1 $(TEST) -timeout=8h $(ALL)

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
bench: setup ## measure what the gateway costs, beside client libraries and Kafka Connect; writes docs/benchmarks.md
	CGO_ENABLED=0 go run ./benchmarks -o docs/benchmarks.md

.PHONY: conformance
conformance: setup ## hold every driver to the rules, on real brokers; writes docs/conformance.md and the README's table
	go run ./conformance

.PHONY: brokers
brokers: setup ## start Redis, RabbitMQ, Kafka and RocketMQ that stay, for tests and for trying things; prints their addresses
	@go run ./integration/brokers up $(BROKERS)

.PHONY: brokers-down
brokers-down: ## stop them, and remove their data
	@go run ./integration/brokers down
