"""What a worker wants of a socket's file, and several hosts at once, reaches the primary, which does it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROGRAM = Path(__file__).parent / "programs" / "files.py"


@pytest.mark.parametrize("kind", ["net", "asyncio"])
def test_files_and_hosts(tmp_path: Path, kind: str) -> None:
    done = subprocess.run(
        [sys.executable, PROGRAM, kind, tmp_path], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stderr == ""
    told: list[Any] = [json.loads(line) for line in done.stdout.splitlines()]
    assert told[0] == "0o604"
    assert "somebody listens there" in told[1]
    assert "nobody listens there" in told[2]
    assert told[3] == "0o600"
    if kind == "net":
        assert told[4] == [["127.0.0.1", "::1"], 1]
        assert told[5] == ["EADDRINUSE", []]
    assert told[-1] == 0
    assert os.listdir(tmp_path) == []
