"""Playing scenarios on Node.js: one process for all of them."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

from oracle.language import LIMIT, SETTLE, Case

__all__ = ["MISSING", "major_version", "play_all"]

# Written for what Node.js does since v20; run with v20.  The differences of uvnet that scenarios state are
# differences from v20 (see traces.JUDGED_VERSION): later versions have taken some of them up.
_OLDEST = 20
_PLAYER = Path(__file__).with_name("play.js")


def major_version() -> int:
    """The major version of the installed Node.js, 0 where there is none."""
    node = shutil.which("node")
    if node is None:
        return 0
    text = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    return int(text.strip().lstrip("v").partition(".")[0])


def _missing() -> str:
    version = major_version()
    if version == 0:
        return "node is not installed"
    return "" if version >= _OLDEST else f"node is v{version}, older than v{_OLDEST}"


MISSING = _missing()  # why the oracle cannot be asked, or ""


def play_all(cases: list[Case], directory: Path) -> dict[str, dict[str, Any]]:
    """The traces of Node.js by the names of the cases."""
    output = directory / "traces.json"
    job = {
        "scenarios": [case.as_json() for case in cases],
        "directory": str(directory),
        "output": str(output),
        "limit": LIMIT,
        "settle": SETTLE,
    }
    done = subprocess.run(
        [shutil.which("node") or "node", str(_PLAYER)],
        input=json.dumps(job), capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    version = major_version()
    return {
        played["name"]: {**played, "version": version}
        for played in json.loads(output.read_text())
    }
