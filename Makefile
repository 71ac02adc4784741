# Everything that a developer runs. ARGS="…" reaches the command behind a target: make demo ARGS="--seconds 20".
# Python is all that has to be there; Java and Maven too, for what runs on Apache Kafka.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
ARGS ?=
# Tests mostly wait: for windows, retries, workers. Each job has a broker of its own.
JOBS ?= 4
PACKAGES := producers processors deliverers console schemas kafka

.DEFAULT_GOAL := help
.PHONY: help setup demo test intakes check bench chaos kafka requirements

help: ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1\t/' | expand -t 14

setup: $(READY) ## make the virtual environment .venv (all other targets do so when needed)

$(READY): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "auditcast needs Python 3.11 or newer: make PYTHON=...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(READY) ## watch the whole pipeline run on this machine
	$(BIN)/auditcast demo $(ARGS)

test: $(READY) ## all tests; AUDITCAST_TEST_BROKER=apache|docker|HOST:PORT for another broker than the embedded one
	$(BIN)/pytest -n $(JOBS) --dist loadfile $(ARGS)

intakes: $(READY) ## deliveries to Loki and OpenSearch themselves; Go and Maven install them at first (10 minutes, 6 GB)
	$(BIN)/pytest tests/intakes/against_*.py $(ARGS)

check: $(READY) ## lint, format, types, layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(PACKAGES:%=-p auditcast.%)
	$(BIN)/lint-imports

bench: $(READY) ## what the stages cost, beside the bare parts they are made of
	@set -e; for bench in bench/[a-z]*.py; do echo "== $$bench"; $(BIN)/python $$bench $(ARGS); done

chaos: $(READY) ## harm to workers, brokers, network and receivers on Apache Kafka, and the account of what came of it
	$(BIN)/python -m tests.chaos $(ARGS)

kafka: $(READY) ## Apache Kafka in the foreground, on a free port of 127.0.0.1
	@$(BIN)/python -m auditcast.kafka.local $(ARGS)

requirements: pyproject.toml ## pin all dependencies anew, for every platform and Python; needs uv
	uv pip compile --quiet --universal --upgrade --python-version 3.11 --generate-hashes --no-header --no-annotate \
		--no-emit-index-url --no-emit-find-links --extra demo --group dev pyproject.toml -o requirements.txt
