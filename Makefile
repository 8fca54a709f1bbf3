# make serve, make test, make lint: each creates what it needs and runs. All that has to be there is make and Python.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

QUICK := tests/cli tests/config tests/core tests/dialects tests/markup tests/origins tests/scripts tests/store \
	tests/test_errors.py tests/test_layers.py tests/test_parsers.py tests/test_readme.py tests/web/test_http1.py \
	tests/web/test_proxies.py tests/web/test_responses.py tests/web/test_router.py \
	imgcdn/core imgcdn/dialects imgcdn/errors.py imgcdn/markup

SECONDS ?= 60

# A run of the tests starts hundreds of Pythons. Where this variable is set, each would compile the package again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: serve quick test full lint format mutate fuzz release-check audit constraints clean
.DEFAULT_GOAL := serve

serve: $(VENV)/.run-stamp  ## Serve sample_images; more after ARGS=, as in ARGS="--bind 0.0.0.0:8000 photos"
	@$(BIN)/imgcdn serve $(ARGS)

quick: $(VENV)/.test-stamp  ## The tests that start no service and sweep no encoder: under a minute
	@$(BIN)/python -m pytest --numprocesses=auto $(QUICK) $(ARGS)

test: $(VENV)/.test-stamp  ## All tests; a choice of them after ARGS=, as in ARGS="tests/core -k crop"
	@$(BIN)/python -m pytest --numprocesses=auto --dist=loadfile --no-loadscope-reorder $(ARGS)

full: test release-check  ## All of it: the tests, a round of mutation testing, and the package in an environment of its own
	@$(BIN)/python -m scripts.mutate --count 40 --seed $$(date +%j)

mutate: $(VENV)/.test-stamp  ## Change the code, and see whether the tests notice; ARGS="--room core --count 100"
	@$(BIN)/python -m scripts.mutate $(ARGS)

fuzz: $(VENV)/.test-stamp  ## Inputs that nobody thought of, for SECONDS (60) for each target; ARGS="--target bytes --seed 7"
	@$(BIN)/python -m scripts.fuzz --seconds $(SECONDS) $(ARGS)

lint: $(VENV)/.lint-stamp  ## Formatting, lint and types
	@$(BIN)/ruff format --check
	@$(BIN)/ruff check
	@$(BIN)/mypy

format: $(VENV)/.lint-stamp  ## Rewrite the code in the house's format
	@$(BIN)/ruff format
	@$(BIN)/ruff check --fix

release-check: $(VENV)/.test-stamp  ## Changelog, sdist, wheel, and the wheel in an environment of its own
	@$(PIP) install --constraint constraints.txt build
	@$(BIN)/python -m scripts.release_check wheel
	@# One shell, so that the environment is removed after a failure, too.
	@trap 'rm -rf $(VENV)-release' EXIT; trap 'exit 1' HUP INT TERM; rm -rf $(VENV)-release; \
		$(PYTHON) -m venv $(VENV)-release && \
		$(VENV)-release/bin/python -m pip --disable-pip-version-check --quiet install dist/imgcdn-$$($(BIN)/python -c 'import imgcdn; print(imgcdn.__version__)')-*.whl && \
		$(BIN)/python -m scripts.release_check serve $(VENV)-release/bin

audit: $(VENV)/.created-stamp  ## Known flaws of the pinned dependencies; needs the network
	@test -x $(VENV)-audit/bin/pip-audit || { $(PYTHON) -m venv $(VENV)-audit && \
		$(VENV)-audit/bin/python -m pip --disable-pip-version-check --quiet install pip-audit; } || { \
		echo "make audit: pip-audit cannot be installed; this needs the network" >&2; exit 1; }
	@$(BIN)/python -m scripts.audit $(VENV)-audit/bin/pip-audit

constraints: $(VENV)/.created-stamp  ## Pin the newest versions that pyproject.toml admits
	@rm -rf $(VENV)-newest && $(PYTHON) -m venv $(VENV)-newest
	@$(VENV)-newest/bin/python -m pip install --quiet --upgrade pip
	@$(VENV)-newest/bin/python -m pip install --quiet '.[dev]'
	@$(VENV)-newest/bin/python -m pip freeze --all --exclude pip --exclude imgcdn > constraints.txt
	@rm -rf $(VENV)-newest

clean:  ## Remove what these commands made
	rm -rf $(VENV) $(VENV)-audit build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

# One stamp for each set of packages, so that serving does not wait for linters and a second run installs nothing.
$(VENV)/.run-stamp: $(VENV)/.created-stamp pyproject.toml constraints.txt
	@echo "Installing imgcdn into $(VENV) ..."
	@$(PIP) install --constraint constraints.txt --editable .
	@touch $@

$(VENV)/.test-stamp: $(VENV)/.created-stamp pyproject.toml constraints.txt
	@echo "Installing imgcdn and what its tests need into $(VENV) ..."
	@$(PIP) install --constraint constraints.txt --editable '.[test]'
	@touch $@ $(VENV)/.run-stamp

$(VENV)/.lint-stamp: $(VENV)/.created-stamp pyproject.toml constraints.txt
	@echo "Installing imgcdn, its tests' needs and the linters into $(VENV) ..."
	@$(PIP) install --constraint constraints.txt --editable '.[lint]'
	@touch $@ $(VENV)/.run-stamp $(VENV)/.test-stamp

# Each way in which this can fail gets a sentence: what is missing and the one command that brings it.
$(VENV)/.created-stamp:
	@command -v $(PYTHON) >/dev/null || { \
		echo "make: there is no $(PYTHON). Install it (sudo apt install python3 python3-venv), or name one: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "make: imgcdn needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V 2>&1). Name a newer one: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
		echo "make: $(PYTHON) cannot create virtual environments. Install that part: sudo apt install python3-venv" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@touch $@
