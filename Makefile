# The house's front door: `make` alone lists what it can do.
.DEFAULT_GOAL := help
.PHONY: help setup up test golden docs check fix clean

PYTHON ?= python3
UV_VERSION := 0.13.9
BIN := .venv/bin
STAMP := .venv/.made-from-lock
CODE = $(wildcard src tests benchmarks tools)
# A PYTHON that somebody named is also the one the environment is made with.
WITH_PYTHON = $(if $(filter-out file,$(origin PYTHON)),--python $(PYTHON))
export PIP_ROOT_USER_ACTION := ignore
# Recorded market data for tests, and for what the documents quote.
TMT_TEST_DATA ?= ../shared/data

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## Make .venv exactly as uv.lock says (instant when nothing changed)

up: $(STAMP) ## Start the desk: make up ARGS="--help"
	@$(BIN)/tmt up $(ARGS) || [ $$? -eq 130 ] # ctrl-C is how a desk is meant to end

test: $(STAMP) ## Run every test on all cores: make test ARGS="-m 'not slow'"
	@$(BIN)/pytest -n auto --dist loadfile $(ARGS)

golden: $(STAMP) ## Write the golden replays anew; the diff is what changed
	@UPDATE_GOLDEN=1 $(BIN)/pytest -q tests/replay/test_golden.py

docs: $(STAMP) ## Renew what is generated in docs/ and the schemas of the commands
	@$(BIN)/python -m tools.reference
	@$(BIN)/python -m tools.documents $(TMT_TEST_DATA)

check: $(STAMP) ## Check format, lint, types, import contracts and house rules
	@failed=; for step in "ruff format --check ." "ruff check ." "mypy $(CODE)" "lint-imports --no-logo" "pytest -q tests/tidy"; do \
		echo "==> $$step"; $(BIN)/$$step || failed="$$failed [$$step]"; \
	done; \
	[ -z "$$failed" ] || { echo "make check: failed:$$failed" >&2; exit 1; }

fix: $(STAMP) ## Format the code and mend what can be mended by itself
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

clean: ## Remove the environment, caches and builds
	rm -rf .venv .venv-tools build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis .coverage htmlcov
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# `sync` leaves an older environment's extra packages out; the stamp is written last, so a broken set-up is made again.
$(STAMP): pyproject.toml uv.lock
	@uv=$$(command -v uv || true); \
	if [ -z "$$uv" ]; then $(MAKE) -s .venv-tools/uv-$(UV_VERSION) && uv=$$(cat .venv-tools/uv-$(UV_VERSION)); fi && \
	"$$uv" sync --frozen $(WITH_PYTHON) && touch $@

# uv from PyPI, into the checkout alone: in an environment where `venv` works, else in a folder, which needs only pip
# and is allowed where the system's Python is marked as externally managed (PEP 668). The file holds uv's path.
.venv-tools/uv-$(UV_VERSION):
	@rm -rf .venv-tools && mkdir -p .venv-tools
	@if $(PYTHON) -m venv .venv-tools/env >.venv-tools/log 2>&1 && \
		.venv-tools/env/bin/python -m pip install --quiet uv==$(UV_VERSION); then \
		echo .venv-tools/env/bin/uv >$@; \
	elif $(PYTHON) -m pip install --quiet --target .venv-tools/site uv==$(UV_VERSION); then \
		echo .venv-tools/site/bin/uv >$@; \
	else \
		cat .venv-tools/log >&2; rm -rf .venv-tools; \
		echo "make setup: uv is missing and could not be fetched. One of these helps, then run make setup again:" >&2; \
		echo "  no python3:            install Python 3.11 or newer, or name it: make setup PYTHON=python3.12" >&2; \
		echo "  no venv and no pip:    apt-get install python3-venv      (Debian, Ubuntu)" >&2; \
		echo "  no way to PyPI:        put uv on the PATH, or set PIP_INDEX_URL and UV_DEFAULT_INDEX to your index" >&2; \
		exit 1; \
	fi
