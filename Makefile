# bottega: `make demo` makes pictures, `make test` proves that it works. Everything is set up in .venv first.

PYTHON ?= python3
# Arguments for pip, e.g. the index of a torch without CUDA.
PIP_ARGS ?=
# Arguments for pytest, e.g. PYTEST_ARGS="-k planner -x".
PYTEST_ARGS ?=
# Processes that share the tests, each a whole file at a time; 0 is one process, in the order of the files.
TEST_PROCESSES ?= 2
# Coverage of the pure modules, which fails below the share in pyproject.toml; not where PYTEST_ARGS choose tests.
COVERAGE_ARGS ?= $(if $(PYTEST_ARGS),,--cov --cov-report=term)
# Arguments of the GPU bench.
BENCH_ARGS ?=
# What the lock may change, e.g. LOCK_ARGS=--upgrade, or LOCK_ARGS="--upgrade-package pillow".
LOCK_ARGS ?=
# Where the list of everything that is installed goes.
SBOM ?= build/sbom.cdx.json
BRIEF ?= a magenta mug on a teal background, studio light
COUNT ?= 4

# Idle OpenMP threads sleep: where cores are shared, spinning ones eat most of the processor time.
export OMP_WAIT_POLICY ?= PASSIVE

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Tools that judge and lock what is installed, with dependencies of their own, stay out of it.
TOOLS := .tools
TOOLS_READY := $(TOOLS)/.ready
PIP_INSTALL := -m pip install --quiet --disable-pip-version-check

.PHONY: help setup demo test coverage chaos races fuzz bench bench-gpu lint format types schema asyncapi licences audit sbom lock pocket pocket-eval pocket-recipe clean
.DEFAULT_GOAL := help

help:  ## what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(READY)  ## the virtual environment with everything in it

# setuptools comes first: with it a source distribution is built, so that nothing without a hash is fetched to build it.
# torch comes with its dependencies: a CUDA build has some that a CPU build has not; what all builds need is in the lock.
$(READY): pyproject.toml requirements.lock constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "bottega needs Python 3.11 or newer; choose one with: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' || { \
	  echo "Python lacks its venv module; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	sed -n '/^setuptools==/,/^    # via/p' requirements.lock > $(VENV)/setuptools.lock
	$(BIN)/python $(PIP_INSTALL) $(PIP_ARGS) --require-hashes --no-deps --requirement $(VENV)/setuptools.lock
	$(BIN)/python $(PIP_INSTALL) $(PIP_ARGS) --require-hashes --no-deps --no-build-isolation --requirement requirements.lock
	$(BIN)/python $(PIP_INSTALL) $(PIP_ARGS) --constraint constraints.txt torch
	$(BIN)/python $(PIP_INSTALL) --no-index --no-deps --no-build-isolation --editable .
	@touch $@

lock: $(TOOLS_READY)  ## the lock files anew, after a change of pyproject.toml; LOCK_ARGS=--upgrade for newer versions
	$(TOOLS)/bin/uv pip compile --quiet pyproject.toml --universal --python-version=3.11 --extra=dev \
	  --constraint=constraints.txt --no-emit-package=torch --generate-hashes --output-file=requirements.lock $(LOCK_ARGS)
	$(TOOLS)/bin/uv pip compile --quiet tests/supply/tools.in --universal --python-version=3.11 --generate-hashes \
	  --output-file=tests/supply/tools.lock $(LOCK_ARGS)
	@if command -v npm >/dev/null; then \
	  cd tests/asyncapi && npm install --silent --package-lock-only --no-audit --no-fund --ignore-scripts \
	    --omit-lockfile-registry-resolved; \
	else echo "not written anew, for want of npm: tests/asyncapi/package-lock.json" >&2; fi

$(TOOLS_READY): tests/supply/tools.lock
	test -x $(TOOLS)/bin/python || $(PYTHON) -m venv $(TOOLS)
	$(TOOLS)/bin/python $(PIP_INSTALL) $(PIP_ARGS) --require-hashes --no-deps --requirement tests/supply/tools.lock
	@touch $@

demo: $(READY)  ## four pictures from one sentence
	@$(BIN)/bottega generate "$(BRIEF)" -n $(COUNT)

test: $(READY)  ## every test but the long suites, fast ones first
	$(BIN)/python -m pytest -m "not chaos and not training" -n $(TEST_PROCESSES) --dist loadfile $(COVERAGE_ARGS) $(PYTEST_ARGS)

coverage: $(READY)  ## which lines of the pure modules no test reached in the last `make test`, as .coverage.html/
	$(BIN)/python -m coverage html
	$(BIN)/python -m coverage report

chaos: $(READY)  ## campaigns of faults for CHAOS_SECONDS (3600), then processes that lack a guard
	$(BIN)/python -m tests.chaos
	$(BIN)/python -m pytest tests/chaos -m chaos $(PYTEST_ARGS)

races: $(READY)  ## 1,000 races of 10 commands on a budget for 5, on SQLite and PostgreSQL
	BUDGET_RACES=1000 $(BIN)/python -m pytest tests/planner/money/test_money.py -k budget_for_five $(PYTEST_ARGS)

fuzz: $(READY)  ## hostile messages and files, going on where the last run ended
	$(BIN)/python -m tests.fuzz

bench: $(READY)  ## the figures of tests/bench/README.md
	$(BIN)/python -m tests.bench

bench-gpu: $(READY)  ## the generator's figures on a GPU, within 8 minutes; BENCH_ARGS="--section sdxl"
	$(BIN)/python -m tests.bench.gpu $(BENCH_ARGS)

lint: $(READY)  ## ruff: rules and layout
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(READY)  ## mend what ruff can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(READY)  ## pyright, strict
	$(BIN)/pyright

schema: $(READY)  ## are the generated JSON Schema, AsyncAPI and diagrams of states current?
	$(BIN)/python -m protocol.schema --check
	$(BIN)/python -m agents.planner.ledger.state_diagrams --check

asyncapi: .asyncapi/node_modules  ## AsyncAPI's own parser reads protocol/asyncapi.json; needs Node.js and npm
	cd .asyncapi && node check.mjs ../protocol/asyncapi.json

.asyncapi/node_modules: tests/asyncapi/package.json tests/asyncapi/package-lock.json tests/asyncapi/check.mjs
	mkdir -p .asyncapi
	cp tests/asyncapi/package.json tests/asyncapi/package-lock.json tests/asyncapi/check.mjs .asyncapi/
	cd .asyncapi && npm ci --silent --no-audit --no-fund --ignore-scripts
	@touch $@

licences: $(READY)  ## has all that is installed a licence that the project can stand on?
	$(BIN)/python -m tests.supply.licences

audit: $(READY) $(TOOLS_READY)  ## are vulnerabilities known in what the lock files name? needs a source of advisories
	@$(BIN)/python -m tests.supply.audit $(TOOLS)/bin/pip-audit

sbom: $(READY) $(TOOLS_READY)  ## all that is installed, as CycloneDX JSON in SBOM
	@mkdir -p $(dir $(SBOM))
	$(TOOLS)/bin/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible --output-format JSON \
	  --output-file $(SBOM) $(BIN)/python

pocket: $(READY)  ## train the pocket model again, some hours on one core (resumes where it stopped)
	$(BIN)/python -m agents.pocket.train

pocket-eval: $(READY)  ## the bar of the pocket model over 400 held-out prompts; fails below it
	$(BIN)/python -m agents.pocket.evaluate --json .pocket/evaluation.json

pocket-recipe: $(READY)  ## the recipe of the pocket model at a thousandth of its length, from nothing to folders that load
	$(BIN)/python -m pytest tests/pocket -m training $(PYTEST_ARGS)

clean:  ## remove what was built
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .ruff_cache .hypothesis .coverage .coverage.html .asyncapi .tools
