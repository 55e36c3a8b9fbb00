# Needs Python 3.11 or newer and make; each target installs what it needs into .venv. `make help` lists the targets.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -q install -c constraints.txt
HASHED := $(BIN)/python -m pip --disable-pip-version-check -q install --no-deps --require-hashes
OLDEST := $(VENV)-oldest
RELEASE := $(VENV)-release
LOCK := $(BIN)/uv pip compile -q pyproject.toml --universal --python-version 3.11 -c constraints.txt --generate-hashes \
  --no-annotate --custom-compile-command "make lock" $(UPGRADE)
# Where PyTorch comes from, if not from PyPI: make test TORCH_INDEX=https://download.pytorch.org/whl/cpu
TORCH_INDEX ?=
SERVING := .serving
SEED := web/seed-models
FAULTS := PYTHONPATH=tests $(BIN)/python -m faults
PARALLEL := -n auto --maxprocesses 4 --dist worksteal

.PHONY: help demo test coverage fuzz faults test-oldest test-arm check lint types format docs docs-serve examples \
  clients serving web lock gpu-check gpu-pack audit release clean
.DEFAULT_GOAL := help

help:  ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' Makefile

demo: $(VENV)/demo-ready  ## Draw demo/five.png
	mkdir -p demo
	$(BIN)/mnistgen-run --model cgan --digit 5 --out demo/five.png

test: $(VENV)/test-ready  ## Run all tests
	$(BIN)/python -m pytest $(PARALLEL)

coverage: $(VENV)/test-ready  ## Run all tests and print the coverage of each package
	$(BIN)/python -m pytest $(PARALLEL) --cov --cov-report=term

fuzz: $(VENV)/test-ready  ## Read random and damaged files for 20 minutes (Linux; uses the network)
	$(PIP) atheris==3.0.0
	MNISTGEN_FUZZ=fuzz $(BIN)/python -m pytest $(PARALLEL) tests/test_fuzz.py tests/test_fuzz_training.py
	$(FAULTS).model_storm 10000
	for target in picture record manifest model; do $(FAULTS).guided_fuzz $$target 150 || exit 1; done

faults: $(VENV)/test-ready  ## Interrupt, starve and race commands for 5 minutes (Linux)
	$(FAULTS).interrupt_storm 160
	$(FAULTS).dataset_race 250
	$(FAULTS).file_race 40
	$(FAULTS).fork_storm 150
	$(FAULTS).power_loss 10000
	$(FAULTS).limit_sweep 10
	$(FAULTS).full_disk

test-oldest: $(OLDEST)/ready  ## Test the runtime with the oldest supported packages (downloads them)
	$(OLDEST)/bin/python -m pytest $$(grep -LE '^(from|import) (torch|training|export|onnx)' tests/test_*.py)

test-arm: $(BIN)/python  ## Test the runtime on emulated 64-bit ARM processors (Debian; uses the network)
	PYTHONPATH=tests $(BIN)/python -m arm.emulate

check: lint types coverage  ## Run lint, types and tests

lint: $(VENV)/test-ready  ## Run ruff's linter and formatter without changing files
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/test-ready  ## Run mypy
	$(BIN)/mypy

format: $(VENV)/test-ready  ## Fix formatting and fixable lint findings
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Hides Material's banner about its end of life, which CONTRIBUTING.md (Dependencies) covers.
docs docs-serve: export NO_MKDOCS_2_WARNING = 1

docs: $(VENV)/test-ready  ## Build the documentation into site/
	$(BIN)/python -m mkdocs build

docs-serve: $(VENV)/test-ready  ## Serve the documentation and rebuild it on changes
	$(BIN)/python -m mkdocs serve

# Without these packages, the tests of examples/ are skipped.
examples: $(VENV)/test-ready  ## Install what the examples need, and test them (uses the network)
	$(PIP) -e . flask nbclient ipykernel ipywidgets pyinstaller
	$(BIN)/python -m pytest tests/test_examples.py

# Without these packages, two tests of the server are skipped.
clients: $(VENV)/test-ready  ## Test the server with schemathesis and a client of Triton (uses the network)
	$(PIP) schemathesis==4.32.5 'tritonclient[http]==2.73.0'
	$(BIN)/python -m pytest tests/test_serve_openapi.py tests/test_serve_v2.py

# PyTriton needs NumPy 1, and KServe an older protobuf than the checks. The first test starts PyTriton's own Triton server.
serving: $(VENV)/test-ready $(SERVING)/ready  ## Test Triton, PyTriton, KServe and the Kubernetes files (Linux; uses the network)
	$(BIN)/python -m export.triton $(SERVING)/models
	$(SERVING)/pytriton/bin/python tests/triton_server.py $(SERVING)/models
	$(SERVING)/pytriton/bin/python -m pytest tests/test_serving_examples.py
	$(SERVING)/kserve/bin/python -m pytest tests/test_serving_examples.py tests/test_triton_config.py
	$(SERVING)/kserve/bin/python -m pytest tests/test_kubernetes.py

web: web/node_modules/ready $(SEED)/manifest.json  ## Build and test the npm package and the demo page (Node.js, Chromium)
	npm --prefix web run build
	npm --prefix web run lint
	npm --prefix web test

gpu-check: $(VENV)/test-ready  ## Check digits, speed and training on a GPU; without one, the steps are skipped
	$(BIN)/python -m export.gpu_check

gpu-pack: $(VENV)/test-ready  ## Pack the GPU check for a machine without a network (downloads 300 MB)
	PYTHON=$(BIN)/python export/gpu_check/pack.sh

# To also upgrade the packages that constraints.txt does not list: make lock UPGRADE=--upgrade
lock: $(BIN)/python  ## Resolve all dependencies again, with hashes, into requirements/ (uses the network)
	$(PIP) uv
	$(LOCK) --extra cpu -o requirements/cpu.txt
	$(LOCK) --extra dev --no-emit-package torch --no-emit-package torchvision -o requirements/dev.txt
	$(LOCK) --group release -o requirements/release.txt

audit: $(RELEASE)/ready  ## Look up known vulnerabilities of the pinned packages (uses the network)
	$(RELEASE)/bin/pip-audit --strict --disable-pip --require-hashes -r requirements/cpu.txt
	$(RELEASE)/bin/pip-audit --strict --disable-pip --require-hashes -r requirements/dev.txt

release: $(RELEASE)/ready  ## Build and check a release in dist/, and list what to upload (uses the network)
	.ci/release $(RELEASE)/bin/python

web/node_modules/ready: web/package-lock.json
	npm ci --prefix web
	touch $@

# The models of the seed recipe, which the demo page compares with those that ship.
$(SEED)/manifest.json: $(VENV)/test-ready artifacts/weights/seed/*.safetensors artifacts/references.json
	mkdir -p $(SEED)/weights
	cp artifacts/weights/seed/*.safetensors $(SEED)/weights
	$(BIN)/python -m export.onnx --model vae --model gan --model cgan --artifacts $(SEED)
	rm -r $(SEED)/weights
	cp artifacts/references.json $(SEED)

clean:  ## Remove the environments and everything built
	rm -rf $(VENV) $(OLDEST) $(RELEASE) $(SERVING) .arm demo dist site .coverage web/dist web/models web/types web/node_modules $(SEED)

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/demo-ready: $(BIN)/python pyproject.toml requirements/cpu.txt
	$(HASHED) -r requirements/cpu.txt
	$(PIP) --no-deps -e .
	touch $@

# requirements/*.txt hold the hash of every package but PyTorch and torchvision, which have another build for each kind
# of computer. The wheelhouse lets a test install the wheel without a network.
$(VENV)/test-ready: $(BIN)/python pyproject.toml constraints.txt requirements/dev.txt requirements/cpu.txt
	@echo "Installing PyTorch and requirements/dev.txt into $(VENV), for the first time or after a change:" \
	  "2 GB, more with CUDA, and several minutes. Then all tests take about 5 minutes on two cores."
	$(HASHED) -r requirements/dev.txt
	$(PIP) torch torchvision $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX))
	$(PIP) --no-deps --no-build-isolation -e .
	$(BIN)/python -m pip --disable-pip-version-check -q download --require-hashes -r requirements/cpu.txt -d $(VENV)/wheelhouse
	touch $@

$(RELEASE)/ready: requirements/release.txt
	$(PYTHON) -m venv --clear $(RELEASE)
	$(RELEASE)/bin/python -m pip --disable-pip-version-check -q install --no-deps --require-hashes -r $<
	touch $@

$(SERVING)/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv --clear $(SERVING)/pytriton
	$(SERVING)/pytriton/bin/python -m pip --disable-pip-version-check -q install -e '.[cpu]' pytest nvidia-pytriton==0.7.0 'numpy<2'
	$(PYTHON) -m venv --clear $(SERVING)/kserve
	$(SERVING)/kserve/bin/python -m pip --disable-pip-version-check -q install -c constraints.txt -e '.[cpu,serve]' pytest \
	  kserve==0.21.0 'tritonclient[http,grpc]==2.73.0' kubernetes-validate==1.37.0 onnx onnxscript
	touch $@

$(OLDEST)/ready: pyproject.toml
	$(PYTHON) -m venv --clear $(OLDEST)
	$(OLDEST)/bin/python -m pip --disable-pip-version-check -q install -e '.[cpu]' pytest sybil hypothesis hatchling \
	  $$($(OLDEST)/bin/python -c "import tomllib; \
	  project = tomllib.load(open('pyproject.toml', 'rb'))['project']; \
	  bounds = project['dependencies'] + project['optional-dependencies']['cpu']; \
	  print(*(bound.split(',')[0].replace('>=', '==') for bound in bounds))")
	touch $@
