# Two commands do all the set-up: `make demo` shows the main job, `make test` passes the tests.
# PYTHON chooses the interpreter, VENV the place of the environment made from it.

PYTHON ?= python3
VENV ?= .venv
RUN = $(VENV)/bin/python
# Processes that run tests; two for each core, since tests wait for much of their time.
WORKERS ?= $(shell echo $$((2 * $$(getconf _NPROCESSORS_ONLN))))
# A file stays with one process, as long as none is idle: what its tests share is made once.
PYTEST = -m pytest --numprocesses=$(WORKERS) --dist=worksteal
# Without a GIL aioquic and the peers of the benchmarks cannot be installed; the tests do without.
FREE_THREADED = $(RUN) -c 'import sys, sysconfig; sys.exit(not sysconfig.get_config_var("Py_GIL_DISABLED"))'
# What is tested: `make test TESTS=tests/streams` runs the tests of one room.
TESTS ?= tests
# What looks at the code is kept apart from what runs it.
CHECK = $(VENV)-check
# LOWEST=1: with the lowest versions that pyproject.toml allows of what uvnet is built with and runs on.
LOWEST ?=
ifneq ($(LOWEST),)
export PIP_CONSTRAINT = $(CURDIR)/build/lowest.txt
endif

SOURCES = setup.py pyproject.toml docs/stub_docstrings.py $(shell find src include -name '*.py' -o -name '*.pyx' -o -name '*.pxd' -o -name '*.h' -o -name '*.pyi' -o -name py.typed)

MODULES = $(words $(filter %.pyx,$(SOURCES)))

.PHONY: build demo test test-debug test-sanitized check lint types wheels-check release-check docs bench clean

build: $(VENV)/.built $(VENV)/.equipped

build/lowest.txt: pyproject.toml tests/support/lowest.py
	@mkdir -p build
	@$(PYTHON) tests/support/lowest.py >$@

# What compiles and what runs: the demo needs no more. Of Cython's own files few are used: Python compiles those.
$(VENV)/.created: $(if $(LOWEST),build/lowest.txt)
	@echo '==> Making $(VENV), with Cython, setuptools and uvloop'
	@$(PYTHON) -m venv $(VENV)
	@$(RUN) -m pip install --quiet --no-compile 'setuptools>=77.0.1' 'Cython>=3.2,<4' uvloop
	@touch $@

$(VENV)/.built: $(VENV)/.created $(SOURCES)
	@echo '==> Compiling $(MODULES) modules, first with Cython, then as C: half a minute on two cores'
	@$(RUN) -m pip install --quiet --no-build-isolation --no-compile --no-deps --force-reinstall .
	@touch $@

# What tests and benchmarks need.
$(VENV)/.equipped: $(VENV)/.created
	@echo '==> Installing into $(VENV) what tests and benchmarks need'
	@$(RUN) -m pip install --quiet --upgrade 'pip>=25.1'
	@if $(FREE_THREADED); then $(RUN) -m pip install --quiet --only-binary hypothesis --group test-least; \
		else $(RUN) -m pip install --quiet --group test --group bench; fi
	@touch $@

demo: $(VENV)/.built
	@echo '==> Running examples/demo.py'
	@$(RUN) examples/demo.py

test: demo build
	@echo '==> Running the tests in $(WORKERS) processes'
	@$(RUN) $(PYTEST) $(TESTS)

test-debug:
	UVNET_DEBUG=1 $(MAKE) VENV=.venv-debug build
	.venv-debug/bin/python -X dev $(PYTEST) $(TESTS)

test-sanitized:
	UVNET_SANITIZE=1 $(MAKE) VENV=.venv-sanitized build
	tests/run_sanitized.sh .venv-sanitized/bin/python --numprocesses=$(WORKERS) $(TESTS)

$(CHECK)/.created: pyproject.toml
	$(PYTHON) -m venv $(CHECK)
	$(CHECK)/bin/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(CHECK)/bin/python -m pip install --quiet --group lint --group types
	touch $@

check: lint types

lint: $(CHECK)/.created
	$(CHECK)/bin/ruff check src tests bench examples docs setup.py
	PATH=$(CURDIR)/$(CHECK)/bin:$$PATH cython-lint src
	$(CHECK)/bin/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(CHECK)/bin/zizmor --offline --no-progress --quiet .github
	.github/actionlint.sh $(CHECK)/actionlint

types: $(CHECK)/.created build
	$(CHECK)/bin/mypy --python-executable $(RUN) --package uvnet
	$(CHECK)/bin/mypy --python-executable $(RUN) tests/typing examples
	$(CHECK)/bin/mypy --config-file= --check-untyped-defs --python-executable $(RUN) \
		$$($(RUN) tests/support/documented_programs.py build/documented)
	$(CHECK)/bin/basedpyright --pythonpath $(RUN)
	PYTHONPATH=$$($(RUN) -c 'import sysconfig; print(sysconfig.get_path("platlib"))') $(CHECK)/bin/stubtest \
		--mypy-config-file pyproject.toml --allowlist tests/typing/stubtest_allowed.txt uvnet

# WHEELS=ends: of the oldest and the newest CPython alone; WHEELS="3.11 3.12": of these.
wheels-check: $(VENV)/.created
	$(RUN) tests/wheels/check.py $(WHEELS)

$(VENV)-release/.created: pyproject.toml
	$(PYTHON) -m venv $(VENV)-release
	$(VENV)-release/bin/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(VENV)-release/bin/python -m pip install --quiet --group release
	touch $@

# Everything of a release but publishing it: two builds, and what can be found wrong with them.
release-check: $(VENV)-release/.created
	$(VENV)-release/bin/python tests/wheels/release.py

$(VENV)/.documenting: $(VENV)/.created pyproject.toml
	$(RUN) -m pip install --quiet --group docs
	touch $@

docs: build $(VENV)/.documenting
	$(RUN) docs/rooms.py
	$(RUN) docs/platforms.py
	$(RUN) -m sphinx -q -W --keep-going --fresh-env docs build/docs
	@echo "the documentation is in build/docs/index.html"

bench: build
	$(RUN) -m bench

clean:
	rm -rf .venv .venv-* build dist src/*.egg-info .pytest_cache .hypothesis .mypy_cache .ruff_cache
	find src -name '*.so' -delete
