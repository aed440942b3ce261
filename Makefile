# What people type. Needs python3.11, git and make; everything else lands in .venv.
# ARGS is passed on: make run ARGS="--seed 3 --clients 4000", make test ARGS="tests/domain -x".
PYTHON ?= python3.11
ARGS ?=
BIN := .venv/bin
STAMP := .venv/.complete
BENCH_STAMP := .venv-bench/.complete

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup run test check bench chaos chaos-slice golden audit lock format

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(STAMP) ## install what requirements.lock names, and the embedded Kafka; nothing to do when complete

# The stamp comes last, so that a set-up that was cut off is taken up again. pip takes only files with the lock's hashes.
$(STAMP): requirements.lock pyproject.toml
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	$(BIN)/python -m hub.local.kafka --prefetch
	@touch $(STAMP)

run: $(STAMP) ## the demo: simulated tenants on the embedded Kafka, a summary, a page to look at
	@$(BIN)/hub demo $(ARGS)

test: $(STAMP) ## every test but chaos
	@$(BIN)/python -m pytest $(ARGS)

check: $(STAMP) ## lint, format, types, imports, and everything generated against its source
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/hub schemas check
	$(BIN)/hub docs --check

bench: $(STAMP) $(BENCH_STAMP) ## rates and latencies, each beside a yardstick measured in the same run
	@$(BIN)/hub bench $(ARGS)

# anonlink and Splink, in an environment of their own. What cannot be had is said, and its rows stand without them.
$(BENCH_STAMP): requirements-bench.lock
	@$(PYTHON) -m venv .venv-bench
	@.venv-bench/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-bench.lock \
		&& touch $@ || echo "bench: anonlink and Splink could not be installed; matching is measured without them" >&2

chaos: $(STAMP) ## faults against the whole hub on three brokers; everything that there is without ARGS
	@$(BIN)/python -m tests.rig $(if $(ARGS),$(ARGS),--everything)

chaos-slice: $(STAMP) ## the part of it that CI takes: every fault once, 500 simulator seeds, every seeded bug
	@$(BIN)/python -m tests.rig --slice $(ARGS)
	@$(BIN)/python -m tests.simulation --seeds 500 --bugs all

golden: $(STAMP) ## freeze a log of this release with its facts; every later release must make the same of it
	@$(BIN)/python -m tests.golden.golden_log

audit: $(STAMP) ## known vulnerabilities in requirements.lock; asks a service on the internet
	$(BIN)/pip-audit --require-hashes -r requirements.lock

format: $(STAMP) ## let ruff rewrite what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# --no-emit-index-url: the lock names files by hash and never where they came from.
lock: ## compile requirements.lock, and the image's part of it, anew from pyproject.toml
	$(PYTHON) -m venv .venv-lock
	.venv-lock/bin/python -m pip install --quiet uv
	.venv-lock/bin/uv pip compile pyproject.toml --extra dev --extra fuzz --generate-hashes --no-emit-index-url \
		--python-version 3.11 --custom-compile-command "make lock" --upgrade --quiet -o requirements.lock
	.venv-lock/bin/uv pip compile pyproject.toml -c requirements.lock --generate-hashes --no-emit-index-url --no-annotate \
		--python-version 3.11 --custom-compile-command "make lock" --quiet -o requirements-image.lock
	.venv-lock/bin/uv pip compile requirements-bench.in --generate-hashes --no-emit-index-url --no-annotate \
		--python-version 3.11 --custom-compile-command "make lock" --upgrade --quiet -o requirements-bench.lock
	rm -rf .venv-lock
