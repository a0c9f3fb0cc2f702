"""Workers that hang, die, have nothing to work with, or are left alone: what becomes of connections and of what was open."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import uvnet
from uvnet import cluster

PROGRAM = Path(__file__).parent / "programs" / "trouble.py"
PACKAGE_PARENT = Path(uvnet.__file__).parent.parent

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


def played(scene: str, code: int = 0, **environment: str) -> Any:
    done = subprocess.run(
        [sys.executable, PROGRAM, scene], capture_output=True, text=True, timeout=90, check=False,
        env={**os.environ, "PYTHONPATH": str(PACKAGE_PARENT), **environment}, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (code, "")
    return json.loads(done.stdout)


def test_the_least_loaded_of_four_gets_nearly_as_much() -> None:
    counts = played("sharing")
    assert len(counts) == 4
    assert counts[0] >= 0.9 * sum(counts) / 4


def test_what_was_dealt_to_one_that_hangs_goes_to_another() -> None:
    assert played("stopped") == {"2": 40}


def test_who_is_out_of_descriptors_is_dealt_around() -> None:
    answers = played("poor")
    assert sum(answers.values()) == 20
    assert answers["2"] >= 15


def test_who_was_out_of_descriptors_is_dealt_to_again() -> None:
    told = played("recovers")
    assert told["at first"] < 6
    assert told["answers"] == ["1"] * 6


def test_nothing_is_left_of_workers() -> None:
    assert played("crowd") == {"more": 0, "zombies": False, "sockets": 0}


def test_a_worker_that_leaves_finishes_what_it_has() -> None:
    told = played("late")
    assert told == {"message": "Channel closed", "connected": True, "refused": True, "exit": [0, None]}


def test_the_file_of_a_killed_worker(tmp_path: Path) -> None:
    assert played("path", SOCKET=str(tmp_path / "socket")) == {"there": True, "afterwards": False}


@pytest.mark.parametrize("scene", ["orphans", "hanging"])
def test_workers_whose_primary_is_killed_end(scene: str) -> None:
    pids = played(scene, code=-9)
    # Within a second; a busy machine may take longer.
    deadline = time.monotonic() + 30
    while pids and time.monotonic() < deadline:
        time.sleep(0.01)
        for pid in list(pids):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                if "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text():
                    continue
            pids.remove(pid)
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    assert pids == []


def test_listeners_that_raise_keep_nothing_from_others() -> None:
    told = played("listening")
    assert told["told"] == ["online", "listening", "disconnect", "exit"]
    assert told["reported"] == ["no such luck"] * 4


def test_a_worker_without_a_descriptor_for_its_socket() -> None:
    told = played("descriptors")
    assert told["message"][0] == errno.EMFILE
    assert told["sockets"] == 0


BAD: dict[str, tuple[dict[str, Any], type[Exception]]] = {
    "no such setting": ({"executable": "python"}, TypeError),
    "a module": ({"exec": 3}, TypeError),
    "an empty one": ({"exec": ""}, ValueError),
    "arguments without a program": ({"args": ["a"]}, ValueError),
    "arguments in one": ({"exec": "module", "args": "abc"}, TypeError),
    "serialization": ({"serialization": "xml"}, ValueError),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD)
def test_bad_settings_change_nothing(what: str) -> None:
    options, kind = BAD[what]
    before = dict(cluster.settings)
    with pytest.raises(kind):
        cluster.setup_primary(**options)
    assert cluster.settings == before


def test_bad_calls() -> None:
    for policy in (0, 3, "rr", None):
        with pytest.raises(ValueError, match="scheduling_policy"):
            cluster.scheduling_policy = policy  # type: ignore[assignment]
    with pytest.raises(TypeError):
        cluster.disconnect(3)  # type: ignore[arg-type]
