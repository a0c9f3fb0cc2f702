"""In processes of their own: what the system refuses to send waits, goes otherwise, or is lost and told; and fork."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from places import ISOLATED, SUPPORT

import uvnet

PACKAGE_PARENT = Path(uvnet.__file__).parent.parent
COMPILER = shutil.which(os.environ.get("CC", "cc"))



@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if COMPILER is None or sys.platform != "linux":
        pytest.skip("needs a C compiler and LD_PRELOAD")
    built = tmp_path_factory.mktemp("shim") / "failing_sendmsg.so"
    source = str(ISOLATED / "failing_sendmsg.c")
    subprocess.run([COMPILER, "-shared", "-fPIC", source, "-o", str(built), "-ldl"], check=True, timeout=60)
    return built


def run(script: str, argument: str, loaded: str = "") -> str:
    environment = {**os.environ, "PYTHONPATH": f"{PACKAGE_PARENT}{os.pathsep}{SUPPORT}"}
    if loaded:
        environment["LD_PRELOAD"] = f"{os.environ.get('LD_PRELOAD', '')} {loaded}".strip()
    done = subprocess.run(
        [sys.executable, str(ISOLATED / script), argument],
        capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL, env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("what", ["waits", "cannot_be_cut_up", "is_full"])
def test_what_is_refused(shim: Path, what: str) -> None:
    assert run("failing_sendmsg.py", what, str(shim)) == "done\n"


@pytest.mark.parametrize("where", ["coroutine", "callback"])
def test_a_child_leaves_it_to_its_parent(where: str) -> None:
    assert run("fork_datagrams.py", where) == "0\ndone\n"
