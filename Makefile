# Commands of the collection; `make help` lists them.  PYTHON names the interpreter that builds .venv.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: help setup run test lab html figures bench gpu data ledger notebooks stale lint clean
help:  ## list these commands
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 18

setup: .venv/.installed  ## make .venv with the pinned versions
.venv/.installed: requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || { echo "error: $(PYTHON) is not Python 3.11; install it, or name one: make PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --requirement requirements.txt
	$(BIN)/python -m pip install --quiet --no-build-isolation --no-deps --editable .
	@touch $@

run: setup  ## run every notebook at quick settings, no download
	@$(BIN)/python -m cf_utils.run --settings quick

test: setup  ## lint, then all tests; every notebook is executed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m pytest -q -n auto --dist worksteal --durations 50

LAB := out/lab
lab: setup  ## open copies of the notebooks (out/lab) in JupyterLab
	$(BIN)/python -m tools.lab $(LAB)
	$(BIN)/jupyter lab --notebook-dir=. --LabApp.default_url=/lab/tree/$(LAB)/00_start_here.ipynb

html: setup  ## write the notebooks as web pages into out/html
	@$(BIN)/python -m tools.html

figures: data  ## run every notebook at full settings into notebooks/ and figures/
	$(BIN)/python -m tools.publish --settings full
	@$(MAKE) --no-print-directory ledger

data: setup  ## download MNIST and CIFAR-10 with checksums
	@$(BIN)/python -m cf_utils.data mnist cifar10

bench: setup .venv-bench/.installed  ## time against Avalanche and a plain loop
	$(BIN)/python bench/bench.py
.venv-bench/.installed: requirements-bench.txt
	$(PYTHON) -m venv .venv-bench
	.venv-bench/bin/python -m pip install --quiet --requirement requirements-bench.txt
	@touch $@

gpu: setup  ## where a CUDA device is: the tests that need one, and replicas on it
	$(BIN)/python -m pytest -q -m gpu
	$(BIN)/python bench/bench.py --gpu --data mnist-5k --repeats 3

ledger: setup  ## write index, ledger and quoted numbers into README and notebooks
	@$(BIN)/python -m tools.ledger
	@$(BIN)/python -m tools.publish --sync

notebooks: setup  ## make notebooks/*.ipynb from notebooks/percent/*.py, keeping outputs
	@$(BIN)/python -m tools.publish --sync

stale: setup  ## list notebooks whose outputs an older cf_utils made
	@$(BIN)/python -m tools.publish --stale

lint: setup  ## format, and mend what ruff can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:  ## remove what `make` made, but for data and figures
	rm -rf .venv .venv-bench out
