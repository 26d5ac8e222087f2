# Millrace. `make help` lists every target.
.DEFAULT_GOAL := help
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
PYTHON ?= python3
BIN := .venv/bin
SAM_BIN := .venv-sam/bin
BROWSER_BIN := .venv-browser/bin
UV_VERSION := 0.13.8
# Use the machine's certificates, as pip does: many networks add their own.
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

# Without a network only `make validate` misses it, and says so; where CI=true it has to be there.
.venv-checkov/.synced: requirements/checkov.lock | .venv/.synced
	@echo "setting up .venv-checkov"
	@$(PYTHON) -m venv .venv-checkov
	@if $(BIN)/uv pip sync --quiet --require-hashes --python .venv-checkov/bin/python requirements/checkov.lock; then touch $@; \
	else rm -r .venv-checkov; echo "checkov could not be installed"; [ "$${CI:-}" != true ]; fi

.venv-browser/.synced: requirements/browser.lock | .venv/.synced
	@echo "setting up .venv-browser"
	@$(PYTHON) -m venv .venv-browser
	@$(BIN)/uv pip sync --quiet --require-hashes --python $(BROWSER_BIN)/python requirements/browser.lock
	@touch $@

# The compiler of scenes and the parser, in the folder layout of a layer. Without a network only what builds scenes misses
# them, and says so; where CI=true they have to be there.
.venv-video/.synced: requirements/video.lock | .venv/.synced
	@echo "fetching the compiler of scenes into .venv-video (42 MB)"
	@rm -rf .venv-video
	@if $(BIN)/uv pip install --quiet --require-hashes --no-deps --python $(BIN)/python --target .venv-video -r requirements/video.lock; then touch $@; \
	else rm -rf .venv-video; echo "the compiler of scenes could not be fetched, so no scenes are built here"; [ "$${CI:-}" != true ]; fi

.PHONY: video
video: .venv-video/.synced ## fetch the compiler of scenes, which the pipeline video_chat needs

# The encoder of videos, in the folder layout of a layer, for which the same holds.
.venv-render/.synced: requirements/render.lock | .venv/.synced
	@echo "fetching the encoder of videos into .venv-render (40 MB)"
	@rm -rf .venv-render
	@if $(BIN)/uv pip install --quiet --require-hashes --no-deps --python $(BIN)/python --target .venv-render -r requirements/render.lock; then touch $@; \
	else rm -rf .venv-render; echo "the encoder of videos could not be fetched, so no videos are rendered here"; [ "$${CI:-}" != true ]; fi

.PHONY: render
render: .venv-render/.synced ## fetch the encoder of videos, which the pipeline render needs, besides Chromium

.PHONY: setup
setup: .venv/.synced ## create the environment (every target below does this by itself)

.PHONY: lock
lock: .venv/.synced ## resolve the dependencies of pyproject.toml again
	$(BIN)/python -m pip install --quiet uv==$(UV_VERSION)
	$(BIN)/uv pip compile -q pyproject.toml --group dev --universal --generate-hashes --no-annotate --no-header --python-version 3.11 -o requirements/dev.lock
	$(BIN)/uv pip compile -q pyproject.toml --group browser --constraint requirements/dev.lock --universal --generate-hashes --no-annotate --no-header --python-version 3.11 -o requirements/browser.lock
	for peer in $(PEERS); do $(BIN)/uv pip compile -q requirements/peers/$$peer.in --universal --generate-hashes --no-annotate --no-header --python-version 3.11 -o requirements/peers/$$peer.lock; done
	$(BIN)/uv pip compile -q --group sam --universal --generate-hashes --no-annotate --no-header --python-version 3.11 -o requirements/sam.lock
	$(BIN)/uv pip compile -q --group video --universal --generate-hashes --no-annotate --no-header --python-version 3.11 -o requirements/video.lock
	$(BIN)/uv pip compile -q --group render --universal --generate-hashes --no-annotate --no-header --python-version 3.11 -o requirements/render.lock
	$(BIN)/uv pip compile -q --group checkov --universal --generate-hashes --no-annotate --no-header --python-version 3.11 -o requirements/checkov.lock
	$(BIN)/uv pip compile -q pyproject.toml --universal --no-annotate --no-header --python-version 3.11 -o layers/dependencies/requirements.txt
	mkdir -p layers/sheets && $(BIN)/uv pip compile -q --group sheets --constraint layers/dependencies/requirements.txt --universal --no-annotate --no-header --python-version 3.11 -o layers/sheets/requirements.txt
	mkdir -p layers/video && $(BIN)/uv pip compile -q --group video --constraint layers/dependencies/requirements.txt --universal --no-annotate --no-header --python-version 3.11 -o layers/video/requirements.txt
	mkdir -p layers/render && $(BIN)/uv pip compile -q --group render --constraint layers/dependencies/requirements.txt --universal --no-annotate --no-header --python-version 3.11 -o layers/render/requirements.txt

# Libraries that the console serves; needs Node. The results are committed, so nothing else needs it.
AG_GRID := functions/console/static/vendor/ag_grid
PREACT := functions/console/static/vendor/preact
.PHONY: vendor
vendor: ## build the libraries in functions/console/static/vendor/ again
	@npm ci --prefix tools/vendor --silent --no-audit --no-fund
	@cd tools/vendor && npx esbuild ag_grid.js --bundle --minify --format=esm --target=es2022 \
		--banner:js="/*! ag-grid-community $$(node -p "require('./node_modules/ag-grid-community/package.json').version"), MIT: LICENSE.txt */" \
		--legal-comments=none --outfile=../../$(AG_GRID)/ag_grid.js --log-level=warning
	@cp tools/vendor/node_modules/ag-grid-community/styles/ag-grid.min.css $(AG_GRID)/ag_grid.css
	@cp tools/vendor/node_modules/ag-grid-community/styles/ag-theme-quartz-no-font.min.css $(AG_GRID)/theme.css
	@cp tools/vendor/node_modules/ag-grid-community/LICENSE.txt $(AG_GRID)/LICENSE.txt
	@cd tools/vendor && npx esbuild preact.js --bundle --minify --format=esm --target=es2022 \
		--banner:js="$$(printf '// @ts-nocheck\n/*! preact %s, MIT: LICENSE.txt */' "$$(node -p "require('./node_modules/preact/package.json').version")")" \
		--legal-comments=none --outfile=../../$(PREACT)/preact.js --log-level=warning
	@cp tools/vendor/node_modules/preact/LICENSE $(PREACT)/LICENSE.txt
	@cd functions/console/static/vendor && sha256sum */*.js > ../../../../tools/vendor/SHA256SUMS

# ---- seeing it run -----------------------------------------------------------------------------------------------
# ARGS is passed on, as in: make dev ARGS="--functions processes"

PIPELINE ?= suggestion
LAYERS_OF_PIPELINE = $(if $(filter video% render,$(PIPELINE)),.venv-video/.synced) $(if $(filter render,$(PIPELINE)),.venv-render/.synced)

.PHONY: demo
demo: .venv/.synced $(LAYERS_OF_PIPELINE) ## run one job through the whole local stack and show it live, with its cost
	@$(BIN)/python -m local.demo --pipeline $(PIPELINE) $(ARGS)

.PHONY: dev
dev: .venv/.synced $(LAYERS_OF_PIPELINE) ## run the local stack until Ctrl-C, and print curl lines for every operation
	@$(BIN)/python -m local --pipeline $(PIPELINE) $(ARGS)

# ---- tests and checks ----------------------------------------------------------------------------------------------
# TESTS narrows a run: make test TESTS=tests/unit. Many tests wait for retries, leases, processes and pages, so more
# workers than cores share them file by file, each with its own stacks: three left a sixth of two cores idle in `make test`,
# and two left half of them idle in `make test-browser`. Unit tests stay last, as collected: their files are short, so all
# workers end together. WORKERS=0 runs everything in one process.
# Images of Docker often forbid Python to write byte code; without it, each worker compiles all tests in every run.

TESTS ?= tests
WORKERS ?= $(if $(filter-out tests,$(TESTS)),0,$(AT_ONCE))
# Without the compiler of scenes or the encoder of videos their tests are skipped: then coverage is shown, not required.
SKIPPED = $(if $(and $(wildcard .venv-video/.synced),$(wildcard .venv-render/.synced)),,skipped)
test test-browser: export PYTHONDONTWRITEBYTECODE :=

.PHONY: test
test: AT_ONCE := 4
test: .venv/.synced .venv-sam/.synced ## run every test that this machine has the tools for, with coverage of shared/ and functions/
	@$(BIN)/python -m pytest $(TESTS) -n $(WORKERS) --dist loadfile --no-loadscope-reorder -rs --cov $(if $(filter-out tests,$(TESTS))$(SKIPPED),--cov-fail-under=0) $(ARGS)

# Debian's headless shell, or its Chromium, or the one that CHROMIUM names. A screenshot of every state is kept in
# tests/browser/screenshots.
.PHONY: test-browser
test-browser: AT_ONCE := 3
test-browser: .venv-browser/.synced ## test the console and its client in headless Chromium, against the local stack
	@$(BROWSER_BIN)/python -m pytest $(if $(filter-out tests,$(TESTS)),$(TESTS),tests/browser) -n $(WORKERS) --dist loadfile --no-loadscope-reorder -rs $(ARGS)

.PHONY: screenshots
screenshots: .venv-browser/.synced ## take the README's pictures of the console, into docs/images
	@$(BROWSER_BIN)/python -m tests.browser.pictures

.PHONY: check
check: .venv/.synced ## run linters, types, the rules of imports, and the checks of template, links and words
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet . || { echo "run: make format"; exit 1; }
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/python -m tools.infra --check
	@$(BIN)/python -m tools.check_links
	@$(BIN)/python -m tools.check_prose --strict

.PHONY: gate
gate: ## run what CI runs: check, validate, test and test-browser, one after the other
	@for step in check validate test test-browser; do echo "== make $$step"; $(MAKE) --no-print-directory $$step; done

.PHONY: format
format: .venv/.synced ## format the code
	@$(BIN)/ruff check --fix --quiet . || true
	@$(BIN)/ruff format --quiet .

.PHONY: bench
bench: .venv/.synced ## run the benchmark job on the local stack, and compare with the targets
	@$(BIN)/python -m tests.bench $(ARGS)

.PHONY: bench-load
bench-load: .venv/.synced ## run 1, 10 and 50 jobs at once with two watchers each; count units of 1, 10 and 100 kB outputs
	@$(BIN)/python -m tests.bench.load

# ARGS="--only memory" measures one of the three.
.PHONY: bench-growth
bench-growth: .venv/.synced ## measure CPU per job at 1 to 200 jobs at once, and per kB of outputs to 2 MB, and memory after 2,000 jobs
	@$(BIN)/python -m tests.bench.growth $(ARGS)

.PHONY: bench-sheets
bench-sheets: .venv/.synced ## load, read, edit, undo and export workbooks of 30 MB on the local stack; count cached blocks
	@$(BIN)/python -m tests.bench.sheets $(ARGS)

# ARGS="--rounds 30"; --check fails if a target is missed.
.PHONY: bench-build
bench-build: .venv/.synced .venv-video/.synced ## build the scenes of the corpus, and print p50 and p95 of each step
	@$(BIN)/python -m tests.bench.builds $(ARGS)

# Exits with 1 if fewer than 90 % of the scenes read come from caches. ARGS="--allowance 6" on a busy machine.
.PHONY: bench-cache
bench-cache: .venv/.synced .venv-video/.synced ## replay a video chat that three tabs show; print which caches their reads came from
	@$(BIN)/python -m tests.bench.video_caches $(ARGS)

# Chromium's headless shell draws twice as fast as other browsers; ARGS="--seconds 3", --check fails if a target is missed.
.PHONY: bench-render
bench-render: .venv-browser/.synced .venv-video/.synced ## render videos of 3, 15 and 60 seconds, and print how long they take
	@$(BROWSER_BIN)/python -m tests.bench.rendering $(ARGS)

# With what `make build` has built, the bundle's first visit is timed beside that of the modules. --check fails if frames cost more.
.PHONY: bench-console
bench-console: .venv-browser/.synced ## draw a long text with the CPU throttled, and time first visits on slow networks
	@$(BROWSER_BIN)/python -m tests.bench.console_page $(ARGS)

# Other systems for the same job, each installed from its own lock. ARGS="--rounds 5", ARGS="--only taskiq".
PEERS := langgraph taskiq dbos

.venv-peers/%/.synced: requirements/peers/%.lock | .venv/.synced
	@echo "setting up $(@D)"
	@$(PYTHON) -m venv $(@D)
	@$(BIN)/uv pip sync --quiet --require-hashes --python $(@D)/bin/python $<
	@touch $@

.PHONY: bench-video
bench-video: .venv/.synced .venv-video/.synced ## time messages to a video, with and without a model, from the request to the scene
	@$(BIN)/python -m tests.bench.videos $(ARGS)

.PHONY: bench-stage
bench-stage: .venv/.synced .venv-video/.synced .venv-browser/.synced ## time a scene from its event to its picture in Chromium
	@$(BROWSER_BIN)/python -m tests.bench.video_stage $(ARGS)

.PHONY: bench-sheet-files
bench-sheet-files: .venv/.synced .venv-browser/.synced ## take workbooks of 30 MB through the real path, with the program curl and in Chromium
	@$(BIN)/python -m tests.bench.sheet_files $(ARGS)

.PHONY: bench-peers
bench-peers: .venv/.synced ## run the benchmark job on Millrace, LangGraph, Redis with taskiq, and DBOS, in one table
	@for peer in $(PEERS); do $(MAKE) --silent .venv-peers/$$peer/.synced || rm -rf .venv-peers/$$peer; done
	@! { command -v java && command -v mvn; } >/dev/null || $(MAKE) --silent $(DYNAMODB_LOCAL) || true
	@$(BIN)/python -m tests.bench.peers $(ARGS)

# ARGS="--jobs 50 --factor 1.5 --json"; --write puts the figures into docs/cost.md and docs/scaling.md, and --as-measured
# runs no jobs, but prices the last figures again, as after a change of the template.
.PHONY: cost
cost: .venv/.synced .venv-video/.synced .venv-render/.synced ## count jobs of each pipeline on the local stack, and price 1,000 of them and an idle month on AWS
	@$(BIN)/python -m tools.cost $(ARGS)

.PHONY: bench-cold
bench-cold: build ## measure the CPU of each built function's first invocation, and package sizes; fail over a budget
	@$(BIN)/python -m tests.bench.cold $(ARGS)

# The seed decides which faults happen; it is printed, and SEED= repeats it. ARGS=--every-point kills at every call of a job with tools.
JOBS ?= 300

.PHONY: chaos
chaos: .venv/.synced .venv-video/.synced .venv-render/.synced ## run JOBS jobs while processes die, connections break, the model and the database fail
	@$(BIN)/python -m tests.chaos --jobs $(JOBS) $(if $(SEED),--seed $(SEED)) $(ARGS)

# The model is called at OPENAI_BASE_URL with OPENAI_API_KEY. Without MODEL, the scripted model proves the harness only.
# ARGS="--only sort --seeds 1" runs some of the tasks on one workbook each.
.PHONY: eval-brain
eval-brain: .venv/.synced ## let MODEL decide the 150 labelled messages of video chat, and compare its decisions
	@$(BIN)/python -m tests.evals.brain $(if $(MODEL),--model "$(MODEL)") $(ARGS)

.PHONY: evaluate-sheets
evaluate-sheets: .venv/.synced ## let MODEL solve sixty tasks on workbooks, and compare their cells
	@$(BIN)/python -m tests.evals.sheets $(if $(MODEL),--model "$(MODEL)") $(ARGS)

# DynamoDB Local is a Java program on Maven Central; once it is fetched, `make test` runs on it as well.
DYNAMODB_LOCAL := tests/dynamodb_local/target/.fetched

$(DYNAMODB_LOCAL): tests/dynamodb_local/pom.xml
	@for tool in java mvn; do command -v $$tool >/dev/null || { echo "DynamoDB Local needs Java 17 and Maven, and $$tool was not found; install it, or leave this target out"; exit 1; }; done
	@echo "fetching DynamoDB Local"
	@rm -rf $(@D)
	@mvn -q -B -Dstyle.color=never -f $< dependency:copy-dependencies
	@touch $@

.PHONY: parity
parity: .venv/.synced ## run the storage tests on DynamoDB Local, AWS's own engine
	@if [ "$${CI:-}" = true ] || { command -v java && command -v mvn; } >/dev/null; then $(MAKE) --no-print-directory $(DYNAMODB_LOCAL); fi
	@$(BIN)/python -m pytest tests/storage -k dynamodb_local -rs $(ARGS)

# AWS's adapter is a layer on AWS and a crate here; docs/decisions/0012 says why this version can replace the layer's. It is
# built once per version, without optimisation at link time, which would make it smaller but take longer.
WEB_ADAPTER_CRATE := 1.0.0-rc1
WEB_ADAPTER := tests/web_adapter/target/.built-$(WEB_ADAPTER_CRATE)

$(WEB_ADAPTER):
	@command -v cargo >/dev/null || { echo "building Lambda Web Adapter needs Rust, and cargo was not found; install it, or leave this target out"; exit 1; }
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
web-adapter: ## build AWS's Lambda Web Adapter from its crate, if there is cargo, to run stream_job under it
	@if [ "$${CI:-}" = true ] || command -v cargo >/dev/null; then $(MAKE) --silent $(WEB_ADAPTER); \
		else echo "cargo was not found, so stream_job is not tested under Lambda Web Adapter"; fi

.PHONY: test-artefacts
test-artefacts: .venv/.synced .venv-sam/.synced web-adapter ## test what `make build` built: every function under Lambda's emulator, stream_job under its adapter
	@ARTEFACTS_REQUIRED=true $(BIN)/python -m pytest tests/contract/test_artefacts.py tests/contract/test_stream_artefact.py $(wildcard tests/apps/*/test_artefacts.py) -rs $(ARGS)

# Install what the optional lanes need: Node for the independent model server and the type check, Python 3.13 for built
# functions, Java and Maven for DynamoDB Local, Rust for Lambda Web Adapter, Deno for scenes, PyAV for videos. The wheel of
# the Python client is installed once, so that uv's cache has what a test without a network installs for Python 3.13.
.PHONY: lanes
lanes: build .venv-video/.synced .venv-render/.synced $(DYNAMODB_LOCAL) $(WEB_ADAPTER)
	@for lane in tests/model_oracle tests/typescript; do npm ci --prefix $$lane --silent --no-audit --no-fund; done
	@target=$$(mktemp -d) && $(BIN)/uv pip install --quiet --python $(PYTHON313) --target $$target ./clients/python && rm -rf $$target

# ---- template and build --------------------------------------------------------------------------------------------
# Lambda runs Python 3.13, so a Python 3.13 builds and compiles for it (if it has another name: PYTHON313=).

PYTHON313 ?= $(firstword $(shell python3.13 -c 'import sys; print(sys.executable)' 2>/dev/null) $(wildcard $(HOME)/.pyenv/versions/3.13*/bin/python3.13))
export SAM_CLI_TELEMETRY := 0

.PHONY: template
template: .venv/.synced ## write template.yaml from the fragments in infra/
	@$(BIN)/python -m tools.infra

.PHONY: validate
validate: .venv/.synced .venv-sam/.synced .venv-checkov/.synced ## check template.yaml and the state machines in six ways, and count resources
	@$(BIN)/python -m tools.validate_template template.yaml

.PHONY: python313
python313:
	@[ -x "$(PYTHON313)" ] || { echo "this needs Python 3.13, which Lambda runs; install it or name it: make $(MAKECMDGOALS) PYTHON313=/path/to/python3.13"; exit 1; }

# `sam build` finds the interpreter by name on PATH, and ships no .pyc: importing without them takes twice the time.
# pydantic.v1 is removed: no code here has models of it, but FastAPI imports it, if it is there, to check for them.
.PHONY: build
build: .venv-sam/.synced .venv-runtime/.synced | python313 ## build what is deployed, into .aws-sam/build
	@PATH="$(dir $(PYTHON313)):$$PATH" $(SAM_BIN)/sam build
	@rm -r .aws-sam/build/DependenciesLayer/python/pydantic/v1
	@install -D -m 755 .aws-sam/build/VideoLayer/python/deno-*.data/scripts/deno .aws-sam/build/VideoLayer/python/bin/deno
	@rm -r .aws-sam/build/VideoLayer/python/deno-*.data
	@$(PYTHON313) -m compileall -q --invalidation-mode unchecked-hash .aws-sam/build
	@$(MAKE) --silent bundle CONSOLE=.aws-sam/build/ConsoleFunction/static
	@du -sh .aws-sam/build/*Layer

# Needs Node 20.19 or newer. Without it the console is deployed as it is in the repository; where CI=true it has to be there.
.PHONY: bundle
bundle:
	@if npm ci --prefix tools/console_bundle --engine-strict --silent --no-audit --no-fund; \
	then echo "bundling the console: bytes, compressed, file" && node tools/console_bundle/bundle.js $(CONSOLE); \
	else echo "the console is NOT bundled, because Node 20.19 or its packages could not be had: a visit takes many requests"; [ "$${CI:-}" != true ]; fi

# The packages of Lambda's runtime, byte-compiled as there, to run built functions under the emulator.
.venv-runtime/.synced: requirements/dev.lock | .venv/.synced python313
	@echo "setting up .venv-runtime"
	@$(PYTHON313) -m venv .venv-runtime
	@$(BIN)/uv pip install --quiet --compile-bytecode --python .venv-runtime/bin/python --constraint requirements/dev.lock --group runtime
	@touch $@

# A scenario takes every function through every path on which it uses AWS; `make validate` compares template.yaml with it.
.PHONY: permissions
permissions: .venv/.synced ## record in docs/permissions.json what each function uses of AWS, for make validate
	@$(BIN)/python -m tests.permissions $(ARGS)

# ---- new applications: docs/adding-an-application.md ----------------------------------------------------------------

.PHONY: application
application: .venv/.synced ## copy examples/haiku as NAME with STAGES="first_stage second_stage", or install an example: FROM=examples/research
	@$(BIN)/python -m tools.new_application $(if $(FROM),--from "$(FROM)") $(NAME) $(STAGES)

# ---- generated files -----------------------------------------------------------------------------------------------

.PHONY: openapi
openapi: .venv/.synced ## regenerate docs/api/openapi.json, docs/api/types.ts and the Python client from the models
	@$(BIN)/python -m tools.openapi
	@$(BIN)/python -m tools.typescript
	@$(BIN)/python -m tools.python_client
