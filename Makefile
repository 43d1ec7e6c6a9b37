# make, make demo, make test; make check before a commit; make deb for a package.
GO          ?= go
BIN         := bin
LDFLAGS     := -s -w
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
NFPM        := github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.43.0
PREFIX      ?= /usr
DESTDIR     ?=
SEED        ?= 1
HOURS       ?= 1000
FUZZTIME    ?= 60s

# Where go.dev says to put it, and where sudo does not look.
export PATH := $(PATH):/usr/local/go/bin

export PKG_VERSION ?= 2.4.3+go0.1.0
export PKG_ARCH    ?= $(shell PATH='$(PATH)' $(GO) env GOARCH)

# Packages whose tests are worth the race detector: those with goroutines.
RACE := ./internal/process ./internal/log ./internal/track ./internal/notify ./internal/script ./checker ./internal/watchdog

.PHONY: all test-dropin test-packages build check fmt vet lint race test quick demo deb packages bench sim fuzz man install clean

all: build

build:
	@packaging/deps build
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN)/ ./cmd/...

check: fmt vet lint race quick

fmt:
	@out=$$(gofmt -l $$(git ls-files '*.go')); test -z "$$out" || { echo "gofmt would change: $$out"; exit 1; }

vet:
	$(GO) vet ./...

lint:
	$(GO) run $(STATICCHECK) ./...

race:
	$(GO) test -race -short $(RACE)

quick:
	$(GO) test ./...

# Everything, as root where it can be: namespaces with real sockets, Debian's
# keepalived as the peer, and IPVS in the virtual machine.
test:
	@packaging/deps test
	$(MAKE) fmt vet lint build
	@GO=$(GO) packaging/everytest

demo:
	@packaging/deps demo
	@$(MAKE) --no-print-directory build
	@CGO_ENABLED=0 $(GO) build -o $(BIN)/demo ./internal/demo
	@$(BIN)/demo -keepalived $(BIN)/keepalived

bench:
	$(GO) test -run '^$$' -bench . -benchmem ./...

sim:
	$(GO) test ./internal/sim -run Sim -count=1 -timeout 0 -args -seed $(SEED) -hours $(HOURS)

fuzz:
	@for pkg in $$($(GO) list ./...); do \
	  for target in $$($(GO) test -list '^Fuzz' $$pkg | grep ^Fuzz); do \
	    echo "$$pkg $$target"; $(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$pkg || exit 1; \
	  done; \
	done

# What the packages hold beside programs: pages and documents, compressed.
man:
	@mkdir -p dist/man dist/doc
	@for page in keepalived.8 genhash.1 keepalivedctl.1; do gzip -9n < packaging/man/$$page > dist/man/$$page.gz; done
	@$(GO) run ./internal/manual | gzip -9n > dist/man/keepalived.conf.5.gz
	@gzip -9n < docs/differences.md > dist/doc/differences.md.gz
	@gzip -9n < CHANGELOG.md > dist/doc/CHANGELOG.md.gz
	@sed 's/@VERSION@/$(PKG_VERSION)-1/' packaging/deb/changelog | gzip -9n > dist/doc/changelog.Debian.gz

deb: build man
	$(GO) run $(NFPM) package -f packaging/nfpm.yaml -p deb -t dist/

# An Alpine version has only digits and points: our own follows the original's.
packages: deb
	$(GO) run $(NFPM) package -f packaging/nfpm.yaml -p rpm -t dist/
	PKG_VERSION=$(subst +go,.,$(PKG_VERSION)) $(GO) run $(NFPM) package -f packaging/nfpm.yaml -p apk -t dist/

install: build man
	install -D -m 0755 $(BIN)/keepalived $(DESTDIR)$(PREFIX)/sbin/keepalived
	install -D -m 0755 $(BIN)/genhash $(DESTDIR)$(PREFIX)/bin/genhash
	install -D -m 0755 $(BIN)/keepalivedctl $(DESTDIR)$(PREFIX)/bin/keepalivedctl
	install -D -m 0644 packaging/keepalived.service $(DESTDIR)/lib/systemd/system/keepalived.service
	install -d $(DESTDIR)/etc/keepalived $(DESTDIR)/etc/default
	test -e $(DESTDIR)/etc/default/keepalived || install -m 0644 packaging/default $(DESTDIR)/etc/default/keepalived
	install -D -m 0644 packaging/keepalived.conf.sample $(DESTDIR)/etc/keepalived/keepalived.conf.sample
	install -D -m 0644 dist/man/keepalived.8.gz $(DESTDIR)$(PREFIX)/share/man/man8/keepalived.8.gz
	install -D -m 0644 dist/man/keepalived.conf.5.gz $(DESTDIR)$(PREFIX)/share/man/man5/keepalived.conf.5.gz
	install -D -m 0644 dist/man/genhash.1.gz $(DESTDIR)$(PREFIX)/share/man/man1/genhash.1.gz
	install -D -m 0644 dist/man/keepalivedctl.1.gz $(DESTDIR)$(PREFIX)/share/man/man1/keepalivedctl.1.gz
	install -D -m 0644 packaging/completion.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/keepalived
	install -D -m 0644 packaging/dbus/org.keepalived.Vrrp1.conf $(DESTDIR)/etc/dbus-1/system.d/org.keepalived.Vrrp1.conf

clean:
	rm -rf $(BIN) dist

# The package replaces the original on two virtual machines with systemd while
# a client counts lost requests; some ten minutes.
test-dropin: deb
	@packaging/deps dropin
	$(GO) test ./internal/dropin -count=1 -v -timeout 60m -args -deb $(CURDIR)/dist/keepalived_$(PKG_VERSION)-1_$(PKG_ARCH).deb -table $(CURDIR)/docs/dropin.md

# The packages are installed for real: .deb in a chroot with Debian's own
# package before and after, .rpm and .apk into roots of their own; lintian,
# systemd-analyze and the manual pages' checkers have nothing to say. Minutes.
test-packages: packages
	@packaging/deps packages
	PKG_VERSION=2.4.3+go0.0.1 $(MAKE) --no-print-directory man
	@mkdir -p dist/older
	PKG_VERSION=2.4.3+go0.0.1 $(GO) run $(NFPM) package -f packaging/nfpm.yaml -p deb -t dist/older/
	PKG_VERSION=2.4.3+go0.0.1 $(GO) run $(NFPM) package -f packaging/nfpm.yaml -p rpm -t dist/older/
	@$(MAKE) --no-print-directory man
	$(GO) test ./internal/dropin -count=1 -v -timeout 30m -run 'Package|Page|Container' -args -dist $(CURDIR)/dist -version $(PKG_VERSION)
