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
FORM = text
OUT = .cache/train
BENCH = detectors overhead streaming
# More arguments for pytest (ARGS="tests/wire -x"), the benchmarks or the demo (ARGS=--json).
ARGS =

DEV := .venv/.stamp
DEMO := .venv-demo/.stamp
PRESIDIO := .venv/.presidio
TRAIN := .venv-train/.stamp

MODEL = models/lockgate-$(FORM)
STEP = PYTHONPATH=models .venv-train/bin/python -m lockgate_models.train
ROWS = --own $(MODEL)/data $(if $(DATA),--data "$(DATA)")
HEADS_text = injection,indirect,harm,toxicity,bias,refusal,advice
HEADS_pair = harm,refusal
HEADS_honesty = groundedness,sycophancy,hedging,unanswerable,false_premise

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

# Goes on where it stopped: fit and export keep what they have done in OUT. Calibration and figures go through the product
# itself, so these steps run in its environment.
train: $(TRAIN) $(DEV) ## from data to the files that ship: make train [DATA=folder of labelled rows FORM=pair|honesty OUT=folder]
	@$(STEP).fit --form $(FORM) $(ROWS) --out "$(OUT)/$(FORM)" \
	    $(if $(filter pair,$(FORM)),--start "$(OUT)/text/checkpoint.pt") $(ARGS)
	@$(STEP).export --form $(FORM) $(ROWS) --fit "$(OUT)/$(FORM)" --out $(MODEL)
	@$(STEP).manifest --fit "$(OUT)/$(FORM)" --model $(MODEL)
	@if [ $(FORM) = text ]; then $(STEP).parity $(ROWS) --fit "$(OUT)/$(FORM)" --model $(MODEL); fi
	@for split in calibration dev; do \
	    $(STEP).split --form $(FORM) $(ROWS) --split $$split --out "$(OUT)/$(FORM)/$$split.jsonl.gz"; \
	done
	@.venv/bin/lockgate score "$(OUT)/$(FORM)/calibration.jsonl.gz" --heads $(HEADS_$(FORM)) --out "$(OUT)/$(FORM)/scores.jsonl.gz"
	@$(STEP).freeze --scores "$(OUT)/$(FORM)/scores.jsonl.gz" --labels "$(OUT)/$(FORM)/calibration.jsonl.gz" \
	    --model $(MODEL) --report "$(OUT)/$(FORM)/freeze.json"
	@.venv/bin/lockgate eval "$(OUT)/$(FORM)/dev.jsonl.gz" --json "$(OUT)/$(FORM)/eval.json"
	@$(STEP).card $(ROWS) --model $(MODEL) --fit "$(OUT)/$(FORM)" --eval "$(OUT)/$(FORM)/eval.json"

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
