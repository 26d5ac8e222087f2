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

# ---- template and build --------------------------------------------------------------------------------------------
# Lambda runs Python 3.13, so what is built for it is built and compiled by a Python 3.13 (named otherwise: PYTHON313=).

PYTHON313 ?= $(firstword $(shell python3.13 -c 'import sys; print(sys.executable)' 2>/dev/null) $(wildcard $(HOME)/.pyenv/versions/3.13*/bin/python3.13))
export SAM_CLI_TELEMETRY := 0

.PHONY: validate
validate: .venv/.synced .venv-sam/.synced ## check template.yaml and the state machines in four ways
	@$(BIN)/python -m tools.validate_template template.yaml

.PHONY: python313
python313:
	@[ -x "$(PYTHON313)" ] || { echo "this needs Python 3.13, as Lambda runs it; install one or name it: make $(MAKECMDGOALS) PYTHON313=/path/to/python3.13"; exit 1; }

# `sam build` finds the interpreter by name on PATH, and ships no .pyc: importing without them takes twice the time.
.PHONY: build
build: .venv-sam/.synced .venv-runtime/.synced | python313 ## build what is deployed into .aws-sam/build
	@PATH="$(dir $(PYTHON313)):$$PATH" $(SAM_BIN)/sam build
	@$(PYTHON313) -m compileall -q --invalidation-mode unchecked-hash .aws-sam/build
	@du -sh .aws-sam/build/*Layer

# What Lambda's runtime brings, for running built artefacts under the emulator.
.venv-runtime/.synced: requirements/dev.lock | .venv/.synced python313
	@echo "setting up .venv-runtime"
	@$(PYTHON313) -m venv .venv-runtime
	@$(BIN)/uv pip install --quiet --python .venv-runtime/bin/python --constraint requirements/dev.lock awslambdaric boto3
	@touch $@

# ---- generated files -----------------------------------------------------------------------------------------------

.PHONY: openapi
openapi: .venv/.synced ## regenerate docs/api/openapi.json and docs/api/types.ts from the models
	@$(BIN)/python -m tools.openapi
	@$(BIN)/python -m tools.typescript
