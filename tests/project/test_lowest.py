"""The lowest versions that pyproject.toml allows: what `make LOWEST=1` installs, and where it is used."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import textwrap

import pytest
from lowest import lowest
from places import ROOT

DECLARED = (ROOT / "pyproject.toml").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()


def test_what_is_built_with_and_run_on_is_held_to_its_lower_bound() -> None:
    assert [line.partition("==")[0] for line in lowest(DECLARED)] == [
        "Cython",
        "aioquic",
        "prometheus_client",
        "setuptools",
        "uvloop",
    ]
    for line in lowest(DECLARED):
        assert f'"{line.replace("==", ">=")}' in DECLARED


def test_tools_of_tests_are_not_held() -> None:
    text = """
        [build-system]
        requires = ["Cython>=3,<4"]
        build-backend = "none>=1"

        [project]
        dependencies = [
            "uvloop>=0.9; python_version >= '3.11'",
            "unbounded",
        ]
        keywords = ["word>=1"]

        [project.optional-dependencies]
        more = ["this[that]>=2.1"]

        [dependency-groups]
        test = ["pytest>=8"]
        """
    assert lowest(textwrap.dedent(text)) == ["Cython==3", "this==2.1", "uvloop==0.9"]


def test_the_makefile_builds_with_what_is_declared() -> None:
    declared = re.search(r'^requires = \["(.*)"\]$', DECLARED, re.MULTILINE)
    assert declared is not None
    for requirement in declared[1].split('", "'):
        assert f"'{requirement}'" in MAKEFILE


def dry_run(*arguments: str) -> str:
    # An outer make must not tell this one what its own variables are.
    environment = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MFLAGS", "LOWEST")}
    command = ["make", "--dry-run", "VENV=.venv-nowhere", f"PYTHON={sys.executable}", *arguments, "build"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout


@pytest.mark.skipif(shutil.which("make") is None, reason="no make")
def test_constraints_are_written_only_when_asked_for() -> None:
    for made, arguments in ((True, ["LOWEST=1", "--always-make"]), (False, ["--always-make"])):
        assert ("tests/support/lowest.py >build/lowest.txt" in dry_run(*arguments)) is made


def test_continuous_integration_tests_them() -> None:
    assert "LOWEST=1 test-debug" in (ROOT / ".ci" / "run").read_text()
