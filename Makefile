# All that is done here by name. Needs Python 3.11 or newer and make; everything else goes into .venv.
#
#   make run     install the core, print the plan for $4,000 on TPU v4 and on H100
#   make test    install what the tests need (torch too) and run them
#   make check   format, lint, types, architecture, generated docs
#   make bench   speed, as ratios against named references
#   make docs    write the generated pages again, and build the site into build/site
#   make profiles  fit the profiles of devices to the measured rows again (some ten minutes)
#   make accuracy  hold predictions against the measured rows, and write the accuracy page
#   make clean   remove .venv and caches
#
#   PYTHON=...       another interpreter
#   TORCH_INDEX=...  the URL of a package index to take torch from (its CPU build is enough)
#   JOBS=...         how many tests run at once (2)

PYTHON ?= $(shell command -v python3.11 || command -v python3)
TORCH_INDEX ?=
JOBS ?= 2

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check install --constraint constraints.txt

.DEFAULT_GOAL := run
.PHONY: run test check bench docs profiles accuracy clean

run: $(VENV)/core.stamp
	$(BIN)/isoflop plan --budget '$$4k' --on tpu-v4 --commitment 3y
	$(BIN)/isoflop plan --budget '$$4k' --on h100-sxm

test: $(VENV)/test.stamp
	$(BIN)/python -m pytest -n $(JOBS) -q

check: $(VENV)/dev.stamp
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy
	$(BIN)/python docs/generate.py --check
	$(BIN)/python -m pytest -q tests/architecture tests/docs/test_site.py

bench: $(VENV)/test.stamp
	$(BIN)/python benchmarks/bench.py
	$(BIN)/python benchmarks/laws.py
	$(BIN)/python benchmarks/audit.py
	$(BIN)/python benchmarks/serving.py

docs: $(VENV)/dev.stamp
	$(BIN)/python docs/generate.py
	$(BIN)/python docs/laws_rows.py --write
	$(BIN)/python docs/build_site.py
	@echo "the site is in build/site; look at it with: python3 -m http.server --bind 127.0.0.1 --directory build/site"

profiles: $(VENV)/core.stamp
	$(BIN)/python docs/fit_profiles.py
	$(BIN)/python docs/fit_serving.py

accuracy: $(VENV)/core.stamp
	$(BIN)/isoflop validate training src/isoflop/accuracy/rows/training.csv
	$(BIN)/isoflop validate serving src/isoflop/accuracy/rows/serving.csv
	$(BIN)/isoflop validate serving-memory src/isoflop/accuracy/rows/serving_memory.csv
	$(BIN)/isoflop validate hours
	$(BIN)/python docs/generate.py

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist
	find src tests docs benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

# Each stamp says that its set is installed in .venv; it is renewed when the versions or the extras change.

$(VENV)/made.stamp:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "isoflop needs Python 3.11 or newer; say which with: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/core.stamp: $(VENV)/made.stamp pyproject.toml constraints.txt
	$(PIP) --editable .
	$(BIN)/python -m compileall -q src  # an installed package comes compiled; so that start-up is what users get
	@touch $@

$(VENV)/test.stamp: $(VENV)/core.stamp
	$(if $(TORCH_INDEX),$(PIP) --no-deps --index-url $(TORCH_INDEX) torch)
	$(PIP) --editable '.[plot,web,test]'
	@touch $@

$(VENV)/dev.stamp: $(VENV)/test.stamp
	$(PIP) --editable '.[docs,dev]'
	@touch $@
