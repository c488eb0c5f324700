# Every target installs what it needs into .venv by itself.
SHELL := /bin/bash
.DEFAULT_GOAL := help
VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= python3
STAMP := $(VENV)/.installed

# No telemetry from anything that is started here.
export DVC_NO_ANALYTICS := 1
export PATH := $(CURDIR)/$(BIN):$(PATH)
export DO_NOT_TRACK := 1
export MLFLOW_DISABLE_TELEMETRY := true
export RAY_USAGE_STATS_ENABLED := 0
export STREAMLIT_BROWSER_GATHER_USAGE_STATS := false

.PHONY: help install run test lint check dashboard mlflow clean lock

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile

install: $(STAMP)  ## install the locked packages into .venv

$(STAMP): pyproject.toml requirements.lock Makefile
	@bash .ci/install "$(PYTHON)" "$(VENV)"
	@touch $@

run: install  ## the main job on the embedded digits: prepare, search, finalists, evaluate, report
	$(BIN)/dvc repro report
	@cat results/leaderboard.md

test: install  ## format, lint, types, import contracts, tests
	$(BIN)/ruff format --check .
	$(MAKE) --no-print-directory lint
	OMP_NUM_THREADS=1 $(BIN)/pytest -m "not machine" -n 2  # two processes with two threads each would wait for each other
	$(BIN)/pytest -m machine

lint: install  ## ruff, mypy and the import contracts
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check: test  ## what CI runs

dashboard: install  ## open the dashboard on loopback
	$(BIN)/isoflop dashboard

mlflow: install  ## open MLflow's own pages on loopback
	$(BIN)/isoflop mlflow

lock: install  ## resolve requirements.lock again
	$$(command -v uv || echo $(VENV)-uv/bin/uv) pip compile --universal --generate-hashes --no-emit-index-url --group dev \
	  --python-version 3.11 --custom-compile-command "make lock" pyproject.toml -o requirements.lock

clean:  ## remove what was installed and built; .isoflop and results stay
	rm -rf $(VENV) $(VENV)-uv build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
