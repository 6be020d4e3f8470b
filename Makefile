# `make` lists what it can do. Needs python3.11 or newer with its venv module; everything else is installed into .venv*.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules

HOST = 127.0.0.1
PORT = 8080
POLICY = policies/default.yaml
UPSTREAM =
DATA =
OUT = .cache/train
BENCH = detectors overhead streaming
# More arguments for pytest (ARGS="tests/wire -x"), the benchmarks or the demo (ARGS=--json).
ARGS =

DEV := .venv/.stamp
DEMO := .venv-demo/.stamp
PRESIDIO := .venv/.presidio
TRAIN := .venv-train/.stamp

.PHONY: help demo serve test test-full check format bench bench-full train clean

help: ## list the targets
	@sed -nE 's/^([a-z-]+):[^#]*## (.*)/\1\t\2/p' $(MAKEFILE_LIST) | while IFS=$$'\t' read -r name text; do \
	    printf '  make %-10s %s\n' "$$name" "$$text"; \
	done

demo: $(DEMO) ## show what Lockgate does: an upstream, the proxy and a client, in one process
	@.venv-demo/bin/lockgate demo $(ARGS)

serve: $(DEMO) ## run the proxy: make serve UPSTREAM=http://host/v1 [POLICY=... HOST=... PORT=...]
	@if [ -z "$(UPSTREAM)" ]; then \
	    echo 'Say where the model is: make serve UPSTREAM=http://localhost:8000/v1' >&2; exit 2; \
	fi
	@exec .venv-demo/bin/lockgate serve --policy "$(POLICY)" --upstream "$(UPSTREAM)" --host "$(HOST)" --port "$(PORT)"

test: $(DEV) ## run the tests, less the slow ones
	@.venv/bin/python -m pytest -m 'not full and not train' $(ARGS)

test-full: $(PRESIDIO) $(TRAIN) ## run the slow tests, and those that need other programs (installed if allowed)
	@scripts/ci-deps
	@.venv/bin/python -m pytest -m full $(ARGS)
	@PYTHONPATH=models .venv-train/bin/python -m pytest -m train tests/models/train

check: $(DEV) ## lint, format check, types
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy

format: $(DEV) ## sort imports and format
	@.venv/bin/ruff check --select I --fix .
	@.venv/bin/ruff format .

bench: $(DEV) ## run the benchmarks and print their tables (BENCH="detectors overhead streaming")
	@for name in $(BENCH); do .venv/bin/python "benchmarks/$$name.py" $(ARGS); done

bench-full: $(DEV) $(TRAIN) ## run the benchmark of models, with PyTorch beside them
	@.venv/bin/python benchmarks/classify.py --torch .venv-train/bin/python $(ARGS)

train: $(TRAIN) ## fit the text encoder: make train [DATA=folder of labelled rows OUT=folder ARGS="--steps 2500"]
	@PYTHONPATH=models .venv-train/bin/python -m lockgate_models.train.fit --own models/lockgate-text/data \
	    $(if $(DATA),--data "$(DATA)") --out "$(OUT)" $(ARGS)

clean: ## remove the environments, caches and builds
	@rm -rf .venv .venv-demo .venv-langchain .venv-mlserver .venv-train .cache .hypothesis .mypy_cache .pytest_cache .ruff_cache build dist benchmarks/out
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(DEV): pyproject.toml scripts/constraints.txt scripts/venv
	@scripts/venv .venv dev

# Large, so only the tests that compare with it have it.
$(PRESIDIO): $(DEV)
	@echo 'Installing the extra presidio into .venv' >&2
	@PIP_CONSTRAINT=scripts/constraints.txt .venv/bin/python -m pip install -qq --disable-pip-version-check --no-input \
	    --retries 10 "$$(sed -nE 's/^presidio = \["(.*)"\]/\1/p' pyproject.toml)"
	@touch $@

# PyTorch would put its own pins beside ours, so what trains has an environment of its own.
$(TRAIN): scripts/train-requirements.txt
	@echo 'Installing what trains into .venv-train' >&2
	@rm -rf .venv-train
	@"$${PYTHON:-python3.11}" -m venv .venv-train
	@.venv-train/bin/python -m pip install -qq --disable-pip-version-check --no-input --retries 10 -r $<
	@touch $@

$(DEMO): pyproject.toml scripts/constraints.txt scripts/venv
	@scripts/venv .venv-demo demo
