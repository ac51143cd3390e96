# Everything starts here. `make help` lists the targets; the first call of any of them sets itself up.
PYTHON ?= python3
# The one on the path, or where pyenv keeps it.
OLDEST_PYTHON ?= $(or $(firstword $(wildcard $(HOME)/.pyenv/versions/3.10.*/bin/python3.10)),python3.10)
ARGS ?=
MINUTES ?= 30
VENV := .venv
RUN := $(VENV)/bin/python
READY := $(VENV)/.ready
PEERS := .venv-bench/.ready
ADAPTERS := .venv-adapters/.ready
OLDEST := .venv-oldest/.ready
DECISION_PEERS := .venv-bench-decisions/.ready
DESK_PEERS := .venv-bench-desk/.ready
SOURCES := kit evidence governance rollout routing review_ui cli demo web_app.py celery_app.py
# Where make can keep their outputs apart.
SIDE_BY_SIDE := $(if $(filter output-sync,$(.FEATURES)),--jobs 2 --output-sync)
export PYTHONPATH := clients/python/src
unexport PYTHONDONTWRITEBYTECODE  # or every process that a target starts would compile all of the product anew

.DEFAULT_GOAL := help
.PHONY: help demo test test-adapters test-oldest check rules lint types floors templates migrations openapi up lock bench bench-decisions bench-growth bench-desk bench-pages bench-desk-load bench-replay bench-start bench-evidence soak clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

demo: $(READY)  ## a real agent through all five phases, then pages to look at (ARGS=--exit ends by itself)
	@$(RUN) -m demo $(ARGS)

test: $(READY)  ## every test, on SQLite and PostgreSQL, with real processes and a real browser
	$(RUN) -m tools.run_tests $(ARGS)
	@$(if $(ARGS),true,$(MAKE) --no-print-directory $(SIDE_BY_SIDE) test-adapters test-oldest)

test-adapters: $(READY) $(ADAPTERS)  ## the client's adapters and examples, with the libraries they are for
	@test ! -e $(ADAPTERS) || .venv-adapters/bin/python -m tools.test_adapters $(ARGS)

test-oldest: $(OLDEST)  ## the client's own tests on the oldest Python it promises
	@test ! -e $(OLDEST) || (cd clients/python && PYTHONPATH=src ../../.venv-oldest/bin/python -m pytest -q $(ARGS))

check: rules test  ## what CI runs: all rules, then all tests

rules: lint types floors templates migrations openapi  ## all that is checked without running the tests

lint: $(READY)  ## format, lint, house rules
	$(RUN) -m ruff format --check .
	$(RUN) -m ruff check .
	$(RUN) -m tools.house_rules

types: $(READY)  ## mypy --strict
	$(RUN) -m mypy
	cd clients/python && ../../$(RUN) -m mypy --config-file pyproject.toml

floors: $(READY)  ## the import contracts of the house
	$(VENV)/bin/lint-imports --no-cache

templates: $(READY)  ## the pages' templates
	$(RUN) -m djlint --check --quiet templates

migrations: $(READY)  ## the chain runs, and the tables are what it makes
	$(RUN) -m tools.check_migrations

openapi: $(READY)  ## docs/openapi.json is what the service says
	$(RUN) -m tools.openapi --check

up: $(READY)  ## the service itself: web, worker, beat and an embedded Valkey
	$(RUN) -m cli up $(ARGS)

bench: bench-decisions  ## the same as bench-decisions

bench-decisions: $(READY) $(DECISION_PEERS)  ## decisions a second beside a no-op, real processes (ARGS=--quick: 2 min)
	$(RUN) -m bench.decisions $(ARGS)

bench-growth: $(READY)  ## pages, gates and claims as decisions pile up (ARGS=--large: to ten million, 25 GB)
	$(RUN) -m bench.growth $(ARGS)

bench-desk: $(READY)  ## keys and milliseconds per ruling in headless Chromium, 200 cases (4 min)
	$(RUN) -m bench.desk $(ARGS)

bench-pages: $(READY)  ## what 200 open pages cost a web process, PostgreSQL (3 min)
	$(RUN) -m bench.pages $(ARGS)

bench-desk-load: $(READY) $(DESK_PEERS)  ## 64 reviewers at one queue of a million, PostgreSQL (ARGS=--quick: a small one)
	$(RUN) -m bench.desk_load $(ARGS)

bench-replay: $(READY)  ## 100,000 recorded cases through the router, lines a second
	$(RUN) -m bench.replay $(ARGS)

bench-start: $(READY)  ## how soon `phasegate up` answers, on SQLite (1 min)
	$(RUN) -m bench.start $(ARGS)

bench-evidence: $(READY) $(PEERS)  ## the promises of the evidence engine, measured (ARGS=--quick: half a minute)
	$(RUN) -m bench.evidence $(ARGS)

soak: $(READY)  ## half an hour under a mixed load: nothing grows, nothing is lost (MINUTES=30)
	$(RUN) -m tests.system.soak --minutes $(MINUTES)

lock: $(READY)  ## resolve requirements.lock anew
	$(RUN) -m tools.lock

clean:  ## remove the environment and everything made
	rm -rf $(VENV) .venv-adapters .venv-oldest .venv-bench .venv-bench-decisions .venv-bench-desk var .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(READY): requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit("Phasegate needs Python 3.11 or newer" if sys.version_info < (3, 11) else 0)'
	@echo "Setting up the environment in $(VENV) (once; a minute or two)"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(RUN) -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	@$(RUN) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation \
		--editable . --editable clients/python
	@touch $(READY)

# Libraries that benchmarks compare with, apart from our own; without them they run too, and say what they left out.
$(PEERS): bench/evidence/requirements-peers.txt
	$(call peers,.venv-bench,$<)

$(DECISION_PEERS): bench/decisions/requirements-peers.txt
	$(call peers,.venv-bench-decisions,$<)

$(DESK_PEERS): bench/desk_load/requirements-peers.txt
	$(call peers,.venv-bench-desk,$<)

define peers
	@echo "Setting up the libraries to compare with in $(1) (once)"
	@$(PYTHON) -m venv --clear $(1) && $(1)/bin/python -m pip install --quiet \
		--disable-pip-version-check --require-hashes --requirement $(2) \
		&& touch $(1)/.ready || echo "They could not be installed: the report will say so"
endef

# LangGraph, LangChain, OpenAI's SDK, OpenTelemetry: in an environment of their own, beside a service from ours.
$(ADAPTERS): clients/python/requirements-adapters.txt
	@echo "Setting up the libraries that the client has adapters for in .venv-adapters (once; a minute)"
	@$(PYTHON) -m venv --clear .venv-adapters && .venv-adapters/bin/python -m pip install --quiet \
		--disable-pip-version-check --require-hashes --requirement clients/python/requirements-adapters.txt \
		&& touch $(ADAPTERS) || { echo "NOT TESTED: the adapters of the client, their libraries cannot be installed" >&2; \
		test -z "$$CI"; }

$(OLDEST): clients/python/requirements-oldest.txt
	@if ! $(OLDEST_PYTHON) --version >/dev/null 2>&1; then \
		echo "NOT TESTED: the client on Python 3.10, there is no $(OLDEST_PYTHON) here" >&2; exit 0; fi; \
		echo "Setting up Python 3.10 for the client in .venv-oldest (once)"; \
		$(OLDEST_PYTHON) -m venv --clear .venv-oldest && .venv-oldest/bin/python -m pip install --quiet \
		--disable-pip-version-check --require-hashes --requirement $< && touch $(OLDEST) \
		|| { echo "NOT TESTED: the client on Python 3.10, its libraries cannot be installed" >&2; test -z "$$CI"; }
