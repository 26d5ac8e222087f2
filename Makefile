# Millrace. `make help` lists what can be done.
.DEFAULT_GOAL := help
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
PYTHON ?= python3
BIN := .venv/bin
SAM_BIN := .venv-sam/bin
BROWSER_BIN := .venv-browser/bin
UV_VERSION := 0.13.8
# The machine's own certificates, as pip uses them: many networks have one of their own.
export UV_SYSTEM_CERTS := 1

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

.venv-browser/.synced: requirements/browser.lock | .venv/.synced
	@echo "setting up .venv-browser"
	@$(PYTHON) -m venv .venv-browser
	@$(BIN)/uv pip sync --quiet --require-hashes --python $(BROWSER_BIN)/python requirements/browser.lock
	@touch $@

.PHONY: setup
setup: .venv/.synced ## make the environment (every target below does this by itself)

.PHONY: lock
lock: .venv/.synced ## resolve the dependencies of pyproject.toml anew
	$(BIN)/python -m pip install --quiet uv==$(UV_VERSION)
	$(BIN)/uv pip compile -q pyproject.toml --group dev --universal --generate-hashes --no-annotate --no-header --python-version 3.11 -o requirements/dev.lock
	$(BIN)/uv pip compile -q pyproject.toml --group browser --constraint requirements/dev.lock --universal --generate-hashes --no-annotate --no-header --python-version 3.11 -o requirements/browser.lock
	for peer in $(PEERS); do $(BIN)/uv pip compile -q requirements/peers/$$peer.in --universal --generate-hashes --no-annotate --no-header --python-version 3.11 -o requirements/peers/$$peer.lock; done
	$(BIN)/uv pip compile -q --group sam --universal --generate-hashes --no-annotate --no-header --python-version 3.11 -o requirements/sam.lock
	$(BIN)/uv pip compile -q pyproject.toml --universal --no-annotate --no-header --python-version 3.11 -o layers/dependencies/requirements.txt

# ---- seeing it run -----------------------------------------------------------------------------------------------
# ARGS is passed on, as in: make dev ARGS="--functions processes"

PIPELINE ?= suggestion

.PHONY: demo
demo: .venv/.synced ## one job through the whole local stack, shown as it runs, with what it cost
	@$(BIN)/python -m local.demo --pipeline $(PIPELINE) $(ARGS)

.PHONY: dev
dev: .venv/.synced ## the local stack until Ctrl-C, with curl lines for every operation
	@$(BIN)/python -m local $(ARGS)

# ---- tests and checks ----------------------------------------------------------------------------------------------
# TESTS narrows a run: make test TESTS=tests/unit. The whole waits for half of its time (retries, leases, processes), so
# two workers share it file by file, each with stacks of its own. Unit tests stay last, as collected: their files are
# short, and both workers end together. WORKERS=0 runs everything in one process.

TESTS ?= tests
WORKERS ?= $(if $(filter-out tests,$(TESTS)),0,2)

.PHONY: test
test: .venv/.synced .venv-sam/.synced ## every test there is a tool for on this machine, with coverage of shared/ and functions/
	@rm -f .coverage .coverage.*
	@$(BIN)/coverage run -m pytest $(TESTS) -n $(WORKERS) --dist loadfile --no-loadscope-reorder -rs $(ARGS)
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage report $(if $(filter-out tests,$(TESTS)),--fail-under=0)

# Debian's Chromium, or another that CHROMIUM names. What every state looked like is kept in tests/browser/screenshots.
.PHONY: test-browser
test-browser: .venv-browser/.synced ## the console and its client in headless Chromium, against the local stack
	@$(BROWSER_BIN)/python -m pytest $(if $(filter-out tests,$(TESTS)),$(TESTS),tests/browser) -n $(WORKERS) --dist loadfile -rs $(ARGS)

.PHONY: screenshots
screenshots: .venv-browser/.synced ## the README's pictures of the console, into docs/images
	@$(BROWSER_BIN)/python -m tests.browser.pictures

.PHONY: check
check: .venv/.synced ## linters, types, and who may import whom
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet . || { echo "run: make format"; exit 1; }
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

.PHONY: gate
gate: ## everything CI runs: check, validate, test and test-browser, one after the other
	@for step in check validate test test-browser; do echo "== make $$step"; $(MAKE) --no-print-directory $$step; done

.PHONY: format
format: .venv/.synced ## format the code
	@$(BIN)/ruff check --fix --quiet . || true
	@$(BIN)/ruff format --quiet .

.PHONY: bench
bench: .venv/.synced ## the peers' benchmark job on the local stack, beside its targets
	@$(BIN)/python -m tests.bench $(ARGS)

.PHONY: bench-load
bench-load: .venv/.synced ## 1, 10 and 50 jobs at once with two watchers each; units of 1, 10 and 100 kB outputs
	@$(BIN)/python -m tests.bench.load

# Millrace beside others' systems, each installed from its own lock. ARGS="--rounds 5", ARGS="--only taskiq".
PEERS := langgraph taskiq dbos

.venv-peers/%/.synced: requirements/peers/%.lock | .venv/.synced
	@echo "setting up $(@D)"
	@$(PYTHON) -m venv $(@D)
	@$(BIN)/uv pip sync --quiet --require-hashes --python $(@D)/bin/python $<
	@touch $@

.PHONY: bench-peers
bench-peers: .venv/.synced ## the benchmark job on Millrace and on LangGraph, Redis with taskiq and DBOS, in one table
	@for peer in $(PEERS); do $(MAKE) --silent .venv-peers/$$peer/.synced || rm -rf .venv-peers/$$peer; done
	@! { command -v java && command -v mvn; } >/dev/null || $(MAKE) --silent $(DYNAMODB_LOCAL) || true
	@$(BIN)/python -m tests.bench.peers $(ARGS)

# ARGS="--jobs 50 --factor 1.5 --json"; --write puts the figures into docs/cost.md and docs/scaling.md, and --as-measured
# runs nothing, but prices the last figures anew, as after a change of the template.
.PHONY: cost
cost: .venv/.synced ## jobs of each pipeline on the local stack, counted, and what 1,000 of them and an idle month cost on AWS
	@$(BIN)/python -m tools.cost $(ARGS)

.PHONY: bench-cold
bench-cold: build ## the CPU of every built function's first invocation, and package sizes; fails when a budget is missed
	@$(BIN)/python -m tests.bench.cold $(ARGS)

# The seed decides what goes wrong; it is printed, and SEED= replays it.
JOBS ?= 200

.PHONY: chaos
chaos: .venv/.synced ## JOBS jobs while processes die, connections break, the model and the database fail
	@$(BIN)/python -m tests.chaos --jobs $(JOBS) $(if $(SEED),--seed $(SEED))

# DynamoDB Local is a Java program on Maven Central; once it is fetched, `make test` runs on it as well.
DYNAMODB_LOCAL := tests/dynamodb_local/target/.fetched

$(DYNAMODB_LOCAL): tests/dynamodb_local/pom.xml
	@for tool in java mvn; do command -v $$tool >/dev/null || { echo "DynamoDB Local needs Java 17 and Maven: there is no $$tool"; exit 1; }; done
	@echo "fetching DynamoDB Local"
	@rm -rf $(@D)
	@mvn -q -B -Dstyle.color=never -f $< dependency:copy-dependencies
	@touch $@

.PHONY: parity
parity: .venv/.synced ## the storage tests on DynamoDB Local, AWS's own engine
	@if [ "$${CI:-}" = true ] || { command -v java && command -v mvn; } >/dev/null; then $(MAKE) --no-print-directory $(DYNAMODB_LOCAL); fi
	@$(BIN)/python -m pytest tests/integration/storage -k dynamodb_local -rs $(ARGS)

# AWS's adapter is a layer on AWS and a crate here; why this version stands for the layer's: docs/decisions/0012. Built
# once a version, without optimisation at link time, which would make it smaller and later.
WEB_ADAPTER_CRATE := 1.0.0-rc1
WEB_ADAPTER := tests/web_adapter/target/.built-$(WEB_ADAPTER_CRATE)

$(WEB_ADAPTER):
	@command -v cargo >/dev/null || { echo "building Lambda Web Adapter needs Rust: there is no cargo"; exit 1; }
	@echo "building Lambda Web Adapter $(WEB_ADAPTER_CRATE), which takes a minute or two"
	@rm -rf $(@D) && mkdir -p $(@D)/extensions
	@CARGO_PROFILE_RELEASE_PANIC=abort CARGO_PROFILE_RELEASE_OPT_LEVEL=s \
		CARGO_PROFILE_RELEASE_LTO=false CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 \
		nice cargo install --quiet --locked --no-track --bin lambda-adapter --root $(@D)/crate lambda_web_adapter@$(WEB_ADAPTER_CRATE)
	@mv $(@D)/crate/bin/lambda-adapter $(@D)/extensions/ && rm -r $(@D)/crate
	@source=$$(ls -d "$${CARGO_HOME:-$$HOME/.cargo}"/registry/src/*/lambda_web_adapter-$(WEB_ADAPTER_CRATE) | head -n 1); \
		install -m 755 "$$source/layer/bootstrap" $(@D)/bootstrap
	@touch $@

.PHONY: web-adapter
web-adapter: ## build AWS's Lambda Web Adapter from its crate, where there is cargo, to run stream_job under it
	@if [ "$${CI:-}" = true ] || command -v cargo >/dev/null; then $(MAKE) --silent $(WEB_ADAPTER); \
		else echo "no cargo here: stream_job is not tested under Lambda Web Adapter"; fi

.PHONY: test-artefacts
test-artefacts: .venv/.synced .venv-sam/.synced web-adapter ## run what `make build` made: every function under Lambda's emulator, stream_job under its adapter
	@ARTEFACTS_REQUIRED=true $(BIN)/python -m pytest tests/contract/test_artefacts.py tests/contract/test_stream_artefact.py -rs $(ARGS)

# What the optional lanes need: Node for the independent model server and the type check, Python 3.13 for built artefacts,
# Java and Maven for DynamoDB Local, Rust for Lambda Web Adapter.
.PHONY: lanes
lanes: build $(DYNAMODB_LOCAL) $(WEB_ADAPTER)
	@for lane in tests/model_oracle tests/typescript; do npm ci --prefix $$lane --silent --no-audit --no-fund; done

# ---- template and build --------------------------------------------------------------------------------------------
# Lambda runs Python 3.13, so what is built for it is built and compiled by a Python 3.13 (named otherwise: PYTHON313=).

PYTHON313 ?= $(firstword $(shell python3.13 -c 'import sys; print(sys.executable)' 2>/dev/null) $(wildcard $(HOME)/.pyenv/versions/3.13*/bin/python3.13))
export SAM_CLI_TELEMETRY := 0

.PHONY: validate
validate: .venv/.synced .venv-sam/.synced ## check template.yaml and the state machines in five ways
	@$(BIN)/python -m tools.validate_template template.yaml

.PHONY: python313
python313:
	@[ -x "$(PYTHON313)" ] || { echo "this needs Python 3.13, as Lambda runs it; install one or name it: make $(MAKECMDGOALS) PYTHON313=/path/to/python3.13"; exit 1; }

# `sam build` finds the interpreter by name on PATH, and ships no .pyc: importing without them takes twice the time.
# pydantic.v1 is left out: nobody has models of it, but FastAPI imports it, where it is there, to make sure of that.
.PHONY: build
build: .venv-sam/.synced .venv-runtime/.synced | python313 ## build what is deployed into .aws-sam/build
	@PATH="$(dir $(PYTHON313)):$$PATH" $(SAM_BIN)/sam build
	@rm -r .aws-sam/build/DependenciesLayer/python/pydantic/v1
	@$(PYTHON313) -m compileall -q --invalidation-mode unchecked-hash .aws-sam/build
	@du -sh .aws-sam/build/*Layer

# What Lambda's runtime brings, byte-compiled as there, for running built artefacts under the emulator.
.venv-runtime/.synced: requirements/dev.lock | .venv/.synced python313
	@echo "setting up .venv-runtime"
	@$(PYTHON313) -m venv .venv-runtime
	@$(BIN)/uv pip install --quiet --compile-bytecode --python .venv-runtime/bin/python --constraint requirements/dev.lock awslambdaric boto3
	@touch $@

# Every function is taken through every path on which it uses AWS; template.yaml is held to what that shows.
.PHONY: permissions
permissions: .venv/.synced ## record what each function uses of AWS in docs/permissions.json, for make validate
	@$(BIN)/python -m tests.permissions

# ---- new pipelines: docs/adding-a-pipeline.md ----------------------------------------------------------------------

.PHONY: pipeline
pipeline: .venv/.synced ## write what pipeline NAME with STAGES="first_stage second_stage" needs outside its own package
	@$(BIN)/python -m tools.new_pipeline $(NAME) $(STAGES)

# ---- generated files -----------------------------------------------------------------------------------------------

.PHONY: openapi
openapi: .venv/.synced ## regenerate docs/api/openapi.json and docs/api/types.ts from the models
	@$(BIN)/python -m tools.openapi
	@$(BIN)/python -m tools.typescript
