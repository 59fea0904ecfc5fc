# Vitrine. The two commands to know: make demo, make test.

GO      ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS  = -s -w -X vitrine/cli.Version=$(VERSION)
BUILD    = CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)'
SYSTEMS  = linux/amd64 linux/arm64 windows/amd64 windows/arm64
# e2e and bench drive Linux tools.
PORTABLE = $(shell $(GO) list ./... | grep -v -e /e2e -e /bench)
FUZZTIME ?= 10s
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2

.PHONY: help build test test-windows test-long race fuzz fuzz-long lint bench microbench cover cross demo setup clean

.DEFAULT_GOAL = build

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 14

build: ## the program, at bin/vitrine
	$(BUILD) -o bin/vitrine ./cmd/vitrine

setup: ## what the tests need beside Go
	scripts/setup.sh

# -count=1: the cache of results does not see the program that e2e builds.
test: setup ## every test that a change must pass
	$(GO) vet ./...
	GOOS=windows $(GO) vet $(PORTABLE)
	$(GO) test -count=1 -timeout 20m ./...
	$(GO) test -tags cgofuse,fuse3 -run TestPathDriver ./mount
	$(MAKE) --no-print-directory test-windows

test-windows: setup ## the tests of every package but e2e as Windows programs, under Wine
	$(GO) run ./scripts/wine -timeout 20m -short $(PORTABLE)

test-long: ## the tests that take minutes: endurance, kill -9, big volumes, virtual machines
	scripts/setup.sh --long
	$(GO) test -tags long -timeout 120m ./...

race: setup ## every test with the race detector
	$(GO) test -race -timeout 60m ./...

fuzz: ## each fuzz target for FUZZTIME
	$(GO) run ./scripts/fuzz -time $(FUZZTIME)

fuzz-long: ## the NTFS fuzz targets in turns until interrupted; adds to docs/fuzzing.md
	nice -n 19 $(GO) run ./scripts/fuzz -time 2m -rounds 0 -parallel 1 -record ./ntfsparse/...

lint: ## gofmt, vet for each system, staticcheck
	test -z "$$(gofmt -l .)" || { gofmt -l .; exit 1; }
	$(GO) vet ./...
	GOOS=windows $(GO) vet $(PORTABLE)
	GOOS=darwin $(GO) vet ./cli ./index ./volume ./ntfsparse ./reader
	$(GO) run $(STATICCHECK) ./...

bench: build ## vitrine beside the tools that do the same; takes root, an hour and 40 GB (SCALE=small: 10 GB)
	$(GO) build -o bin/bench ./bench
	bin/bench -scale $(or $(SCALE),full) -runs $(or $(RUNS),5)

microbench: ## the benchmarks in Go; the last result is kept beside the new one
	mkdir -p bench/work
	if [ -f bench/work/new.txt ]; then mv bench/work/new.txt bench/work/old.txt; fi
	$(GO) test -run '^$$' -bench . -benchmem ./... | tee bench/work/new.txt

cover: setup ## test coverage, by function at the end of bin/cover.txt
	mkdir -p bin
	$(GO) test -coverprofile bin/cover.out -coverpkg ./... ./...
	$(GO) tool cover -func bin/cover.out > bin/cover.txt
	tail -1 bin/cover.txt

cross: ## one static program for each system, in dist/
	for s in $(SYSTEMS); do \
		out=dist/vitrine-$${s%/*}-$${s#*/}; \
		case $$s in windows/*) out=$$out.exe;; esac; \
		echo $$out; \
		GOOS=$${s%/*} GOARCH=$${s#*/} $(BUILD) -o $$out ./cmd/vitrine || exit 1; \
	done

demo: build ## a tour of everything on a sample that ships with the sources
	$(GO) run ./scripts/demo

clean: ## remove what was made
	rm -rf bin dist
