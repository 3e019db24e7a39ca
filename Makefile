# octroi: `make demo` and `make test` are all there is to learn.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help setup services up down demo test check lint types arrows fmt bench soak lock clean

help: ## show this help
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

setup: $(STAMP) ## install everything into .venv

$(STAMP): requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("octroi needs Python >= 3.11" if sys.version_info < (3, 11) else 0)'
	$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --no-deps --require-hashes --only-binary :all: -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $(STAMP)

demo: setup ## three industries, a million records, from usage to money
	$(BIN)/octroi demo

services: setup ## what the tests start: Kafka, PostgreSQL, peers of Diameter
	$(BIN)/python -m benchmarks.broker
	$(BIN)/python -m benchmarks.postgres
	$(BIN)/python -m benchmarks.diameter_peers

up: ## octroi, Kafka, ClickHouse and PostgreSQL in containers
	docker compose --profile core up --build --detach --wait

down: ## stop them; their volumes stay
	docker compose --profile core down

test: setup services ## the tests
	$(BIN)/python -m pytest

check: lint types arrows test ## everything CI runs

lint: setup ## style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup ## types
	$(BIN)/mypy

arrows: setup ## who may import whom, and that declared = imported
	$(BIN)/lint-imports --no-cache
	$(BIN)/deptry .

fmt: setup ## rewrite in the house style
	$(BIN)/ruff check --fix --exit-zero .
	$(BIN)/ruff format .

bench: setup services ## all benchmarks, and docs/performance.md of them
	$(BIN)/octroi bench all --json bench.json
	$(BIN)/python -m benchmarks.performance bench.json $$(date -u +%F)

soak: setup services ## the long suites
	HYPOTHESIS_PROFILE=soak $(BIN)/python -m pytest -m soak --timeout 0

lock: setup ## resolve the versions again
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --no-annotate \
	  --group dev --extra bench --extra kafka --extra postgres pyproject.toml -o requirements.lock

clean: ## remove what was built
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis *.egg-info
