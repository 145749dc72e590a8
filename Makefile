# sipaudit: `make help` lists what can be done. Everything is set up in .venv on first use.
BIN := .venv/bin
DEMO := samples/first-outage
COVERAGE := 85

.DEFAULT_GOAL := help
.PHONY: help demo test lint bench lab samples score tools clean

help:  ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1	\2/p' Makefile | expand -t 16

demo: .venv/runtime.stamp  ## analyse a sample capture of an outage; writes out/first-outage/
	$(BIN)/sipaudit analyze $(DEMO)/capture.pcap --site $(DEMO)/site.yaml -o out/first-outage
	@echo "All files: out/first-outage/; open report.html of it in a browser"

test: .venv/dev.stamp tools lint  ## all checks and tests
	$(BIN)/pytest -n 2 --dist loadfile --cov --cov-report=term:skip-covered --cov-fail-under=$(COVERAGE)

lint: .venv/dev.stamp  ## style, types, direction of imports
	$(BIN)/ruff check
	$(BIN)/mypy --strict
	$(BIN)/lint-imports

bench: .venv/dev.stamp tools  ## speed and memory, beside the neighbours that are installed
	bench/run

lab: .venv/dev.stamp tools  ## play the lab and record it anew in samples/lab (as root; two minutes)
	$(BIN)/python -m tests.lab.record

samples: .venv/dev.stamp  ## the samples made again from their plans
	$(BIN)/python samples/make.py

score: .venv/dev.stamp  ## recall and precision over 200 generated plans and all samples, also with losses
	$(BIN)/python -m tests.score

tools:  ## the Debian programs that some tests start (installed when root, else named)
	@.ci/tools

clean:  ## remove .venv and everything that was made
	rm -rf .venv out build dist .coverage* .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache

.venv/runtime.stamp: pyproject.toml .ci/venv
	@.ci/venv .

.venv/dev.stamp: pyproject.toml .ci/venv
	@.ci/venv ".[dev]"
	@touch .venv/runtime.stamp
