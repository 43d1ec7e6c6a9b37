# Targets for people: make, make test, make demo, make check, make deb.
GO      ?= go
VERSION ?= 2.4.3
BIN     := bin
LDFLAGS := -s -w
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
PREFIX  ?= /usr
export GOTOOLCHAIN ?= local

.PHONY: all build check fmt vet lint race test bench sim fuzz demo deb packages install clean deps

all: build

build:
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN)/ ./cmd/...

check: fmt vet lint race

fmt:
	@out=$$(gofmt -l $$(git ls-files '*.go')); test -z "$$out" || { echo "gofmt would change: $$out"; exit 1; }

vet:
	$(GO) vet ./...

lint:
	$(GO) run $(STATICCHECK) ./...

race:
	$(GO) test -race ./...

clean:
	rm -rf $(BIN) dist
