# Every target makes what it needs: .venv here, with the system's python3 (3.11 or later).
# PYTHON=/path/to/python3 chooses another one.

VENV := .venv
BIN := $(VENV)/bin
PYTEST_ARGS ?= -n auto

.DEFAULT_GOAL := help
.PHONY: help demo test check bench soak autobahn resets docs clean

help: ## list these targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 16

demo: $(VENV)/.installed ## run three experiments on this machine's kernel, and explain them
	$(BIN)/fourtuple lab run handshake exchange segments

test: $(VENV)/.installed-dev ## run every test (PYTEST_ARGS="-m kernel" for some of them)
	scripts/install_tools.sh
	$(BIN)/pytest $(PYTEST_ARGS)

check: $(VENV)/.installed-dev ## style, types, layers, translations
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python scripts/update_catalog.py --check
	$(BIN)/python scripts/generate_docs.py --check

bench: $(VENV)/.installed-bench ## measure what fourtuple claims of its speed
	scripts/install_tools.sh
	for script in bench/*.py; do $(BIN)/python $$script || exit 1; done

soak: $(VENV)/.installed-dev ## experiments beside busy processors, kill -9; 10,000 clients; a GB read; an hour of fuzzing
	$(BIN)/python scripts/soak.py
	$(BIN)/python scripts/soak.py --ipv6
	$(BIN)/python scripts/soak_serve.py
	-$(BIN)/python bench/read.py --runs 1
	mkdir -p build/fuzz/files build/fuzz/segments
	cd build/fuzz && ../../$(BIN)/python ../../tests/fuzz/run.py any_file 1800 files
	cd build/fuzz && ../../$(BIN)/python ../../tests/fuzz/run.py any_segments 1800 segments

autobahn: $(VENV)/.installed-dev ## Autobahn's cases against serve ws:// (needs jython)
	$(BIN)/python scripts/autobahn.py --write

resets: $(VENV)/.installed-dev ## provoke resets (as root), hear the kernel, judge them, write the figures into docs
	$(BIN)/python scripts/reset_truth.py
	$(BIN)/python scripts/measure_resets.py

docs: $(VENV)/.installed-dev ## write the generated pages of docs anew
	$(BIN)/python scripts/generate_docs.py

clean: ## remove .venv and every cache
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find src tests scripts -name __pycache__ -prune -exec rm -rf {} +

$(VENV)/.installed: pyproject.toml scripts/make_venv.sh
	scripts/make_venv.sh $(VENV) .
	touch $@

$(VENV)/.installed-dev: pyproject.toml scripts/make_venv.sh
	scripts/make_venv.sh $(VENV) '.[dev]'
	touch $@ $(VENV)/.installed

$(VENV)/.installed-bench: $(VENV)/.installed-dev
	$(BIN)/python -m pip install --quiet --editable '.[bench]' || echo "Measured without nfstream and dpkt"
	touch $@
