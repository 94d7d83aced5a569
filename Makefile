# Two commands do everything: `make demo` shows the product, `make test` tests it.
# Both make .venv themselves, from locked and hashed packages only.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
# tests and benchmarks import ONNX Runtime too: it collects usage data unless told
export ORT_DISABLE_TELEMETRY := 1

# The first Python that is new enough; `make PYTHON=python3.13 …` chooses another.
fresh = $(shell $(1) -c 'import sys; print("yes" * (sys.version_info >= (3, 11)))' 2>/dev/null)
PYTHON ?= $(firstword $(foreach p,python3 python3.13 python3.12 python3.11,$(if $(call fresh,$(p)),$(p))))

RUN := .venv/bin/python
DEMO_ARGS ?=
TEST_ARGS ?=
BENCH_ARGS ?=

# A stamp carries the checksum of what it was made from: a lock that changes, or a
# checkout that moves, installs again, whatever the files' times say.
stamp = .venv/$(1)-$(shell { pwd; $(PYTHON) -V || :; cat requirements-$(1).txt pyproject.toml; } 2>&1 | cksum | cut -d ' ' -f 1)
DEV := $(call stamp,dev)
# the dev lock holds all of the demo's
DEMO := $(or $(wildcard $(DEV)),$(call stamp,demo))

.PHONY: help
help:  ## show this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile | expand -t 10

.PHONY: demo
demo: $(DEMO)  ## a simulated pump hall, live; DEMO_ARGS="--seconds 60 --json" for machines
	@.venv/bin/edge-agent demo $(DEMO_ARGS)

.PHONY: test
test: $(DEV)  ## all tests; TEST_ARGS="tests/store -x" for some
	@$(RUN) -m pytest $(TEST_ARGS)

.PHONY: check
check: $(DEV)  ## style, types, and who may import whom
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy
	.venv/bin/lint-imports

.PHONY: format
format: $(DEV)  ## put the code in form
	$(RUN) -m ruff check --fix .
	$(RUN) -m ruff format .

.PHONY: bench
bench: $(DEV)  ## measure beside the peers: a table, and JSON in bench-out/
	@$(RUN) -m tests.bench $(BENCH_ARGS)

.PHONY: wheel
wheel: $(DEV)  ## dist/*.whl, to carry to a gateway (systemd/README.md)
	@$(RUN) -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .
	@ls dist/*.whl

# uv resolves once for every platform and Python; demo and runtime are subsets.
LOCK := pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-header --no-annotate
UV ?= uv
.PHONY: lock
lock:  ## resolve the locks anew (needs uv); LOCK_ARGS="--upgrade" for newer versions
	$(UV) $(LOCK) $(LOCK_ARGS) pyproject.toml --extra demo --extra publish --extra fleet --extra spark --extra dev --group build -o requirements-dev.txt
	$(UV) $(LOCK) -c requirements-dev.txt pyproject.toml --extra demo --group build -o requirements-demo.txt
	$(UV) $(LOCK) -c requirements-dev.txt pyproject.toml -o requirements.txt
	$(UV) $(LOCK) tests/peers/registry/requirements.in -o tests/peers/registry/requirements.txt

.PHONY: clean
clean:  ## remove .venv and everything that was made
	rm -rf .venv build dist bench-out .demo .coverage* *.egg-info .hypothesis \
		.mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	find . -name __pycache__ -prune -exec rm -rf {} +

.venv/%:
	@.ci/venv "$(PYTHON)" "requirements-$(firstword $(subst -, ,$*)).txt"
	@touch $@
