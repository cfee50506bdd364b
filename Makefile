# Tocsin's commands. All of them share one environment, .venv, made from requirements.lock by hash.
# Needs make and Python 3.11 or newer. Another Python: make PYTHON=python3.13 demo

PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
PIP := $(BIN)/python -m pip --disable-pip-version-check

# Passed on to the command, for example: make demo ARGS="--no-serve --json out.json"
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help demo test test-fast test-long lint format lock clean environment

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(INSTALLED) ## play the story of a cluster, then serve the console
	@$(BIN)/tocsin demo $(ARGS)

test: $(INSTALLED) ## the whole suite, at the length that CI runs
	$(BIN)/python -m pytest $(ARGS)

test-fast: $(INSTALLED) ## the part without servers, in under three minutes
	$(BIN)/python -m pytest -m "not long and not postgres and not real" --ignore=tests/acceptance $(ARGS)

test-long: $(INSTALLED) ## the tests that take minutes each
	$(BIN)/python -m pytest -m long $(ARGS)

# Each check runs even if one before it failed, so that one run shows everything there is to mend.
lint: $(INSTALLED) ## style, types, import rules, documents
	@failed=""; \
	for check in "ruff check" "ruff format --check" "mypy" "lint-imports" "python tools/check_docs.py" \
		"python tools/generate_reference.py --check"; do \
		echo "$$check"; $(BIN)/$$check || failed="$$failed, $$check"; \
	done; \
	if [ -n "$$failed" ]; then echo "Failed: $${failed#, }"; exit 1; fi

format: $(INSTALLED) ## rewrite the code as the style rules want it
	$(BIN)/ruff check --fix-only
	$(BIN)/ruff format

# The second lock is what an installed Tocsin needs, at the versions that the first one was tested with.
LOCK := $(BIN)/uv pip compile pyproject.toml --extra postgresql --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --custom-compile-command "make lock" --quiet
lock: $(INSTALLED) ## renew both requirements locks from pyproject.toml (ARGS=--upgrade for new versions)
	$(LOCK) --group dev $(ARGS) -o requirements.lock
	$(LOCK) --constraint requirements.lock -o requirements-runtime.lock

clean: ## remove the environment and everything that was built
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

environment: $(INSTALLED) ## make .venv and nothing else

$(INSTALLED): requirements.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null || \
		{ echo "Tocsin needs Python 3.11 or newer, and there is no $(PYTHON) here."; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Tocsin needs Python 3.11 or newer, and $(PYTHON) is older: make PYTHON=python3.12 ..."; exit 1; }
	@$(BIN)/python -c '' 2>/dev/null || $(PYTHON) -m venv --clear .venv
	@echo "Installing the locked dependencies into .venv (once; about a minute) ..."
	@$(PIP) install --quiet --require-hashes --no-deps -r requirements.lock
	@$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@
