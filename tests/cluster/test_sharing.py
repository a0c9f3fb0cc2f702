"""Workers that listen on the same port share one socket, whoever accepts."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROGRAM = Path(__file__).parent / "programs" / "sharing.py"


@pytest.mark.parametrize("policy", ["rr", "none"])
@pytest.mark.parametrize("kind", ["net", "asyncio"])
def test_two_workers_and_one_port(kind: str, policy: str) -> None:
    done = subprocess.run(
        [sys.executable, PROGRAM, kind, policy], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stderr == ""
    told: dict[str, Any] = json.loads(done.stdout)
    assert told["online"] == told["fork"] == [1, 2]
    assert len(told["ports"]) == 1
    assert len(told["answers"]) == 20
    if policy == "rr":
        assert told["answers"].count("1") == 10
    assert told["exit"] == [[1, 0, None, True], [2, 0, None, True]]
    assert told["disconnect"] == [1, 2]
