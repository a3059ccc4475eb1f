# Every target sets up what it needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# The commands that tests start, as command:package on Debian.
COMMANDS := dockerd:docker.io docker:docker.io iptables:iptables busybox:busybox-static ip:iproute2 \
  unshare:util-linux nsenter:util-linux openssl:openssl gcc:gcc pkg-config:pkg-config journalctl:systemd \
  systemd-journal-remote:systemd-journal-remote nix-instantiate:nix-bin git:git \
  dbus-daemon:dbus login:login script:bsdutils nft:nftables prometheus:prometheus promtool:prometheus \
  ssh:openssh-client sshd:openssh-server
# The commands that draw the pictures.
PAINTERS := rsvg-convert:librsvg2-bin fc-match:fontconfig
# The command that makes the clean roots in which packages are built and tried, and the releases of Debian that get one.
PACKAGERS := mmdebstrap:mmdebstrap
RELEASES := bookworm trixie
PYTEST_ARGS ?=
# Much of the time is waiting for real engines, so more than there are cores.
WORKERS ?= 6
# Besides the installed engine; tests/engine/on_engine.sh fetches them.
ENGINES := 26.1 28.5
NEWEST := $(lastword $(ENGINES))
# For `make fuzz`: how long, and which kinds (with commas; all where none is named).
MINUTES ?= 60
KINDS ?=
ON_ENGINE := tests/engine/on_engine.sh
# The one of its kind that also runs on the newest engine in `make test`; `make engines` runs all.
BORROW := test_every_leaked_address_comes_back_and_no_container_notices
QUICK := not process and not engine and not sweep and not benchmark and not package and not fuzz

.DEFAULT_GOAL := help
.PHONY: help quick demo test compiled newest engines check faults fuzz format benchmarks performance docs pictures deb installs lock clean

help: ## Show all targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

quick: $(VENV)/.dev check ## Run lint, types, and every test that starts no process
	$(BIN)/pytest -m "$(QUICK)" -n 3 --dist loadfile --ignore tests/engine --ignore tests/benchmarks --near --at-most 1 --hypothesis-profile quick $(PYTEST_ARGS)

demo: $(VENV)/.runtime ## Open the console on a simulated swarm in which time passes; no Docker needed
	@if [ -t 0 ] && [ -t 1 ] && [ -t 2 ] && [ "$${TERM:-dumb}" != dumb ]; then $(BIN)/vipconsole --demo; \
	else $(BIN)/vipconsole glance --demo || test $$? -le 2; fi
	@echo "To rehearse the whole maintenance window: $(BIN)/vipconsole run --demo"

# The gates take one core, and the tests on the newest engine wait for much: both at once.
test: packages $(VENV)/.dev ## Install what tests need, then run every gate and every test
	@$(ON_ENGINE) $(NEWEST) true
	@$(MAKE) --no-print-directory -j3 --output-sync=line check compiled newest
	$(BIN)/pytest -m "not benchmark and not sweep and not package and not fuzz" -n $(WORKERS) --dist loadfile --mostly-near $(PYTEST_ARGS)

# Else every worker would compile all tests.
compiled: $(VENV)/.dev
	@$(BIN)/pytest --collect-only -q -m engine >/dev/null 2>&1 || true

newest: $(VENV)/.dev
	$(ON_ENGINE) $(NEWEST) $(BIN)/pytest -m "engine and not sweep" -n $(WORKERS) --dist loadfile $(PYTEST_ARGS) \
	  --ignore tests/contract/test_membership.py --ignore tests/contract/test_recreation_order.py \
	  tests/engine/test_window.py tests/engine/test_borrow.py::$(BORROW) tests/contract

engines: packages $(VENV)/.dev ## Run the engine and contract tests on every supported engine: installed, 26.1, 28.5
	@failed=""; for engine in installed $(ENGINES); do \
	  echo "== engine $$engine"; \
	  $(ON_ENGINE) $$engine $(BIN)/pytest -m "engine and not sweep and not benchmark" -n $(WORKERS) --dist loadfile \
	    $(PYTEST_ARGS) tests/contract tests/engine || failed="$$failed $$engine"; \
	done; \
	[ -z "$$failed" ] || { echo "make engines: failed on$$failed" >&2; exit 1; }

check: $(VENV)/.dev ## Check lint, types, layers and spelling
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell

format: $(VENV)/.dev ## Format with ruff, and fix what it can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

benchmarks: packages painters $(VENV)/.dev ## Measure; each figure stands beside its floor from the same run; write docs/performance.md
	$(BIN)/pytest -m benchmark -s --timeout 900 tests/benchmarks
	$(BIN)/python -m tests.support.performance

performance: painters $(VENV)/.dev ## Measure what docs/performance.md shows, and write it; up to ten minutes
	$(BIN)/pytest -m benchmark -s --timeout 900 tests/benchmarks/test_scale.py
	$(BIN)/python -m tests.support.performance

faults: packages $(VENV)/.dev ## Kill a run at every point, also on a real engine, make each of its writes fail once, and every other long sweep
	$(BIN)/pytest -m sweep -s tests

fuzz: packages $(VENV)/.dev ## Hostile input of all kinds in turn; MINUTES=60, KINDS=api,journal; goes on where it ended
	nice -n 19 $(BIN)/pytest -m fuzz -s tests/fuzz/test_long.py --fuzz-minutes $(MINUTES) --fuzz-kinds "$(KINDS)" $(PYTEST_ARGS)

pictures: painters $(VENV)/.dev ## Draw the pictures in docs/pictures, from a simulated swarm
	$(BIN)/python -m tests.support.pictures docs/pictures

docs: $(VENV)/.dev ## Write what is generated: options, keys, settings, manual page, completions, schema
	$(BIN)/python -m tests.support.reference
	$(BIN)/python -m tests.support.manual

deb: packagers $(VENV)/.dev ## Build the wheel, and packages for Debian 12 and 13 from it, in dist/; root on Debian
	rm -f dist/vipconsole-*.whl
	$(BIN)/python -m hatchling build -t wheel -d dist
	debian/build.sh dist/vipconsole-*.whl $(BIN)/pip $(RELEASES)

installs: deb ## Install the packages in clean roots, upgrade and remove them there; ten minutes
	for release in $(RELEASES); do debian/root.sh $$release-host true; done
	$(BIN)/pytest -m package -n 2 --dist worksteal $(PYTEST_ARGS) tests/packages

lock: ## Update the lock files (needs uv)
	uv pip compile -q pyproject.toml --extra demo --generate-hashes --no-emit-index-url \
	  --no-emit-find-links --no-header --python-version 3.11 -o requirements.lock
	uv pip compile -q pyproject.toml --extra demo --extra journal --group dev -c requirements.lock \
	  --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --python-version 3.11 \
	  -o requirements-dev.lock

clean: ## Remove what the other targets created here
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist

# Installs Debian packages: nothing is removed, no service started. $(1) is a shell word list, $(2) who asks.
define install
	if [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then \
	  echo "make $(2): these packages are missing: $(1) (as root on Debian they are installed)" >&2; exit 1; fi; \
	policy=/usr/sbin/policy-rc.d; \
	if [ ! -e $$policy ]; then printf '#!/bin/sh\nexit 101\n' > $$policy; chmod 755 $$policy; trap "rm -f $$policy" EXIT; fi; \
	export DEBIAN_FRONTEND=noninteractive; \
	apt-get update -qq && apt-get install -y -qq --no-remove --no-install-recommends $(1)
endef

# An existing dockerd is used as it is; only missing commands are installed: the tests start private engines of their own.
.PHONY: packages
packages:
	@missing=""; \
	for pair in $(COMMANDS); do \
	  PATH="$$PATH:/usr/sbin:/sbin:/lib/systemd" command -v $${pair%%:*} >/dev/null 2>&1 \
	    || missing="$$missing $${pair##*:}"; \
	done; \
	pkg-config --exists libsystemd 2>/dev/null || missing="$$missing libsystemd-dev"; \
	$(PYTHON) -c 'import sysconfig, pathlib; assert pathlib.Path(sysconfig.get_path("include"), "Python.h").exists()' \
	  2>/dev/null || missing="$$missing python3-dev"; \
	ls /lib/*/security/pam_systemd.so >/dev/null 2>&1 || missing="$$missing libpam-systemd"; \
	[ -z "$$missing" ] && exit 0; \
	$(call install,$$missing,test)

.PHONY: painters
painters:
	@missing=""; \
	for pair in $(PAINTERS); do command -v $${pair%%:*} >/dev/null 2>&1 || missing="$$missing $${pair##*:}"; done; \
	fc-match 'DejaVu Sans Mono' 2>/dev/null | grep -q 'DejaVu Sans Mono' || missing="$$missing fonts-dejavu-core"; \
	[ -z "$$missing" ] && exit 0; \
	$(call install,$$missing,pictures)

.PHONY: packagers
packagers:
	@missing=""; \
	for pair in $(PACKAGERS); do command -v $${pair%%:*} >/dev/null 2>&1 || missing="$$missing $${pair##*:}"; done; \
	[ -z "$$missing" ] && exit 0; \
	$(call install,$$missing,deb)

$(BIN)/python:
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { $(call install,python3-venv,demo); }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: requirements.lock pyproject.toml | $(BIN)/python
	$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install -q --disable-pip-version-check --no-deps -e .
	@touch $@

$(VENV)/.dev: requirements-dev.lock pyproject.toml | $(BIN)/python
	$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(BIN)/pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@ $(VENV)/.runtime
