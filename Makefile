# The two commands: `make demo` and `make test`. Another interpreter: `make PYTHON=python3.13 test`
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.complete

# What makes a release, in an environment of its own
RELEASE_TOOLS := build==1.6.1 cyclonedx-bom==7.5.0
RELEASE := build/release

.PHONY: help setup demo test quick coverage check release clean
.DEFAULT_GOAL := help

help:
	@echo "make demo   set up, train on 1.4 million real purchases, open a shop at http://127.0.0.1:8000"
	@echo "make test   set up, lint, check types, run every test"
	@echo "make quick  the tests that start no server and train no shop, under a minute"
	@echo "make check  set up, lint and check types alone"
	@echo "make coverage  every test, and which lines none of them runs"
	@echo "make release  wheel, source, bill of materials (CycloneDX) and SHA256SUMS, in dist/"
	@echo "make clean  remove what the commands made"

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Regulars needs Python 3.11 or newer; $(PYTHON) is older. Try: make PYTHON=python3.12 setup"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' \
		|| { echo "$(PYTHON) has no venv module. On Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[training,postgres,telemetry,demo,dev]'
	@$(BIN)/python -W ignore -c 'import implicit.cpu.als' \
		|| { echo "implicit needs the OpenMP runtime. On Debian and Ubuntu: apt-get install libgomp1"; exit 1; }
	@touch $@

demo: setup
	$(BIN)/python -m benchmarks.datasets complete_journey --end-yesterday --output data/complete_journey
	$(BIN)/regulars train --purchases data/complete_journey/purchases.parquet \
		--products data/complete_journey/products.parquet --registry registry
	$(BIN)/regulars insights --only customers --registry registry --purchases data/complete_journey/purchases.parquet
	@echo "Open the shop at http://127.0.0.1:8000 in a browser. The API: http://127.0.0.1:8000/docs, or"
	@echo "curl 'http://127.0.0.1:8000/v1/customers/2034/recommendations?n=3'"
	@echo "What was behind each slate, and how to steer them: http://127.0.0.1:8000/console"
	REGULARS_DEMO=true REGULARS_CONSOLE=true $(BIN)/regulars serve

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: check
	$(BIN)/python -m pytest -n 2 --dist loadfile

quick: setup
	$(BIN)/python -m pytest -q -n 2 --dist loadfile -m "not slow"

coverage: setup
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -n 2 --dist loadfile
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

# The bill names what a host gets that installs the wheel with these constraints, and nothing else
release:
	rm -rf dist $(RELEASE)
	$(PYTHON) -m venv $(RELEASE)/tools
	$(RELEASE)/tools/bin/python -m pip install --quiet --disable-pip-version-check $(RELEASE_TOOLS)
	$(RELEASE)/tools/bin/python -m build --outdir dist .
	$(PYTHON) -m venv --without-pip $(RELEASE)/installed
	$(RELEASE)/tools/bin/python -m pip --python $(RELEASE)/installed/bin/python install --quiet \
		--disable-pip-version-check -c constraints.txt "$$(echo dist/*.whl)[training,postgres,telemetry]"
	$(RELEASE)/tools/bin/cyclonedx-py environment $(RELEASE)/installed --pyproject pyproject.toml \
		--output-reproducible --output-format JSON --output-file dist/regulars.cdx.json
	cd dist && sha256sum * > SHA256SUMS && sha256sum --check --quiet SHA256SUMS

clean:
	rm -rf $(VENV) build dist data registry .coverage* .mypy_cache .pytest_cache .ruff_cache .hypothesis *.egg-info
