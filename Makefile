# Everything a newcomer, a developer and CI do. `make` lists it.
SHELL := /bin/bash
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
DATA ?= data
.DEFAULT_GOAL := help

help: ## This list
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/run.ok: requirements.txt pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $@

$(VENV)/dev.ok: requirements-dev.txt $(VENV)/run.ok
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	touch $@

run: $(VENV)/run.ok ## Start the server with a small sample tenant and three virtual phones that turn green
	@$(BIN)/provisioner --data $(DATA) init
	@$(BIN)/provisioner --data $(DATA) serve --demo

test: $(VENV)/dev.ok ## Run the tests (real programs where the machine has them: see docs/developing.md)
	$(BIN)/python -m pytest -n auto --dist loadgroup -m "not e2e" $(ARGS)

e2e: $(VENV)/dev.ok ## Run the end-to-end tests with Kamailio, Linphone, Chromium, PostgreSQL, nginx
	$(BIN)/python -m pytest -m e2e $(ARGS)

bench: $(VENV)/dev.ok ## Measure speed side by side with nginx and bare aiohttp; writes docs/benchmarks.md
	$(BIN)/python -m tests.bench $(ARGS)

check: $(VENV)/dev.ok ## The whole gate: style, types, layers, templates, profiles, migrations, docs, coverage
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/djlint --check --quiet provisioner/web/ui/templates
	$(BIN)/djlint --lint --quiet provisioner/web/ui/templates
	$(BIN)/provisioner profile check
	$(BIN)/python -m pytest -n auto --dist loadgroup -q tests/migrations tests/docs
	$(MAKE) --no-print-directory coverage

coverage: $(VENV)/dev.ok ## Tests with the coverage floor
	$(BIN)/python -m pytest -n auto --dist loadgroup -q -m "not e2e" --cov --cov-report=term --cov-fail-under=90

format: $(VENV)/dev.ok ## Put style right where a program can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/djlint --reformat --quiet provisioner/web/ui/templates

lock: $(VENV)/run.ok ## Pin the newest versions that fit pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check pip-tools
	$(BIN)/pip-compile --quiet --upgrade --no-strip-extras --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --generate-hashes --no-annotate --no-header -o requirements.txt pyproject.toml
	$(BIN)/pip-compile --quiet --upgrade --no-strip-extras --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --generate-hashes --no-annotate --no-header --extra dev -o requirements-dev.txt pyproject.toml

docs: $(VENV)/dev.ok ## Write the generated pages anew (REST, CLI, settings)
	$(BIN)/python -m provisioner.cli.reference docs
	$(BIN)/python -m provisioner.profiles.guide docs
	$(BIN)/python -m provisioner.web.api.reference docs

.PHONY: help run test e2e bench check coverage format lock docs
