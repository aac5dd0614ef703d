# Everything starts here: `make run`, `make test`, `make lint`, `make format`. Nothing but python3.11
# (with venv) and make is needed beforehand; each target sets up what it needs.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3.11
UV_VERSION := 0.13.9
UV := .tools/bin/uv
VENV := .venv/bin
MANAGE := $(VENV)/python manage.py
SYNC := $(UV) sync --frozen --no-python-downloads --python $(PYTHON) --quiet
WORKERS ?= 2
PYTEST := $(VENV)/pytest -n $(WORKERS)

# Where the second test run finds its servers.
TEST_DATABASE_URL ?= postgres://postgres@127.0.0.1:5432/postgres
TEST_REDIS_URL ?= redis://127.0.0.1:6379/8

# Byte code makes every start twice as fast.
unexport PYTHONDONTWRITEBYTECODE
# A path of its own for a second environment would be ignored by the recipes below.
unexport VIRTUAL_ENV UV_PROJECT_ENVIRONMENT

# The fault campaign: `make faults SIZE=small SEED=7 MODE=embedded POLICY=naive`.
SIZE ?= gate
MODE ?= distributed
POLICY ?= platform
SEED ?=

.PHONY: help setup run signal assets test test-embedded test-distributed bench faults lint format

help:
	@echo 'make run      start the platform (PORT, DATABASE_URL, REDIS_URL as environment or in .env)'
	@echo 'make signal   send the demo bot a first signal (in a second terminal)'
	@echo 'make test     run the test-suite: embedded, and distributed where PostgreSQL and Redis answer'
	@echo 'make bench    measure speed, CPU and memory beside bare ccxt (ARGS=--soak: ten minutes of load)'
	@echo 'make faults   kill everything, break the exchange, compare (SIZE, SEED, MODE, POLICY)'
	@echo 'make lint     check style, types, settings and migrations'
	@echo 'make format   rewrite the code in the common style'
	@echo 'make setup    set up everything for development'
	@echo 'make assets   fetch the front-end libraries'

.tools/.uv-$(UV_VERSION):
	@echo 'Setting up uv $(UV_VERSION) in .tools'
	@$(PYTHON) -m venv .tools
	@.tools/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@touch $@

.venv/.synced-run: .tools/.uv-$(UV_VERSION) uv.lock pyproject.toml
	@echo 'Installing what the platform needs'
	@$(SYNC) --no-dev --inexact
	@touch $@

.venv/.synced-dev: .tools/.uv-$(UV_VERSION) uv.lock pyproject.toml
	@echo 'Installing what development needs'
	@$(SYNC)
	@touch .venv/.synced-run $@

# A page without charts is no reason not to start: the failure is told, and tried again next time.
static/vendor/.complete: package-lock.json | .venv/.synced-run
	@if $(MANAGE) assets; then touch $@; else echo 'Going on without the chart libraries.' >&2; fi

assets: .venv/.synced-run
	@rm -f static/vendor/.complete
	@$(MANAGE) assets
	@touch static/vendor/.complete

setup: .venv/.synced-dev static/vendor/.complete

run: .venv/.synced-run static/vendor/.complete
	@exec $(MANAGE) run

signal: .venv/.synced-run
	@$(MANAGE) send_signal $(ARGS)

# A failure in one part does not hide what the other parts have to say.
test: setup
	@failed=0; \
	$(MAKE) --no-print-directory test-embedded || failed=1; \
	$(MAKE) --no-print-directory test-distributed || failed=1; \
	exit $$failed

test-embedded: setup
	@echo '== Tests in embedded mode: SQLite, everything in memory =='
	@unset DATABASE_URL REDIS_URL; failed=0; \
	$(PYTEST) $(or $(ARGS),-m 'not alone') || failed=1; \
	$(if $(ARGS),true,$(VENV)/pytest -m alone) || failed=1; \
	exit $$failed

test-distributed: setup
	@if $(VENV)/python -m tests.backends '$(TEST_DATABASE_URL)' '$(TEST_REDIS_URL)'; then \
	  echo '== Tests in distributed mode: PostgreSQL, Redis =='; \
	  export DATABASE_URL='$(TEST_DATABASE_URL)' REDIS_URL='$(TEST_REDIS_URL)'; failed=0; \
	  $(PYTEST) $(or $(ARGS),-m 'not alone') || failed=1; \
	  $(if $(ARGS),true,$(VENV)/pytest -m alone) || failed=1; \
	  exit $$failed; \
	elif [ "$${REQUIRE_DISTRIBUTED:-0}" = 1 ]; then \
	  echo 'PostgreSQL and Redis are required (REQUIRE_DISTRIBUTED=1) and do not answer' >&2; exit 1; \
	else \
	  echo 'Skipped the distributed run: PostgreSQL or Redis does not answer'; \
	fi

# Starts servers of its own: PostgreSQL, Redis, a mock exchange, the platform's processes.
bench: .venv/.synced-dev
	@$(VENV)/python -m tests.bench $(ARGS)

# Its servers are its own: PostgreSQL and Redis are started, killed and removed by it.
faults: setup
	@$(VENV)/python -m tests.faults --size '$(SIZE)' --mode '$(MODE)' --policy '$(POLICY)' \
	  $(if $(SEED),--seed '$(SEED)')

lint: export EPHEMERAL_KEYS = true
lint: export DOTENV_PATH = /dev/null
lint: export DATA_DIR = .cache/lint
lint: .venv/.synced-dev
	@mkdir -p $(DATA_DIR)
	@$(VENV)/ruff check --output-format concise .
	@$(VENV)/ruff format --check .
	@env -u DATABASE_URL -u REDIS_URL $(MANAGE) check --fail-level WARNING
	@env -u DATABASE_URL -u REDIS_URL $(MANAGE) makemigrations --check --dry-run
	@env -u DATABASE_URL -u REDIS_URL $(VENV)/mypy

format: .venv/.synced-dev
	@$(VENV)/ruff check --fix-only --quiet .
	@$(VENV)/ruff format .
