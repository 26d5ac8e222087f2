# Millrace. `make help` lists what can be done.
.DEFAULT_GOAL := help
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
PYTHON ?= python3
BIN := .venv/bin
SAM_BIN := .venv-sam/bin
UV_VERSION := 0.13.8

.PHONY: help
help: ## list every target
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# ---- environments ------------------------------------------------------------------------------------------------

.venv/.synced: requirements/dev.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Millrace needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V). Name another: make PYTHON=python3.13"; exit 1; }
	@echo "setting up .venv"
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@$(BIN)/uv pip sync --quiet --require-hashes --python $(BIN)/python requirements/dev.lock
	@touch $@

.venv-sam/.synced: requirements/sam.lock | .venv/.synced
	@echo "setting up .venv-sam"
	@$(PYTHON) -m venv .venv-sam
	@$(BIN)/uv pip sync --quiet --require-hashes --python $(SAM_BIN)/python requirements/sam.lock
	@touch $@

.PHONY: setup
setup: .venv/.synced ## make the environment (every target below does this by itself)

.PHONY: lock
lock: .venv/.synced ## resolve the dependencies of pyproject.toml anew
	$(BIN)/python -m pip install --quiet uv==$(UV_VERSION)
	$(BIN)/uv pip compile -q pyproject.toml --group dev --universal --generate-hashes --no-annotate --no-header --python-version 3.11 -o requirements/dev.lock
	$(BIN)/uv pip compile -q --group sam --universal --generate-hashes --no-annotate --no-header --python-version 3.11 -o requirements/sam.lock
	$(BIN)/uv pip compile -q pyproject.toml --universal --no-annotate --no-header --python-version 3.11 -o layers/dependencies/requirements.txt
