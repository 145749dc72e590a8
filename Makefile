# sipaudit: `make help` lists what can be done. Everything is set up in .venv on first use.
BIN := .venv/bin
DEMO := samples/first-outage
COVERAGE := 85
# Many tests wait, for timers and for other programs; those that wait most, the lab, do not come last.
PARALLEL := -n 4 --dist loadfile --no-loadscope-reorder
# What tests nothing that is compiled, or takes long to say what others say.
NOT_COMPILED := $(foreach part,lab report settings simulate store,--ignore=tests/$(part))

.DEFAULT_GOAL := help
.PHONY: help demo test coverage lint compile bench lab samples score tools clean

help:  ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1	\2/p' Makefile | expand -t 16

demo: .venv/runtime.stamp  ## analyse a sample capture of an outage; writes out/first-outage/
	$(BIN)/sipaudit analyze $(DEMO)/capture.pcap --site $(DEMO)/site.yaml -o out/first-outage
	@echo "All files: out/first-outage/; open report.html of it in a browser"
	@echo "Your own capture: $(BIN)/sipaudit analyze outage.pcap (a third faster after make compile, some minutes)"

test: .venv/dev.stamp tools lint compile  ## all checks, and the tests twice: by the interpreter, and as compiled
	SIPAUDIT_PURE=1 $(BIN)/pytest $(PARALLEL)
	$(BIN)/pytest $(PARALLEL) $(NOT_COMPILED)

# Not a part of `test`: whoever watches each line makes the interpreter take more than twice as long.
coverage: .venv/dev.stamp tools  ## which lines and branches no test reaches; fails when they are too many
	SIPAUDIT_PURE=1 $(BIN)/pytest $(PARALLEL) --cov --cov-report=term:skip-covered --cov-fail-under=$(COVERAGE)

lint: .venv/dev.stamp  ## style, types, direction of imports
	$(BIN)/ruff check
	$(BIN)/mypy --strict
	$(BIN)/lint-imports

compile: .venv/dev.stamp  ## compile again what has changed of it; until then its source is used
	$(BIN)/python hatch_build.py

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
	rm -rf .venv sipaudit/_compiled out build dist .coverage* .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache

# Nothing is compiled for it: the first result in a minute is worth more than the next ones in two thirds of the time.
.venv/runtime.stamp: pyproject.toml hatch_build.py .ci/venv
	@SIPAUDIT_PURE=1 .ci/venv .

.venv/dev.stamp: pyproject.toml hatch_build.py .ci/venv
	@.ci/venv ".[dev]"
	@touch .venv/runtime.stamp
