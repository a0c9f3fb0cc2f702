# Two commands do all the set-up: `make demo` shows the main job, `make test` passes the tests.
# PYTHON chooses the interpreter, VENV the place of the environment made from it.

PYTHON ?= python3
VENV ?= .venv
RUN = $(VENV)/bin/python

SOURCES = setup.py pyproject.toml $(shell find src include -name '*.py' -o -name '*.pyx' -o -name '*.pxd' -o -name '*.h' -o -name '*.pyi')

.PHONY: build demo test test-debug test-sanitized bench clean

build: $(VENV)/.built

$(VENV)/.created:
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --upgrade 'pip>=25.1'
	$(RUN) -m pip install --quiet --group test --group bench 'setuptools>=77' 'Cython>=3.2,<4'
	touch $@

$(VENV)/.built: $(VENV)/.created $(SOURCES)
	$(RUN) -m pip install --quiet --no-build-isolation --no-deps --force-reinstall .
	$(RUN) -m pip install --quiet uvloop
	touch $@

demo: build
	$(RUN) examples/demo.py

test: demo
	$(RUN) -m pytest

test-debug:
	UVNET_DEBUG=1 $(MAKE) VENV=.venv-debug build
	.venv-debug/bin/python -X dev -m pytest

test-sanitized:
	UVNET_SANITIZE=1 $(MAKE) VENV=.venv-sanitized build
	tests/run_sanitized.sh .venv-sanitized/bin/python

bench: build
	$(RUN) -m bench

clean:
	rm -rf .venv .venv-* build dist src/*.egg-info .pytest_cache .hypothesis
	find src -name '*.so' -delete
