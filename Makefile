# The verbs of this project. `make` or `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# The plain Python of the machine: the first of these that is 3.11, 3.12 or 3.13 and runs.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && { echo $$p; break; }; done)

export DO_NOT_TRACK := 1
# Without bytecode every process compiles Airflow, dbt and Great Expectations anew: 6 s each time.
unexport PYTHONDONTWRITEBYTECODE
ifdef DROP
export ASMS_DROP := $(DROP)
endif
ifdef REPLAY
export ASMS_REPLAY := $(REPLAY)
endif
ifdef SOURCES
export ASMS_SOURCES := $(SOURCES)
endif

.PHONY: help
help: ## List these verbs
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-9s %s\n", $$1, $$2}'

.PHONY: setup
setup: $(STAMP) ## Build .venv from the lock (no-op when nothing changed)

$(STAMP): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11, 3.12 or 3.13 is needed; name one: make setup PYTHON=/path/to/python3.13" >&2; exit 1; }
	@echo "setup: building $(VENV) with $$($(PYTHON) --version)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --require-hashes -r requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $@

.PHONY: nightly
nightly: $(STAMP) ## Run the nightly load [DROP=PATH|URL] [SOURCES=a,b|all] [REPLAY=PATH]
	@$(BIN)/python -m asms_airflow.nightly

.PHONY: test
test: $(STAMP) ## Run all tests
	@$(BIN)/python -m pytest

.PHONY: lint
lint: $(STAMP) ## Check style, types, layering, SQL and dbt deprecations
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/asms dbt parse
	@$(BIN)/sqlfluff lint --disable-progress-bar dbt_project/models dbt_project/tests include/asms/warehouse/migrations

.PHONY: up
up: $(STAMP) ## Start Airflow on localhost and print its address and login
	@$(BIN)/python -m asms_airflow.server up

.PHONY: down
down: $(STAMP) ## Stop Airflow and the embedded PostgreSQL
	@$(BIN)/python -m asms_airflow.server down

.PHONY: psql
psql: $(STAMP) ## Open the marts of the last run as asms_bi (reads standard input)
	@$(BIN)/asms psql

.PHONY: bench
bench: $(STAMP) ## Measure speed and memory against a peer in the same run
	@$(BIN)/python -m pytest tests/bench -q -s --numprocesses=0

.PHONY: docs
docs: $(STAMP) ## Make the dbt documentation of the last run's database
	@$(BIN)/asms dbt docs

.PHONY: clean
clean: ## Remove what builds and tests leave (keeps var/, where the data is)
	@rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist dbt_project/target dbt_project/logs
	@find . -name __pycache__ -type d -not -path './$(VENV)/*' -prune -exec rm -rf {} +
