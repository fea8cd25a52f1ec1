# Every target sets up .venv by itself when needed: it needs only Python 3.11 or newer, found as `python3`; another one is
# named by `make lab PYTHON=python3.12`.
PYTHON ?= python3
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
BIN := .venv/bin
READY := .venv/ready
# One process a core, up to four: each takes some 2 GB. A file's tests stay together (tests/conftest.py).
PARALLEL := -n logical --maxprocesses 4 --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help run lab test test-all lint test-colab test-latest notebooks experiments bench docs clean

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

# An environment that will do is kept: it may hold a torch of the reader's choice.
$(READY): pyproject.toml requirements.lock
	@echo "Setting up .venv: about two minutes, once."
	@if ! { $(BIN)/python -c '$(NEW_ENOUGH)' && $(BIN)/python -m pip --version; } >/dev/null 2>&1; then \
		$(PYTHON) -c '$(NEW_ENOUGH)' 2>/dev/null || { \
			echo "$(PYTHON) --version says: $$($(PYTHON) --version 2>&1); pricelab needs Python 3.11 or newer." \
				"Name one: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }; \
		$(PYTHON) -m venv --clear .venv; \
	fi
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c requirements.lock -e ".[test]"
	@touch $@

run: $(READY) ## execute the workbook for this machine; executed copies and a report go to executed/
	$(BIN)/pricelab run

lab: $(READY) ## open the workbook in JupyterLab
	$(BIN)/jupyter lab --LabApp.default_url=/lab/tree/notebooks

lint: $(READY) ## check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy pricelab

test: lint ## style, types and all tests but the slow ones (fast ones first)
	$(BIN)/python -m pytest $(PARALLEL)

test-all: lint ## the same with the slow tests
	$(BIN)/python -m pytest $(PARALLEL) -m "not benchmark"

test-colab: $(READY) ## unit tests and notebooks with Colab's own versions, in an environment built in the cache
	$(BIN)/python -m benchmarks.environments colab

test-latest: $(READY) ## the same with the newest of everything; TORCH=torch==2.13.0 holds torch
	$(BIN)/python -m benchmarks.environments latest

# A cache of its own: a finished run or a reader's answers must not show in what is committed.
notebooks: $(READY) ## execute the workbook in place from the laptop profile, and normalise it
	rm -rf build/cache/workbook build/cache/scorebook.json
	PRICELAB_CACHE=$(CURDIR)/build/cache $(BIN)/pricelab run --in-place --profile laptop

experiments: $(READY) ## repeat or complete the recorded experiments (hours on two cores), results to data/results/
	$(BIN)/python -m benchmarks.readers workshop
	$(BIN)/python -m benchmarks.scaling
	$(BIN)/python -m benchmarks.interval_coverage
	$(BIN)/python -m benchmarks.coverage
	$(BIN)/python -m benchmarks.scope
	$(BIN)/python -m benchmarks.coverage_docs
	$(BIN)/python -m benchmarks.ways
	$(BIN)/python -m benchmarks.forgetting
	$(BIN)/python -m benchmarks.audit_scaling

bench: $(READY) ## measure speed and memory, beside TRL too, and rewrite all tables (long on two cores)
	$(BIN)/python -m pytest -m benchmark benchmarks
	$(BIN)/python -m benchmarks.engine
	$(BIN)/python -m benchmarks.engine_profile
	$(BIN)/python -m benchmarks.attention
	$(BIN)/python -m benchmarks.epochs
	$(BIN)/python -m benchmarks.memory
	$(BIN)/python -m benchmarks.pricing
	$(BIN)/python -m benchmarks.serving
	$(BIN)/python -m benchmarks.serving_memory
	$(BIN)/python -m benchmarks.widget_latency
	$(BIN)/python -m benchmarks.engine_docs
	$(BIN)/python -m benchmarks.serving_docs
	$(BIN)/python -m benchmarks.predictor_docs
	$(BIN)/python -m benchmarks.coverage_docs
	$(BIN)/python -m benchmarks.workshop_docs
	$(BIN)/python -m benchmarks.results --readme

docs: $(READY) ## build the site (notebooks, pages, reference) to site/; it loads nothing from elsewhere
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

clean: ## remove .venv, executed copies and caches of tools; the model cache stays
	rm -rf .venv executed site dist build .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +
