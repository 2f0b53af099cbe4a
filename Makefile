# Every verb of the project. Each one sets up what it needs; a second call is fast.
# Presumed: make, and Python 3.11 or newer with venv. Another one: make PYTHON=/path/to/python3.12 ...

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup setup-bench demo test dev check lambda bench lock clean

IS_NEW_ENOUGH := import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))
# Tried by running it: a version manager's shim may be on the PATH for a Python that is not installed.
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	$$p -c '$(IS_NEW_ENOUGH)' 2>/dev/null && echo $$p && break; done)
ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.filled
BENCH_STAMP := $(VENV)/.filled-for-bench

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s  %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## Make .venv and fill it from the hashed lock file

setup-bench: $(BENCH_STAMP) ## Add Spark and dlt, which only benchmarks and their tests need

demo: $(STAMP) ## Ingest 336 776 real flights, fill tables in databases, and check every figure
	$(BIN)/slice demo $(ARGS)

# What touches store, catalog and ledger is tested on a directory and once more on S3, Glue and Postgres.
IN_BOTH_WORLDS := slice_platform_tests/test_promises.py $(patsubst %,slice_platform_tests/lake/%.py, \
	test_corrections test_landing test_marker_sets test_merge test_publish test_query test_receive test_receive_crashes \
	test_status test_table test_masking upkeep/test_expiry upkeep/test_orphans business/test_build)

test: $(STAMP) ## Run the tests (ARGS="-k receive -x" goes to pytest)
	$(BIN)/pytest -n 2 $(ARGS)
	$(BIN)/pytest -n 2 --world aws $(ARGS) $(IN_BOTH_WORLDS); status=$$?; [ $$status -eq 0 ] || [ $$status -eq 5 -a -n "$(ARGS)" ]

dev: $(STAMP) ## Start the Dagster UI with sensors running
	$(BIN)/slice dev $(ARGS)

check: $(STAMP) ## Lint, format, types, and whether the definitions load
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	SLICE_HOME="$${SLICE_HOME:-$(CURDIR)/.slice}" VIRTUAL_ENV="$(CURDIR)/$(VENV)" $(BIN)/dg check defs

lambda: $(STAMP) ## Pack the Lambda function that sends notifications, into dist/
	$(BIN)/python deploy/lambda_zip.py $(ARGS)

bench: $(BENCH_STAMP) ## Measure against bare DuckDB, polars, pandas, Spark and dlt
	$(BIN)/python -m benchmarks.ingest $(ARGS)

$(STAMP): requirements/dev.lock pyproject.toml
	@"$(PYTHON)" -c '$(IS_NEW_ENOUGH)' 2>/dev/null || { \
		echo "make: no Python 3.11 or newer with venv was found$(if $(PYTHON), in PYTHON=$(PYTHON))." >&2; \
		echo "make: install one (Debian: apt install python3 python3-venv), or name one: make PYTHON=/path/to/python3.12" >&2; \
		exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || "$(PYTHON)" -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/dev.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

$(BENCH_STAMP): $(STAMP) requirements/bench.lock
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/bench.lock
	@touch $@

COMPILE := $(VENV)-lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-strip-extras \
	--no-header --no-annotate --no-emit-index-url --no-emit-find-links $(ARGS)

lock: ## Write the lock files anew from pyproject.toml (ARGS=--upgrade for newer versions)
	rm -rf $(VENV)-lock
	"$(PYTHON)" -m venv $(VENV)-lock
	$(VENV)-lock/bin/python -m pip install --quiet uv
	$(COMPILE) --extra local --extra warehouse --extra demo --extra aws --extra custodian --extra dev -o requirements/dev.lock pyproject.toml
	@# Held to the versions of dev.lock, so that each can be installed beside it.
	$(COMPILE) --extra aws --extra warehouse -c requirements/dev.lock -o requirements/aws.lock pyproject.toml
	$(COMPILE) --extra aws --extra custodian -c requirements/dev.lock -o requirements/custodian.lock pyproject.toml
	$(COMPILE) --extra spark -c requirements/dev.lock -o requirements/spark.lock pyproject.toml
	$(COMPILE) -c requirements/dev.lock -o requirements/lambda.lock requirements/lambda.in
	$(COMPILE) --extra bench -c requirements/dev.lock -o requirements/bench.lock pyproject.toml
	rm -rf $(VENV)-lock

clean: ## Remove .venv and caches; the lake under .slice stays
	rm -rf $(VENV) $(VENV)-lock .pytest_cache .mypy_cache .ruff_cache .hypothesis dist
	find slice_platform slice_platform_tests benchmarks -name __pycache__ -prune -exec rm -rf {} +
