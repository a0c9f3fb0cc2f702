"""Playing scenarios on Node.js: a few processes for all of them."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

from oracle.language import LIMIT, SETTLE, TURNS, Case
from oracle.supplies import Supplies

__all__ = ["MISSING", "major_version", "play_all"]

# Written for what Node.js does since v20; run with v20.  The differences of uvnet that scenarios state are
# differences from v20 (see traces.JUDGED_VERSION): later versions have taken some of them up.
_OLDEST = 20
_PLAYERS = 4  # processes, which wait for most of the time
_PROGRAM = Path(__file__).with_name("play.js")


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
    together = [case for case in cases if not case.scenario.ends]
    alone = [[case] for case in cases if case.scenario.ends]
    jobs = [*(together[index::_PLAYERS] for index in range(_PLAYERS)), *alone]
    found: dict[str, dict[str, Any]] = {}
    for first in range(0, len(jobs), _PLAYERS):
        players = [
            _Player(job, directory / str(first + index))
            for index, job in enumerate(jobs[first : first + _PLAYERS])
        ]
        found.update((played["name"], played) for player in players for played in player.traces())
    return found


class _Player:
    """One process that plays some of the cases."""

    def __init__(self, cases: list[Case], directory: Path) -> None:
        directory.mkdir()
        self.output = directory / "traces.json"
        self.supplies = []
        scenarios = []
        for index, case in enumerate(cases):
            own = directory / str(index)
            own.mkdir()
            supplies = Supplies(own)
            self.supplies.append(supplies)
            scenarios.append(supplies.fill(case.as_json()))
        job = {
            "scenarios": scenarios,
            "directory": str(directory),
            "output": str(self.output),
            "limit": LIMIT,
            "settle": SETTLE,
            "turns": TURNS,
        }
        (directory / "job.json").write_text(json.dumps(job))
        self.process = subprocess.Popen(
            [shutil.which("node") or "node", str(_PROGRAM), str(directory / "job.json")],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            pass_fds=[number for supplies in self.supplies for number in supplies.descriptors],
        )

    def traces(self) -> list[dict[str, Any]]:
        try:
            _, errors = self.process.communicate(timeout=100)
        finally:
            self.process.kill()
            self.process.wait()
            for supplies in self.supplies:
                supplies.close()
        assert self.process.returncode == 0, errors
        version = major_version()
        return [
            {**played, "names": {**played["names"], **supplies.names}, "version": version}
            for played, supplies in zip(
                json.loads(self.output.read_text()), self.supplies, strict=True
            )
        ]
