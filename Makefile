# Everything a person or a machine does with this repository. `make help` lists it.
#
# Only Go, make and (for `make test` on Debian and Ubuntu) apt are assumed.

SHELL := /bin/sh
GO    ?= go

# The packages where goroutines meet. The cores have none, so the race detector
# has nothing to find in them.
RACE = ./peerconnection/... ./internal/relay/... ./internal/udp/... ./internal/trace/... ./cmd/...

# How long `make fuzz` stays with each fuzz target: inputs (3000x) or time (10s).
FUZZ ?= 3000x

.PHONY: all help test deps format vet unit race fuzz golden golden-check portable sim interop bench

all: format vet ## The default: format, vet, tests in short mode, architecture test; in seconds
	$(GO) test -short ./...

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# One line after the other, so that the log reads in order even under make -j.
test: ## Everything, after installing what it needs: unit, golden, simulation, race, fuzz, browsers
	@$(MAKE) --no-print-directory deps
	@$(MAKE) --no-print-directory format
	@$(MAKE) --no-print-directory vet
	@$(MAKE) --no-print-directory unit
	@$(MAKE) --no-print-directory golden-check
	@$(MAKE) --no-print-directory portable
	@$(MAKE) --no-print-directory race
	@$(MAKE) --no-print-directory fuzz
	@$(MAKE) --no-print-directory interop
	@echo "make test: everything passed"

deps: ## Install what the tests need beside Go: browsers, OpenSSL, GnuTLS, coturn, nftables, tshark, ffmpeg, libsrtp, usrsctp, a C compiler
	@.ci/deps

format: ## Fail if gofmt would change a file
	@files=$$(gofmt -l .) || exit 1; \
	if [ -n "$$files" ]; then echo "gofmt would change these files; run gofmt -w on them:"; echo "$$files"; exit 1; fi

vet: ## go vet, on the main module and on interop
	$(GO) vet ./...
	cd interop && $(GO) vet ./...

unit: ## The main module's tests: wire, component, ladder, simulation, architecture
	$(GO) test -count=1 ./...

race: ## Tests of the packages that have goroutines, under the race detector
	CGO_ENABLED=1 $(GO) test -short -race -count=1 $(RACE)

fuzz: ## Every fuzz target for some thousand inputs; FUZZ=10m for ten minutes each
	@GO="$(GO)" .ci/fuzz $(FUZZ)

golden: ## Rewrite the golden transcripts; then review the diff
	@GO="$(GO)" .ci/golden

golden-check: ## Fail if `make golden` would change a transcript
	@GO="$(GO)" .ci/golden --check

# The tag has Linux send one datagram a call, as other systems do. Of those, vet says whether it compiles.
portable: ## Sockets as other systems have them, the stack on them, and whether those systems can build it
	$(GO) test -tags portable -count=1 ./internal/udp
	$(GO) test -tags portable -count=1 -run '^(TestTrickle|TestMux|TestEvery|TestBackPressure|TestICERestart|TestBandwidthOfThePeer)' ./peerconnection
	GOOS=linux GOARCH=386 CGO_ENABLED=0 $(GO) vet ./...
	GOOS=windows GOARCH=amd64 CGO_ENABLED=0 $(GO) vet ./...

sim: ## Simulations: each layer and whole stacks on bad networks, hundreds of seeds each
	$(GO) test -count=1 -v -run Simulat ./...

# One package after the other, as video that freezes is a fault. The namespaces' tests by themselves, and
# aloud: what they measured, or that they could not be run.
interop: ## Real browsers and other stacks, against us; calls through NATs in network namespaces
	cd interop && all="$$($(GO) list ./...)" && $(GO) test -count=1 -p 1 -timeout 30m $$(echo "$$all" | grep -v '/netns$$')
	cd interop && $(GO) test -count=1 -v ./netns

bench: ## Measure us and Pion side by side; the table stays in interop/bench/README.md
	cd interop && $(GO) run ./bench -readme bench/README.md
