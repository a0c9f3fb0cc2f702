"""accept(2) that fails: what is no error, and how often is told of what is one (rule 1.8).

The failures are those of a small library that is loaded before the C library.
"""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from places import ISOLATED

import uvnet

COMPILER = shutil.which(os.environ.get("CC", "cc"))

pytestmark = [
    pytest.mark.skipif(COMPILER is None, reason="no C compiler (Debian package gcc)"),
    pytest.mark.skipif(sys.platform != "linux", reason="LD_PRELOAD and accept4() are of Linux"),
]

OVER = ["ECONNABORTED", "EPROTO"]
TROUBLE = ["ENOBUFS", "ENOMEM", "EPERM", "ENETDOWN", "EHOSTUNREACH", "EINVAL"]


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    built = tmp_path_factory.mktemp("shim") / "failing_accept.so"
    assert COMPILER is not None
    source = str(ISOLATED / "failing_accept.c")
    subprocess.run([COMPILER, "-shared", "-fPIC", source, "-o", str(built), "-ldl"], check=True, timeout=60)
    return built


def play(shim: Path, name: str, times: int, heard: str) -> Any:
    """What the client received, the errors that were told, the seconds between them, and the calls of accept()."""
    loaded = f"{os.environ.get('LD_PRELOAD', '')} {shim}".strip()
    done = subprocess.run(
        [sys.executable, str(ISOLATED / "failing_accept.py"), name, str(times), heard],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "LD_PRELOAD": loaded, "PYTHONPATH": str(Path(uvnet.__file__).parent.parent)},
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("times", [1, 100])
@pytest.mark.parametrize("name", OVER)
def test_a_connection_that_is_over_already_is_no_error(shim: Path, name: str, times: int) -> None:
    received, told, _, calls = play(shim, name, times, "heard")
    assert (received, told) == ("served", [])
    assert calls > times


@pytest.mark.parametrize("name", TROUBLE)
def test_one_failure_is_told_at_once(shim: Path, name: str) -> None:
    """And accepting goes on."""
    received, told, _, _ = play(shim, name, 1, "heard")
    assert (received, told) == ("served", [f"[Errno {getattr(errno, name)}] accept {name}"])


@pytest.mark.parametrize("heard", ["heard", "unheard"])
def test_failures_that_go_on_are_told_once_a_second(shim: Path, heard: str) -> None:
    """Each time with how many there were, to 'error' or in the log."""
    received, told, gaps, calls = play(shim, "ENOBUFS", -1, heard)
    assert received == "served"
    assert len(told) == 3 and all(0.99 < gap for gap in gaps)
    counts = [int(re.search(r"\((\d+) times since", text)[1]) for text in told[1:]]  # type: ignore[index]
    assert "times" not in told[0] and all(count > 1 for count in counts)
    # Every failure was told of, and after each there was a pause.
    assert 1 + sum(counts) <= calls <= 2 + sum(counts) + 1
    assert all(count <= gap / 0.04 for count, gap in zip(counts, gaps, strict=True))
