# Each target does all of its own set-up, and is quick the second time.
#
#   make lab                                      JupyterLab on the quickstart notebook
#   make lab LAB_ARGS="--no-browser --port 8890"  the same, with options for JupyterLab
#   make test                                     every check and every test
#   make test TEST_ARGS="-k resume"               options for pytest
#   make test WORKERS=4                           tests at once; 0: one after another, as --pdb needs
#   make bench                                    the benchmarks
#   make faults                                   the fault table, within 2 hours; goes on where it was
#   make faults ROW="R7 R9" FRESH=1               some rows of it; from the start
#   make compat                                   questions on other kernels, in real front ends
#   make clean                                    back to a fresh clone
#   make … PYTHON=python3.12                      another Python for the virtual environment

PYTHON ?= python3
NOTEBOOK ?= notebooks/00_quickstart.ipynb
LAB_ARGS ?=
TEST_ARGS ?=
WORKERS ?= 2
BENCH_ARGS ?=
ROW ?=
FRESH ?=
BIN := .venv/bin
# Without compiled modules each kernel, server and program compiles anew all that it imports.
unexport PYTHONDONTWRITEBYTECODE
# JupyterLab refuses root otherwise, and in a container there is often nobody else.
AS_ROOT := $(if $(filter 0,$(shell id -u)),--allow-root)

.DEFAULT_GOAL := help
.PHONY: help lab test check bench faults compat clean

help:
	@sed -n 's/^#   //p' Makefile

lab:
	@$(PYTHON) scripts/set_up.py lab
	$(BIN)/jupyter lab $(AS_ROOT) --ServerApp.root_dir=. --LabApp.default_url=/lab/tree/$(NOTEBOOK) $(LAB_ARGS)

test: check
	$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadgroup --max-worker-restart 0 $(TEST_ARGS)

check:
	@$(PYTHON) scripts/set_up.py test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports
	$(BIN)/python scripts/labextension.py --check

bench:
	@$(PYTHON) scripts/set_up.py test
	$(BIN)/python -m benchmarks $(BENCH_ARGS)

faults:
	@$(PYTHON) scripts/set_up.py test
	$(BIN)/python -m tests.faults $(if $(FRESH),--fresh) $(ROW)

compat:
	@$(PYTHON) scripts/set_up.py test
	$(BIN)/python scripts/compat.py

clean:
	rm -rf .venv .compat build dist labextension/dist labextension/lib labextension/node_modules \
	       portia_nb/notebook/static \
	       test-results .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
